"""The daemon over real UDP: files, refusals, limits, and clients that vanish, in both modes (R-DL-1)."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from services.service import Health
from services.tftp.transfer import Patience
from services.tftp.udp import TftpLimits
from tests.services.tftp.client import PATIENCE_S, Client, RemoteError
from tests.services.tftp.conftest import HASTY
from wire.errors import Refusal
from wire.tftp import Ack, Data, ErrorPacket, OptionAck, OptionLimits, ReadRequest, WriteRequest

if TYPE_CHECKING:
    from tests.services.tftp.conftest import Served, ServerMaker

Mode = dict[str, bool]


async def until_idle(served: Served) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await served.daemon.wait_idle()


# -------------------------------------------------------------------- files


@pytest.mark.parametrize("name", ["six.bin", "small.txt", "empty"])
async def test_a_file_arrives_as_it_is(serve: ServerMaker, mode: Mode, name: str) -> None:
    served = await serve(**mode)
    with Client() as client:
        assert await client.fetch(served.address, name) == served.files.contents[name]
    assert served.files.asked == [(name, "127.0.0.1", "tftp")]
    await until_idle(served)


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
    serve: ServerMaker, mode: Mode, asked: dict[str, int], agreed: dict[str, str]
) -> None:
    """RFC 2347, 2348, 2349 and 7440."""
    served = await serve(**mode)
    with Client() as client, Client() as again:
        request = ReadRequest("six.bin", "octet", tuple((name, str(value)) for name, value in asked.items()))
        answer, _ = await client.ask(request, served.address)
        assert answer == OptionAck(tuple(agreed.items()))
        lower = {name.lower(): value for name, value in asked.items()}
        assert await again.fetch(served.address, "six.bin", **lower) == served.files.contents["six.bin"]


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


async def test_a_file_over_32_mb_arrives_whole(serve: ServerMaker, mode: Mode) -> None:
    """It has more blocks than there are block numbers."""
    served = await serve(**mode)
    big = random.Random(1).randbytes(512 * 65_540)
    served.files.contents["big.bin"] = big
    with Client() as client:
        assert await client.fetch(served.address, "big.bin", windowsize=32) == big


async def test_many_clients_are_served_at_once(serve: ServerMaker, mode: Mode) -> None:
    served = await serve(**mode)
    clients = [Client() for _ in range(100)]
    try:
        async with asyncio.TaskGroup() as group:
            fetching = [group.create_task(client.fetch(served.address, "six.bin")) for client in clients]
    finally:
        for client in clients:
            client.socket.close()
    assert {task.result() for task in fetching} == {served.files.contents["six.bin"]}
    await until_idle(served)


async def test_ipv6_is_served_too(serve: ServerMaker, mode: Mode) -> None:
    import socket

    try:
        client = Client("::1", socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with client:
        served = await serve("::1", **mode)
        assert await client.fetch(served.address, "six.bin") == served.files.contents["six.bin"]


# -------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("request_bytes", "code"),
    [
        (b"\0\1missing\0octet\0", 1),
        (b"\0\1../etc/passwd\0octet\0", 2),
        (b"\0\1Desktops/../../etc/passwd\0octet\0", 2),
        (b"\0\1/etc/passwd\0octet\0", 2),
        (b"\0\1..\\etc\\passwd\0octet\0", 2),
        (b"\0\1Desktops//x\0octet\0", 2),
        (b"\0\2six.bin\0octet\0", 2),
        (b"\0\2new.bin\0octet\0tsize\x0010\0", 2),
        (b"\0\1six.bin\0mail\0", 4),
        (b"\0\1six.bin\0octets\0", 4),
        (b"\0\1six\0.bin\0octet\0", 4),
        (b"\0\1\0octet\0", 4),
        (b"\0\1six.bin\0\0", 4),
        (b"\0\1six.bin\0octet", 4),
        (b"\0\1six.bin", 4),
        (b"\0\1six.bin\0octet\0blksize\0", 4),
        (b"\0\1six.bin\0octet\0blksize\x001428\0BLKSIZE\x00512\0", 4),
        (b"\0\1" + b"\xc3\xa4.bin\0octet\0", 4),
        (b"\0\1line\nbreak\0octet\0", 4),
        (b"\0\1" + b"x" * 256 + b"\0octet\0", 4),
        (b"\0\1" + b"x" * 600 + b"\0octet\0", 4),
    ],
)
async def test_what_is_refused_is_refused_with_its_code(
    serve: ServerMaker, mode: Mode, request_bytes: bytes, code: int
) -> None:
    served = await serve(**mode)
    with Client() as client:
        answer, peer = await client.ask(request_bytes, served.address)
    assert isinstance(answer, ErrorPacket)
    assert (answer.code, peer) == (code, served.address)
    assert answer.message
    assert served.daemon.transfers == 0
    assert [name for name, _, _ in served.files.asked] == (["missing"] if code == 1 else [])


@pytest.mark.parametrize(
    ("failure", "answered"),
    [
        (RuntimeError("of the source"), ErrorPacket(0, "Internal error")),
        (Refusal(2, "not for you"), ErrorPacket(2, "not for you")),
        (Refusal(404, "a code of another protocol"), ErrorPacket(0, "a code of another protocol")),
        (Refusal(1, "ünprintable\0 " + "x" * 600), ErrorPacket(1, "?nprintable? " + "x" * 187)),
    ],
)
async def test_a_source_that_fails_gives_an_error_and_the_next_request_is_served(
    serve: ServerMaker, failure: Exception, answered: ErrorPacket
) -> None:
    served = await serve()
    served.files.fails = failure
    with Client() as client:
        answer, _ = await client.ask(ReadRequest("six.bin"), served.address)
        assert answer == answered
        served.files.fails = None
        assert await client.fetch(served.address, "six.bin") == served.files.contents["six.bin"]


async def test_datagrams_without_a_transfer_are_answered_with_error_5_and_errors_with_nothing(
    serve: ServerMaker, mode: Mode
) -> None:
    served = await serve(**mode)
    with Client() as client:
        client.send(ErrorPacket(0, "two servers would go on for ever"), served.address)
        for packet in (Ack(1), Data(1, b"x"), OptionAck((("tsize", "1"),))):
            answer, _ = await client.ask(packet, served.address)
            assert answer == ErrorPacket(5, "Unknown transfer ID")
        assert client.has_nothing()


# -------------------------------------------------------------------- strangers and repetitions


async def test_a_stranger_is_told_so_and_the_transfer_goes_on(serve: ServerMaker) -> None:
    """RFC 1350, section 4: an error goes to where the datagram came from, and the transfer is not disturbed."""
    served = await serve()
    with Client() as client, Client() as stranger:
        first, peer = await client.ask(ReadRequest("six.bin"), served.address)
        assert isinstance(first, Data)
        for packet in (Ack(1), Data(1, b"x"), ReadRequest("six.bin"), WriteRequest("six.bin")):
            answer, source = await stranger.ask(packet, peer)
            assert (answer, source) == (ErrorPacket(5, "Unknown transfer ID"), peer)
        stranger.send(ErrorPacket(0, "stop it"), peer)
        stranger.send(b"\xff", peer)
        second, _ = await client.ask(Ack(1), peer)
        assert isinstance(second, Data)
        assert second.block == 2
        assert stranger.has_nothing()


async def test_in_single_port_mode_clients_are_told_apart_by_their_ports(serve: ServerMaker) -> None:
    served = await serve(single_port=True)
    with Client() as one, Client() as two, Client() as stranger:
        first, _ = await one.ask(ReadRequest("six.bin"), served.address)
        other, _ = await two.ask(ReadRequest("small.txt"), served.address)
        answer, _ = await stranger.ask(Ack(1), served.address)
        assert answer == ErrorPacket(5, "Unknown transfer ID")
        assert (first, other) == (Data(1, served.files.contents["six.bin"][:512]), Data(1, b"one\r\ntwo\n"))
        second, peer = await one.ask(Ack(1), served.address)
        assert isinstance(second, Data)
        assert (second.block, peer) == (2, served.address)


async def test_a_request_that_comes_twice_starts_one_transfer(serve: ServerMaker, mode: Mode) -> None:
    served = await serve(**mode)
    with Client() as client:
        first, peer = await client.ask(ReadRequest("six.bin"), served.address)
        again, same_peer = await client.ask(ReadRequest("six.bin"), served.address)
        assert (again, same_peer) == (first, peer)
        assert served.daemon.transfers == 1
        second, _ = await client.ask(Ack(1), peer)
        assert isinstance(second, Data)
        client.send(ReadRequest("six.bin"), served.address)
        third, _ = await client.ask(Ack(2), peer)
        assert isinstance(third, Data)
        assert third.block == 3, "the late request changed nothing"
    assert len(served.files.asked) == 1


async def test_a_request_for_another_file_ends_the_transfer_before(serve: ServerMaker, mode: Mode) -> None:
    served = await serve(**mode)
    with Client() as client:
        await client.ask(ReadRequest("six.bin"), served.address)
        answer, _ = await client.ask(ReadRequest("small.txt"), served.address)
    assert answer == Data(1, served.files.contents["small.txt"])
    assert served.daemon.transfers == 1
    assert "superseded" in served.sink.steps()


async def test_a_client_that_restarted_gets_its_file_from_the_beginning(serve: ServerMaker, mode: Mode) -> None:
    """It asks from the same port for the same file, when the server has already repeated a block in vain."""
    served = await serve(limits=TftpLimits(patience=Patience(retransmit_s=0.05, max_retries=50)), **mode)
    with Client() as client:
        _, peer = await client.ask(ReadRequest("six.bin"), served.address)
        second, _ = await client.ask(Ack(1), peer)
        repeated, _ = await client.receive()
        assert isinstance(second, Data)
        assert repeated == second
        client.send(ReadRequest("six.bin"), served.address)
        answer, _ = await client.receive()
        while answer == second:  # the timer may have been faster
            answer, _ = await client.receive()
    assert answer == Data(1, served.files.contents["six.bin"][:512])


async def test_the_next_request_may_follow_the_last_ack_at_once(serve: ServerMaker, mode: Mode) -> None:
    """From the same port and for the same file, before the server has read that ACK."""
    served = await serve(**mode)
    with Client() as client:
        for _ in range(20):
            _, peer = await client.ask(ReadRequest("small.txt"), served.address)
            client.send(Ack(1), peer)
    assert len(served.files.asked) == 20
    assert served.sink.steps().count("sent") >= 19


async def test_the_echo_of_a_repeated_block_is_not_met_with_an_error(serve: ServerMaker, mode: Mode) -> None:
    """The client might take it for the answer to its next request."""
    served = await serve(limits=TftpLimits(patience=Patience(retransmit_s=0.05, max_retries=50)), **mode)
    with Client() as client:
        last, peer = await client.ask(ReadRequest("small.txt"), served.address)
        repeated, _ = await client.receive()
        assert repeated == last
        client.send(Ack(1), peer)
        await until_idle(served)
        client.send(Ack(1), peer)
        answer, next_peer = await client.ask(ReadRequest("six.bin"), served.address)
        while answer == last:  # the timer may have been faster
            answer, next_peer = await client.receive()
        assert answer == Data(1, served.files.contents["six.bin"][:512])
        if not mode["single_port"]:
            assert next_peer != peer, "where an echo may still come, the next transfer is not"


# -------------------------------------------------------------------- time and limits


async def test_a_lost_block_is_sent_again(serve: ServerMaker, mode: Mode) -> None:
    served = await serve(limits=TftpLimits(patience=Patience(retransmit_s=0.02)), **mode)
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


async def test_a_client_that_vanishes_is_forgotten(serve: ServerMaker, mode: Mode) -> None:
    served = await serve(limits=TftpLimits(patience=HASTY), **mode)
    clients = [Client() for _ in range(30)]
    for number, client in enumerate(clients):
        options = (("blksize", "1428"),) if number % 2 else ()
        await client.ask(ReadRequest("six.bin", "octet", options), served.address)
    for client in clients[:15]:
        client.socket.close()
    await until_idle(served)
    assert served.daemon.transfers == 0
    assert served.sink.steps().count("timed_out") == 30
    assert [(await clients[20].receive())[0] for _ in range(HASTY.max_retries)] == [
        Data(1, served.files.contents["six.bin"][:512])
    ] * 2
    assert clients[20].has_nothing(), "the retries have an end"
    for client in clients[15:]:
        client.socket.close()


async def test_a_client_that_was_given_up_is_told_when_it_comes_back(serve: ServerMaker, mode: Mode) -> None:
    served = await serve(limits=TftpLimits(patience=Patience(0.02, max_retries=0)), **mode)
    with Client() as client:
        _, peer = await client.ask(ReadRequest("six.bin"), served.address)
        await until_idle(served)
        answer, _ = await client.ask(Ack(1), peer)
        assert answer == ErrorPacket(5, "Unknown transfer ID")


async def test_a_client_that_aborts_is_forgotten_at_once(serve: ServerMaker, mode: Mode) -> None:
    served = await serve(limits=TftpLimits(patience=Patience(retransmit_s=600.0)), **mode)
    with Client() as client:
        _, peer = await client.ask(ReadRequest("six.bin"), served.address)
        client.send(ErrorPacket(3, "Disk full"), peer)
        await until_idle(served)
    assert served.sink.events[-1].step == "aborted"
    assert served.sink.events[-1].data["reason"] == "error 3: Disk full"


async def test_a_transfer_that_takes_too_long_is_ended_with_an_error(serve: ServerMaker, mode: Mode) -> None:
    served = await serve(limits=TftpLimits(patience=Patience(retransmit_s=0.03, transfer_s=0.1)), **mode)
    with Client() as client:
        packet, peer = await client.ask(ReadRequest("six.bin"), served.address)
        while isinstance(packet, Data):
            packet, _ = await client.ask(Ack(packet.block - 1), peer)  # duplicates: no progress
        assert packet == ErrorPacket(0, "Transfer took too long")
    await until_idle(served)


async def test_transfers_at_once_are_limited_and_a_place_becomes_free(serve: ServerMaker, mode: Mode) -> None:
    served = await serve(limits=TftpLimits(max_transfers=2), **mode)
    with Client() as one, Client() as two, Client() as three:
        _, peer = await one.ask(ReadRequest("small.txt"), served.address)
        await two.ask(ReadRequest("small.txt"), served.address)
        answer, _ = await three.ask(ReadRequest("small.txt"), served.address)
        assert answer == ErrorPacket(0, "Server is busy: too many transfers")
        again, _ = await two.ask(ReadRequest("small.txt"), served.address)
        assert isinstance(again, Data), "one that repeats itself needs no second place"
        one.send(Ack(1), peer)
        while served.daemon.transfers == 2:
            await asyncio.sleep(0)
        assert await three.fetch(served.address, "six.bin") == served.files.contents["six.bin"]


async def test_transfers_from_one_address_are_limited(serve: ServerMaker, mode: Mode) -> None:
    served = await serve(limits=TftpLimits(max_transfers_per_peer=1), **mode)
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
        await client.fetch(served.address, "small.txt", blksize=1024)
        await until_idle(served)
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


# -------------------------------------------------------------------- noise


async def test_noise_neither_kills_the_daemon_nor_leaves_anything_behind(serve: ServerMaker, mode: Mode) -> None:
    """Random, truncated and oversized datagrams, to the listening port and into a transfer."""
    served = await serve(limits=TftpLimits(patience=HASTY), **mode)
    chance = random.Random(20)
    request = b"\0\1six.bin\0octet\0blksize\x001428\0windowsize\x004\0"
    with Client() as client, Client() as noise:
        _, peer = await client.ask(ReadRequest("six.bin", "octet", (("timeout", "60"),)), served.address)
        for number in range(3_000):
            match number % 4:
                case 0:
                    datagram = chance.randbytes(chance.choice([0, 1, 2, 3, 4, 5, 40, 600, 9_000, 60_000]))
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
            if number % 100 == 0:
                await asyncio.sleep(0)
        first, _ = await client.ask(Ack(0), peer)
        while not isinstance(first, Data):  # answers to the noise that came first
            first, _ = await client.receive()
        assert first.block == 1
        client.send(ErrorPacket(0, "enough"), peer)
        await until_idle(served)
    with Client() as client:
        assert await client.fetch(served.address, "six.bin") == served.files.contents["six.bin"]
    assert served.daemon.health() is Health.STARTED
