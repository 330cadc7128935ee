"""Messages of the Trust Verification Service, as they pass through TLS on TCP 2445.

A message is ten bytes of header (protocol 0x57, version 1, command, a byte that only requests keep at 0, session u32,
length u16) and elements of tag, u16 length and value. *Verify* asks whether a certificate is trusted and for what;
*query* asks for the certificate of a signer of whom only names and serial number are known.

The numbers 4 (issuer) and 5 (serial number) are inferred: a published query has them in this order and length, but its
text does not show their tags. They stand in `Tag` and nowhere else.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from wire.certificates import MAX_CERTIFICATE_SIZE, check_der
from wire.errors import WireError
from wire.tlv import Reader, element, read_integer, read_text, write_integer, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROTOCOL, VERSION = 0x57, 1
HEADER_SIZE = 10
MAX_BODY = MAX_CERTIFICATE_SIZE + 4_096
"""Bytes of elements accepted: one certificate of the largest size, names and roles."""
MAX_DEVICE_NAME = 64
MAX_ROLES = 32
MAX_TTL_S = 0xFFFF_FFFF

_HEADER = struct.Struct(">BBBBIH")
_DEVICE_PREFIX = b"\x01"


class Command(IntEnum):
    """What a message is."""

    VERIFY_REQUEST = 1
    VERIFY_RESPONSE = 2
    QUERY_REQUEST = 3
    QUERY_RESPONSE = 4


_COMMANDS = {int(command): command for command in Command}


class Tag(IntEnum):
    """Elements."""

    DEVICE_NAME = 1
    CERTIFICATE = 2
    SUBJECT = 3
    ISSUER = 4
    SERIAL = 5
    STATUS = 7
    ROLES = 8
    TTL = 9


class Status(IntEnum):
    """Outcome in a response."""

    TRUSTED = 0
    UNKNOWN = 1


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """Is this certificate trusted, and for what?

    Attributes:
        session: any number; comes back in the response.
        device: ``CP-<model>-SEP<MAC>`` of the asking phone.
        certificate: DER.
    """

    session: int
    device: str
    certificate: bytes


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """Whose certificate is this?

    Attributes:
        session: as in `VerifyRequest`.
        device: likewise.
        subject: name of the signer, ``;``-joined, most specific part first.
        issuer: name of its issuer, likewise.
        serial: big-endian.
    """

    session: int
    device: str
    subject: str
    issuer: str
    serial: bytes


@dataclass(frozen=True, slots=True)
class VerifyResponse:
    """The answer to `VerifyRequest`.

    Attributes:
        session: that of the request.
        status: 0 trusted, 1 not known; other numbers are kept.
        roles: functions in the cluster, see `wire.trustlist.Function`; empty when not trusted.
        ttl_s: seconds for which the phone may keep the answer; None when not trusted.
        filler: the fourth byte, undefined in responses (a real server left 0xF7 there).
    """

    session: int
    status: int
    roles: tuple[int, ...] = ()
    ttl_s: int | None = None
    filler: int = 0


@dataclass(frozen=True, slots=True)
class QueryResponse:
    """The answer to `QueryRequest`; as `VerifyResponse`, with the certificate (DER) when it was found."""

    session: int
    status: int
    certificate: bytes | None = None
    roles: tuple[int, ...] = ()
    ttl_s: int | None = None
    filler: int = 0


Request = VerifyRequest | QueryRequest
Response = VerifyResponse | QueryResponse
Message = Request | Response


def body_length(header: bytes) -> int:
    """Bytes that follow a header, to know how much to read.

    Raises:
        WireError: the ten bytes are no header of this protocol, or announce more than `MAX_BODY`.
    """
    return _read_header(header)[3]


def decode(message: bytes) -> Message:
    """Reads one whole message.

    Raises:
        WireError: another protocol or version, a wrong length, an unknown, repeated or missing element, or a
            certificate that cannot be parsed.
    """
    command, filler, session, length = _read_header(message[:HEADER_SIZE])
    if len(message) != HEADER_SIZE + length:
        raise WireError(f"TVS message of {len(message)} bytes says that it has {HEADER_SIZE + length}")
    where = f"TVS {command.name.lower().replace('_', ' ')}"
    found = Reader(message[HEADER_SIZE:], where).children()
    return _DECODERS[command](_Elements(where, found), session, filler)


def encode(message: Message) -> bytes:
    """Writes a message, its elements in the published order.

    Raises:
        WireError: a value that its element cannot carry.
    """
    match message:
        case VerifyRequest():
            parts = [_device(message.device), element(Tag.CERTIFICATE, message.certificate)]
            return _assemble(Command.VERIFY_REQUEST, message.session, 0, parts)
        case QueryRequest():
            parts = [
                _device(message.device),
                element(Tag.SUBJECT, write_text("subject", message.subject)),
                element(Tag.ISSUER, write_text("issuer", message.issuer)),
                element(Tag.SERIAL, _serial(message.serial)),
            ]
            return _assemble(Command.QUERY_REQUEST, message.session, 0, parts)
        case VerifyResponse():
            parts = _outcome(message, None)
            return _assemble(Command.VERIFY_RESPONSE, message.session, message.filler, parts)
        case QueryResponse():
            parts = _outcome(message, message.certificate)
            return _assemble(Command.QUERY_RESPONSE, message.session, message.filler, parts)


def _read_header(header: bytes) -> tuple[Command, int, int, int]:
    if len(header) != HEADER_SIZE:
        raise WireError(f"TVS header of {len(header)} bytes, not {HEADER_SIZE}")
    protocol, version, command, filler, session, length = _HEADER.unpack(header)
    if protocol != PROTOCOL:
        raise WireError(f"TVS protocol byte is {protocol:#04x}, not {PROTOCOL:#04x}")
    if version != VERSION:
        raise WireError(f"TVS version is {version}, not {VERSION}")
    if command not in _COMMANDS:
        raise WireError(f"TVS command {command} is unknown")
    if length > MAX_BODY:
        raise WireError(f"TVS message of {length} bytes is over the limit of {MAX_BODY}")
    return _COMMANDS[command], filler, session, length


class _Elements:
    """The elements of one message; each is taken once, and none may be left."""

    def __init__(self, where: str, found: dict[int, bytes]) -> None:
        self._where = where
        self._found = found

    def take(self, tag: Tag) -> bytes:
        if tag not in self._found:
            raise WireError(f"{self._where}: element {tag} ({tag.name}) is missing")
        return self._found.pop(tag)

    def take_if_there(self, tag: Tag) -> bytes | None:
        return self._found.pop(tag, None)

    def text(self, tag: Tag) -> str:
        return read_text(f"{self._where}: element {tag} ({tag.name})", self.take(tag))

    def finish(self) -> None:
        if self._found:
            raise WireError(f"{self._where}: element {next(iter(self._found))} does not belong there")


def _decode_verify_request(elements: _Elements, session: int, _filler: int) -> VerifyRequest:
    device = _read_device(elements.take(Tag.DEVICE_NAME))
    certificate = _read_certificate(elements.take(Tag.CERTIFICATE))
    elements.finish()
    return VerifyRequest(session, device, certificate)


def _decode_query_request(elements: _Elements, session: int, _filler: int) -> QueryRequest:
    device = _read_device(elements.take(Tag.DEVICE_NAME))
    subject, issuer = elements.text(Tag.SUBJECT), elements.text(Tag.ISSUER)
    serial = _serial(elements.take(Tag.SERIAL))
    elements.finish()
    return QueryRequest(session, device, subject, issuer, serial)


def _decode_verify_response(elements: _Elements, session: int, filler: int) -> VerifyResponse:
    status = read_integer("TVS status", elements.take(Tag.STATUS), 1)
    roles, ttl_s = _read_roles_and_ttl(elements)
    elements.finish()
    return VerifyResponse(session, status, roles, ttl_s, filler)


def _decode_query_response(elements: _Elements, session: int, filler: int) -> QueryResponse:
    status = read_integer("TVS status", elements.take(Tag.STATUS), 1)
    der = elements.take_if_there(Tag.CERTIFICATE)
    certificate = None if der is None else _read_certificate(der)
    roles, ttl_s = _read_roles_and_ttl(elements)
    elements.finish()
    return QueryResponse(session, status, certificate, roles, ttl_s, filler)


_DECODERS: Mapping[Command, Callable[[_Elements, int, int], Message]] = {
    Command.VERIFY_REQUEST: _decode_verify_request,
    Command.VERIFY_RESPONSE: _decode_verify_response,
    Command.QUERY_REQUEST: _decode_query_request,
    Command.QUERY_RESPONSE: _decode_query_response,
}


def _read_device(value: bytes) -> str:
    name = value[1:]
    if value[:1] != _DEVICE_PREFIX or not 0 < len(name) <= MAX_DEVICE_NAME:
        raise WireError(f"TVS device name is not 0x01 and 1 to {MAX_DEVICE_NAME} characters")
    try:
        text = name.decode("ascii")
    except UnicodeDecodeError as error:
        raise WireError("TVS device name is not ASCII") from error
    if not text.isprintable():
        raise WireError("TVS device name has characters that cannot be printed")
    return text


def _serial(value: bytes) -> bytes:
    if not value:
        raise WireError("TVS query request: the serial number is empty")
    return value


def _read_certificate(der: bytes) -> bytes:
    check_der(der)
    return der


def _read_roles_and_ttl(elements: _Elements) -> tuple[tuple[int, ...], int | None]:
    roles = elements.take_if_there(Tag.ROLES) or b""
    _limit_roles(len(roles))
    ttl = elements.take_if_there(Tag.TTL)
    return tuple(roles), None if ttl is None else read_integer("TVS time to live", ttl, 4)


def _limit_roles(count: int) -> None:
    if count > MAX_ROLES:
        raise WireError(f"TVS response with {count} roles is over the limit of {MAX_ROLES}")


def _device(name: str) -> bytes:
    try:
        value = _DEVICE_PREFIX + name.encode("ascii")
    except UnicodeEncodeError as error:
        raise WireError(f"TVS device name {name!r} is not ASCII") from error
    _read_device(value)
    return element(Tag.DEVICE_NAME, value)


def _outcome(message: Response, certificate: bytes | None) -> list[bytes]:
    parts = [element(Tag.STATUS, write_integer("TVS status", message.status, 1))]
    if certificate is not None:
        parts.append(element(Tag.CERTIFICATE, certificate))
    if message.roles:
        _limit_roles(len(message.roles))
        try:
            parts.append(element(Tag.ROLES, bytes(message.roles)))
        except ValueError as error:
            raise WireError(f"TVS roles {message.roles} are not all 0 to 255") from error
    if message.ttl_s is not None:
        parts.append(element(Tag.TTL, write_integer("TVS time to live", message.ttl_s, 4)))
    return parts


def _assemble(command: Command, session: int, filler: int, parts: list[bytes]) -> bytes:
    body = b"".join(parts)
    if len(body) > MAX_BODY:
        raise WireError(f"TVS message of {len(body)} bytes is over the limit of {MAX_BODY}")
    try:
        return _HEADER.pack(PROTOCOL, VERSION, command, filler, session, len(body)) + body
    except struct.error as error:
        raise WireError(f"TVS session number {session} does not fit into 32 bits") from error
