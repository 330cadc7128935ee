"""TFTP datagrams: RFC 1350 with the options of RFC 2347, 2348, 2349 and 7440.

This is the only module that touches tftpy. Its classes write requests, and write and read option acknowledgements and
errors; on bad input they leak half a dozen exception types, keep only the last of two equal options, know a fixed text
for each error code and write each error packet to the log. All of that is put right here.

What a busy server reads and writes is done without it. DATA and ACK are packed with ``struct``: they are all but two or
three datagrams of a transfer, tftpy takes 0.40 µs to write a DATA of 512 bytes and 1.03 µs to read an ACK where
``struct`` takes 0.07 and 0.05 µs, and it does not let block numbers wrap. Requests are taken apart with ``split``:
tftpy reads them byte by byte, 11 µs for an ordinary one, of the 140 µs that a transfer of 6 KB costs altogether.
"""

from __future__ import annotations

import logging
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from tftpy.TftpPacketFactory import TftpPacketFactory
from tftpy.TftpPacketTypes import TftpPacketERR, TftpPacketOACK, TftpPacketRRQ, TftpPacketWRQ
from tftpy.TftpShared import TftpException

from wire.errors import WireError

Options = tuple[tuple[str, str], ...]
"""Option names and values in the order and spelling of the datagram."""

HEADER = struct.Struct(">HH")
"""Operation code and block number (or error code): how a DATA, an ACK and an ERROR begin."""

DEFAULT_BLKSIZE = 512
MIN_BLKSIZE = 8
MAX_BLKSIZE = 65_464
MAX_FILE_NAME = 255
MAX_CONTROL_SIZE = 512
"""Bytes of a request, option acknowledgement or error (RFC 2347 for requests)."""

_MAX_BLOCK = 0xFFFF
_FACTORY = TftpPacketFactory()
_LEAKED = (TftpException, AssertionError, struct.error, ValueError, LookupError, TypeError)

# An ERROR from a client is an ordinary event of the trace here, not a line on the operator's terminal.
logging.getLogger("tftpy.TftpPacketTypes").setLevel(logging.CRITICAL)


class Opcode(IntEnum):
    """What a datagram is, in its first two bytes."""

    READ_REQUEST = 1
    WRITE_REQUEST = 2
    DATA = 3
    ACK = 4
    ERROR = 5
    OPTION_ACK = 6


class ErrorCode(IntEnum):
    """Error codes of RFC 1350, and 8 of RFC 2347."""

    NOT_DEFINED = 0
    FILE_NOT_FOUND = 1
    ACCESS_VIOLATION = 2
    DISK_FULL = 3
    ILLEGAL_OPERATION = 4
    UNKNOWN_TRANSFER_ID = 5
    FILE_EXISTS = 6
    NO_SUCH_USER = 7
    OPTION_NEGOTIATION = 8


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """RRQ: a client wants a file.

    Attributes:
        file_name: 1 to 255 printable ASCII characters; not judged otherwise.
        mode: lower case: ``octet``, ``netascii``, ``mail``, or whatever the client wrote.
        options: see `Options`; no name occurs twice, whatever its case.
    """

    file_name: str
    mode: str = "octet"
    options: Options = ()


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """WRQ: a client wants to write a file. Fields as in `ReadRequest`."""

    file_name: str
    mode: str = "octet"
    options: Options = ()


@dataclass(frozen=True, slots=True)
class Data:
    """DATA: one block; a payload shorter than the block size ends the file.

    Attributes:
        block: counted from 1; on the wire modulo 65,536, so a decoded one is 0 to 65,535.
        payload: at most 65,464 bytes.
    """

    block: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """ACK: blocks up to this one have arrived; 0 answers an option acknowledgement.

    Attributes:
        block: as in `Data`.
    """

    block: int


@dataclass(frozen=True, slots=True)
class ErrorPacket:
    """ERROR: the transfer ends here.

    Attributes:
        code: see `ErrorCode`; unknown codes are kept.
        message: for people; each character is one byte (Latin-1), so nothing a peer sent is lost.
    """

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class OptionAck:
    """OACK: the options that the server agrees to, at least one."""

    options: Options


Packet = ReadRequest | WriteRequest | Data | Ack | ErrorPacket | OptionAck


