"""SIP messages as a registrar and its phones need them: RFC 3261, chapter 7, over UDP and streams.

A message keeps its header fields in order and as they were written, so that what was decoded is written back the same.
Names are compared without regard to case, compact forms count as their long ones. Structure is checked, meaning is not:
whether a ``Contact`` makes sense is for whoever reads it. `Framer` cuts a stream into messages by ``Content-Length``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_MESSAGE = 65_535
MAX_HEADERS = 200
MAX_LINE = 8_192

_VERSION = "SIP/2.0"
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2}) ([^\r\n]*)")
_REQUEST_LINE = re.compile(r"([A-Za-z0-9.!%*_+`'~-]{1,32}) (\S{1,2048}) SIP/2\.0")
_CSEQ = re.compile(r"([0-9]{1,10})[ \t]+([A-Za-z0-9.!%*_+`'~-]{1,32})")
_BREAKS = re.compile(r"[\r\n\0]")
_BLANKS = " \t"
_END_OF_HEAD = b"\r\n\r\n"
_COMPACT = {
    "i": "call-id",
    "m": "contact",
    "e": "content-encoding",
    "l": "content-length",
    "c": "content-type",
    "f": "from",
    "s": "subject",
    "k": "supported",
    "t": "to",
    "v": "via",
    "r": "refer-to",
    "b": "referred-by",
    "o": "event",
    "u": "allow-events",
}
_MANDATORY = ("via", "from", "to", "call-id", "cseq")
_SINGLE = frozenset({"from", "to", "call-id", "cseq"})

Headers = tuple[tuple[str, str], ...]


@lru_cache(maxsize=256)
def _long(name: str) -> str:
    """The name in lower case and full length; all peers use the same few, and it is asked for very often."""
    lower = name.lower()
    return _COMPACT.get(lower, lower)


@dataclass(frozen=True, slots=True)
class _Message:
    headers: Headers
    body: bytes = b""

    def get(self, name: str) -> str | None:
        """Value of the first field of that name, however it is written; None when there is none."""
        wanted = _long(name)
        for key, value in self.headers:
            if _long(key) == wanted:
                return value
        return None

    def all(self, name: str) -> tuple[str, ...]:
        """Values of all fields of that name, in order."""
        wanted = _long(name)
        return tuple(value for key, value in self.headers if _long(key) == wanted)

    def require(self, name: str) -> str:
        """`get` for a field that has to be there.

        Raises:
            WireError: it is not.
        """
        value = self.get(name)
        if value is None:
            raise WireError(f"SIP message without {name}")
        return value


@dataclass(frozen=True, slots=True)
class Request(_Message):
    """A request.

    Attributes:
        headers: (name, value) in order, names as written, without Content-Length.
        body: may be empty.
        method: upper case, such as ``REGISTER``.
        uri: request URI.
    """

    method: str = ""
    uri: str = ""


@dataclass(frozen=True, slots=True)
class Response(_Message):
    """A response; `status` is 100 to 699."""

    status: int = 200
    reason: str = "OK"


Message = Request | Response


def encode(message: Message) -> bytes:
    """Writes a message; ``Content-Length`` is computed and stands last.

    Raises:
        WireError: `decode` would not give the same message: a line break inside a line, a header field missing ...
    """
    start = (
        f"{message.method} {message.uri} {_VERSION}"
        if isinstance(message, Request)
        else f"{_VERSION} {message.status} {message.reason}"
    )
    _check_start(start)
    lines = [start, *(_header_line(name, value) for name, value in message.headers)]
    if len(lines) >= MAX_HEADERS:
        raise WireError(f"SIP message with {MAX_HEADERS} header fields or more")
    _check_mandatory(message)
    lines.append(f"Content-Length: {len(message.body)}")
    try:
        data = "\r\n".join(lines).encode("utf-8") + _END_OF_HEAD + message.body
    except UnicodeEncodeError as error:
        raise WireError("SIP message cannot be written as UTF-8") from error
    if len(data) > MAX_MESSAGE:
        raise WireError(f"SIP message of {len(data)} bytes is over the limit of {MAX_MESSAGE}")
    return data


def _check_start(line: str) -> None:
    if not (_STATUS_LINE.fullmatch(line) or _REQUEST_LINE.fullmatch(line)) or "\0" in line or len(line) > MAX_LINE:
        raise WireError(f"SIP start line {line[:60]!r} is neither request nor response")


@lru_cache(maxsize=256)
def _is_token(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


def _header_line(name: str, value: str) -> str:
    line = f"{name}: {value}"
    if not _is_token(name) or _long(name) == "content-length" or value != value.strip(_BLANKS):
        raise WireError(f"SIP header field {line[:60]!r} cannot be written")
    if _BREAKS.search(line) or len(line) > MAX_LINE:
        raise WireError(f"SIP line with a line break or NUL, or too long: {line[:60]!r}")
    return line


def decode(data: bytes) -> Message:
    """Reads one whole message, such as a datagram.

    A datagram may be longer than its ``Content-Length`` says (what follows is dropped, RFC 3261 18.3), not shorter.

    Raises:
        WireError: it is not one; nothing else is raised.
    """
    if len(data) > MAX_MESSAGE:
        raise WireError(f"SIP message of {len(data)} bytes is over the limit of {MAX_MESSAGE}")
    head, end, rest = data.lstrip(b"\r\n").partition(_END_OF_HEAD)
    if not end:
        raise WireError("SIP message without the blank line after its header fields")
    read = _read_head(head)
    length = len(rest) if read.length is None else read.length
    if length > len(rest):
        raise WireError(f"SIP message announces {length} bytes of body and has {len(rest)}")
    return _build(read, rest[:length])


@dataclass(frozen=True, slots=True)
class _Head:
    """Start line and header fields; `length` is that of the body, None where it is not said."""

    start: str
    headers: Headers
    length: int | None


def _read_head(head: bytes) -> _Head:
    lines = _lines(head)
    headers = _headers(lines[1:])
    kept = tuple(item for item in headers if _long(item[0]) != "content-length")
    return _Head(lines[0], kept, _content_length(headers))


def _lines(head: bytes) -> list[str]:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError("SIP header fields are not UTF-8") from error
    if "\0" in text:
        raise WireError("SIP header fields with NUL")
    lines: list[str] = []
    for line in text.split("\r\n"):
        if "\n" in line or "\r" in line:
            raise WireError("SIP line that does not end with CR LF")
        if len(line) > MAX_LINE:
            raise WireError(f"SIP line of {len(line)} characters is over the limit of {MAX_LINE}")
        if line[:1] in {" ", "\t"} and len(lines) > 1:
            lines[-1] += " " + line.strip(_BLANKS)
            if len(lines[-1]) > MAX_LINE:
                raise WireError(f"SIP header field over the limit of {MAX_LINE} characters")
        else:
            lines.append(line)
    if len(lines) > MAX_HEADERS:
        raise WireError(f"SIP message with more than {MAX_HEADERS} header fields")
    return lines


def _headers(lines: list[str]) -> list[tuple[str, str]]:
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.rstrip(_BLANKS)
        if not colon or not _is_token(name):
            raise WireError(f"SIP header field {line[:60]!r} is not NAME: VALUE")
        headers.append((name, value.strip(_BLANKS)))
    return headers


def _content_length(headers: list[tuple[str, str]]) -> int | None:
    found = {value for name, value in headers if _long(name) == "content-length"}
    if not found:
        return None
    value = found.pop()
    if found or not (value.isascii() and value.isdecimal() and len(value) <= 6):
        raise WireError(f"SIP Content-Length {value[:20]!r} is not one number")
    return int(value)


def _build(head: _Head, body: bytes) -> Message:
    start, headers = head.start, head.headers
    status = _STATUS_LINE.fullmatch(start)
    request = _REQUEST_LINE.fullmatch(start)
    message: Message
    if status:
        message = Response(headers, body, int(status[1]), status[2])
    elif request:
        message = Request(headers, body, request[1].upper(), request[2])
    else:
        raise WireError(f"SIP start line {start[:60]!r} is neither request nor response")
    _check_mandatory(message)
    return message


def _check_mandatory(message: Message) -> None:
    names = [_long(name) for name, _ in message.headers]
    for name in _MANDATORY:
        count = names.count(name)
        if not count or (count > 1 and name in _SINGLE):
            raise WireError(f"SIP message with {count or 'no'} {name.title()}")
    cseq = _CSEQ.fullmatch(message.require("cseq"))
    if cseq is None or int(cseq[1]) >= 1 << 32:
        raise WireError("SIP CSeq is no number of 32 bits and a method")
    if isinstance(message, Request) and cseq[2].upper() != message.method:
        raise WireError(f"SIP CSeq names {cseq[2]!r}, the request is {message.method}")


@dataclass(slots=True)
class Framer:
    """Cuts a stream into messages; feed it bytes as they come. CR LF between messages (keep-alives) is skipped."""

    _buffer: bytearray = field(default_factory=bytearray)
    _searched: int = 0
    _head: _Head | None = None
    """Of the message at the start of the buffer; None until its header fields are there."""
    _body: int = 0
    """Where its body begins."""

    @property
    def waiting(self) -> int:
        """Bytes of an unfinished message; half an empty line is none yet."""
        return 0 if self._buffer == b"\r" else len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Message]:
        """Takes bytes; the messages that are complete now come one by one.

        Raises:
            WireError: while they come: the stream cannot be followed any more and has to be closed.
        """
        self._buffer += data
        return iter(self._next, None)

    def _next(self) -> Message | None:
        head = self._head or self._measure()
        if head is None or head.length is None:
            return None
        whole = self._body + head.length
        if len(self._buffer) < whole:
            return None
        message = _build(head, bytes(self._buffer[self._body : whole]))
        del self._buffer[:whole]
        self._head, self._searched = None, 0
        return message

    def _measure(self) -> _Head | None:
        while self._buffer[:2] == b"\r\n":
            del self._buffer[:2]
            self._searched = 0
        end = self._buffer.find(_END_OF_HEAD, max(0, self._searched - len(_END_OF_HEAD)))
        if end < 0:
            self._searched = len(self._buffer)
            if self._searched > MAX_MESSAGE:
                raise WireError(f"SIP header fields of over {MAX_MESSAGE} bytes")
            return None
        head = _read_head(bytes(self._buffer[:end]))
        if head.length is None:
            raise WireError("SIP message in a stream without Content-Length")
        self._head, self._body = head, end + len(_END_OF_HEAD)
        whole = self._body + head.length
        if whole > MAX_MESSAGE:
            raise WireError(f"SIP message of {whole} bytes is over the limit of {MAX_MESSAGE}")
        return head


@dataclass(frozen=True, slots=True)
class Address:
    """A ``From``, ``To`` or ``Contact``: URI and parameters after it.

    Attributes:
        display_name: without quotes; may be empty.
        uri: between the angle brackets.
        parameters: (name, value) in order; a parameter without value has None. Quotes are kept.
    """

    display_name: str
    uri: str
    parameters: tuple[tuple[str, str | None], ...] = ()

    def parameter(self, name: str) -> str | None:
        """Value of a parameter without its quotes; None when it is not there or has none."""
        value = next((value for key, value in self.parameters if key.lower() == name.lower()), None)
        return None if value is None else value.strip('"')

    @property
    def user(self) -> str:
        """What stands before the ``@``; empty when nothing does."""
        rest = self.uri.partition(":")[2]
        return rest.partition("@")[0] if "@" in rest else ""


_BARE = re.compile(r'[A-Za-z][A-Za-z0-9+.-]{0,31}:[^\s<>";]{1,2048}')
_IN_BRACKETS = re.compile(r"[^<>\s]{1,2048}")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_PARAMETER = re.compile(r';[ \t]*([A-Za-z0-9.!%*_+`\'~-]+)[ \t]*(?:=[ \t]*("(?:[^"\\]|\\.)*"|[^\s;"]+)[ \t]*)?')


def parse_address(value: str) -> Address:
    """Reads one address.

    Raises:
        WireError: it is none.
    """
    text = value.strip(_BLANKS)
    quoted = _QUOTED.match(text)
    name = quoted[1] if quoted else text.partition("<")[0].strip(_BLANKS)
    rest = text[quoted.end() :].lstrip(_BLANKS) if quoted else text[text.find("<") :] if "<" in text else ""
    if not rest and not quoted:
        bare, semicolon, parameters = text.partition(";")
        if not _BARE.fullmatch(bare.rstrip(_BLANKS)):
            raise WireError(f"SIP address {value[:80]!r} cannot be read")
        return Address("", bare.rstrip(_BLANKS), _parameters(semicolon + parameters))
    uri, closed, parameters = rest.removeprefix("<").partition(">")
    if not rest.startswith("<") or not closed or not _IN_BRACKETS.fullmatch(uri) or (not quoted and '"' in name):
        raise WireError(f"SIP address {value[:80]!r} cannot be read")
    return Address(name, uri, _parameters(parameters.lstrip(_BLANKS)))


def _parameters(text: str) -> tuple[tuple[str, str | None], ...]:
    parameters, position = [], 0
    while position < len(text):
        found = _PARAMETER.match(text, position)
        if found is None:
            raise WireError(f"SIP parameters {text[:80]!r} cannot be read")
        parameters.append((found[1], found[2]))
        position = found.end()
    return tuple(parameters)
