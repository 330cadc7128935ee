"""SIP listeners of a node: UDP and TCP 5060, TLS 5061. What is answered is `services.callmanager.registrar`'s.

A connection that sends what cannot be followed is closed; a datagram that cannot be read is dropped. A phone's answers
to orders are matched by nobody: an order is carried out or the phone's next registration tells.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.binding import binding_error
from services.callmanager import answers
from services.callmanager.registrar import Source
from services.service import Listener
from wire.certificates import Certificate
from wire.errors import Refusal, WireError
from wire.sip import Framer, Request, Response, decode, encode

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from datetime import datetime

    from base.trace import Trace
    from services.callmanager.registrar import Registrar
    from wire.ciscosip import ServiceControl
    from wire.sip import Message


@dataclass(frozen=True, slots=True)
class SipLimits:
    """Bounds on what clients may do.

    Attributes:
        connections: at once, of TCP or TLS.
        handshake_s: TLS handshake.
        first_request_s: from the connection to the first whole message.
        unfinished_s: from the first byte of a message to its last.
        look_s: how often expiries are looked for.
    """

    connections: int = 20_000
    handshake_s: float = 5.0
    first_request_s: float = 30.0
    unfinished_s: float = 10.0
    look_s: float = 1.0


class Exchange:
    """What the listeners of one node share: the registrar, and the way back to each phone."""

    def __init__(
        self, registrar: Registrar, now: Callable[[], datetime], trace: Trace, limits: SipLimits | None = None
    ) -> None:
        self.registrar = registrar
        self.now = now
        self.trace = trace
        self.limits = limits or SipLimits()
        self._ways: dict[str, Callable[[bytes], None]] = {}
        self._ports: dict[str, int] = {}
        self._cseq = 100
        self._timer: asyncio.TimerHandle | None = None

    def connected(self, key: str, send: Callable[[bytes], None]) -> None:
        """A way to a phone is open."""
        self._ways[key] = send

    def disconnected(self, key: str) -> None:
        """It is closed."""
        self._ways.pop(key, None)
        self.registrar.disconnected(key)

    def take(self, message: Message, source: Source, port: int, send: Callable[[bytes], None]) -> None:
        """One message from a phone."""
        self._ways[source.key] = send
        self._ports[source.transport] = port
        if self.trace.enabled:
            self._note("received", message, source)
        for answer in self.registrar.receive(message, source, self.now(), port=port):
            if self.trace.enabled:
                self._note("sent", answer, source)
            send(encode(answer))
        self.arm()

    def order(self, device: str, control: ServiceControl) -> None:
        """Sends a registered phone a ``service-control`` order.

        Raises:
            Refusal: it is not registered here.
        """
        registration = self.registrar.registrations.get(device)
        send = self._ways.get(registration.source.key) if registration else None
        if registration is None or send is None:
            raise Refusal(404, f"{device} is not registered at {self.registrar.node}")
        self._cseq += 1
        request = answers.service_control(
            control,
            contact_uri=registration.contact_uri,
            host=self.registrar.host,
            port=self._ports[registration.source.transport],
            transport=registration.source.transport,
            cseq=self._cseq,
            token=secrets.token_hex(8),
        )
        if self.trace.enabled:
            self._note("ordered", request, registration.source)
        send(encode(request))

    def arm(self) -> None:
        """Keeps looking for expiries as long as anybody is registered."""
        if self._timer is None and self.registrar.registrations:
            self._timer = asyncio.get_running_loop().call_later(self.limits.look_s, self._look)

    def close(self) -> None:
        """Stops looking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        for ended in self.registrar.expire(self.now()):
            self._ways.pop(ended.source.key, None)
        self.arm()

    def _note(self, step: str, message: Message, source: Source) -> None:
        what = (
            f"{message.method} {message.uri}" if isinstance(message, Request) else f"{message.status} {message.reason}"
        )
        warning = message.get("Warning") if isinstance(message, Response) else None
        self.trace.emit(
            step,
            message=what,
            peer=f"{source.address}:{source.port}",
            transport=source.transport,
            call_id=message.get("Call-ID"),
            cseq=message.get("CSeq"),
            **({"warning": warning} if warning else {}),
        )


class _Connection(asyncio.Protocol):
    """One phone's TCP or TLS connection."""

    def __init__(self, listener: StreamListener) -> None:
        self._listener = listener
        self._exchange = listener.exchange
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._source: Source | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self._transport = transport
        peer = transport.get_extra_info("peername") or ("", 0)
        kind = self._listener.transport
        self._source = Source(kind, peer[0], peer[1], f"{kind} {peer[0]}:{peer[1]}", _shown(transport))
        if not self._listener.admit(self):
            transport.abort()
            return
        self._exchange.connected(self._source.key, self._send)
        self._arm(self._exchange.limits.first_request_s)

    def data_received(self, data: bytes) -> None:
        assert self._source is not None  # noqa: S101 - data comes after the connection
        try:
            messages = self._framer.feed(data)
        except WireError as error:
            self._exchange.trace.emit(
                "malformed", peer=f"{self._source.address}:{self._source.port}", reason=str(error)
            )
            self.abort()
            return
        for message in messages:
            self._exchange.take(message, self._source, self._listener.port, self._send)
        if self._framer.waiting:
            self._arm(self._exchange.limits.unfinished_s)
        elif messages:
            self._disarm()

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
        if self._source is not None:
            self._exchange.trace.emit("connection_timed_out", peer=f"{self._source.address}:{self._source.port}")
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
    def port(self) -> int:
        """Bound port; 0 when stopped."""
        return self.listeners[0].port if self.listeners else 0

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `services.composite.Part`."""
        name = "SIP" if self._context is None else "SIP over TLS"
        sockets = self._server.sockets if self._server is not None else ()
        return tuple(Listener(name, "tcp", *item.getsockname()[:2]) for item in sockets)

    async def start(self) -> None:
        """See `services.composite.Part`."""
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Connection(self),
                self._host,
                self._port,
                ssl=self._context,
                backlog=1_024,
                ssl_handshake_timeout=self.exchange.limits.handshake_s if self._context else None,
            )
        except OSError as error:
            raise binding_error(error, "SIP", self._host, self._port) from error

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

    async def stop(self, grace_s: float) -> None:  # noqa: ARG002 - as above
        """See `services.composite.Part`."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One datagram is one message."""
        transport = self._transport
        if transport is None or not data.strip(b"\r\n\0"):
            return  # keep-alives are empty lines
        try:
            message = decode(data)
        except WireError as error:
            self._exchange.trace.emit("malformed", peer=f"{addr[0]}:{addr[1]}", reason=str(error))
            return
        source = Source("UDP", addr[0], addr[1], f"UDP {addr[0]}:{addr[1]}")
        self._exchange.take(message, source, self.listeners[0].port, lambda answer: transport.sendto(answer, addr))


def _shown(transport: asyncio.Transport) -> Certificate | None:
    """The certificate that a TLS client showed, if any."""
    connection = transport.get_extra_info("ssl_object")
    der = connection.getpeercert(binary_form=True) if connection is not None else None
    try:
        return Certificate.from_der(der) if der else None
    except WireError:
        return None
