"""What DHCP gave to a phone, and which TFTP servers follow from it. Pure: a message in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from wire.dhcp import ANY, Option, as_address, as_addresses, as_seconds, as_text
from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address

    from base.trace import Json
    from wire.dhcp import Message

FOR_EVER = 0xFFFFFFFF
LAST_RESORT = "CiscoCM1"
_V = TypeVar("_V")


class ServerOrigin(Enum):
    """Where the phone's TFTP servers come from, most preferred first.

    That option 150 and option 66 give them, and that old phones try the name CiscoCM1 when neither does, is known. The
    order, and the two header fields in between, are this project's.
    """

    OPTION_150 = "option 150"
    OPTION_66 = "option 66"
    NEXT_SERVER = "next server"
    """``siaddr``, the header's server for booting."""
    SERVER_NAME = "server name"
    """``sname``, the header's name of it."""
    LAST_RESORT = "last resort"


@dataclass(frozen=True, slots=True)
class Lease:
    """An address with what belongs to it.

    Attributes:
        address: that the phone may use.
        server: that gave it.
        leased: the address is the server's; false where the phone has one and only asked for the rest.
        duration_s: how long, from the request on; None for ever.
        renewal_s: when to ask that server for more (T1); None never.
        rebinding_s: when to ask any server for more (T2); None never.
        mask: None when not given, as everywhere here.
        routers: first choice first, as everywhere here.
        option_150: addresses of TFTP servers.
        option_66: name or address of a TFTP server.
        next_server: ``siaddr``.
        server_name: ``sname``.
        notes: what was given and could not be used.
    """

    address: IPv4Address
    server: IPv4Address
    leased: bool = True
    duration_s: int | None = None
    renewal_s: float | None = None
    rebinding_s: float | None = None
    mask: IPv4Address | None = None
    routers: tuple[IPv4Address, ...] = ()
    dns_servers: tuple[IPv4Address, ...] = ()
    domain: str = ""
    option_150: tuple[IPv4Address, ...] = ()
    option_66: str = ""
    next_server: IPv4Address | None = None
    server_name: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, message: Message, own: IPv4Address | None = None) -> Lease:
        """What an OFFER or ACK gives. An option that the phone cannot read is left out, with a note.

        Args:
            message: of a server.
            own: the address that the phone has already and keeps, when it only informed the server of it.

        Raises:
            WireError: it lacks what a client cannot do without: address, duration, server.
        """
        address = own or message.yiaddr
        if not usable(address):
            raise WireError(f"DHCP answer with the address {address}")
        seconds = None if own else as_seconds("option 51", message.option(Option.LEASE_TIME) or b"")
        server = message.option(Option.SERVER_IDENTIFIER) or b""
        reader = _Reader(message)
        renewal_s, rebinding_s = reader.timers(seconds)
        return cls(
            address=address,
            server=as_address("option 54", server),
            leased=own is None,
            duration_s=None if seconds == FOR_EVER else seconds,
            renewal_s=renewal_s,
            rebinding_s=rebinding_s,
            mask=reader.read(Option.SUBNET_MASK, as_address, None),
            routers=reader.read(Option.ROUTER, as_addresses, ()),
            dns_servers=reader.read(Option.DOMAIN_NAME_SERVER, as_addresses, ()),
            domain=reader.read(Option.DOMAIN_NAME, as_text, ""),
            option_150=reader.read(Option.TFTP_SERVER_ADDRESS, _servers, ()),
            option_66=reader.read(Option.TFTP_SERVER_NAME, _host, ""),
            next_server=message.siaddr if usable(message.siaddr) else None,
            server_name=reader.server_name(),
            notes=tuple(reader.notes),
        )

    @property
    def tftp(self) -> tuple[ServerOrigin, tuple[str, ...]]:
        """The TFTP servers, first choice first, and where they come from."""
        if self.option_150:
            return ServerOrigin.OPTION_150, tuple(map(str, self.option_150))
        if self.option_66:
            return ServerOrigin.OPTION_66, (self.option_66,)
        if self.next_server is not None:
            return ServerOrigin.NEXT_SERVER, (str(self.next_server),)
        if self.server_name:
            return ServerOrigin.SERVER_NAME, (self.server_name,)
        return ServerOrigin.LAST_RESORT, (LAST_RESORT,)

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        origin, hosts = self.tftp
        return {
            "address": str(self.address),
            "mask": _text(self.mask),
            "routers": [str(router) for router in self.routers],
            "dns_servers": [str(server) for server in self.dns_servers],
            "domain": self.domain,
            "dhcp_server": str(self.server),
            "leased": self.leased,
            "lease_s": self.duration_s,
            "renewal_s": self.renewal_s,
            "rebinding_s": self.rebinding_s,
            "option_150": [str(server) for server in self.option_150],
            "option_66": self.option_66,
            "next_server": _text(self.next_server),
            "server_name": self.server_name,
            "tftp_servers": list(hosts),
            "tftp_servers_from": origin.value,
            "notes": list(self.notes),
        }


def _text(address: IPv4Address | None) -> str:
    return str(address) if address is not None else ""


def usable(address: IPv4Address) -> bool:
    """Whether a host can have it."""
    return not (address == ANY or address.is_multicast or address.is_reserved)


def _servers(what: str, value: bytes) -> tuple[IPv4Address, ...]:
    found = tuple(address for address in as_addresses(what, value) if usable(address))
    if not found:
        raise WireError(f"DHCP {what} has no address that a server can have")
    return found


def _host(what: str, value: bytes) -> str:
    """A name that can be looked up, or an address."""
    text = as_text(what, value).strip()
    try:
        text.encode("idna")
    except UnicodeError as error:  # an empty label, or one over 63 characters
        raise WireError(f"DHCP {what} is no host name: {text[:80]!r}") from error
    if not text or any(mark in text for mark in " ,;/:"):
        raise WireError(f"DHCP {what} is no host name: {text[:80]!r}")
    return text


class _Reader:
    """Reads options of one message and keeps a note of each that it cannot."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self.notes: list[str] = []

    def read(self, code: int, how: Callable[[str, bytes], _V], otherwise: _V) -> _V:
        value = self._message.option(code)
        return otherwise if value is None else self._try(lambda: how(f"option {code}", value), otherwise)

    def server_name(self) -> str:
        name = self._message.sname
        return self._try(lambda: _host("field sname", name), "") if name else ""

    def timers(self, duration_s: int | None) -> tuple[float | None, float | None]:
        """T1 and T2; a half and seven eighths of the lease when not given or not in order (RFC 2131, 4.4.5)."""
        if duration_s is None or duration_s == FOR_EVER:
            return None, None
        first = self.read(Option.RENEWAL_TIME, as_seconds, 0) or duration_s / 2
        second = self.read(Option.REBINDING_TIME, as_seconds, 0) or duration_s * 7 / 8
        return (first, second) if first <= second <= duration_s else (duration_s / 2, duration_s * 7 / 8)

    def _try(self, how: Callable[[], _V], otherwise: _V) -> _V:
        try:
            return how()
        except WireError as error:
            self.notes.append(str(error))
            return otherwise
