"""SIP messages as a registrar and its phones need them: RFC 3261, chapter 7, over UDP and streams.

A message keeps its header fields in order and as they were written, so that what was decoded is written back the same.
Names are compared without regard to case, compact forms count as their long ones. Structure is checked, meaning is not:
whether a ``Contact`` makes sense is for whoever reads it. `Framer` cuts a stream into messages by ``Content-Length``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from wire.errors import WireError

MAX_MESSAGE = 65_535
MAX_HEADERS = 200
MAX_LINE = 8_192

_VERSION = "SIP/2.0"
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2}) ([^\r\n]*)")
_REQUEST_LINE = re.compile(r"([A-Za-z0-9.!%*_+`'~-]{1,32}) (\S{1,2048}) SIP/2\.0")
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

Headers = tuple[tuple[str, str], ...]


def _long(name: str) -> str:
    lower = name.lower()
    return _COMPACT.get(lower, lower)


@dataclass(frozen=True, slots=True)
class _Message:
    headers: Headers
    body: bytes = b""

    def get(self, name: str) -> str | None:
        """Value of the first field of that name, however it is written; None when there is none."""
        wanted = _long(name)
        return next((value for key, value in self.headers if _long(key) == wanted), None)

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
        WireError: a line break or NUL inside a line, or the whole is over `MAX_MESSAGE`.
    """
    start = (
        f"{message.method} {message.uri} {_VERSION}"
        if isinstance(message, Request)
        else f"{_VERSION} {message.status} {message.reason}"
    )
    lines = [start, *(f"{name}: {value}" for name, value in message.headers)]
    for line in lines:
        if "\r" in line or "\n" in line or "\0" in line:
            raise WireError(f"SIP line with a line break or NUL: {line[:60]!r}")
    lines.append(f"Content-Length: {len(message.body)}")
    try:
        data = "\r\n".join(lines).encode("utf-8") + _END_OF_HEAD + message.body
    except UnicodeEncodeError as error:
        raise WireError("SIP message cannot be written as UTF-8") from error
    if len(data) > MAX_MESSAGE:
        raise WireError(f"SIP message of {len(data)} bytes is over the limit of {MAX_MESSAGE}")
    return data


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
    lines = _lines(head)
    headers = _headers(lines[1:])
    length = _content_length(headers)
    if length is None:
        length = len(rest)
    if length > len(rest):
        raise WireError(f"SIP message announces {length} bytes of body and has {len(rest)}")
    kept = tuple(item for item in headers if _long(item[0]) != "content-length")
    return _build(lines[0], kept, rest[:length])


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
            lines[-1] += " " + line.strip()
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
        name = name.rstrip()
        if not colon or not _TOKEN.fullmatch(name):
            raise WireError(f"SIP header field {line[:60]!r} is not NAME: VALUE")
        headers.append((name, value.strip()))
    return headers


def _content_length(headers: list[tuple[str, str]]) -> int | None:
    found = {value for name, value in headers if _long(name) == "content-length"}
    if not found:
        return None
    value = found.pop()
    if found or not (value.isascii() and value.isdecimal() and len(value) <= 6):
        raise WireError(f"SIP Content-Length {value[:20]!r} is not one number")
    return int(value)


def _build(start: str, headers: Headers, body: bytes) -> Message:
    status = _STATUS_LINE.fullmatch(start)
    request = _REQUEST_LINE.fullmatch(start)
    message: Message
    if status:
        message = Response(headers, body, int(status[1]), status[2])
    elif request:
        message = Request(headers, body, request[1].upper(), request[2])
    else:
        raise WireError(f"SIP start line {start[:60]!r} is neither request nor response")
    for name in _MANDATORY:
        if message.get(name) is None:
            raise WireError(f"SIP message without {name.title()}")
    _check_cseq(message)
    return message


def _check_cseq(message: Message) -> None:
    number, _, method = message.require("cseq").partition(" ")
    if not (number.isascii() and number.isdecimal() and int(number[:12]) < 1 << 32 and len(number) <= 10):
        raise WireError("SIP CSeq without a number of 32 bits")
    if isinstance(message, Request) and method.strip().upper() != message.method:
        raise WireError(f"SIP CSeq names {method.strip()[:32]!r}, the request is {message.method}")


@dataclass(slots=True)
class Framer:
    """Cuts a stream into messages; feed it bytes as they come. CR LF between messages (keep-alives) is skipped."""

    _buffer: bytearray = field(default_factory=bytearray)

    @property
    def waiting(self) -> int:
        """Bytes of an unfinished message."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now.

        Raises:
            WireError: the stream cannot be followed any more and has to be closed.
        """
        self._buffer += data
        messages: list[Message] = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> Message | None:
        while self._buffer[:2] == b"\r\n":
            del self._buffer[:2]
        end = self._buffer.find(_END_OF_HEAD)
        if end < 0:
            if len(self._buffer) > MAX_MESSAGE:
                raise WireError(f"SIP header fields of over {MAX_MESSAGE} bytes")
            return None
        lines = _lines(bytes(self._buffer[:end]))
        length = _content_length(_headers(lines[1:]))
        if length is None:
            raise WireError("SIP message in a stream without Content-Length")
        whole = end + len(_END_OF_HEAD) + length
        if whole > MAX_MESSAGE:
            raise WireError(f"SIP message of {whole} bytes is over the limit of {MAX_MESSAGE}")
        if len(self._buffer) < whole:
            return None
        message = decode(bytes(self._buffer[:whole]))
        del self._buffer[:whole]
        return message


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


_ADDRESS = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<([^<>\s]{1,2048})>\s*(;.*)?')
_PARAMETER = re.compile(r';\s*([A-Za-z0-9.!%*_+`\'~-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]+))?\s*')


def parse_address(value: str) -> Address:
    """Reads one address.

    Raises:
        WireError: it is none.
    """
    found = _ADDRESS.fullmatch(value)
    if found is None:
        bare, semicolon, parameters = value.strip().partition(";")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"]{1,2048}", bare):
            raise WireError(f"SIP address {value[:80]!r} cannot be read")
        return Address("", bare, _parameters(semicolon + parameters))
    return Address(found[1] or found[2] or "", found[3], _parameters(found[4] or ""))


def _parameters(text: str) -> tuple[tuple[str, str | None], ...]:
    parameters, position = [], 0
    while position < len(text.rstrip()):
        found = _PARAMETER.match(text, position)
        if found is None:
            raise WireError(f"SIP parameters {text[:80]!r} cannot be read")
        parameters.append((found[1], found[2]))
        position = found.end()
    return tuple(parameters)
