"""DHCP messages: RFC 2131, options of RFC 2132, long options of RFC 3396, option 150 of RFC 5859.

An option's value is kept as the bytes it is made of, whichever option it is; the functions at the end read them as what
the phone knows. Values split over several options, and options that overflowed into the fields ``sname`` and ``file``
(option 52), are put together when read; both are written in the plain way.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address

from wire.errors import WireError

SERVER_PORT, CLIENT_PORT = 67, 68
MAX_SIZE = 1_472
"""Bytes of a message: what fits into one Ethernet frame."""
MIN_SIZE = 300
"""Bytes that a message is padded to; shorter ones are dropped by old relays and servers (RFC 1542, 2.1)."""
ETHERNET = 1
ANY = IPv4Address(0)

_HEAD = struct.Struct(">BBBBIHH4s4s4s4s16s64s128s4s")
_COOKIE = bytes((99, 130, 83, 99))
_BROADCAST = 0x8000
_LONGEST = 255
_SNAME_SIZE, _FILE_SIZE = 64, 128


class Operation(IntEnum):
    """Who speaks."""

    REQUEST = 1
    REPLY = 2


class MessageType(IntEnum):
    """Value of option 53."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


class Option(IntEnum):
    """Options that the phone sends or reads."""

    PAD = 0
    SUBNET_MASK = 1
    ROUTER = 3
    DOMAIN_NAME_SERVER = 6
    HOST_NAME = 12
    DOMAIN_NAME = 15
    REQUESTED_ADDRESS = 50
    LEASE_TIME = 51
    OVERLOAD = 52
    MESSAGE_TYPE = 53
    SERVER_IDENTIFIER = 54
    PARAMETER_REQUEST_LIST = 55
    MESSAGE = 56
    MAX_MESSAGE_SIZE = 57
    RENEWAL_TIME = 58
    REBINDING_TIME = 59
    VENDOR_CLASS = 60
    CLIENT_IDENTIFIER = 61
    TFTP_SERVER_NAME = 66
    TFTP_SERVER_ADDRESS = 150
    END = 255


Options = tuple[tuple[int, bytes], ...]
"""Codes (1 to 254, each once) and whole values, in the order of their first appearance."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; names as in RFC 2131, figure 1.

    Attributes:
        op: who speaks.
        xid: the client's number of the exchange, 32 bits.
        chaddr: hardware address, at most 16 bytes.
        options: see `Options`.
        htype: kind of hardware; 1 is Ethernet.
        hops: relays that it went through.
        secs: since the client began.
        broadcast: the answer cannot be sent to the client's own address yet.
        ciaddr: the client's address, if it uses it already.
        yiaddr: the address that it gets.
        siaddr: the next server, for booting.
        giaddr: the relay's address.
        sname: host name of a server, up to its first NUL; empty where the field holds options.
        file: boot file, likewise.
    """

    op: Operation
    xid: int
    chaddr: bytes
    options: Options
    htype: int = ETHERNET
    hops: int = 0
    secs: int = 0
    broadcast: bool = False
    ciaddr: IPv4Address = ANY
    yiaddr: IPv4Address = ANY
    siaddr: IPv4Address = ANY
    giaddr: IPv4Address = ANY
    sname: bytes = b""
    file: bytes = b""

    def option(self, code: int) -> bytes | None:
        """An option's value; None when the message does not have it."""
        return next((value for found, value in self.options if found == code), None)

    @property
    def type(self) -> int | None:
        """The message type, see `MessageType`; None in a message of BOOTP, DHCP's ancestor."""
        value = self.option(Option.MESSAGE_TYPE)
        return value[0] if value is not None and len(value) == 1 else None


def encode(message: Message) -> bytes:
    """The datagram, padded to `MIN_SIZE`; values over 255 bytes are split (RFC 3396).

    Raises:
        WireError: a field that the format cannot carry, or over `MAX_SIZE`.
    """
    codes = [code for code, _ in message.options]
    if len(set(codes)) != len(codes) or not all(Option.PAD < code < Option.END for code in codes):
        raise WireError(f"DHCP options {codes} cannot be sent: each of 1 to 254 at most once")
    if Option.OVERLOAD in codes:
        raise WireError("DHCP options are never written into the fields sname and file")
    if len(message.chaddr) > 16 or len(message.sname) >= _SNAME_SIZE or len(message.file) >= _FILE_SIZE:
        raise WireError("a DHCP field is too long for its place")
    if b"\0" in message.sname + message.file:
        raise WireError("a DHCP field for a name cannot hold NUL")
    addresses = (message.ciaddr, message.yiaddr, message.siaddr, message.giaddr)
    try:
        head = _HEAD.pack(
            message.op,
            message.htype,
            len(message.chaddr),
            message.hops,
            message.xid,
            message.secs,
            _BROADCAST if message.broadcast else 0,
            *(address.packed for address in addresses),
            message.chaddr,
            message.sname,
            message.file,
            _COOKIE,
        )
    except struct.error as error:
        raise WireError(f"a DHCP number does not fit its field: {error}") from error
    options = b"".join(_encode_option(code, value) for code, value in message.options)
    datagram = head + options + bytes((Option.END,))
    if len(datagram) > MAX_SIZE:
        raise WireError(f"DHCP message of {len(datagram)} bytes is over the limit of {MAX_SIZE}")
    return datagram.ljust(MIN_SIZE, b"\0")


