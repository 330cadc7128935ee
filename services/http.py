"""An aiohttp listener that a slow or silent client cannot hold: used by the configuration server and by Tomcat.

A connection has a fixed time to shake hands, a fixed time to send a whole request whenever none is being answered, and
a fixed time to take the answer. Connections over the limit are closed as they come in. What is not HTTP is answered
with a bare 400 and hung up on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http_exceptions import HttpProcessingError

from services.binding import binding_error
from services.service import Listener

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from base.trace import Trace

log = logging.getLogger("ucmsim.http")

_CLEANUP_S = 1.0
_HALF_CLOSED_S = 1.0
"""How long a client that closed its half without asking anything is kept: its request may just be coming in."""
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-length: 0\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds on what clients may do.

    Attributes:
        connections: at once; the observed server reports 2500.
        idle_s: a connection without a request; about 5 s observed.
        handshake_s: TLS handshake.
        answer_s: from a request to the last byte of its answer, for slow readers.
        header_size: bytes of a request line or a header field.
    """

    connections: int = 2_500
    idle_s: float = 5.0
    handshake_s: float = 5.0
    answer_s: float = 600.0
    header_size: int = 8_190


class _Guard(asyncio.Protocol):
    """Stands between the transport and aiohttp's handler; closes the connection when a request is overdue."""

    def __init__(self, listener: HttpListener, inner: asyncio.Protocol) -> None:
        self._listener = listener
        self.inner = inner
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._open_requests = 0
        self._answer_until = 0.0
        self._half_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self._transport = transport
        if not self._listener.admit(self):
            transport.abort()
            return
        self.inner.connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        """A client that has said all it has to say may still be waiting for its answer."""
        self.inner.eof_received()
        if self._transport is None or self._transport.get_extra_info("sslcontext") is not None:
            return None  # TLS knows no half of a connection
        self._half_closed = True
        if not self._open_requests:
            self._arm()
        return True

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        if self._listener.forget(self):
            self.inner.connection_lost(exc)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def end(self) -> None:
        """Closes at once when there is nothing to wait for; aiohttp closes a connection that is being answered."""
        if self._transport is not None and not self._open_requests and not self._transport.get_write_buffer_size():
            self.abort()

    def request_began(self) -> None:
        self._open_requests += 1
        self._answer_until = asyncio.get_running_loop().time() + self._listener.limits.answer_s
        self._disarm()

    def request_ended(self) -> None:
        self._open_requests -= 1
        if not self._open_requests:
            self._arm()

    def _arm(self) -> None:
        self._disarm()
        idle_s = self._listener.limits.idle_s
        delay_s = min(idle_s, _HALF_CLOSED_S) if self._half_closed else idle_s
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._overdue)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _overdue(self) -> None:
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() and asyncio.get_running_loop().time() < self._answer_until:
            self._arm()  # the end of an answer is still on its way to a slow reader
            return
        if not self._half_closed:
            peer = self._transport.get_extra_info("peername") or ("",)
            self._listener.trace.emit("connection_timed_out", peer=str(peer[0]))
        self.abort()


