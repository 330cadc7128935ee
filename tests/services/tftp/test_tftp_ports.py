"""Ports: which ones transfers are answered from, what cannot be bound, and that all are given back."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from base.trace import Trace
from services.binding import BindingError
from services.service import Health, Listener
from services.tftp.transfer import Patience
from services.tftp.udp import TftpDaemon, TftpLimits
from tests.services.tftp.client import Client
from tests.services.tftp.conftest import Files
from tests.waiting import PATIENCE_S
from wire.tftp import Ack, Data, ErrorPacket, ReadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.services.tftp.client import Address
    from tests.services.tftp.conftest import ServerMaker


def bound_socket(port: int = 0) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", port))
    return sock


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def port_range() -> Iterator[tuple[int, int]]:
    """Five ports side by side that are free."""
    for first in range(20_000 + os.getpid() % 10_000, 32_000, 5):
        with ExitStack() as stack:
            try:
                for port in range(first, first + 5):
                    stack.enter_context(bound_socket(port))
            except OSError:
                continue
        yield first, first + 4
        return
    pytest.fail("no five free ports side by side")


async def ports_of_transfers(server: Address, count: int) -> list[int]:
    """Where so many transfers at once are answered from."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Client()) for _ in range(count)]
        answers = [await client.ask(ReadRequest("six.bin"), server) for client in clients]
    assert all(isinstance(packet, Data) for packet, _ in answers)
    return [port for _, (_, port) in answers]


# -------------------------------------------------------------------- modes


async def test_transfers_have_ports_other_than_the_listening_one(serve: ServerMaker) -> None:
    served = await serve(limits=TftpLimits(transfer_ports=3))
    ports = await ports_of_transfers(served.address, 9)
    assert len(set(ports)) == 3
    assert served.address[1] not in ports
    assert ports[:3] == ports[3:6] == ports[6:], "each in its turn"


async def test_in_single_port_mode_all_passes_through_the_listening_port(serve: ServerMaker) -> None:
    served = await serve(single_port=True)
    assert set(await ports_of_transfers(served.address, 9)) == {served.address[1]}


async def test_with_a_range_transfers_keep_to_it(serve: ServerMaker, port_range: tuple[int, int]) -> None:
    served = await serve(port_range=port_range, limits=TftpLimits(transfer_ports=5))
    ports = await ports_of_transfers(served.address, 50)
    assert set(ports) == {*range(port_range[0], port_range[1] + 1)}


async def test_not_more_ports_of_a_range_are_used_than_set(serve: ServerMaker, port_range: tuple[int, int]) -> None:
    served = await serve(port_range=port_range, limits=TftpLimits(transfer_ports=3))
    assert len({*await ports_of_transfers(served.address, 10)}) == 3


async def test_a_range_of_one_port_is_enough_for_many_clients(serve: ServerMaker, port_range: tuple[int, int]) -> None:
    port = port_range[0]
    served = await serve(port_range=(port, port))
    assert await ports_of_transfers(served.address, 20) == [port] * 20
    with Client() as one, Client() as two:
        async with asyncio.TaskGroup() as group:
            fetching = [group.create_task(client.fetch(served.address, "six.bin")) for client in (one, two)]
    assert {task.result() for task in fetching} == {served.files.contents["six.bin"]}


async def test_ports_of_a_range_that_others_use_are_passed_over(
    serve: ServerMaker, port_range: tuple[int, int]
) -> None:
    first, last = port_range
    with bound_socket(first), bound_socket(first + 2), bound_socket(last):
        served = await serve(port_range=port_range)
        assert {*await ports_of_transfers(served.address, 10)} == {first + 1, first + 3}


async def test_a_range_that_others_use_up_is_reported(serve: ServerMaker, port_range: tuple[int, int]) -> None:
    first = port_range[0]
    before = descriptors()
    said = f"any port from {first} to {first + 1}.*in use"
    with bound_socket(first), bound_socket(first + 1), pytest.raises(BindingError, match=said) as refused:
        await serve(port_range=(first, first + 1))
    assert not refused.value.moving_helps
    assert descriptors() == before


@pytest.mark.parametrize("range_", [(0, 5), (5, 4), (65_000, 65_536), (-1, 5)])
def test_impossible_ranges_are_refused(range_: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="impossible"):
        TftpDaemon(Files(), "127.0.0.1", 0, trace=Trace(), port_range=range_)


