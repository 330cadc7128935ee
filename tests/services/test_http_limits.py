"""Clients that are slow, silent or too many cannot hold a configuration server (ours: the limits; 5 s idle and 2,500
connections are observed)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from base.tls import server_context
from base.trace import MemorySink, Trace
from lab.adversary import NoFiles
from services.http import HttpLimits, HttpListener
from services.tftp.http import FileHandler
from tests.services.wires import HOST, Answer, any_server, connection, get, identity, send, until_closed
from tests.waiting import PATIENCE_S, WatchedSink, eventually
from wire.errors import OperatorError, WireError

SOON = HttpLimits(idle_s=0.3, handshake_s=0.4, answer_s=0.5)
REQUEST = b"GET /file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LAST_OF_REQUEST = b"\r\n\r\n"
BIG = b"x" * 8_000_000
"""More than the buffers of both ends take."""


class OneFile:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, name: str, peer: str, transport: str) -> bytes:
        if name.isdecimal():
            return bytes(int(name))
        return self.data if name == "file" else NoFiles().read(name, peer, transport)


class Listening:
    def __init__(self, listener: HttpListener, sink: WatchedSink) -> None:
        self.listener, self.sink = listener, sink

    @property
    def port(self) -> int:
        return self.listener.listeners[0].port

    async def saw(self, step: str) -> None:
        await self.sink.seen(step)


Starter = Callable[..., "asyncio.Future[Listening]"]


@pytest.fixture
async def listen() -> AsyncIterator[Starter]:
    """Starts a server of one file, over HTTP or HTTPS."""
    async with AsyncExitStack() as stack:

        async def start(limits: HttpLimits = SOON, data: bytes = b"data", *, tls: bool = False) -> Listening:
            sink = WatchedSink()
            trace = Trace(sink)
            context = server_context([identity("tomcat")]) if tls else None
            handler = FileHandler(OneFile(data), "https" if tls else "http", trace)
            listener = HttpListener("HTTP", HOST, 0, handler, trace=trace, context=context, limits=limits)
            await listener.start()
            stack.push_async_callback(listener.stop, 0)
            return Listening(listener, sink)

        yield start  # type: ignore[misc]  # an async function is as good


@pytest.mark.parametrize("tls", [False, True], ids=["HTTP", "HTTPS"])
@pytest.mark.parametrize(
    "said", [b"", b"GET /fi", REQUEST[:-2], b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"]
)
async def test_a_client_that_stops_talking_is_hung_up_on(listen: Starter, said: bytes, *, tls: bool) -> None:
    server = await listen(tls=tls)
    assert await send(server.port, said, any_server() if tls else None) == b""
    await server.saw("connection_timed_out")
    assert (await get(server.port, "/file", any_server() if tls else None)).body == b"data"


async def test_a_client_that_talks_a_byte_at_a_time_gets_no_more_time(listen: Starter) -> None:
    """The limit is on the whole request, not on silence."""
    server = await listen()
    async with connection(server.port) as (reader, writer):

        async def dribble() -> None:
            while True:
                writer.write(b"a")
                await asyncio.sleep(0.05)  # the pace of such a client: what the server has to bear

        writer.write(REQUEST[:-2] + b"X: ")
        dribbling = asyncio.create_task(dribble())
        assert await until_closed(reader) == b""
        dribbling.cancel()


async def test_a_client_that_ends_without_a_word_is_forgotten_soon(listen: Starter) -> None:
    server = await listen(HttpLimits(idle_s=PATIENCE_S))
    async with connection(server.port) as (reader, writer):
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_S / 2):
            assert await until_closed(reader) == b""
    assert "connection_timed_out" not in server.sink.steps()


async def test_a_connection_that_asks_for_nothing_more_is_closed(listen: Starter) -> None:
    server = await listen()
    answered = await send(server.port, b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
    assert Answer.parse(answered).body == b"data"


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", REQUEST], ids=["nothing", "half a record", "plain HTTP"])
async def test_a_client_that_never_finishes_the_handshake_is_hung_up_on(listen: Starter, said: bytes) -> None:
    server = await listen(tls=True)
    assert not (await send(server.port, said)).startswith(b"HTTP")
    assert (await get(server.port, "/file", any_server())).status == 200


@pytest.mark.parametrize("tls", [False, True], ids=["HTTP", "HTTPS"])
async def test_a_client_that_does_not_read_its_answer_is_hung_up_on(listen: Starter, *, tls: bool) -> None:
    server = await listen(data=BIG, tls=tls)
    async with connection(server.port, any_server() if tls else None) as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport has it
        writer.write(REQUEST)
        await server.saw("connection_timed_out")


async def test_a_slow_reader_gets_the_whole_of_its_answer(listen: Starter) -> None:
    """Also when the last of it waits in the server's buffer for longer than a connection may be idle."""
    idle_s = 0.1
    server = await listen(HttpLimits(idle_s=idle_s, answer_s=PATIENCE_S))
    assert server.listener._server is not None
    for listening in server.listener._server.sockets:  # connections inherit it
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)

    async def read_slowly(size: int) -> int:
        loop = asyncio.get_running_loop()
        with socket.socket() as receiver:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            receiver.setblocking(False)
            await loop.sock_connect(receiver, (HOST, server.port))
            await loop.sock_sendall(receiver, REQUEST.replace(b"file", b"%d" % size))
            await asyncio.sleep(4 * idle_s)  # what makes this reader a slow one
            received = 0
            async with asyncio.timeout(PATIENCE_S):
                while piece := await loop.sock_recv(receiver, 65_536):
                    received += len(piece)
            return received

    sizes = range(20_000, 200_000, 20_000)  # some of which leave a rest in the server's own buffer
    for size, received in zip(sizes, await asyncio.gather(*map(read_slowly, sizes)), strict=True):
        assert received > size


