"""What the phone says to a DHCP server. Pure.

Which options real phones send beside the two that name TFTP servers is not in the documents that this project draws
on; the vendor class and the list below are the project's own, and so is the host name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wire.dhcp import ANY, ETHERNET, MAX_SIZE, Message, MessageType, Operation, Option

if TYPE_CHECKING:
    from ipaddress import IPv4Address

VENDOR_CLASS = "Cisco Systems, Inc. IP Phone CP-{model}"
WANTED = (
    Option.SUBNET_MASK,
    Option.ROUTER,
    Option.DOMAIN_NAME_SERVER,
    Option.DOMAIN_NAME,
    Option.LEASE_TIME,
    Option.SERVER_IDENTIFIER,
    Option.RENEWAL_TIME,
    Option.REBINDING_TIME,
    Option.TFTP_SERVER_NAME,
    Option.TFTP_SERVER_ADDRESS,
)
_IP_AND_UDP = 28


@dataclass(frozen=True, slots=True)
class DhcpIdentity:
    """Who asks.

    Attributes:
        mac: twelve hex digits.
        model: ``8865``.
    """

    mac: str
    model: str

    @property
    def hardware(self) -> bytes:
        """The MAC address as it stands in ``chaddr``."""
        return bytes.fromhex(self.mac)

    def discover(self, xid: int) -> Message:
        """Looks for servers."""
        return self._message(MessageType.DISCOVER, xid, {}, broadcast=True)

    def request(self, xid: int, address: IPv4Address, server: IPv4Address | None) -> Message:
        """Takes an offer, or without `server` asks whether an address may still be used (RFC 2131, 4.3.2)."""
        own = {Option.REQUESTED_ADDRESS: address.packed}
        if server is not None:
            own[Option.SERVER_IDENTIFIER] = server.packed
        return self._message(MessageType.REQUEST, xid, own, broadcast=True)

    def extend(self, xid: int, address: IPv4Address) -> Message:
        """Asks for more time for an address that the phone's packets really come from."""
        return replace(self._message(MessageType.REQUEST, xid, {}), ciaddr=address)

    def inform(self, xid: int, address: IPv4Address) -> Message:
        """Asks for everything but an address."""
        return replace(self._message(MessageType.INFORM, xid, {}), ciaddr=address)

    def release(self, xid: int, address: IPv4Address, server: IPv4Address) -> Message:
        """Gives the address back; nobody answers."""
        options = (
            (Option.MESSAGE_TYPE, bytes((MessageType.RELEASE,))),
            (Option.CLIENT_IDENTIFIER, self._client_identifier),
            (Option.SERVER_IDENTIFIER, server.packed),
        )
        return Message(Operation.REQUEST, xid, self.hardware, options, ciaddr=address)

    @property
    def _client_identifier(self) -> bytes:
        return bytes((ETHERNET,)) + self.hardware

    def _message(self, kind: MessageType, xid: int, own: dict[Option, bytes], *, broadcast: bool = False) -> Message:
        options: dict[Option, bytes] = {
            Option.MESSAGE_TYPE: bytes((kind,)),
            Option.CLIENT_IDENTIFIER: self._client_identifier,
            **own,
            Option.MAX_MESSAGE_SIZE: (MAX_SIZE + _IP_AND_UDP).to_bytes(2, "big"),
            Option.HOST_NAME: f"SEP{self.mac}".encode(),
            Option.VENDOR_CLASS: VENDOR_CLASS.format(model=self.model).encode(),
            Option.PARAMETER_REQUEST_LIST: bytes(WANTED),
        }
        return Message(Operation.REQUEST, xid, self.hardware, tuple(options.items()), broadcast=broadcast, ciaddr=ANY)
