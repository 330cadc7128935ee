"""SIP listeners of a node: UDP and TCP 5060, TLS 5061, and ports of SIP trunks. What is answered is the exchange's.

A connection that sends what cannot be followed is closed; a datagram that cannot be read is dropped.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.binding import binding_error
from services.callmanager.registrations import Source
from services.service import Listener
from services.streamserver import Connection, ConnectionLimits, StreamServer
from wire.certificates import Certificate
from wire.errors import WireError
from wire.sip import Framer, decode

if TYPE_CHECKING:
    import ssl

    from services.callmanager.exchange import Exchange


class _Connection(Connection):
    """One TCP or TLS connection, of a phone or of a trunk's other end."""

    def __init__(self, server: StreamServer, listener: StreamListener) -> None:
        super().__init__(server)
        self._listener = listener
        self._exchange = listener.exchange
        self._framer = Framer()
        self._source: Source | None = None
        self._in_message = False

    def opened(self) -> None:
        kind, trunk_port = self._listener.transport, self._listener.trunk_port
        self._source = Source(
            kind,
            self.address,
            self.port,
            _key(kind, self.address, self.port, trunk_port),
            _readable(self.shown_certificate),
            self.cipher,
            trunk_port,
        )
        self._exchange.connected(self._source.key, self.send)
        self.arm(self._exchange.limits.first_request_s)

    def received(self, data: bytes) -> None:
        assert self._source is not None  # noqa: S101 - data comes after the connection
        finished = 0
        try:
            for message in self._framer.feed(data):
                finished += 1
                self._exchange.take(message, self._source, self.send)
        except WireError as error:
            self._exchange.trace.emit("malformed", peer=self.peer, reason=str(error))
            self.abort()
            return
        self._wait_on(finished)

    def _wait_on(self, finished: int) -> None:
        """Sets the timer for what may come next; a message is timed from its first byte, however it trickles in."""
        limits, unfinished = self._exchange.limits, bool(self._framer.waiting)
        if unfinished and (finished or not self._in_message):
            self.arm(limits.unfinished_s)
        elif finished:
            self.arm(limits.idle_s)
        self._in_message = unfinished

    def lost(self, error: Exception | None) -> None:  # noqa: ARG002 - however it ended
        if self._source is not None:
            self._exchange.disconnected(self._source.key)

    def overdue(self) -> None:
        if not self._in_message and self._source is not None and self._exchange.is_in_use(self._source.key):
            self.arm(self._exchange.limits.idle_s)
            return
        self._exchange.trace.emit("connection_timed_out", peer=self.peer)
        self.abort()


class StreamListener:
    """SIP over TCP, or over TLS with a context.

    Args:
        exchange: takes what comes.
        host: address to bind.
        port: 0 for any free one.
        context: for TLS.
        trunk_port: number that the cluster's definition has for a port of trunks; 0 for the phones' own.
    """

    def __init__(
        self,
        exchange: Exchange,
        host: str,
        port: int,
        context: ssl.SSLContext | None = None,
        *,
        trunk_port: int = 0,
    ) -> None:
        self.exchange, self.trunk_port = exchange, trunk_port
        self.transport = "TCP" if context is None else "TLS"
        name = "SIP" if context is None else "SIP over TLS"
        self._server = StreamServer(
            "SIP",
            host,
            port,
            lambda server: _Connection(server, self),
            ConnectionLimits(exchange.limits.connections, exchange.limits.handshake_s),
            trace=exchange.trace,
            context=context,
            protocol=f"{name} (trunks, {trunk_port})" if trunk_port else name,
        )

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `services.composite.Part`."""
        return self._server.listeners

    @property
    def connections(self) -> int:
        """At this moment, those that shake hands included."""
        return len(self._server)

    async def start(self) -> None:
        """See `services.composite.Part`."""
        await self._server.start()
        if not self.trunk_port:
            self.exchange.ports[self.transport] = self.listeners[0].port

    async def stop(self, grace_s: float) -> None:  # noqa: ARG002 - a registrar owes nobody an answer
        """See `services.composite.Part`."""
        await self._server.stop(0)


class DatagramListener(asyncio.DatagramProtocol):
    """SIP over UDP."""

    def __init__(self, exchange: Exchange, host: str, port: int, *, trunk_port: int = 0) -> None:
        self._exchange, self._trunk_port = exchange, trunk_port
        self._host, self._port = host, port
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `services.composite.Part`."""
        if self._transport is None:
            return ()
        host, port = self._transport.get_extra_info("sockname")[:2]
        name = f"SIP (UDP, trunks, {self._trunk_port})" if self._trunk_port else "SIP (UDP)"
        return (Listener(name, "udp", host, port),)

    async def start(self) -> None:
        """See `services.composite.Part`."""
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: self, local_addr=(self._host, self._port)
            )
        except OSError as error:
            raise binding_error(error, "SIP", self._host, self._port) from error
        self._transport = transport
        if not self._trunk_port:
            self._exchange.ports["UDP"] = self.listeners[0].port
            self._exchange.send_datagram = self._send

    async def stop(self, grace_s: float) -> None:  # noqa: ARG002 - as above
        """See `services.composite.Part`."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One datagram is one message."""
        if self._transport is None or not data.strip(b"\r\n\0"):
            return  # not started yet; or a keep-alive, which is an empty line
        try:
            message = decode(data)
        except WireError as error:
            self._exchange.trace.emit("malformed", peer=f"{addr[0]}:{addr[1]}", reason=str(error))
            return
        key = _key("UDP", addr[0], addr[1], self._trunk_port)
        source = Source("UDP", addr[0], addr[1], key, trunk_port=self._trunk_port)
        self._exchange.take(message, source, lambda answer: self._send(answer, addr))

    def _send(self, data: bytes, address: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(data, address)


def _key(transport: str, address: str, port: int, trunk_port: int) -> str:
    """Names a connection: a client may use one port of its own for two of the server's."""
    return f"{transport} {address}:{port}{f' to {trunk_port}' if trunk_port else ''}"


def _readable(der: bytes | None) -> Certificate | None:
    try:
        return Certificate.from_der(der) if der else None
    except WireError:
        return None