def _encode_option(code: int, value: bytes) -> bytes:
    pieces = [value[start : start + _LONGEST] for start in range(0, len(value), _LONGEST)] or [b""]
    return b"".join(bytes((code, len(piece))) + piece for piece in pieces)


def decode(datagram: bytes) -> Message:
    """The message of a datagram.

    Raises:
        WireError: anything that is not one whole message. Nothing else is ever raised.
    """
    if len(datagram) > MAX_SIZE:
        raise WireError(f"DHCP message of {len(datagram)} bytes is over the limit of {MAX_SIZE}")
    if len(datagram) < _HEAD.size:
        raise WireError(f"DHCP message of {len(datagram)} bytes: shorter than its fixed part of {_HEAD.size}")
    op, htype, hlen, hops, xid, secs, flags, *addresses, chaddr, sname, file, cookie = _HEAD.unpack_from(datagram)
    if cookie != _COOKIE:
        raise WireError(f"not DHCP: {cookie.hex()} stands where the magic cookie belongs")
    if op not in set(Operation):
        raise WireError(f"DHCP operation {op} is unknown")
    if hlen > len(chaddr):
        raise WireError(f"DHCP hardware address of {hlen} bytes: at most {len(chaddr)}")
    found: dict[int, bytearray] = {}
    _read_options(datagram[_HEAD.size :], "options", found)
    in_file, in_sname = _overload(found.pop(Option.OVERLOAD, None))
    for field, name, holds_options in ((file, "file", in_file), (sname, "sname", in_sname)):  # order of RFC 3396, 5
        if holds_options:
            _read_options(field, name, found)
    if Option.OVERLOAD in found:
        raise WireError("DHCP option 52 inside the fields that it speaks of")
    ciaddr, yiaddr, siaddr, giaddr = map(IPv4Address, addresses)
    return Message(
        op=Operation(op),
        xid=xid,
        chaddr=chaddr[:hlen],
        options=tuple((code, bytes(value)) for code, value in found.items()),
        htype=htype,
        hops=hops,
        secs=secs,
        broadcast=bool(flags & _BROADCAST),
        ciaddr=ciaddr,
        yiaddr=yiaddr,
        siaddr=siaddr,
        giaddr=giaddr,
        sname=b"" if in_sname else sname.partition(b"\0")[0],
        file=b"" if in_file else file.partition(b"\0")[0],
    )


def _read_options(field: bytes, name: str, into: dict[int, bytearray]) -> None:
    """Adds the options up to the end mark; what follows it is padding."""
    at = 0
    while at < len(field) and field[at] != Option.END:
        code = field[at]
        at += 1
        if code == Option.PAD:
            continue
        if at == len(field) or at + 1 + field[at] > len(field):
            raise WireError(f"DHCP option {code} goes beyond the end of {name}")
        into.setdefault(code, bytearray()).extend(field[at + 1 : at + 1 + field[at]])
        at += 1 + field[at]
    if at == len(field):
        raise WireError(f"DHCP {name} without an end mark")


def _overload(value: bytearray | None) -> tuple[bool, bool]:
    """Whether ``file`` and ``sname`` hold options, by option 52."""
    if value is None:
        return False, False
    if len(value) != 1 or value[0] not in {1, 2, 3}:
        raise WireError(f"DHCP option 52 is {bytes(value[:8]).hex()}, not 01, 02 or 03")
    return bool(value[0] & 1), bool(value[0] & 2)


def as_addresses(what: str, value: bytes) -> tuple[IPv4Address, ...]:
    """A value that is a list of addresses, at least one.

    Args:
        what: names it in messages, as in all of these functions: ``option 150``.
        value: bytes of the option.

    Raises:
        WireError: it is none.
    """
    if not value or len(value) % 4:
        raise WireError(f"DHCP {what} of {len(value)} bytes is no list of IPv4 addresses")
    return tuple(IPv4Address(value[at : at + 4]) for at in range(0, len(value), 4))


def as_address(what: str, value: bytes) -> IPv4Address:
    """A value that is one address.

    Raises:
        WireError: it is not.
    """
    if len(value) != 4:
        raise WireError(f"DHCP {what} of {len(value)} bytes is no IPv4 address")
    return IPv4Address(value)


def as_seconds(what: str, value: bytes) -> int:
    """A value that is a time in seconds, 32 bits; 0xFFFFFFFF is for ever.

    Raises:
        WireError: it is not.
    """
    if len(value) != 4:
        raise WireError(f"DHCP {what} of {len(value)} bytes is no time")
    return int.from_bytes(value, "big")


def as_text(what: str, value: bytes) -> str:
    """A value that is text: printable ASCII; NULs at its end are none of it (RFC 2132, 2).

    Raises:
        WireError: it is empty or holds anything else.
    """
    text = value.rstrip(b"\0").decode("latin-1")
    if not text or not text.isascii() or not text.isprintable():
        raise WireError(f"DHCP {what} is no text: {value[:32].hex()}")
    return text
