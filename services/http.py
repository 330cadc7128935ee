"""An aiohttp listener that a slow or silent client cannot hold: used by the configuration server and by Tomcat.

A connection has a fixed time to shake hands and, whenever no request is being answered, a fixed time to send a whole
one. Connections over the limit are closed as they come in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from services.binding import binding_error
from services.service import Listener

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from base.trace import Trace

log = logging.getLogger("ucmsim.http")


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds on what clients may do.

    Attributes:
        connections: at once; the observed server reports 2500.
        idle_s: a connection without a request; about 5 s observed.
        handshake_s: TLS handshake.
        answer_s: sending one whole answer to a slow reader.
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
        return self.inner.eof_received()

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

    def request_began(self) -> None:
        self._open_requests += 1
        self._disarm()

    def request_ended(self) -> None:
        self._open_requests -= 1
        if not self._open_requests:
            self._arm()

    def _arm(self) -> None:
        self._disarm()
        self._timer = asyncio.get_running_loop().call_later(self._listener.limits.idle_s, self._overdue)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _overdue(self) -> None:
        if self._transport is not None:
            peer = self._transport.get_extra_info("peername") or ("",)
            self._listener.trace.emit("connection_timed_out", peer=str(peer[0]))
            self.abort()


class HttpListener:
    """One bound port, plain or TLS, that hands GET and HEAD requests to a handler.

    Args:
        protocol: for people: ``HTTP``, ``HTTPS``.
        host: address to bind.
        port: 0 for any free one.
        handler: answers a request.
        context: TLS context; None for plain HTTP.
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
    ) -> None:
        self._protocol = protocol
        self._host = host
        self._port = port
        self._handler = handler
        self._context = context
        self.limits = limits or HttpLimits()
        self.trace = trace
        self._guards: dict[object, _Guard] = {}
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

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
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        application.on_response_prepare.append(_no_extra_headers)
        runner = web.AppRunner(
            application,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=self.limits.idle_s,
            lingering_time=1.0,
            max_line_size=self.limits.header_size,
            max_field_size=self.limits.header_size,
        )
        await runner.setup()
        web_server = runner.server
        assert web_server is not None  # noqa: S101 - made by setup
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Guard(self, web_server()),
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

    async def stop(self, grace_s: float) -> None:
        """Closes the port at once and lets answers in progress finish for at most `grace_s`."""
        server, self._server = self._server, None
        runner, self._runner = self._runner, None
        if server is None or runner is None:
            return
        server.close()
        if runner.server is not None:
            runner.server.pre_shutdown()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(runner.server.shutdown(grace_s), grace_s + 1)
        await runner.cleanup()
        for guard in list(self._guards.values()):
            guard.abort()

    def admit(self, guard: _Guard) -> bool:
        """False when there are too many connections."""
        if len(self._guards) >= self.limits.connections:
            self.trace.emit("connection_refused", reason="too many connections", limit=self.limits.connections)
            return False
        self._guards[guard.inner] = guard
        return True

    def forget(self, guard: _Guard) -> bool:
        """True when the connection had been admitted."""
        return self._guards.pop(guard.inner, None) is not None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
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
