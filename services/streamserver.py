"""One TCP or TLS port whose clients cannot hold more than they are given: TVS, CAPF, SIP and CTI listen with it.

A connection counts from the moment it is accepted, its handshake included, and one too many is closed before a byte is
read from it. `StreamServer` has the port; `Connection` is what a protocol is made of: a timer, a way to wait for slow
readers, and an end that the server hears of.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from base.tls import spoken
from services.binding import binding_error
from services.service import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace

_BACKLOG = 1_024
_AT_ONCE = 128
"""Connections accepted before other work of the loop has its turn."""
_OUT_OF_FILES_S = 1.0
"""How long nothing is accepted after the system had no descriptor left."""
_SHUTDOWN_S = 1.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds of a port.

    Attributes:
        connections: at once, handshakes included.
        handshake_s: TLS handshake.
    """

    connections: int
    handshake_s: float


class Connection(asyncio.Protocol):
    """One client, from the end of its handshake. What it is made for overrides `opened`, `received` and `overdue`.

    Attributes:
        peer: ``address:port``.
        address: of the client.
        port: of the client.
    """

    def __init__(self, server: StreamServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._tls: ssl.SSLObject | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.address, self.port, self.peer = "", 0, ""

    # ------------------------------------------------------------------ for those who make one

    def opened(self) -> None:
        """The client is there."""

    def received(self, data: bytes) -> None:
        """Bytes of the client's."""

    def overdue(self) -> None:
        """The time of the last `arm` is over."""

    def lost(self, error: Exception | None) -> None:
        """It is gone; None when it ended in order."""

    def finish(self) -> None:
        """The service is stopping: end when what is being done is done."""
        self.close()

    # ------------------------------------------------------------------ what they have

    @property
    def cipher(self) -> str:
        """OpenSSL's name of the suite; empty without TLS."""
        chosen = self._tls.cipher() if self._tls is not None else None
        return chosen[0] if chosen else ""

    @property
    def tls(self) -> str:
        """Version and suite, for people; empty without TLS."""
        return spoken(self._tls)

    @property
    def shown_certificate(self) -> bytes | None:
        """DER of what a TLS client showed, if anything."""
        return self._tls.getpeercert(binary_form=True) or None if self._tls is not None else None

    def send(self, data: bytes) -> None:
        """Sends, unless the connection is ending."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Ends it once everything is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Ends it now."""
        if self._transport is not None:
            self._transport.abort()

    def arm(self, seconds: float) -> None:
        """Calls `overdue` after that time, and not at the time that was set before."""
        self.disarm()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.overdue)

    def disarm(self) -> None:
        """Calls it no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ------------------------------------------------------------------ asyncio's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self._transport, self._tls = transport, transport.get_extra_info("ssl_object")
        peer = transport.get_extra_info("peername") or ("", 0)
        self.address, self.port = str(peer[0]), int(peer[1])
        self.peer = f"{self.address}:{self.port}"
        self.opened()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self.received(data)

    def pause_writing(self) -> None:
        """A client that asks and does not read is asked to wait."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.disarm()
        self._server.forget(self)
        self.lost(exc)


class StreamServer:
    """A bound port that makes a `Connection` for each client.

    Args:
        what: who listens, for the message when it cannot: ``TVS``.
        host: address to bind.
        port: 0 for any free one.
        make: makes what serves a client.
        limits: of the port.
        trace: of the service.
        context: for TLS.
        protocol: of `services.service.Listener`; `what` when it is not given.
    """

    def __init__(
        self,
        what: str,
        host: str,
        port: int,
        make: Callable[[StreamServer], Connection],
        limits: ConnectionLimits,
        *,
        trace: Trace,
        context: ssl.SSLContext | None = None,
        protocol: str = "",
    ) -> None:
        self._what, self._protocol = what, protocol or what
        self._host, self._port = host, port
        self._make, self._limits = make, limits
        self._trace, self._context = trace, context
        self._socket: socket.socket | None = None
        self._clients: dict[Connection, asyncio.Task[None] | None] = {}
        self._idle = asyncio.Event()

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """What is bound now; empty when stopped."""
        if self._socket is None:
            return ()
        return (Listener(self._protocol, "tcp", *self._socket.getsockname()[:2]),)

    def __len__(self) -> int:
        """Clients at this moment, those that shake hands included."""
        return len(self._clients)

    async def start(self) -> None:
        """Binds; nobody is served before the caller next waits for something.

        Raises:
            OperatorError: the address cannot be bound.
        """
        try:
            bound = socket.create_server((self._host, self._port), backlog=_BACKLOG)
        except OSError as error:
            raise binding_error(error, self._what, self._host, self._port) from error
        bound.setblocking(False)
        self._socket = bound
        asyncio.get_running_loop().add_reader(bound, self._accept)

    async def stop(self, grace_s: float) -> None:
        """Closes the port, lets clients end for at most `grace_s`, then cuts them off. Idempotent."""
        bound, self._socket = self._socket, None
        if bound is None:
            return
        asyncio.get_running_loop().remove_reader(bound)
        bound.close()
        handshakes = [task for task in self._clients.values() if task is not None]
        for task in handshakes:
            task.cancel()
        await asyncio.gather(*handshakes, return_exceptions=True)
        for client in list(self._clients):
            client.finish()
        if self._clients and grace_s > 0:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), grace_s)
        for client in list(self._clients):
            client.abort()

    def forget(self, client: Connection) -> None:
        """A client is gone."""
        self._clients.pop(client, None)
        if not self._clients:
            self._idle.set()

    def _accept(self) -> None:
        """Takes who waits; the loop's own servers would count nobody before the end of a handshake."""
        bound = self._socket
        for _ in range(_AT_ONCE):
            if bound is None:
                return
            try:
                client, peer = bound.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            self._admit(client, f"{peer[0]}:{peer[1]}")

    def _admit(self, client: socket.socket, peer: str) -> None:
        if len(self._clients) >= self._limits.connections:
            self._trace.emit(
                "connection_refused", peer=peer, reason="too many connections", limit=self._limits.connections
            )
            client.close()
            return
        client.setblocking(False)
        connection = self._make(self)
        task = asyncio.get_running_loop().create_task(self._establish(connection, client, peer))
        self._clients[connection] = task
        task.add_done_callback(lambda _task: self._established(connection, client))

    async def _establish(self, connection: Connection, client: socket.socket, peer: str) -> None:
        tls = self._context is not None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                client,
                ssl=self._context,
                ssl_handshake_timeout=self._limits.handshake_s if tls else None,
                ssl_shutdown_timeout=_SHUTDOWN_S if tls else None,
            )
        except OSError as error:
            self._trace.emit("handshake_failed", peer=peer, reason=_reason(error))

    def _established(self, connection: Connection, client: socket.socket) -> None:
        if not connection.peer:  # it never came to be
            client.close()
            self.forget(connection)
        elif connection in self._clients:
            self._clients[connection] = None

    def _pause(self, error: OSError) -> None:
        """The system has no descriptor left: asking again at once would only keep the loop busy."""
        loop, bound = asyncio.get_running_loop(), self._socket
        assert bound is not None  # noqa: S101 - it was just asked
        self._trace.emit("cannot_accept", reason=error.strerror or str(error))
        loop.remove_reader(bound)
        loop.call_later(_OUT_OF_FILES_S, self._resume, bound)

    def _resume(self, bound: socket.socket) -> None:
        if self._socket is bound:
            asyncio.get_running_loop().add_reader(bound, self._accept)


def _reason(error: OSError) -> str:
    """What a person can do something with; OpenSSL's word for it where it has one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate of the client: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    return str(error) or "the client hung up"