def test_a_range_has_no_meaning_in_single_port_mode() -> None:
    with pytest.raises(ValueError, match="single-port mode needs no port range"):
        TftpDaemon(Files(), "127.0.0.1", 0, trace=Trace(), port_range=(5, 6), single_port=True)


# -------------------------------------------------------------------- what cannot be bound


@pytest.mark.parametrize(
    ("host", "moving_helps", "sentence"),
    [
        ("127.0.0.1", True, "TFTP cannot listen on 127.0.0.1 port {port}: the port is in use"),
        ("192.0.2.1", False, "TFTP cannot listen on 192.0.2.1 port {port}: this machine has no such address"),
        ("no-such-host.invalid", False, "TFTP cannot listen on no-such-host.invalid: no such address"),
    ],
)
async def test_what_cannot_be_bound_is_said_and_nothing_stays_bound(
    host: str, sentence: str, *, moving_helps: bool, single_port: bool
) -> None:
    with bound_socket() as taken:
        port = taken.getsockname()[1]
        before = descriptors()
        daemon = TftpDaemon(Files(), host, port, trace=Trace(), single_port=single_port)
        with pytest.raises(BindingError, match=sentence.format(port=port)) as refused:
            await daemon.start()
        assert refused.value.moving_helps is moving_helps
        assert (daemon.health(), daemon.listeners) == (Health.STOPPED, ())
        assert descriptors() == before


# -------------------------------------------------------------------- starting and stopping


async def test_starting_and_stopping_again_and_again_costs_no_descriptor(*, single_port: bool) -> None:
    daemon = TftpDaemon(Files(), "127.0.0.1", 0, trace=Trace(), single_port=single_port)
    before = descriptors()
    for _ in range(20):
        await daemon.start()
        await daemon.start()
        (listener,) = daemon.listeners
        with Client() as client:
            assert await client.fetch((listener.host, listener.port), "small.txt") == b"one\r\ntwo\n"
            await client.ask(ReadRequest("six.bin"), (listener.host, listener.port))
        await daemon.stop(0)
        await daemon.stop(0)
        assert daemon.transfers == 0
    assert descriptors() == before


async def test_transfers_cost_no_descriptor(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(single_port=single_port)
    before = descriptors()
    await ports_of_transfers(served.address, 200)
    assert served.daemon.transfers == 200
    assert descriptors() == before


async def test_a_daemon_says_where_it_listens_while_it_does(serve: ServerMaker) -> None:
    served = await serve()
    assert served.daemon.health() is Health.STARTED
    assert [*served.daemon.listeners] == [Listener("TFTP", "udp", "127.0.0.1", served.address[1])]
    await served.daemon.stop(0)
    assert served.daemon.health() is Health.STOPPED
    assert [*served.daemon.listeners] == []


async def test_a_transfer_in_progress_may_end_while_the_daemon_stops(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(single_port=single_port)
    with Client() as client, Client() as late:
        _, peer = await client.ask(ReadRequest("six.bin"), served.address)
        stopping = asyncio.create_task(served.daemon.stop(PATIENCE_S))
        await asyncio.sleep(0)
        assert served.daemon.health() is Health.STOPPING
        if single_port:
            answer, _ = await late.ask(ReadRequest("six.bin"), served.address)
            assert answer == ErrorPacket(0, "Server is stopping")
        else:
            bound_socket(served.address[1]).close()  # the listening port is free at once
        for block in range(1, 13):
            packet, _ = await client.ask(Ack(block), peer)
            assert isinstance(packet, Data)
        client.send(Ack(13), peer)
        await stopping
    assert served.sink.steps()[-2:] == ["sent", "stopped"]


async def test_what_is_not_done_when_the_grace_is_over_is_dropped(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(single_port=single_port, limits=TftpLimits(patience=Patience(retransmit_s=600.0)))
    with Client() as client:
        await client.ask(ReadRequest("six.bin"), served.address)
        await served.daemon.stop(0.02)
    assert served.sink.steps()[-2:] == ["dropped", "stopped"]
    assert served.daemon.transfers == 0


async def test_a_stop_that_is_cancelled_closes_all_the_same(serve: ServerMaker, *, single_port: bool) -> None:
    before = descriptors()
    served = await serve(single_port=single_port)
    with Client() as client:
        await client.ask(ReadRequest("six.bin"), served.address)
        stopping = asyncio.create_task(served.daemon.stop(600))
        await asyncio.sleep(0)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
    assert served.daemon.health() is Health.STOPPED
    assert descriptors() == before
