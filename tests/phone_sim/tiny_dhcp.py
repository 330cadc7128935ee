"""A DHCP server of a few lines that shares no code with the client, and says what a test tells it to."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, cast

from phone_sim.clients.dhcp import Link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

MAC = "001122334455"
DISCOVER, OFFER, REQUEST, ACK, NAK, RELEASE, INFORM = 1, 2, 3, 5, 6, 7, 8
COOKIE = bytes.fromhex("63825363")
SERVER, NONE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - no address


@dataclass(frozen=True)
class Asked:
    """A message of the client, taken apart by hand."""

    raw: bytes

    @property
    def options(self) -> dict[int, bytes]:
        found, at = {}, 240
        while self.raw[at] != 255:
            length = self.raw[at + 1]
            found[self.raw[at]] = self.raw[at + 2 : at + 2 + length]
            at += 2 + length
        return found

    @property
    def kind(self) -> int:
        return self.options[53][0]

    @property
    def xid(self) -> bytes:
        return self.raw[4:8]

    @property
    def secs(self) -> int:
        return int.from_bytes(self.raw[8:10], "big")

    @property
    def broadcast(self) -> bool:
        return self.raw[10:12] == b"\x80\0"

    @property
    def ciaddr(self) -> str:
        return str(IPv4Address(self.raw[12:16]))

    @property
    def requested(self) -> str:
        return str(IPv4Address(self.options[50])) if 50 in self.options else ""

    @property
    def server(self) -> str:
        return str(IPv4Address(self.options[54])) if 54 in self.options else ""


def ip(*texts: str) -> bytes:
    return b"".join(IPv4Address(text).packed for text in texts)


def seconds(number: int) -> bytes:
    return number.to_bytes(4, "big")


LEASE: dict[int, bytes] = {51: seconds(600), 1: ip("255.255.255.0"), 3: ip("192.0.2.1"), 150: ip("192.0.2.7")}


def reply(
    asked: Asked,
    kind: int,
    options: dict[int, bytes] | None = None,
    *,
    yiaddr: str = "192.0.2.50",
    siaddr: str = NONE,
    server: str | None = SERVER,
    op: int = 2,
    xid: bytes | None = None,
    chaddr: str = MAC,
) -> bytes:
    """What a server answers; by default a lease with one TFTP server."""
    address = yiaddr if kind != NAK and asked.kind != INFORM else NONE
    head = bytes((op, 1, 6, 0)) + (xid or asked.xid) + bytes(4) + bytes(4) + ip(address, siaddr) + bytes(4)
    head += bytes.fromhex(chaddr).ljust(16, b"\0") + bytes(192) + COOKIE
    own = {53: bytes((kind,)), **({54: ip(server)} if server else {})}
    given = {**own, **(LEASE if options is None and kind != NAK else options or {})}
    return head + b"".join(bytes((code, len(value))) + value for code, value in given.items()) + b"\xff"


def obliging(asked: Asked) -> list[bytes]:
    """Gives whatever is asked for."""
    kind = {DISCOVER: OFFER, REQUEST: ACK, INFORM: ACK}.get(asked.kind)
    return [reply(asked, kind)] if kind else []


class TinyDhcp(asyncio.DatagramProtocol):
    """Notes what it is asked, answers by its script, which a test may change at any time."""

    def __init__(self, script: Callable[[Asked], Iterable[bytes]]) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def kinds(self) -> list[int]:
        return [asked.kind for asked in self.asked]

    @property
    def link(self) -> Link:
        assert self._transport is not None
        return Link(None, 0, *self._transport.get_extra_info("sockname"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = Asked(data)
        self.asked.append(asked)
        assert self._transport is not None
        for datagram in self.script(asked):
            self._transport.sendto(datagram, addr)


@asynccontextmanager
async def tiny_dhcp(script: Callable[[Asked], Iterable[bytes]] = obliging) -> AsyncIterator[TinyDhcp]:
    server = TinyDhcp(script)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, local_addr=(SERVER, 0))
    try:
        yield server
    finally:
        transport.close()
