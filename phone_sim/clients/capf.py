"""One CAPF session over TLS: connects, judges the server, and answers until the server ends it.

Nothing is sent to a server that is not trusted as CAPF. Each message goes out in one write.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_sim.capf_side import CapfOutcome, Ended, KeyWanted, PhoneSide
from phone_sim.clients.errors import ServerRefused, ServerUnreachable, TransferFailed
from phone_sim.clients.stream import connect, judge_server
from wire.capf import HEADER_SIZE, MAX_BODY, Command, Message, body_length, decode, encode
from wire.errors import WireError

if TYPE_CHECKING:
    from base.trace import Json, Trace
    from phone_sim.clients.stream import Tls


@dataclass(frozen=True, slots=True)
class CapfTimes:
    """How long the phone waits; real phones' values are not known.

    Attributes:
        connect_s: for the connection and, separately, for the handshake.
        request_s: for the server's next message.
        progress_s: how often the phone says that it is still making a key.
    """

    connect_s: float = 5.0
    request_s: float = 30.0
    progress_s: float = 5.0


@dataclass(frozen=True, slots=True)
class CapfResult:
    """How it went.

    Attributes:
        detail: particulars for a person who looks closer; may be empty.
        server: ``host:port``.
        changed: the phone has another LSC than before, or none any more.
        steps: what the server asked, in order.
    """

    outcome: CapfOutcome
    server: str
    detail: str = ""
    changed: bool = False
    steps: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        return {
            "outcome": self.outcome.value,
            "server": self.server,
            "detail": self.detail,
            "changed": self.changed,
            "steps": list(self.steps),
        }


async def run_session(
    host: str, port: int, side: PhoneSide, tls: Tls, *, trace: Trace, times: CapfTimes | None = None
) -> CapfResult:
    """A whole session; what goes wrong is an outcome.

    Raises:
        FlashError: flash cannot be written.
    """
    times = times or CapfTimes()
    server = f"{host}:{port}"
    writer: asyncio.StreamWriter | None = None
    outcome, detail = CapfOutcome.BROKEN, ""
    try:
        reader, writer = await connect(host, port, server, tls, connect_s=times.connect_s, limit=2 * MAX_BODY)
        await judge_server(writer, server, tls, trace)
        outcome = await _talk(reader, writer, side, trace, times)
    except ServerUnreachable as error:
        outcome, detail = CapfOutcome.UNREACHABLE, str(error)
    except ServerRefused as error:
        outcome, detail = CapfOutcome.SERVER_NOT_TRUSTED, str(error)
    except TimeoutError:
        detail = f"{server} said nothing in time"
    except asyncio.IncompleteReadError:
        detail = f"{server} hung up"
    except (TransferFailed, WireError, OSError) as error:
        detail = str(error)
    finally:
        if writer is not None:
            writer.transport.abort()
    return CapfResult(outcome, server, detail, side.changed, tuple(side.steps))


async def _talk(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, side: PhoneSide, trace: Trace, times: CapfTimes
) -> CapfOutcome:
    while True:
        async with asyncio.timeout(times.request_s):
            header = await reader.readexactly(HEADER_SIZE)
            request = decode(header + await reader.readexactly(body_length(header)))
        answer = side.answer(request)
        if isinstance(answer, KeyWanted):
            answer = await _make_key(writer, side, request, answer, times)
        message = answer.message if isinstance(answer, Ended) else answer
        said = Command(message.command).name.lower() if message else ""
        trace.emit("capf_asked", request=Command(request.command).name.lower(), answer=said)
        if message is not None:
            writer.write(encode(message))
            await writer.drain()
        if isinstance(answer, Ended):
            return answer.outcome


async def _make_key(
    writer: asyncio.StreamWriter, side: PhoneSide, request: Message, wanted: KeyWanted, times: CapfTimes
) -> Message:
    """Makes the key aside, and tells the server now and then that it is at work."""
    making = asyncio.ensure_future(asyncio.to_thread(wanted.make))
    while not making.done():
        await asyncio.wait({making}, timeout=times.progress_s)
        if not making.done():
            writer.write(encode(Message(Command.IN_PROGRESS, request.session)))
            await writer.drain()
    return side.key_made(request, making.result())
