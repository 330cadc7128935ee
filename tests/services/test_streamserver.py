"""A guarded port on real sockets: what counts, who is turned away, and that nothing of a client stays behind."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from base.tls import server_context
from base.trace import MemorySink, Trace
from services.streamserver import Connection, ConnectionLimits, StreamServer
from tests.services.wires import HOST, any_server, connection, identity, until_closed
from tests.waiting import PATIENCE_S, eventually
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[2]
SERVER = identity("callmanager")


class Echo(Connection):
    """Says again what it hears; ``late`` seconds after a silence begins it hangs up."""

    late = 30.0

    def opened(self) -> None:
        self.arm(self.late)

    def received(self, data: bytes) -> None:
        self.send(data)

    def overdue(self) -> None:
        self.close()


@dataclass
class Port:
    server: StreamServer
    sink: MemorySink
    made: list[Echo] = field(default_factory=list)

    @property
    def number(self) -> int:
        return self.server.listeners[0].port

    async def until_empty(self) -> None:
        await eventually(lambda: len(self.server) == 0, lambda: f"no connections; there are {len(self.server)}")

    def reasons(self, step: str) -> list[str]:
        return [str(event.data["reason"]) for event in self.sink.events if event.step == step]


@asynccontextmanager
async def listening(
    *, tls: bool = True, connections: int = 10, handshake_s: float = 20.0, kind: type[Echo] = Echo
) -> AsyncIterator[Port]:
    sink = MemorySink()
    made: list[Echo] = []

    def make(server: StreamServer) -> Echo:
        made.append(kind(server))
        return made[-1]

    context = server_context([SERVER]) if tls else None
    limits = ConnectionLimits(connections, handshake_s)
    server = StreamServer("ECHO", HOST, 0, make, limits, trace=Trace(sink), context=context)
    await server.start()
    try:
        yield Port(server, sink, made)
    finally:
        await server.stop(0)


async def echoed(port: Port, *, tls: bool = True) -> bool:
    async with connection(port.number, any_server() if tls else None) as (reader, writer):
        writer.write(b"hello")
        async with asyncio.timeout(PATIENCE_S):
            return await reader.readexactly(5) == b"hello"


@pytest.mark.parametrize("tls", [True, False])
async def test_a_client_is_served_and_forgotten(*, tls: bool) -> None:
    async with listening(tls=tls) as port:
        assert await echoed(port, tls=tls)
        await port.until_empty()


@pytest.mark.parametrize("tls", [True, False])
async def test_a_connection_knows_who_is_there_and_how(*, tls: bool) -> None:
    async with listening(tls=tls) as port, connection(port.number, any_server() if tls else None) as (_, writer):
        await eventually(lambda: any(made.peer for made in port.made))
        (made,) = port.made
        address, number = writer.get_extra_info("sockname")
        assert (made.address, made.port, made.peer) == (address, number, f"{address}:{number}")
        assert made.tls == (f"TLSv1.3 {made.cipher}" if tls else "")
        assert bool(made.cipher) is tls
        assert made.shown_certificate is None


async def test_a_handshake_holds_a_place_and_gives_it_back() -> None:
    async with listening(connections=2) as port:
        async with connection(port.number) as (_, silent), connection(port.number):
            await eventually(lambda: len(port.server) == 2)
            with pytest.raises(ConnectionError):
                await echoed(port)
            assert port.reasons("connection_refused") == ["too many connections"]
            silent.transport.abort()
            await eventually(lambda: len(port.server) == 1)
            assert await echoed(port)
        await port.until_empty()


HALF_OPEN = {
    "nothing": b"",
    "a byte": b"\x16",
    "the head of a record": b"\x16\x03\x01\x02\x00",
    "half a ClientHello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
}


@pytest.mark.parametrize("said", HALF_OPEN.values(), ids=HALF_OPEN)
async def test_a_handshake_that_does_not_go_on_is_over_in_time(said: bytes) -> None:
    async with listening(handshake_s=0.1) as port, connection(port.number) as (reader, writer):
        writer.write(said)
        assert await until_closed(reader) == b""
        await port.until_empty()
        assert "longer" in port.reasons("handshake_failed")[0]


NO_TLS = {
    "HTTP": (b"GET / HTTP/1.1\r\n\r\n", "http request"),
    "SIP": (b"REGISTER sip:a SIP/2.0\r\n\r\n", "wrong version number"),
}


@pytest.mark.parametrize(("said", "reason"), NO_TLS.values(), ids=NO_TLS)
async def test_what_is_no_tls_is_said_in_words(said: bytes, reason: str) -> None:
    async with listening() as port, connection(port.number) as (reader, writer):
        writer.write(said)
        await until_closed(reader)
        await port.until_empty()
        assert port.reasons("handshake_failed") == [reason]


async def test_clients_that_come_and_go_leave_nothing_behind() -> None:
    async with listening(connections=500) as port:
        for _ in range(200):
            client = socket.create_connection((HOST, port.number))
            client.close()
        await eventually(lambda: len(port.made) == 200)
        await port.until_empty()
        assert await echoed(port)


async def test_a_stop_cuts_handshakes_off_at_once_and_waits_for_the_others() -> None:
    async with listening() as port:
        number = port.number
        async with connection(number) as (silent, _), connection(number, any_server()) as (reader, writer):
            await eventually(lambda: len(port.server) == 2 and any(made.peer for made in port.made))
            begun = asyncio.get_running_loop().time()
            await port.server.stop(PATIENCE_S)
            assert asyncio.get_running_loop().time() - begun < PATIENCE_S / 2
            assert await until_closed(silent) == await until_closed(reader) == b""
            writer.close()
        assert len(port.server) == 0
        assert port.server.listeners == ()
        with pytest.raises(ConnectionError):
            await asyncio.open_connection(HOST, number)
        await port.server.stop(0)


class Stubborn(Echo):
    def finish(self) -> None:
        """It has something to do."""


async def test_who_does_not_come_to_an_end_is_cut_off_after_the_grace() -> None:
    async with listening(kind=Stubborn) as port, connection(port.number, any_server()) as (reader, _):
        await eventually(lambda: any(made.peer for made in port.made))
        await port.server.stop(0.05)
        assert await until_closed(reader) == b""
        await port.until_empty()


class Hasty(Echo):
    late = 0.05


async def test_a_timer_that_is_over_ends_the_connection_in_order() -> None:
    async with listening(kind=Hasty) as port, connection(port.number, any_server()) as (reader, _):
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b"", "an end of the stream, no reset"
        await port.until_empty()


async def test_a_port_that_is_taken_is_reported_in_one_sentence() -> None:
    async with listening() as port:
        second = StreamServer("ECHO", HOST, port.number, Echo, ConnectionLimits(1, 1), trace=Trace())
        with pytest.raises(OperatorError, match=rf"^ECHO cannot listen on {HOST} port {port.number}: the port is in"):
            await second.start()
        assert second.listeners == ()


OUT_OF_FILES = """
import asyncio, resource, socket
from base.trace import Trace
from services.streamserver import Connection, ConnectionLimits, StreamServer
from tests.waiting import WatchedSink, eventually

async def main():
    sink = WatchedSink()
    server = StreamServer("X", "127.0.0.1", 0, Connection, ConnectionLimits(1000, 1), trace=Trace(sink))
    await server.start()
    port = server.listeners[0].port
    held = [socket.socket() for _ in range(40)]
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[-1].fileno() + 1, usual[1]))
    for client in held:
        client.connect(("127.0.0.1", port))
    await sink.seen("cannot_accept")
    resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    await eventually(lambda: len(server) == 40, "everybody is accepted")
    print(sink.steps().count("cannot_accept"))
    await server.stop(0)

asyncio.run(asyncio.wait_for(main(), 20))
"""


def test_without_descriptors_nothing_is_accepted_for_a_moment_and_then_everybody() -> None:
    """In a process of its own, whose limit may be lowered."""
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_FILES], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
