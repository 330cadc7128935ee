"""A phone's SIP connection to one CallManager: UDP, TCP, or TLS with the server judged before a word is said."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, cast

from phone_sim.clients.errors import FetchError, ServerRefused, ServerUnreachable, TransferFailed
from phone_sim.trust import KeepOld
from wire.certificates import Certificate
from wire.errors import WireError
from wire.sip import Framer, Request, Response, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from phone_sim.clients.http import Tls
    from wire.sip import Message

_T1_S, _T2_S = 0.5, 4.0
"""RFC 3261, and the configuration's timerT1 and timerT2."""


class SipUnreachable(FetchError):  # noqa: N818 - an outcome with a name
    """The server does not answer, or the connection is gone."""


class SipConnection:
    """One connection; `request` asks and waits, what the server asks goes to `on_request`.

    Attributes:
        closed: the connection is gone, for whatever reason.
        on_closed: told of that, once.
        local: the phone's address and port.
    """

    __slots__ = (
        "_on_request",
        "_send",
        "_stop",
        "_waiting",
        "closed",
        "host",
        "local",
        "on_closed",
        "port",
        "transport",
    )

    def __init__(self, host: str, port: int, transport: str, on_request: Callable[[Request], None]) -> None:
        self.host, self.port, self.transport = host, port, transport
        self.closed = False
        self.on_closed: Callable[[], None] | None = None
        self.local: tuple[str, int] = ("", 0)
        self._on_request = on_request
        self._waiting: dict[tuple[str, str], asyncio.Future[Response | None]] = {}
        self._send: Callable[[bytes], None] | None = None
        self._stop: Callable[[], None] | None = None

    async def open(self, tls: Tls | None, timeout_s: float) -> None:
        """Connects.

        Raises:
            ServerUnreachable: nobody listens there, no route, or no answer in time.
            ServerRefused: the server's certificate is not trusted. Nothing was sent.
            TransferFailed: TLS failed.
        """
        where = f"{self.transport.lower()}:{self.host}:{self.port}"
        try:
            async with asyncio.timeout(timeout_s):
                if self.transport == "UDP":
                    await self._open_udp()
                else:
                    await self._open_stream(tls, where)
        except ssl.SSLError as error:
            raise TransferFailed(f"TLS with {where} failed: {error.reason}") from error
        except (TimeoutError, OSError) as error:
            reason = getattr(error, "strerror", None) or "no answer in time"
            raise ServerUnreachable(f"{where} cannot be reached: {reason}") from error

    async def _open_udp(self) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), remote_addr=(self.host, self.port))
        self.local = transport.get_extra_info("sockname")[:2]
        self._send, self._stop = transport.sendto, transport.close

    async def _open_stream(self, tls: Tls | None, where: str) -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(lambda: _Stream(self), self.host, self.port)
        try:
            if tls is not None:
                transport = await self._upgrade(transport, protocol, tls, where)
                await self._judge(transport, tls, where)
        except BaseException:
            transport.abort()
            raise
        self.local = transport.get_extra_info("sockname")[:2]
        self._send, self._stop = transport.write, transport.abort

    async def _upgrade(
        self, transport: asyncio.Transport, protocol: asyncio.Protocol, tls: Tls, where: str
    ) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        try:
            upgraded = await loop.start_tls(transport, protocol, tls.context, server_hostname=self.host)
        except ConnectionError as error:  # what a server does that finds no common version or suite
            raise TransferFailed(f"TLS with {where} failed: it closed the connection in the handshake") from error
        assert upgraded is not None  # noqa: S101 - None only for a transport that is closing
        return upgraded

    @staticmethod
    async def _judge(transport: asyncio.Transport, tls: Tls, where: str) -> None:
        der = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        try:
            verdict = await tls.judge(Certificate.from_der(der or b""))
        except WireError as error:
            raise TransferFailed(f"{where} shows no certificate that can be read: {error}") from error
        if isinstance(verdict, KeepOld):
            raise ServerRefused(f"{where}: {verdict.reason.text()}")

    def send(self, message: Message) -> None:
        """Sends without waiting for anything."""
        self._write(encode(message))

    def _write(self, data: bytes) -> None:
        if self._send is not None and not self.closed:
            self._send(data)

    async def request(self, message: Request, timeout_s: float) -> Response:
        """The final response; over UDP the request is repeated until there is one.

        Raises:
            SipUnreachable: there is none in time, or the connection is gone.
        """
        loop = asyncio.get_running_loop()
        key, data = (message.require("Call-ID"), message.require("CSeq")), encode(message)
        future: asyncio.Future[Response | None] = loop.create_future()
        self._waiting[key] = future
        end, wait_s = loop.time() + timeout_s, _T1_S
        try:
            while not self.closed:
                self._write(data)
                left_s = max(0.0, end - loop.time())
                await asyncio.wait({future}, timeout=min(wait_s, left_s) if self.transport == "UDP" else left_s)
                if future.done() and (response := future.result()) is not None:
                    return response
                if loop.time() >= end:
                    raise SipUnreachable(f"{self.host}:{self.port} did not answer in {timeout_s:g} s")
                wait_s = min(2 * wait_s, _T2_S)
            raise SipUnreachable(f"{self.host}:{self.port} closed the connection")
        finally:
            self._waiting.pop(key, None)

    def take(self, message: Message) -> None:
        """A message from the server."""
        if isinstance(message, Request):
            self._on_request(message)
            return
        future = self._waiting.get((message.get("Call-ID") or "", message.get("CSeq") or ""))
        if future is not None and message.status >= 200 and not future.done():
            future.set_result(message)

    def lost(self) -> None:
        """The connection is gone: nobody waits for it any longer."""
        if self.closed:
            return
        self.closed = True
        for future in self._waiting.values():
            if not future.done():
                future.set_result(None)
        if self.on_closed is not None:
            self.on_closed()

    def close(self) -> None:
        """Ends it."""
        if self._stop is not None:
            with contextlib.suppress(OSError):
                self._stop()
        self.lost()


class _Stream(asyncio.Protocol):
    __slots__ = ("_connection", "_framer", "_transport")

    def __init__(self, connection: SipConnection) -> None:
        self._connection = connection
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._framer.feed(data):
                self._connection.take(message)
        except WireError:
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it ended
        self._connection.lost()


class _Datagrams(asyncio.DatagramProtocol):
    __slots__ = ("_connection",)

    def __init__(self, connection: SipConnection) -> None:
        self._connection = connection

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the socket is connected
        with contextlib.suppress(WireError):
            self._connection.take(decode(data))

    def error_received(self, exc: Exception) -> None:  # noqa: ARG002 - nobody listens there
        self._connection.lost()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it ended
        self._connection.lost()
