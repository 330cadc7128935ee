"""SIP listeners of a node: UDP and TCP 5060, TLS 5061. What is answered is `services.callmanager.registrar`'s.

A connection that sends what cannot be followed is closed; a datagram that cannot be read is dropped.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.binding import binding_error
from services.callmanager.registrations import Source
from services.service import Listener
from wire.certificates import Certificate
from wire.errors import WireError
from wire.sip import Framer, decode

if TYPE_CHECKING:
    import ssl

    from services.callmanager.exchange import Exchange


class _Connection(asyncio.Protocol):
    """One phone's TCP or TLS connection."""

    def __init__(self, listener: StreamListener) -> None:
        self._listener = listener
        self._exchange = listener.exchange
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._source: Source | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._in_message = False
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self._transport = transport
        peer = transport.get_extra_info("peername") or ("", 0)
        kind, self._peer = self._listener.transport, f"{peer[0]}:{peer[1]}"
        self._source = Source(kind, peer[0], peer[1], f"{kind} {self._peer}", _shown(transport))
        if not self._listener.admit(self):
            transport.abort()
            return
        self._exchange.connected(self._source.key, self._send)
        self._arm(self._exchange.limits.first_request_s)

    def data_received(self, data: bytes) -> None:
        assert self._source is not None  # noqa: S101 - data comes after the connection
        finished = 0
        try:
            for message in self._framer.feed(data):
                finished += 1
                self._exchange.take(message, self._source, self._send)
        except WireError as error:
            self._exchange.trace.emit("malformed", peer=self._peer, reason=str(error))
            self.abort()
            return
        self._wait_on(finished)

    def _wait_on(self, finished: int) -> None:
        """Sets the timer for what may come next; a message is timed from its first byte, however it trickles in."""
        limits, unfinished = self._exchange.limits, bool(self._framer.waiting)
        if unfinished and (finished or not self._in_message):
            self._arm(limits.unfinished_s)
        elif finished:
            self._arm(limits.idle_s)
        self._in_message = unfinished

    def pause_writing(self) -> None:
        """A client that asks and does not read is asked to wait."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it ended
        self._disarm()
        if self._listener.forget(self) and self._source is not None:
            self._exchange.disconnected(self._source.key)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._overdue)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _overdue(self) -> None:
        if not self._in_message and self._source is not None and self._exchange.is_in_use(self._source.key):
            self._arm(self._exchange.limits.idle_s)
            return
        self._exchange.trace.emit("connection_timed_out", peer=self._peer)
        self.abort()


class StreamListener:
    """SIP over TCP, or over TLS with a context."""

    def __init__(self, exchange: Exchange, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        self.exchange = exchange
        self.transport = "TCP" if context is None else "TLS"
        self._host, self._port, self._context = host, port, context
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `services.composite.Part`."""
        name = "SIP" if self._context is None else "SIP over TLS"
        sockets = self._server.sockets if self._server is not None else ()
        return tuple(Listener(name, "tcp", *item.getsockname()[:2]) for item in sockets)

    async def start(self) -> None:
        """See `services.composite.Part`."""
        server: asyncio.Server | None = None
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: _Connection(self),
                self._host,
                self._port,
                ssl=self._context,
                backlog=1_024,
                start_serving=False,
                ssl_handshake_timeout=self.exchange.limits.handshake_s if self._context else None,
            )
            self.exchange.ports[self.transport] = server.sockets[0].getsockname()[1]
            await server.start_serving()
        except OSError as error:
            if server is not None:
                server.close()
            raise binding_error(error, "SIP", self._host, self._port) from error
        self._server = server

    async def stop(self, grace_s: float) -> None:  # noqa: ARG002 - a registrar owes nobody an answer
        """See `services.composite.Part`."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in list(self._connections):
            connection.abort()

    def admit(self, connection: _Connection) -> bool:
        """False when there are too many connections."""
        if len(self._connections) >= self.exchange.limits.connections:
            self.exchange.trace.emit("connection_refused", reason="too many connections")
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: _Connection) -> bool:
        """True when the connection had been admitted."""
        known = connection in self._connections
        self._connections.discard(connection)
        return known


class DatagramListener(asyncio.DatagramProtocol):
    """SIP over UDP."""

    def __init__(self, exchange: Exchange, host: str, port: int) -> None:
        self._exchange = exchange
        self._host, self._port = host, port
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `services.composite.Part`."""
        if self._transport is None:
            return ()
        host, port = self._transport.get_extra_info("sockname")[:2]
        return (Listener("SIP (UDP)", "udp", host, port),)

    async def start(self) -> None:
        """See `services.composite.Part`."""
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: self, local_addr=(self._host, self._port)
            )
        except OSError as error:
            raise binding_error(error, "SIP", self._host, self._port) from error
        self._transport = transport
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
        source = Source("UDP", addr[0], addr[1], f"UDP {addr[0]}:{addr[1]}")
        self._exchange.take(message, source, lambda answer: self._send(answer, addr))

    def _send(self, data: bytes, address: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(data, address)


def _shown(transport: asyncio.Transport) -> Certificate | None:
    """The certificate that a TLS client showed, if any."""
    connection = transport.get_extra_info("ssl_object")
    der = connection.getpeercert(binary_form=True) if connection is not None else None
    try:
        return Certificate.from_der(der) if der else None
    except WireError:
        return None
