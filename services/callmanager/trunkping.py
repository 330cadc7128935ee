"""SIP trunks as a client: one OPTIONS to the other end, over UDP, TCP or TLS, and what came of it.

Each ping has a connection of its own (ours). Over TLS nothing is said before the other end's certificate is judged by
CallManager-trust and the trunk's subject names. Any final answer means that the other end serves, but for 403, 408 and
503 (ours).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.callmanager import answers
from services.callmanager.answers import Way
from wire.certificates import Certificate
from wire.errors import WireError
from wire.sip import Framer, Response, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cluster.siptrunk import SipTrunk
    from wire.sip import Message, Request

_NOT_SERVING = frozenset({403, 408, 503})
_T2_S = 4.0
_REASON = 300
"""Characters of a reason that are kept."""


@dataclass(frozen=True, slots=True)
class PingTimes:
    """How often and how long, in seconds; ours but for T1, which is RFC 3261's.

    Attributes:
        in_service_s: between two pings to an end that answers.
        out_of_service_s: to one that does not.
        connect_s: for a connection, with its handshake.
        answer_s: for a final answer.
        resend_s: T1, after which a ping over UDP is repeated; the pauses double up to 4 s.
    """

    in_service_s: float = 60.0
    out_of_service_s: float = 15.0
    connect_s: float = 5.0
    answer_s: float = 5.0
    resend_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a ping found.

    Attributes:
        serves: the trunk is in service.
        reason: the answer, or why there was none.
        tls: version and suite, for people; empty without TLS.
    """

    serves: bool
    reason: str
    tls: str = ""


@dataclass(frozen=True, slots=True)
class Near:
    """This end.

    Attributes:
        address: that others know the node by.
        host: to send from; None for whichever the system takes.
        context: for TLS.
        judge: why a certificate of the other end does not count; empty when it does.
        times: see there.
    """

    address: str
    host: str | None
    context: ssl.SSLContext
    judge: Callable[[SipTrunk, Certificate | None], str]
    times: PingTimes


class _Failed(Exception):  # noqa: N818 - an outcome
    """Why there is no answer."""


async def ping(trunk: SipTrunk, near: Near, cseq: int) -> Outcome:
    """Asks once; never raises but for cancellation."""
    ask = _by_datagram if not trunk.encrypted and trunk.transport == "udp" else _by_stream
    try:
        response, tls = await ask(trunk, near, cseq)
    except _Failed as error:
        reason = str(error)
    except ssl.SSLError as error:
        reason = f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
    except TimeoutError:
        reason = "no answer in time"
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "the connection was lost"
    else:
        warning = response.get("Warning")
        reason = _plain(f"{response.status} {response.reason}{f': {warning}' if warning else ''}")
        return Outcome(response.status not in _NOT_SERVING, reason, tls)
    return Outcome(serves=False, reason=_plain(reason))


def _plain(text: str) -> str:
    """What another end said, for a terminal: short, and without what steers one."""
    shown = "".join(char if char.isprintable() else "?" for char in text[: _REASON + 1])
    return shown if len(shown) <= _REASON else f"{shown[: _REASON - 3]}..."


def _request(trunk: SipTrunk, near: Near, port: int, cseq: int) -> Request:
    transport = "TLS" if trunk.encrypted else trunk.transport.upper()
    uri = f"sip:{trunk.destination}:{trunk.port}"
    return answers.ping(Way(uri, near.address, port, transport, secrets.token_hex(8), cseq))


def _local(near: Near) -> tuple[str, int] | None:
    return (near.host, 0) if near.host is not None else None


async def _by_stream(trunk: SipTrunk, near: Near, cseq: int) -> tuple[Response, str]:
    async with asyncio.timeout(near.times.connect_s):
        reader, writer = await asyncio.open_connection(trunk.destination, trunk.port, local_addr=_local(near))
    try:
        tls = ""
        if trunk.encrypted:
            await _shake_hands(writer, near)
            connection = writer.get_extra_info("ssl_object")
            tls = f"{connection.version()} {connection.cipher()[0]}"
            why = near.judge(trunk, _certificate(connection))
            if why:
                raise _Failed(why)
        request = _request(trunk, near, writer.get_extra_info("sockname")[1], cseq)
        async with asyncio.timeout(near.times.answer_s):
            writer.write(encode(request))
            return await _answer(reader, request), tls
    finally:
        writer.transport.abort()


async def _shake_hands(writer: asyncio.StreamWriter, near: Near) -> None:
    try:
        async with asyncio.timeout(near.times.connect_s):
            await writer.start_tls(near.context)
    except ConnectionError as error:
        reason = "it closed the connection in the handshake: it may not trust this node's certificate"
        raise _Failed(reason) from error


async def _answer(reader: asyncio.StreamReader, request: Request) -> Response:
    framer = Framer()
    while data := await reader.read(65_536):
        try:
            found = _final(framer.feed(data), request)
        except WireError as error:
            raise _Failed(f"its answer cannot be read: {error}") from error
        if found is not None:
            return found
    raise _Failed("it closed the connection without an answer")


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes | Exception] = asyncio.Queue(16)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the socket is connected
        self._put(data)

    def error_received(self, exc: Exception) -> None:
        self._put(exc)

    def _put(self, item: bytes | Exception) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self.heard.put_nowait(item)


async def _by_datagram(trunk: SipTrunk, near: Near, cseq: int) -> tuple[Response, str]:
    loop, times = asyncio.get_running_loop(), near.times
    transport, client = await loop.create_datagram_endpoint(
        _Datagrams, remote_addr=(trunk.destination, trunk.port), local_addr=_local(near)
    )
    request = _request(trunk, near, transport.get_extra_info("sockname")[1], cseq)
    repeating = loop.create_task(_repeat(transport, encode(request), times.resend_s))
    try:
        async with asyncio.timeout(times.answer_s):
            while True:
                item = await client.heard.get()
                if isinstance(item, Exception):
                    raise item
                with contextlib.suppress(WireError):  # what cannot be read is dropped, as any datagram
                    found = _final([decode(item)], request)
                    if found is not None:
                        return found, ""
    finally:
        repeating.cancel()
        transport.abort()


async def _repeat(transport: asyncio.DatagramTransport, data: bytes, pause_s: float) -> None:
    while True:
        transport.sendto(data)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _T2_S)


def _final(messages: Iterable[Message], request: Request) -> Response | None:
    call_id = request.require("Call-ID")
    for message in messages:
        if isinstance(message, Response) and message.status >= 200 and message.get("Call-ID") == call_id:
            return message
    return None


def _certificate(connection: ssl.SSLObject) -> Certificate | None:
    der = connection.getpeercert(binary_form=True)
    try:
        return Certificate.from_der(der) if der else None
    except WireError:
        return None
