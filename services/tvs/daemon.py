"""The TVS daemon: TLS on TCP 2445, limits, time-outs, trace. What is answered is `services.tvs.session`'s.

A phone makes one connection for one question; a connection stays open for more all the same. Whatever is not a request
of this protocol ends its connection, as on the real server.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from base.tls import server_context
from services.service import Health, Listener
from services.streamserver import Connection, ConnectionLimits, StreamServer
from services.tlsversions import least_version
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
        connections: at once, handshakes included.
        handshake_s: TLS handshake.
        request_s: from the handshake, or the answer before, to a whole request.
        requests: on one connection.
    """

    connections: int = 4_096
    handshake_s: float = 5.0
    request_s: float = 10.0
    requests: int = 1_000


class _Connection(Connection):
    """One phone's connection, from the end of its handshake."""

    def __init__(self, server: StreamServer, daemon: TvsDaemon) -> None:
        super().__init__(server)
        self._daemon = daemon
        self._limits = daemon.limits
        self._buffer = bytearray()
        self._needed = HEADER_SIZE
        self._answered = 0
        self._trace = daemon.trace

    def opened(self) -> None:
        if self._trace.enabled:
            self._trace = self._trace.bind(session=self.peer)
            self._trace.emit("connected", tls=self.tls)
        self.arm(self._limits.request_s)

    def received(self, data: bytes) -> None:
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
            self._buffer.clear()
            self.abort()

    def _handle(self, message: bytes) -> None:
        request = decode_message(message)
        if not isinstance(request, VerifyRequest | QueryRequest):
            raise WireError("a phone may not send a TVS response")
        self._answered += 1
        if self._answered > self._limits.requests:
            raise WireError(f"more than {self._limits.requests} requests on one connection")
        self.send(encode_message(self._daemon.answer(request, self._trace)))
        self.arm(self._limits.request_s)

    def lost(self, error: Exception | None) -> None:
        if error is not None and not isinstance(error, ConnectionError | ssl.SSLError):
            self._trace.emit("connection_lost", reason=str(error))

    def overdue(self) -> None:
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
        self._server: StreamServer | None = None
        self._health = Health.STOPPED

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `services.service.Service`."""
        return self._server.listeners if self._server is not None else ()

    def health(self) -> Health:
        """See `services.service.Service`."""
        return self._health

    async def start(self) -> None:
        """See `services.service.Service`."""
        if self._health is not Health.STOPPED:
            return
        server = StreamServer(
            "TVS",
            self._host,
            self._port(),
            lambda server: _Connection(server, self),
            ConnectionLimits(self.limits.connections, self.limits.handshake_s),
            trace=self.trace,
            context=server_context([self._identity()], minimum=least_version(self._view()), ciphers=CIPHERS),
        )
        await server.start()
        self._server, self._health = server, Health.STARTED

    async def stop(self, grace_s: float) -> None:
        """See `services.service.Service`."""
        server, self._server = self._server, None
        if server is not None:
            self._health = Health.STOPPING
            await server.stop(grace_s)
            self._health = Health.STOPPED

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
