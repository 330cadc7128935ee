"""The TVS daemon: TLS on TCP 2445, limits, time-outs, trace. What is answered is `services.tvs.session`'s.

A phone makes one connection for one question; a connection stays open for more all the same. Whatever is not a request
of this protocol ends its connection, as on the real server.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from base.tls import server_context, spoken
from services.binding import binding_error
from services.service import Health, Listener
from services.tvs.session import answer, describe
from wire.errors import WireError
from wire.trustlist import Function
from wire.tvs import HEADER_SIZE, QueryRequest, QueryResponse, Status, VerifyRequest, body_length
from wire.tvs import decode as decode_message
from wire.tvs import encode as encode_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.identity import Identity
    from base.trace import Trace
    from cluster.snapshot import ClusterSnapshot
    from wire.tvs import Request, Response

CIPHERS = (
    "AES256-GCM-SHA384:AES256-SHA256:AES256-SHA:AES128-GCM-SHA256:AES128-SHA256:AES128-SHA:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256"
)
"""UCM's default for port 2445, for TLS 1.2 and below."""

_ROLE_NAMES = {int(function): function.name for function in Function}


@dataclass(frozen=True, slots=True)
class TvsLimits:
    """Bounds on what clients may do.

    Attributes:
        connections: at once, with their handshake done.
        handshake_s: TLS handshake.
        request_s: from the handshake, or the answer before, to a whole request.
        requests: on one connection.
    """

    connections: int = 4_096
    handshake_s: float = 5.0
    request_s: float = 10.0
    requests: int = 1_000


class _Connection(asyncio.Protocol):
    """One phone's connection, from the end of its handshake."""

    def __init__(self, daemon: TvsDaemon) -> None:
        self._daemon = daemon
        self._limits = daemon.limits
        self._buffer = bytearray()
        self._needed = HEADER_SIZE
        self._answered = 0
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._trace = daemon.trace

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self._transport = transport
        if self._trace.enabled:
            peer = transport.get_extra_info("peername") or ("", 0)
            self._trace = self._trace.bind(session=f"{peer[0]}:{peer[1]}")
            self._trace.emit("connected", tls=spoken(transport.get_extra_info("ssl_object")))
        if not self._daemon.admit(self):
            self._trace.emit("connection_refused", reason="too many connections", limit=self._limits.connections)
            transport.abort()
            return
        self._arm()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while len(self._buffer) >= self._needed:
                if self._needed == HEADER_SIZE:
                    self._needed += body_length(bytes(self._buffer[:HEADER_SIZE]))
                if len(self._buffer) >= self._needed:
                    self._handle(bytes(self._buffer[: self._needed]))
                    del self._buffer[: self._needed]
                    self._needed = HEADER_SIZE
        except WireError as error:
            self._trace.emit("malformed", reason=str(error))
            self.abort()

    def _handle(self, message: bytes) -> None:
        request = decode_message(message)
        if not isinstance(request, VerifyRequest | QueryRequest):
            raise WireError("a phone may not send a TVS response")
        self._answered += 1
        if self._answered > self._limits.requests:
            raise WireError(f"more than {self._limits.requests} requests on one connection")
        response = self._daemon.answer(request, self._trace)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode_message(response))
        self._arm()

    def pause_writing(self) -> None:
        """A client that asks and does not read is asked to wait."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._daemon.forget(self)
        if exc is not None and not isinstance(exc, ConnectionError | ssl.SSLError):
            self._trace.emit("connection_lost", reason=str(exc))

    def abort(self) -> None:
        self._buffer.clear()
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _arm(self) -> None:
        self._disarm()
        self._timer = asyncio.get_running_loop().call_later(self._limits.request_s, self._overdue)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _overdue(self) -> None:
        self._trace.emit("connection_timed_out", unfinished=len(self._buffer))
        self.abort()


class TvsDaemon:
    """Cisco Trust Verification Service of one node.

    Its certificate is bound at `start` and kept until the next one (R-CRT-6). What it answers follows the snapshot at
    once (R-TVS-3).

    Args:
        view: gives the present snapshot.
        identity: gives the node's TVS certificate and key, asked at each start.
        host: address to bind.
        port: gives the port at each start, 0 for any free one.
    """

    name = "Cisco Trust Verification Service"

    def __init__(
        self,
        view: Callable[[], ClusterSnapshot],
        identity: Callable[[], Identity],
        host: str,
        port: Callable[[], int],
        *,
        trace: Trace,
        limits: TvsLimits | None = None,
    ) -> None:
        self._view = view
        self._identity = identity
        self._host = host
        self._port = port
        self.trace = trace.bind(service=self.name)
        self.limits = limits or TvsLimits()
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._idle = asyncio.Event()
        self._health = Health.STOPPED

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `services.service.Service`."""
        sockets = self._server.sockets if self._server is not None else ()
        return tuple(Listener("TVS", "tcp", *item.getsockname()[:2]) for item in sockets)

    def health(self) -> Health:
        """See `services.service.Service`."""
        return self._health

    async def start(self) -> None:
        """See `services.service.Service`."""
        if self._health is not Health.STOPPED:
            return
        # Every version of TLS is served unless the operator sets a minimum: 7900 phones know 1.0 alone.
        port = self._port()
        context = server_context([self._identity()], minimum=ssl.TLSVersion.TLSv1, ciphers=CIPHERS)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Connection(self),
                self._host,
                port,
                ssl=context,
                backlog=1_024,
                ssl_handshake_timeout=self.limits.handshake_s,
                ssl_shutdown_timeout=1.0,
            )
        except OSError as error:
            raise binding_error(error, "TVS", self._host, port) from error
        self._health = Health.STARTED

    async def stop(self, grace_s: float) -> None:
        """See `services.service.Service`."""
        server, self._server = self._server, None
        if server is None:
            return
        self._health = Health.STOPPING
        server.close()
        for connection in list(self._connections):
            connection.close()
        if self._connections:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), grace_s)
        for connection in list(self._connections):
            connection.abort()
        self._health = Health.STOPPED

    def admit(self, connection: _Connection) -> bool:
        """False when there are too many connections, or the service is stopping."""
        if len(self._connections) >= self.limits.connections or self._health is not Health.STARTED:
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: _Connection) -> None:
        """A connection has ended."""
        self._connections.discard(connection)
        if not self._connections:
            self._idle.set()

    def answer(self, request: Request, trace: Trace) -> Response:
        """One request, with its trace.

        Raises:
            WireError: see `services.tvs.session.answer`.
        """
        response = answer(request, self._view())
        if trace.enabled:
            trace.emit(
                "query_answered" if isinstance(response, QueryResponse) else "verify_answered",
                device=request.device,
                key=describe(request),
                found=response.status == Status.TRUSTED,
                roles=[_ROLE_NAMES.get(role, str(role)) for role in response.roles],
                ttl_s=response.ttl_s,
            )
        return response