async def test_connections_over_the_limit_are_refused_until_one_ends(listen: Starter) -> None:
    server = await listen(HttpLimits(connections=2, idle_s=PATIENCE_S))
    async with AsyncExitStack() as stack:
        for _ in range(2):
            _, writer = await stack.enter_async_context(connection(server.port))
            writer.write(b"G")
        assert await send(server.port, REQUEST) == b""
        await server.saw("connection_refused")
    received = await eventually(lambda: send(server.port, REQUEST), "the server has seen the end of a connection")
    assert Answer.parse(received).status == 200


@pytest.mark.parametrize("grace_s", [0, 0.2])
@pytest.mark.parametrize("tls", [False, True], ids=["HTTP", "HTTPS"])
async def test_stopping_waits_no_longer_than_its_grace_for_slow_clients(
    listen: Starter, grace_s: float, *, tls: bool
) -> None:
    server = await listen(HttpLimits(), data=BIG, tls=tls)
    context = any_server() if tls else None
    async with connection(server.port, context) as (reader, writer), connection(server.port, context):
        writer.write(REQUEST)
        await reader.readuntil(LAST_OF_REQUEST)  # the answer is on its way
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        begun = asyncio.get_running_loop().time()
        await server.listener.stop(grace_s)
        assert asyncio.get_running_loop().time() - begun < grace_s + 3
        assert server.listener.listeners == ()


async def test_an_answer_in_progress_is_finished_within_the_grace(listen: Starter) -> None:
    server = await listen(HttpLimits(), data=BIG)
    async with connection(server.port) as (reader, writer):
        writer.write(REQUEST)
        await reader.readuntil(LAST_OF_REQUEST)
        stopping = asyncio.create_task(server.listener.stop(PATIENCE_S))
        body = await until_closed(reader)
        await stopping
    assert len(body) == len(BIG)


async def test_a_stopped_listener_accepts_nobody_and_can_start_again(listen: Starter) -> None:
    server = await listen()
    port = server.port
    await server.listener.stop(0)
    await server.listener.stop(0)
    with pytest.raises(ConnectionError):
        await get(port, "/file")
    await server.listener.start()
    assert (await get(server.port, "/file")).status == 200


async def test_a_port_that_is_taken_is_reported_in_one_sentence(listen: Starter) -> None:
    server = await listen()
    second = HttpListener("HTTP", HOST, server.port, FileHandler(NoFiles(), "http", Trace()), trace=Trace())
    with pytest.raises(OperatorError, match=rf"^HTTP cannot listen on {HOST} port {server.port}: the port is in use;"):
        await second.start()
    assert second.listeners == ()
    await second.stop(0)


async def test_a_client_that_is_gone_before_its_answer_is_no_error(
    listen: Starter, caplog: pytest.LogCaptureFixture
) -> None:
    server = await listen(HttpLimits(), bytes(50_000_000))
    for _ in range(3):
        async with connection(server.port) as (reader, writer):
            writer.write(REQUEST)
            await reader.readline()
            writer.transport.abort()
    assert (await get(server.port, "/file")).status == 200
    await server.listener.stop(5)
    assert caplog.records == []


async def test_an_address_that_is_not_here_is_reported_in_one_sentence() -> None:
    listener = HttpListener("HTTP", "192.0.2.1", 0, FileHandler(NoFiles(), "http", Trace()), trace=Trace())
    with pytest.raises(OperatorError, match="this machine has no such address; correct 'address'"):
        await listener.start()


async def test_a_file_that_cannot_be_made_is_an_error_for_one_client_only(
    listen: Starter, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(OneFile):
        def read(self, name: str, peer: str, transport: str) -> bytes:
            del name, peer, transport
            raise WireError("a port of 0 is not from 1 to 65535")

    sink = MemorySink()
    listener = HttpListener("HTTP", HOST, 0, FileHandler(Broken(b""), "http", Trace(sink)), trace=Trace(sink))
    await listener.start()
    answer = await get(listener.listeners[0].port, "/file")
    await listener.stop(0)
    assert (answer.status, answer.body) == (500, b"")
    assert [record.getMessage() for record in caplog.records] == [
        "file cannot be served: a port of 0 is not from 1 to 65535"
    ]