def encode(packet: Packet) -> bytes:
    """The datagram of `packet`; block numbers wrap at 65,536 to 0.

    Raises:
        WireError: a field that the format cannot carry: empty, too long, not ASCII, with NUL, negative.
    """
    match packet:
        case Data(block, payload):
            if block < 0 or len(payload) > MAX_BLKSIZE:
                raise WireError(f"TFTP block {block} of {len(payload)} bytes cannot be sent")
            return HEADER.pack(Opcode.DATA, block & _MAX_BLOCK) + payload
        case Ack(block):
            if block < 0:
                raise WireError(f"TFTP block {block} cannot be acknowledged")
            return HEADER.pack(Opcode.ACK, block & _MAX_BLOCK)
        case ErrorPacket(code, message):
            return _encode_error(code, message)
        case OptionAck(options):
            if not options:
                raise WireError("TFTP option acknowledgement without an option")
            return _encode_options(options)
        case ReadRequest() | WriteRequest():
            return _encode_request(packet)


def decode(datagram: bytes) -> Packet:
    """The packet of a datagram.

    Raises:
        WireError: anything that is not one whole packet. Nothing else is ever raised.
    """
    if len(datagram) < 4:
        raise WireError(f"TFTP datagram of {len(datagram)} bytes: shorter than any packet")
    opcode, number = HEADER.unpack_from(datagram)
    if opcode == Opcode.ACK:
        if len(datagram) != HEADER.size:
            raise WireError(f"TFTP ACK of {len(datagram)} bytes, not {HEADER.size}")
        return Ack(number)
    if opcode == Opcode.DATA:
        if len(datagram) > HEADER.size + MAX_BLKSIZE:
            raise WireError(f"TFTP DATA of {len(datagram)} bytes: over the limit of {HEADER.size + MAX_BLKSIZE}")
        return Data(number, datagram[HEADER.size :])
    if len(datagram) > MAX_CONTROL_SIZE:
        raise WireError(f"TFTP packet of {len(datagram)} bytes is over the limit of {MAX_CONTROL_SIZE}")
    if opcode == Opcode.ERROR:
        return _decode_error(datagram)
    if opcode == Opcode.OPTION_ACK:
        return _decode_option_ack(datagram)
    if opcode in (Opcode.READ_REQUEST, Opcode.WRITE_REQUEST):
        return _decode_request(datagram, ReadRequest if opcode == Opcode.READ_REQUEST else WriteRequest)
    raise WireError(f"TFTP operation code {opcode} is unknown")


def _parse(datagram: bytes) -> Any:
    try:
        return _FACTORY.parse(datagram)
    except _LEAKED as error:
        raise WireError(f"not a TFTP packet: {error}") from error


def _decode_error(datagram: bytes) -> ErrorPacket:
    # tftpy lets an error without any text pass, and takes the last byte for the NUL without looking at it.
    ends = len(datagram) == HEADER.size or datagram.endswith(b"\0")
    packet = _parse(datagram if ends else datagram + b"\0")
    text: bytes = packet.errmsg or b""
    return ErrorPacket(packet.errorcode, text.partition(b"\0")[0].decode("latin-1"))


def _decode_request(datagram: bytes, kind: type[ReadRequest | WriteRequest]) -> ReadRequest | WriteRequest:
    try:
        file_name, mode, *texts, rest = datagram[2:].decode("ascii").split("\0")
    except UnicodeError as error:
        raise WireError(f"TFTP request is not ASCII: {error}") from error
    except ValueError as error:
        raise WireError("TFTP request without file name and mode, each with its NUL") from error
    if rest or len(texts) % 2:
        raise WireError("TFTP request with half an option")
    mode = mode.lower()
    _check_request(file_name, mode)
    options = tuple(zip(texts[::2], texts[1::2], strict=True))
    _check_options(options)
    return kind(file_name, mode, options)


def _decode_option_ack(datagram: bytes) -> OptionAck:
    options = tuple(_parse(datagram).options.items())
    if 2 * len(options) != datagram.count(b"\0", 2):
        raise WireError("TFTP option given twice")
    _check_options(options)
    return OptionAck(options)


def _check_request(file_name: str, mode: str) -> None:
    if not 0 < len(file_name) <= MAX_FILE_NAME:
        raise WireError(f"TFTP file name of {len(file_name)} bytes, not 1 to {MAX_FILE_NAME}")
    if not (file_name.isascii() and file_name.isprintable()):
        raise WireError(f"TFTP file name {file_name!r} has characters other than printable ASCII")
    if not (mode and mode.isascii() and mode.isprintable()):
        raise WireError(f"TFTP mode {mode!r} is not printable ASCII")


def _check_options(options: Options) -> None:
    names = {name.lower() for name, _ in options}
    if len(names) != len(options):
        raise WireError("TFTP option given twice")
    for text in (text for option in options for text in option):
        if not (text and text.isascii() and text.isprintable()):
            raise WireError(f"TFTP option text {text!r} is not printable ASCII")


