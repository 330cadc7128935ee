"""The phone's CAPF client against servers that do not keep to the protocol, over real TLS."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from base.clock import SystemClock
from base.tls import client_context, server_context
from base.trace import MemorySink, Trace
from phone_sim.capf_side import CapfOutcome, PhoneSide
from phone_sim.clients.capf import CapfResult, CapfTimes, run_session
from phone_sim.clients.stream import Tls
from phone_sim.flash import MemoryFlash
from phone_sim.memory import PhoneMemory
from phone_sim.models import model
from phone_sim.reasons import Reason
from phone_sim.trust import Accept, KeepOld
from tests.capf_transcripts import transcript
from tests.phone_sim.cast import MAC, TVS_SERVER, Party
from wire.capf import HEADER_SIZE, Command, Message, body_length, decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from phone_sim.trust import Verdict
    from wire.certificates import Certificate

    Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HOST = "127.0.0.1"
CAPF = Party.named("capf")
QUICK = CapfTimes(connect_s=5, request_s=0.3, progress_s=0.05)
GREETING = transcript("install-by-string")[0].data


@asynccontextmanager
async def serving(
    script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A CAPF server that does what the script says, and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, HOST, 0, ssl=server_context([CAPF.identity])) as server:
        yield server.sockets[0].getsockname()[1]


def make_side(sink: MemoryFlash | None = None, mode: int = 2) -> PhoneSide:
    memory = PhoneMemory(sink or MemoryFlash(), model("8865"), SystemClock())
    return PhoneSide(f"SEP{MAC}", memory, mode=mode, auth_string="24680", ec_known=True, ec_usable=True)


async def call(
    port: int, side: PhoneSide | None = None, *, trusted: bool = True, sink: MemorySink | None = None
) -> CapfResult:
    async def judge(certificate: Certificate) -> Verdict:
        assert certificate == CAPF.certificate
        return Accept(Reason.SERVER_IN_ITL) if trusted else KeepOld(Reason.TVS_DOES_NOT_KNOW)

    tls = Tls(client_context(), judge)
    return await run_session(HOST, port, side or make_side(), tls, trace=Trace(sink), times=QUICK)


async def hear(reader: asyncio.StreamReader) -> Message:
    header = await reader.readexactly(HEADER_SIZE)
    return decode(header + await reader.readexactly(body_length(header)))


def request(command: Command, **elements: object) -> bytes:
    return encode(Message(command, 42, **elements))  # type: ignore[arg-type]


WHOLE = [line for line in transcript("install-by-string") if line.speaker == "server"]


@pytest.mark.parametrize("step", range(len(WHOLE)))
async def test_a_server_that_hangs_up_after_any_step_leaves_the_phone_as_it_was(step: int) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for line in WHOLE[:step]:
            writer.write(line.data)
            answer = await hear(reader)
            while answer.command == Command.IN_PROGRESS:
                answer = await hear(reader)

    side = make_side(mode=1)
    async with serving(script) as port:
        result = await call(port, side)
    assert result.outcome is CapfOutcome.BROKEN
    assert result.detail.endswith("hung up")
    assert not result.changed
    assert side.steps == [line.what.replace(" ", "_") for line in WHOLE[:step]]


BAD_SERVERS: dict[str, tuple[bytes, CapfOutcome, str]] = {
    "another protocol": (b"HTTP/1.1 400 Bad Request\r\n\r\n", CapfOutcome.BROKEN, "protocol byte is 0x48, not 0x55"),
    "a length over the limit": (b"\x55\x01" + bytes(4) + b"\xff\xff", CapfOutcome.BROKEN, "over the limit"),
    "half a message": (GREETING[:9], CapfOutcome.BROKEN, "hung up"),
    "nothing": (b"", CapfOutcome.BROKEN, "hung up"),
    "an unknown element": (b"\x55\x01" + bytes(4) + b"\0\4\x63\0\1\0", CapfOutcome.BROKEN, "element 99 is unknown"),
    "an end at once": (request(Command.END_SESSION, reason=0), CapfOutcome.NOTHING_TO_DO, ""),
    "later": (request(Command.RETRY_LATER), CapfOutcome.RETRY_LATER, ""),
    "an abort": (request(Command.ABORT_REQUEST), CapfOutcome.BROKEN, ""),
    "a response": (request(Command.AUTH_RESPONSE), CapfOutcome.BROKEN, ""),
}


@pytest.mark.parametrize("case", BAD_SERVERS)
async def test_what_a_server_may_say_first(case: str) -> None:
    data, outcome, detail = BAD_SERVERS[case]

    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    async with serving(script) as port:
        result = await call(port)
    assert result.outcome is outcome
    assert detail in result.detail
    assert not result.changed


async def test_a_silent_server_is_left() -> None:
    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(script) as port:
        result = await call(port)
    assert (result.outcome, result.detail) == (CapfOutcome.BROKEN, f"{HOST}:{port} said nothing in time")


async def test_a_server_that_is_not_trusted_learns_nothing() -> None:
    heard: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        heard.append(await reader.read())

    async with serving(script) as port:
        result = await call(port, trusted=False)
    assert result.outcome is CapfOutcome.SERVER_NOT_TRUSTED
    assert heard in ([], [b""])


async def test_nobody_there_is_an_outcome() -> None:
    async with serving(lambda _reader, _writer: asyncio.sleep(0)) as port:
        pass
    result = await call(port)
    assert (result.outcome, result.server) == (CapfOutcome.UNREACHABLE, f"{HOST}:{port}")


async def test_a_server_without_tls_is_broken() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        result = await call(server.sockets[0].getsockname()[1])
    assert result.outcome is CapfOutcome.BROKEN
    assert "TLS" in result.detail


async def test_a_phone_says_that_it_is_at_work_while_it_makes_a_long_key() -> None:
    heard: list[int] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request(Command.KEY_GENERATE_REQUEST, key_type=0, key_size=4096))
        while not heard or heard[-1] == Command.IN_PROGRESS:
            heard.append((await hear(reader)).command)
        writer.write(request(Command.END_SESSION, reason=0))

    async with serving(script) as port:
        await call(port)
    assert heard[-1] == Command.KEY_GENERATE_RESPONSE
    assert set(heard[:-1]) <= {Command.IN_PROGRESS}


async def test_an_lsc_for_another_key_is_refused_and_said() -> None:
    reasons: list[int | None] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request(Command.KEY_GENERATE_REQUEST, key_type=1, curve=0))
        while (await hear(reader)).command == Command.IN_PROGRESS:
            pass
        writer.write(next(line.data for line in WHOLE if line.what == "store request"))
        reasons.append((await hear(reader)).reason)
        writer.write(request(Command.END_SESSION, reason=1))

    async with serving(script) as port:
        result = await call(port)
    assert reasons == [7]
    assert not result.changed


async def test_the_trace_names_requests_and_answers_and_no_string() -> None:
    sink = MemorySink()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        assert (await hear(reader)).password == "24680"
        writer.write(request(Command.END_SESSION, reason=0))

    async with serving(script) as port:
        await call(port, make_side(mode=1), sink=sink)
    asked = [event.data for event in sink.events if event.step == "capf_asked"]
    assert asked == [
        {"request": "auth_request", "answer": "auth_response"},
        {"request": "end_session", "answer": ""},
    ]
    assert "24680" not in repr(sink.events)
    assert TVS_SERVER.certificate != CAPF.certificate