class _NoAccessLog(AbstractAccessLogger):
    """Requests are traced; nothing is logged for each."""

    enabled = False

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Never called."""


class _HungUp(ConnectionError):  # noqa: N818 - an end, not a mistake
    """Ends a connection inside aiohttp; whatever there was to say has been written."""


class _Connection(web.RequestHandler):
    """aiohttp's handler of one connection, apart from how it answers what is not HTTP."""

    def __init__(self, listener: HttpListener, server: web.Server) -> None:
        limits = listener.limits
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log_class=_NoAccessLog,
            keepalive_timeout=2 * limits.idle_s,  # the guard comes first
            lingering_time=1.0,
            auto_decompress=False,  # a few bytes could become any number
            max_line_size=limits.header_size,
            max_field_size=limits.header_size,
        )
        self._listener = listener

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A client's mistake is traced, not logged; anything else is aiohttp's to log and answer."""
        if isinstance(exc, HttpProcessingError):
            self._listener.trace.emit("malformed", peer=request.remote or "", reason=str(exc.message)[:255])
            if self.transport is not None:
                self.transport.write(_BAD_REQUEST)
            raise _HungUp
        if isinstance(exc, ConnectionError):  # `_HungUp`, or a client that is gone before its answer
            raise exc
        return super().handle_error(request, status, exc, message)


class HttpListener:
    """One bound port, plain or TLS, that hands requests to a handler, which reads bodies with `services.body`.

    Args:
        protocol: for people: ``HTTP``, ``HTTPS``.
        host: address to bind.
        port: 0 for any free one.
        handler: answers a request.
        context: TLS context; None for plain HTTP.
        before_handshake: called for each connection; may change the context.
    """

    def __init__(
        self,
        protocol: str,
        host: str,
        port: int,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        *,
        trace: Trace,
        context: ssl.SSLContext | None = None,
        limits: HttpLimits | None = None,
        before_handshake: Callable[[], None] = lambda: None,
    ) -> None:
        self._protocol = protocol
        self._host = host
        self._port = port
        self._handler = handler
        self._context = context
        self._before_handshake = before_handshake
        self.limits = limits or HttpLimits()
        self.trace = trace
        self._guards: dict[object, _Guard] = {}
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._idle = asyncio.Event()

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """What is bound: one listener, none when stopped."""
        sockets = self._server.sockets if self._server is not None else ()
        return tuple(Listener(self._protocol, "tcp", *item.getsockname()[:2]) for item in sockets)

    async def start(self) -> None:
        """Binds.

        Raises:
            OperatorError: the address cannot be bound.
        """
        application = web.Application(middlewares=[self._answer])
        application.on_response_prepare.append(_no_extra_headers)
        runner = web.AppRunner(application, handle_signals=False, shutdown_timeout=_CLEANUP_S)
        await runner.setup()
        web_server = runner.server
        assert web_server is not None  # noqa: S101 - made by setup
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: self._guard(web_server),
                self._host,
                self._port,
                ssl=self._context,
                backlog=1_024,
                ssl_handshake_timeout=self.limits.handshake_s if self._context else None,
            )
        except OSError as error:
            await runner.cleanup()
            raise binding_error(error, self._protocol, self._host, self._port) from error
        self._runner = runner

    def _guard(self, web_server: web.Server) -> _Guard:
        self._before_handshake()
        return _Guard(self, _Connection(self, web_server))

    async def stop(self, grace_s: float) -> None:
        """Closes the port at once and lets answers in progress finish for at most `grace_s`."""
        server, self._server = self._server, None
        runner, self._runner = self._runner, None
        if server is None or runner is None:
            return
        server.close()
        if runner.server is not None:
            runner.server.pre_shutdown()
        for guard in list(self._guards.values()):
            guard.end()
        if self._guards:
            self._idle.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), grace_s)
        for guard in list(self._guards.values()):
            guard.abort()
        await runner.cleanup()

    def admit(self, guard: _Guard) -> bool:
        """False when there are too many connections."""
        if len(self._guards) >= self.limits.connections:
            self.trace.emit("connection_refused", reason="too many connections", limit=self.limits.connections)
            return False
        self._guards[guard.inner] = guard
        return True

    def forget(self, guard: _Guard) -> bool:
        """True when the connection had been admitted."""
        known = self._guards.pop(guard.inner, None) is not None
        if not self._guards:
            self._idle.set()
        return known

    @web.middleware
    async def _answer(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],  # noqa: ARG002 - there are no routes
    ) -> web.StreamResponse:
        """Takes every request, ``OPTIONS *`` too, which would fit no route."""
        guard = self._guards.get(request.protocol)
        if guard is not None:
            guard.request_began()
        try:
            async with asyncio.timeout(self.limits.answer_s):
                response = await self._handler(request)
                await response.prepare(request)
                await response.write_eof()
        finally:
            if guard is not None:
                guard.request_ended()
        return response


async def _no_extra_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """The real servers name neither their software nor the time."""
    response.headers.popall("Server", None)
    response.headers.popall("Date", None)