def _encode_request(request: ReadRequest | WriteRequest) -> bytes:
    _check_request(request.file_name, request.mode)
    _check_options(request.options)
    packet = TftpPacketRRQ() if isinstance(request, ReadRequest) else TftpPacketWRQ()
    packet.filename = request.file_name
    packet.mode = "octet"
    packet.options = dict(request.options)
    encoded = _written(packet)
    if request.mode == "octet":
        return encoded
    # tftpy writes the one mode only.
    mode_at = len(request.file_name) + 3
    return encoded[:mode_at] + request.mode.encode("ascii") + encoded[mode_at + len("octet") :]


def _encode_options(options: Options) -> bytes:
    _check_options(options)
    packet = TftpPacketOACK()
    packet.options = dict(options)
    return _written(packet)


def _encode_error(code: int, message: str) -> bytes:
    packet = TftpPacketERR()
    packet.errorcode = code
    try:
        packet.errmsgs = {code: message.encode("latin-1")}
    except UnicodeError as error:
        raise WireError(f"TFTP error text {message!r} is not Latin-1") from error
    if "\0" in message:
        raise WireError("TFTP error text with NUL")
    return _written(packet)


def _written(packet: Any) -> bytes:
    try:
        encoded: bytes = packet.encode().buffer
    except _LEAKED as error:
        raise WireError(f"cannot be written as a TFTP packet: {error}") from error
    if len(encoded) > MAX_CONTROL_SIZE:
        raise WireError(f"TFTP packet of {len(encoded)} bytes is over the limit of {MAX_CONTROL_SIZE}")
    return encoded


@dataclass(frozen=True, slots=True)
class OptionLimits:
    """How far a server goes along with what a client asks.

    Attributes:
        max_blksize: bytes; a larger request is answered with this (RFC 2348 lets the server shrink it).
        max_windowsize: blocks; likewise (RFC 7440).
        max_window_bytes: a window is shrunk further to fit; what a socket's send buffer cannot hold is lost.
        max_timeout_s: a longer time-out is not agreed to (RFC 2349 lets the server leave the option out).
    """

    max_blksize: int = MAX_BLKSIZE
    max_windowsize: int = 64
    max_window_bytes: int = 131_072
    max_timeout_s: int = 60


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a transfer runs with.

    Attributes:
        blksize: payload bytes of all blocks but the last.
        windowsize: blocks sent before an ACK is awaited.
        timeout_s: fixed time between retransmissions; None when the sender chooses.
        acknowledged: what the OACK carries, in the client's order and spelling; empty: no OACK is sent.
    """

    blksize: int = DEFAULT_BLKSIZE
    windowsize: int = 1
    timeout_s: int | None = None
    acknowledged: Options = ()


def negotiate(requested: Options, file_size: int, limits: OptionLimits) -> Agreement:
    """The server's side of option negotiation for a read.

    Unknown options and values that are not decimal numbers in range are left out, as RFC 2347 has it.

    Args:
        requested: the options of the request.
        file_size: bytes that will be sent, for ``tsize``.
        limits: see `OptionLimits`.
    """
    if not requested:
        return _NOTHING_AGREED
    asked = {name.lower(): number for name, value in requested if (number := _number(value)) is not None}
    agreed: dict[str, int] = {}
    blksize = DEFAULT_BLKSIZE
    if asked.get("blksize", 0) >= MIN_BLKSIZE:
        agreed["blksize"] = blksize = min(asked["blksize"], limits.max_blksize)
    windowsize = 1
    if 1 <= asked.get("windowsize", 0) <= 65_535:
        fitting = max(1, limits.max_window_bytes // blksize)
        agreed["windowsize"] = windowsize = min(asked["windowsize"], limits.max_windowsize, fitting)
    timeout_s = None
    if 1 <= asked.get("timeout", 0) <= min(255, limits.max_timeout_s):
        agreed["timeout"] = timeout_s = asked["timeout"]
    if "tsize" in asked and file_size:  # curl takes a size of 0 for an error
        agreed["tsize"] = file_size
    acknowledged = tuple((name, str(agreed[name.lower()])) for name, _ in requested if name.lower() in agreed)
    return Agreement(blksize, windowsize, timeout_s, acknowledged)


_NOTHING_AGREED = Agreement()


def _number(text: str) -> int | None:
    return int(text) if len(text) <= 10 and text.isascii() and text.isdecimal() else None


def to_netascii(text: bytes) -> bytes:
    """A file in netascii (RFC 1350, RFC 764): LF becomes CR LF, and CR becomes CR NUL, losing nothing."""
    return text.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")
