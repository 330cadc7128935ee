"""Files over real UDP, with all options, in both modes (R-DL-1)."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from tests.services.tftp.client import Client
from wire.tftp import Data, OptionAck, ReadRequest

if TYPE_CHECKING:
    from tests.services.tftp.conftest import ServerMaker


@pytest.mark.parametrize("name", ["six.bin", "small.txt", "empty"])
async def test_a_file_arrives_as_it_is(serve: ServerMaker, name: str, *, single_port: bool) -> None:
    served = await serve(single_port=single_port)
    with Client() as client:
        assert await client.fetch(served.address, name) == served.files.contents[name]
    assert served.files.asked == [(name, "127.0.0.1", "tftp")]
    await served.until_idle()


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [
        ({"blksize": 1428}, {"blksize": "1428"}),
        ({"blksize": 65_464}, {"blksize": "65464"}),
        ({"blksize": 8}, {"blksize": "8"}),
        ({"windowsize": 8}, {"windowsize": "8"}),
        ({"tsize": 0}, {"tsize": "6144"}),
        ({"timeout": 3}, {"timeout": "3"}),
        ({"BlkSize": 1024, "tsize": 0}, {"BlkSize": "1024", "tsize": "6144"}),
        ({"blksize": 70_000}, {"blksize": "65464"}),
        ({"windowsize": 1_000}, {"windowsize": "64"}),
        ({"blksize": 512, "multicast": 1}, {"blksize": "512"}),
    ],
)
async def test_options_are_agreed_and_kept_to(
    serve: ServerMaker, asked: dict[str, int], agreed: dict[str, str], *, single_port: bool
) -> None:
    """RFC 2347, 2348, 2349 and 7440."""
    served = await serve(single_port=single_port)
    with Client() as client, Client() as again:
        request = ReadRequest("six.bin", "octet", tuple((name, str(value)) for name, value in asked.items()))
        answer, _ = await client.ask(request, served.address)
        assert answer == OptionAck(tuple(agreed.items()))
        lower = {name.lower(): value for name, value in asked.items()}
        assert await again.fetch(served.address, "six.bin", options=lower) == served.files.contents["six.bin"]


@pytest.mark.parametrize("options", [(("blksize", "7"),), (("timeout", "0"),), (("unheard", "of"),)])
async def test_options_that_cannot_be_agreed_are_passed_over(
    serve: ServerMaker, options: tuple[tuple[str, str], ...]
) -> None:
    served = await serve()
    with Client() as client:
        answer, _ = await client.ask(ReadRequest("six.bin", "octet", options), served.address)
    assert isinstance(answer, Data)
    assert len(answer.payload) == 512


async def test_netascii_changes_line_ends_and_the_announced_size(serve: ServerMaker) -> None:
    served = await serve()
    with Client() as client:
        assert await client.fetch(served.address, "small.txt", "netascii") == b"one\r\0\r\ntwo\r\n"
        answer, _ = await client.ask(ReadRequest("small.txt", "netascii", (("tsize", "0"),)), served.address)
    assert answer == OptionAck((("tsize", "12"),))


async def test_the_mode_may_be_written_in_any_case(serve: ServerMaker) -> None:
    served = await serve()
    with Client() as client:
        answer, _ = await client.ask(b"\0\1empty\0OcTeT\0", served.address)
    assert answer == Data(1, b"")


async def test_a_file_over_32_mb_arrives_whole(serve: ServerMaker, *, single_port: bool) -> None:
    """It has more blocks than there are block numbers."""
    served = await serve(single_port=single_port)
    big = random.Random(1).randbytes(512 * 65_540)
    served.files.contents["big.bin"] = big
    with Client() as client:
        assert await client.fetch(served.address, "big.bin", options={"windowsize": 32}) == big


async def test_many_clients_are_served_at_once(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(single_port=single_port)
    clients = [Client() for _ in range(100)]
    try:
        async with asyncio.TaskGroup() as group:
            fetching = [group.create_task(client.fetch(served.address, "six.bin")) for client in clients]
    finally:
        for client in clients:
            client.socket.close()
    assert {task.result() for task in fetching} == {served.files.contents["six.bin"]}
    await served.until_idle()


async def test_ipv6_is_served_too(serve: ServerMaker, *, single_port: bool) -> None:
    import socket

    try:
        client = Client("::1", socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with client:
        served = await serve("::1", single_port=single_port)
        assert await client.fetch(served.address, "six.bin") == served.files.contents["six.bin"]
