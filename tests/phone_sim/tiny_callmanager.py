"""The smallest registrar that a phone can talk to: texts on a socket, and none of the project's own server code."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, cast

from tests.waiting import eventually
from wire.sip import Framer, Request, Response, decode, encode

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from wire.sip import Message

HOST = "127.0.0.1"


def reply(request: Request, status: int, reason: str, *headers: str) -> bytes:
    """A response, as text."""
    kept = [f"{name}: {request.require(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
    return "\r\n".join([f"SIP/2.0 {status} {reason}", *kept, *headers, "Content-Length: 0", "", ""]).encode()


def order(action: str, call_id: str, stamp: str = "", method: str = "NOTIFY", cseq: int = 1) -> bytes:
    """An order to a phone, as text."""
    body = f"action={action}\r\nRegisterCallId={{{call_id}}}\r\nConfigVersionStamp={{{stamp}}}\r\n"
    lines = [
        f"{method} sip:phone SIP/2.0",
        "Via: SIP/2.0/TCP ucm;branch=z9hG4bKorder",
        "From: <sip:ucm>;tag=1",
        "To: <sip:phone>",
        f"Call-ID: order-{cseq}@ucm",
        f"CSeq: {cseq} {method}",
        "Event: service-control",
        "Content-Type: text/plain",
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@dataclass
class TinyCallManager:
    """Grants what it is asked; each knob makes it misbehave in one way. ``async with`` starts it.

    Attributes:
        expires: granted seconds.
        refuse: status and phrase of the answer to a REGISTER; None grants.
        warning: of that answer.
        deaf: answers nothing.
        lose: how many datagrams it does not see.
        after_register: bytes that follow the answer to a REGISTER at once, made from it.
        asked: requests of phones, in order.
        asked_at: when each came, by the loop's clock.
        answers: responses of phones to its orders.
    """

    expires: str = "120"
    refuse: tuple[int, str] | None = None
    warning: str = ""
    deaf: bool = False
    lose: int = 0
    udp: bool = False
    tls: ssl.SSLContext | None = None
    port: int = 0
    after_register: Callable[[Request], bytes] = lambda _request: b""
    asked: list[Request] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)
    clients: list[Callable[[bytes], None]] = field(default_factory=list)
    _hang_up: list[Callable[[], None]] = field(default_factory=list)
    _close: Callable[[], None] = lambda: None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self.udp:
            transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(HOST, self.port))
            self.port, self._close = transport.get_extra_info("sockname")[1], transport.close
        else:
            server = await loop.create_server(lambda: _Stream(self), HOST, self.port, ssl=self.tls)
            self.port, self._close = server.sockets[0].getsockname()[1], server.close
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()
        self.hang_up()

    def hang_up(self) -> None:
        """Every connection ends."""
        for end in self._hang_up:
            end()

    def send(self, data: bytes) -> None:
        """To the phone that came last."""
        self.clients[-1](data)

    def registers(self) -> list[Request]:
        return [request for request in self.asked if request.method == "REGISTER"]

    async def until_asked(self, count: int, method: str = "REGISTER") -> list[Request]:
        """Waits for so many requests."""

        def found() -> list[Request]:
            return [request for request in self.asked if request.method == method]

        await eventually(lambda: len(found()) >= count, lambda: f"{count} x {method}; asked was {self.asked}")
        return found()

    async def until_answered(self, count: int = 1) -> Response:
        await eventually(lambda: len(self.answers) >= count, f"{count} answers to orders")
        return self.answers[-1]

    def take(self, message: Message, send: Callable[[bytes], None]) -> None:
        if self.lose:
            self.lose -= 1
            return
        if send not in self.clients:
            self.clients.append(send)
        if isinstance(message, Response):
            self.answers.append(message)
            return
        self.asked.append(message)
        self.asked_at.append(asyncio.get_running_loop().time())
        if self.deaf:
            return
        if message.method != "REGISTER":
            send(reply(message, 202, "Accepted"))
        elif self.refuse is not None and message.get("Expires") != "0":
            warnings = [f"Warning: {self.warning}"] if self.warning else []
            send(reply(message, *self.refuse, *warnings))
        else:
            expires = "0" if message.get("Expires") == "0" else self.expires
            send(reply(message, 100, "Trying") + reply(message, 200, "OK", f"Expires: {expires}"))
            if expires != "0":
                extra = self.after_register(message)
                if extra:
                    send(extra)


class _Stream(asyncio.Protocol):
    def __init__(self, server: TinyCallManager) -> None:
        self._server, self._framer = server, Framer()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server._hang_up.append(transport.close)

    def data_received(self, data: bytes) -> None:
        for message in self._framer.feed(data):
            self._server.take(message, self._send)

    def _send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(data)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: TinyCallManager) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None
        self._sends: dict[object, Callable[[bytes], None]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        framer = Framer()

        def send(answer: bytes) -> None:
            assert self._transport is not None
            for message in _cut(framer, answer):
                self._transport.sendto(message, addr)

        self._server.take(decode(data), self._sends.setdefault(addr, send))


def _cut(framer: Framer, data: bytes) -> list[bytes]:
    """Messages one behind the other, each in a datagram of its own."""
    return [encode(message) for message in framer.feed(data)]
