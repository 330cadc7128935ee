"""Clients that are silent, slow, too many or mad: each has an end, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from base.trace import Trace
from services.service import Health
from services.tftp.transfer import Patience
from services.tftp.udp import TftpDaemon, TftpLimits
from tests.services.tftp.client import Client, RemoteError
from tests.services.tftp.conftest import HASTY, Files
from tests.waiting import PATIENCE_S
from wire.tftp import Ack, Data, ErrorPacket, OptionAck, OptionLimits, ReadRequest

if TYPE_CHECKING:
    from tests.services.tftp.conftest import ServerMaker


async def test_a_lost_block_is_sent_again(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(limits=TftpLimits(patience=Patience(retransmit_s=0.02)), single_port=single_port)
    with Client() as client:
        first, peer = await client.ask(ReadRequest("six.bin"), served.address)
        again, same_peer = await client.receive()
        assert (again, same_peer) == (first, peer)


async def test_a_wait_is_short_again_after_progress(serve: ServerMaker) -> None:
    """Also when the timer is set far ahead because of the long wait before."""
    served = await serve(limits=TftpLimits(patience=Patience(0.05, max_retransmit_s=600.0, max_retries=20)))
    with Client() as client:
        first, peer = await client.ask(ReadRequest("six.bin"), served.address)
        for _ in range(4):
            assert await client.receive() == (first, peer)
        second, _ = await client.ask(Ack(1), peer)
        begun = asyncio.get_running_loop().time()
        assert await client.receive() == (second, peer)
        assert asyncio.get_running_loop().time() - begun < 0.7, "the wait before was up to 1.6 s long"


async def test_a_client_that_vanishes_is_forgotten(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(limits=TftpLimits(patience=HASTY), single_port=single_port)
    clients = [Client() for _ in range(30)]
    for number, client in enumerate(clients):
        options = (("blksize", "1428"),) if number % 2 else ()
        await client.ask(ReadRequest("six.bin", "octet", options), served.address)
    for client in clients[:15]:
        client.socket.close()
    await served.until_idle()
    assert served.daemon.transfers == 0
    assert served.sink.steps().count("timed_out") == 30
    assert [(await clients[20].receive())[0] for _ in range(HASTY.max_retries)] == [
        Data(1, served.files.contents["six.bin"][:512])
    ] * 2
    assert clients[20].has_nothing(), "the retries have an end"
    for client in clients[15:]:
        client.socket.close()


async def test_a_client_that_was_given_up_is_told_when_it_comes_back(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(limits=TftpLimits(patience=Patience(0.02, max_retries=1)), single_port=single_port)
    with Client() as client:
        first, peer = await client.ask(ReadRequest("six.bin"), served.address)
        assert await client.receive() == (first, peer)
        await served.until_idle()
        answer, _ = await client.ask(Ack(1), peer)
        assert answer == ErrorPacket(5, "Unknown transfer ID")


async def test_a_client_that_aborts_is_forgotten_at_once(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(limits=TftpLimits(patience=Patience(retransmit_s=600.0)), single_port=single_port)
    with Client() as client:
        _, peer = await client.ask(ReadRequest("six.bin"), served.address)
        client.send(ErrorPacket(3, "Disk full"), peer)
        await served.until_idle()
    assert served.sink.events[-1].step == "aborted"
    assert served.sink.events[-1].data["reason"] == "error 3: Disk full"


async def test_a_transfer_that_takes_too_long_is_ended_with_an_error(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(
        limits=TftpLimits(patience=Patience(retransmit_s=0.03, transfer_s=0.1)), single_port=single_port
    )
    with Client() as client:
        packet, peer = await client.ask(ReadRequest("six.bin"), served.address)
        while isinstance(packet, Data):
            packet, _ = await client.ask(Ack(packet.block - 1), peer)  # duplicates: no progress
        assert packet == ErrorPacket(0, "Transfer took too long")
    await served.until_idle()


async def test_transfers_at_once_are_limited_and_places_become_free(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(limits=TftpLimits(max_transfers=2), single_port=single_port)
    with Client() as one, Client() as two, Client() as three:
        _, peer = await one.ask(ReadRequest("small.txt"), served.address)
        _, other_peer = await two.ask(ReadRequest("small.txt"), served.address)
        answer, _ = await three.ask(ReadRequest("small.txt"), served.address)
        assert answer == ErrorPacket(0, "Server is busy: too many transfers")
        again, _ = await two.ask(ReadRequest("small.txt"), served.address)
        assert isinstance(again, Data), "one that repeats itself needs no second place"
        one.send(Ack(1), peer)
        two.send(Ack(1), other_peer)
        await served.until_idle()
        assert await three.fetch(served.address, "six.bin") == served.files.contents["six.bin"]


async def test_transfers_from_one_address_are_limited(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(limits=TftpLimits(max_transfers_per_peer=1), single_port=single_port)
    with Client() as one, Client() as two, Client("127.0.0.2") as elsewhere:
        await one.ask(ReadRequest("six.bin"), served.address)
        answer, _ = await two.ask(ReadRequest("six.bin"), served.address)
        assert answer == ErrorPacket(0, "Server is busy: too many transfers from your address")
        assert await elsewhere.fetch(served.address, "six.bin") == served.files.contents["six.bin"]


async def test_option_limits_are_the_daemons_to_set(serve: ServerMaker) -> None:
    limits = OptionLimits(max_blksize=1_024, max_windowsize=4, max_window_bytes=2_048, max_timeout_s=5)
    served = await serve(limits=TftpLimits(options=limits))
    asked = (("blksize", "8192"), ("windowsize", "16"), ("timeout", "6"))
    with Client() as client:
        answer, _ = await client.ask(ReadRequest("six.bin", "octet", asked), served.address)
    assert answer == OptionAck((("blksize", "1024"), ("windowsize", "2")))


async def test_the_trace_tells_what_happened(serve: ServerMaker) -> None:
    served = await serve()
    with Client() as client:
        await client.fetch(served.address, "small.txt", options={"blksize": 1024})
        await served.until_idle()
        with pytest.raises(RemoteError, match="error 1"):
            await client.fetch(served.address, "missing")
        session = "{}:{}".format(*client.socket.getsockname())
    assert served.sink.steps(service="TFTP") == [
        "started",
        "requested",
        "options_agreed",
        "sent",
        "requested",
        "refused",
    ]
    assert {event.session for event in served.sink.events[1:]} == {session}


async def test_noise_neither_kills_the_daemon_nor_leaves_anything_behind(
    serve: ServerMaker, *, single_port: bool
) -> None:
    """Random, truncated and oversized datagrams, to the listening port and into a transfer."""
    served = await serve(limits=TftpLimits(patience=HASTY), single_port=single_port)
    chance = random.Random(20)
    request = b"\0\1six.bin\0octet\0blksize\x001428\0windowsize\x004\0"
    with Client() as client, Client() as noise:
        _, peer = await client.ask(ReadRequest("six.bin", "octet", (("timeout", "60"),)), served.address)
        for number in range(3_000):
            match number % 4:
                case 0:
                    datagram = chance.randbytes(chance.choice([0, 1, 2, 3, 4, 5, 40, 600, 9_000]))
                case 1:
                    datagram = request[: chance.randrange(len(request))]
                case 2:
                    at = chance.randrange(len(request))
                    datagram = request[:at] + chance.randbytes(1) + request[at + 1 :]
                case _:
                    datagram = bytes((0, chance.randrange(8))) + chance.randbytes(chance.randrange(80))
            for sender in (noise,) if datagram[:2] in (b"\0\1", b"\0\2", b"\0\4", b"\0\5") else (noise, client):
                sender.send(datagram, peer)
            noise.send(datagram, served.address)
            if number % 4 == 0:  # the daemon shall read all of it
                await asyncio.sleep(0)
        first, _ = await client.ask(Ack(0), peer)
        while not isinstance(first, Data):  # answers to the noise that came first
            first, _ = await client.receive()
        assert first.block == 1
        client.send(ErrorPacket(0, "enough"), peer)
        await served.until_idle()
    with Client() as client:
        assert await client.fetch(served.address, "six.bin") == served.files.contents["six.bin"]
    assert served.daemon.health() is Health.STARTED


async def test_many_transfers_leave_memory_as_it_was(*, single_port: bool) -> None:
    """Some ended well, some abandoned, some refused."""
    files = Files()
    limits = TftpLimits(patience=Patience(retransmit_s=0.6, max_retries=0))
    daemon = TftpDaemon(files, "127.0.0.1", 0, trace=Trace(), single_port=single_port, limits=limits)
    await daemon.start()
    server = (daemon.listeners[0].host, daemon.listeners[0].port)

    async def some(network: int, count: int) -> int:
        with ExitStack() as stack:
            for number in range(count):
                client = stack.enter_context(Client(f"127.{network}.{number // 200}.{number % 200 + 1}"))
                await client.ask(ReadRequest("missing"), server)
                await client.fetch(server, "small.txt", options={"blksize": 8})
                await client.ask(ReadRequest("six.bin"), server)
            async with asyncio.timeout(PATIENCE_S):
                await daemon.wait_idle()
        files.asked.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        levels = [await some(network, 150) for network in range(1, 6)]
        grown = [after - before for before, after in pairwise(levels)]
        assert min(grown) < 150 * 60, "what leaks leaks each time: more than an address and its place for each client"
    finally:
        tracemalloc.stop()
        await daemon.stop(0)
