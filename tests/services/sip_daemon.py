"""The SIP listeners on loopback, with clients that know nothing but sockets and the codec."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from base.identity import Identity
from base.tls import server_context
from base.trace import Trace
from services.callmanager.daemon import DatagramListener, StreamListener
from services.callmanager.exchange import Exchange, SipLimits
from tests.services.sip_cast import (
    Desk,
    register,
)
from tests.waiting import PATIENCE_S, WatchedSink, eventually
from tests.wire.material import certificate, private_key
from wire.sip import Framer, Request, Response, decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from base.trace import TraceEvent
    from services.composite import Part
    from wire.sip import Message

HOST = "127.0.0.1"
SERVER = Identity(certificate("callmanager.pem"), private_key("callmanager.pem"))
REGISTER = encode(register())


@dataclass
class Daemon:
    """Listeners with a registrar behind them."""

    desk: Desk
    exchange: Exchange
    sink: WatchedSink
    ports: dict[str, int] = field(default_factory=dict)
    streams: list[StreamListener] = field(default_factory=list)

    @property
    def connections(self) -> int:
        """Clients of the stream listeners at this moment."""
        return sum(listener.connections for listener in self.streams)

    async def traced(self, step: str, count: int = 1) -> TraceEvent:
        """Waits for an event."""
        return await self.sink.seen(step, count=count)

    async def until_registered(self, *devices: str) -> None:
        await eventually(
            lambda: set(self.desk.registered()) == set(devices),
            lambda: f"{devices} registered; it is {self.desk.registered()}",
        )


@asynccontextmanager
async def running(
    desk: Desk | None = None, limits: SipLimits | None = None, enrol: object = None
) -> AsyncIterator[Daemon]:
    desk, sink = desk or Desk(), WatchedSink()
    exchange = Exchange(
        desk.registrar,
        desk.clock.now,
        Trace(sink),
        limits,
        stamp=lambda device: f"stamp-of-{device}",
        enrol=enrol,  # type: ignore[arg-type]
    )
    context = server_context([SERVER], maximum=ssl.TLSVersion.TLSv1_2)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=certificate("phone-mic.pem").pem)
    streams = [StreamListener(exchange, HOST, 0), StreamListener(exchange, HOST, 0, context)]
    parts: list[Part] = [DatagramListener(exchange, HOST, 0), *streams]
    daemon = Daemon(desk, exchange, sink, streams=streams)
    for part in parts:
        await part.start()
    daemon.ports = dict(exchange.ports)
    try:
        yield daemon
    finally:
        await asyncio.gather(*(part.stop(0) for part in parts))
        exchange.close()


class Client:
    """A phone's socket, with messages in and out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._framer = Framer()
        self._waiting: list[Message] = []

    @classmethod
    async def open(cls, daemon: Daemon, context: ssl.SSLContext | None = None) -> Client:
        port = daemon.ports["TLS" if context else "TCP"]
        return cls(*await asyncio.open_connection(HOST, port, ssl=context, server_hostname="x" if context else None))

    def send(self, data: bytes | Message) -> None:
        self.writer.write(data if isinstance(data, bytes) else encode(data))

    async def receive(self) -> Message:
        async with asyncio.timeout(PATIENCE_S):
            while not self._waiting:
                data = await self.reader.read(65_536)
                assert data, "the server closed the connection"
                self._waiting += self._framer.feed(data)
        return self._waiting.pop(0)

    async def final(self) -> Response:
        while True:
            message = await self.receive()
            if isinstance(message, Response) and message.status >= 200:
                return message

    async def request(self) -> Request:
        while True:
            message = await self.receive()
            if isinstance(message, Request):
                return message

    async def is_closed(self) -> bool:
        async with asyncio.timeout(PATIENCE_S):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                pass
        return True

    def close(self) -> None:
        self.writer.close()


class Datagrams(asyncio.DatagramProtocol):
    """A UDP phone."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Message] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, daemon: Daemon) -> Datagrams:
        loop = asyncio.get_running_loop()
        _, client = await loop.create_datagram_endpoint(cls, remote_addr=(HOST, daemon.ports["UDP"]))
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - connected
        self.queue.put_nowait(decode(data))

    def send(self, data: bytes | Message) -> None:
        assert self.transport is not None
        self.transport.sendto(data if isinstance(data, bytes) else encode(data))

    async def receive(self) -> Message:
        async with asyncio.timeout(PATIENCE_S):
            return await self.queue.get()


def answer_to(request: Request, status: int = 200) -> Response:
    kept = {"via", "from", "to", "call-id", "cseq"}
    return Response(tuple(item for item in request.headers if item[0].lower() in kept), b"", status, "OK")
