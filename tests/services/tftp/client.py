"""A TFTP client that does as it is told, for tests that want a datagram at a time, and one that fetches a file."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Self

from tests.waiting import PATIENCE_S
from wire.tftp import Ack, Data, ErrorPacket, OptionAck, ReadRequest, decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from wire.tftp import Packet

Address = tuple[str, int]


class RemoteError(Exception):
    """The server answered with an error."""

    def __init__(self, packet: ErrorPacket) -> None:
        super().__init__(f"error {packet.code}: {packet.message}")
        self.code = packet.code


class Client:
    """One port."""

    def __init__(self, host: str = "127.0.0.1", family: int = socket.AF_INET) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((host, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, packet: Packet | bytes, to: Address) -> None:
        self.socket.sendto(packet if isinstance(packet, bytes) else encode(packet), to)

    async def receive(self) -> tuple[Packet, Address]:
        """The next datagram and where it came from."""
        async with asyncio.timeout(PATIENCE_S):
            datagram, peer = await asyncio.get_running_loop().sock_recvfrom(self.socket, 70_000)
        return decode(datagram), peer

    async def ask(self, packet: Packet | bytes, to: Address) -> tuple[Packet, Address]:
        """Sends, and waits for the answer."""
        self.send(packet, to)
        return await self.receive()

    def has_nothing(self) -> bool:
        """Whether no datagram waits. On loopback one that was sent before is there."""
        try:
            self.socket.recvfrom(70_000)
        except BlockingIOError:
            return True
        return False

    async def fetch(
        self, server: Address, name: str, mode: str = "octet", options: Mapping[str, int] | None = None
    ) -> bytes:
        """A whole file: acknowledges each window; passes over what is repeated."""
        asked = tuple((option, str(value)) for option, value in (options or {}).items())
        packet, peer = await self.ask(ReadRequest(name, mode, asked), server)
        blksize, windowsize = 512, 1
        if isinstance(packet, OptionAck):
            agreed = dict(packet.options)
            blksize, windowsize = int(agreed.get("blksize", blksize)), int(agreed.get("windowsize", windowsize))
            packet, peer = await self.ask(Ack(0), peer)
        content = bytearray()
        block = 1
        while True:
            if isinstance(packet, ErrorPacket):
                raise RemoteError(packet)
            if isinstance(packet, Data) and packet.block == block & 0xFFFF:
                content += packet.payload
                is_last = len(packet.payload) < blksize
                if is_last or block % windowsize == 0:
                    self.send(Ack(block), peer)
                if is_last:
                    return bytes(content)
                block += 1
            packet, _ = await self.receive()
