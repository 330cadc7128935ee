"""Registered phones that renew without a pause. What they say is what a phone of `phone_sim` says."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from phone_sim import sipmessages
from phone_sim.models import model
from phone_sim.sipmessages import Caller
from wire.errors import WireError
from wire.sip import Request, decode, encode

TRANSPORTS = ("TCP", "UDP")
FIRST_MAC, FIRST_NUMBER = 0x0AFF00000001, 20_001
_HOST = "127.0.0.1"
_PATIENCE_S = 5.0
_OK = b"SIP/2.0 200 "
_REFUSED = tuple(b"SIP/2.0 %d" % hundreds for hundreds in (3, 4, 5, 6))
_ORDER = b"REFER sip:"
_CSEQ = b"CSeq: 101 "


@dataclass(slots=True)
class Done:
    """What a run came to."""

    answered: int = 0
    failed: int = 0
    seconds: float = 0.0


class _Client(asyncio.Protocol, asyncio.DatagramProtocol):
    """One phone. Renewals are the same bytes with another CSeq, and answers are not read further than needed."""

    def __init__(self, index: int, port: int, transport: str) -> None:
        self._index, self._port, self._kind = index, port, transport
        self._cseq = 101
        self._transport: asyncio.Transport | asyncio.DatagramTransport | None = None
        self._begin = self._end = b""
        self._until = 0.0
        self._done = Done()
        self._idle: asyncio.Future[None] | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        if self._kind == "TCP":
            await loop.create_connection(lambda: self, _HOST, self._port)
        else:
            await loop.create_datagram_endpoint(lambda: self, remote_addr=(_HOST, self._port))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport | asyncio.DatagramTransport", transport)
        caller = _caller(self._index, self._kind, *transport.get_extra_info("sockname")[:2])
        message = sipmessages.register(
            caller,
            cseq=self._cseq,
            branch="00000000",
            now=datetime.now(UTC),
            last="initialized",
            load="sip8845_65.12-5-1SR2-2",
            expires_s=sipmessages.REQUESTED_S,
        )
        self._begin, _, self._end = encode(message).partition(_CSEQ)

    async def renew_for(self, seconds: float, done: Done) -> None:
        """Renews one time after the other; what does not come to its end in time has failed."""
        loop = asyncio.get_running_loop()
        self._until, self._done, self._idle = loop.time() + seconds, done, loop.create_future()
        self._next()
        try:
            await asyncio.wait_for(self._idle, seconds + _PATIENCE_S)
        except TimeoutError:
            done.failed += 1

    def _next(self) -> None:
        self._cseq += 1
        self._send(b"%sCSeq: %d %s" % (self._begin, self._cseq, self._end))

    def _send(self, data: bytes) -> None:
        if self._kind == "TCP":
            cast("asyncio.Transport", self._transport).write(data)
        else:
            cast("asyncio.DatagramTransport", self._transport).sendto(data)

    def data_received(self, data: bytes) -> None:
        place = data.find(_ORDER)
        if place >= 0:
            self._obey(data[place:])
        answered, refused = _OK in data, any(start in data for start in _REFUSED)
        if self._idle is None or self._idle.done() or not (answered or refused):
            return
        self._done.answered += answered
        self._done.failed += refused
        if asyncio.get_running_loop().time() < self._until:
            self._next()
        else:
            self._idle.set_result(None)

    def datagram_received(self, data: bytes, _addr: object) -> None:
        self.data_received(data)

    def _obey(self, data: bytes) -> None:
        """The greeting after the first one; unanswered it would be repeated."""
        try:
            request = decode(data)
        except WireError:
            return
        if isinstance(request, Request):
            self._send(encode(sipmessages.ok(request, 202, "Accepted", tag="x")))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _caller(index: int, transport: str, host: str, port: int) -> Caller:
    mac = f"{FIRST_MAC + index:012x}"
    return Caller(
        mac=mac,
        line=str(FIRST_NUMBER + index),
        contact_user=mac,
        model_number=model("8865").type_number,
        user_agent="Cisco-CP8865/12.5.1",
        server=_HOST,
        local_host=host,
        local_port=port,
        transport=transport,
        call_id=sipmessages.call_id(mac, 1, "00000000", "00000000", host),
        tag=mac,
        session_id="0" * 20,
    )


class RegisterLoad:
    """Phones of one server.

    Args:
        port: of the server.
        transport: of `TRANSPORTS`.
        clients: how many phones.
    """

    def __init__(self, port: int, transport: str, clients: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._clients = [_Client(index, port, transport) for index in range(clients)]
        self._loop.run_until_complete(self._open())

    async def _open(self) -> None:
        for client in self._clients:
            await client.open()

    def run(self, seconds: float) -> Done:
        """All renew so long."""

        async def renew() -> None:
            await asyncio.gather(*(client.renew_for(seconds, done) for client in self._clients))

        done, begun = Done(), time.monotonic()
        self._loop.run_until_complete(renew())
        done.seconds = time.monotonic() - begun
        return done

    def close(self) -> None:
        """Hangs up."""
        for client in self._clients:
            client.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()
