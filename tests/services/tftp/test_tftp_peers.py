"""Who is who: strangers, repeated requests, clients that ask for their next file."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from base.trace import Trace
from services.tftp.sessions import Session, Sessions
from services.tftp.transfer import Patience, Transfer
from services.tftp.udp import TftpLimits
from tests.services.tftp.client import Client
from wire.tftp import Ack, Agreement, Data, ErrorPacket, ReadRequest, WriteRequest, encode

if TYPE_CHECKING:
    from tests.services.tftp.conftest import ServerMaker


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


async def test_an_ack_to_the_port_of_another_transfer_is_passed_over(serve: ServerMaker) -> None:
    """It is no stranger's; it may be late, from a transfer that this client had before."""
    served = await serve()
    with Client() as client, Client() as other:
        _, peer = await client.ask(ReadRequest("six.bin"), served.address)
        _, other_peer = await other.ask(ReadRequest("six.bin"), served.address)
        assert other_peer != peer
        client.send(Ack(1), other_peer)
        client.send(Ack(1), peer)
        answer, source = await client.receive()
        assert isinstance(answer, Data)
        assert (answer.block, source) == (2, peer)
        assert client.has_nothing()


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


async def test_a_request_that_comes_twice_starts_one_transfer(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(single_port=single_port)
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


async def test_a_request_for_another_file_ends_the_transfer_before(serve: ServerMaker, *, single_port: bool) -> None:
    served = await serve(single_port=single_port)
    with Client() as client:
        await client.ask(ReadRequest("six.bin"), served.address)
        answer, _ = await client.ask(ReadRequest("small.txt"), served.address)
    assert answer == Data(1, served.files.contents["small.txt"])
    assert served.daemon.transfers == 1
    assert "superseded" in served.sink.steps()


async def test_a_client_that_restarted_gets_its_file_from_the_beginning(
    serve: ServerMaker, *, single_port: bool
) -> None:
    """It asks from the same port for the same file, when the server has already repeated a block in vain."""
    served = await serve(
        limits=TftpLimits(patience=Patience(retransmit_s=0.05, max_retries=50)), single_port=single_port
    )
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


async def test_the_next_request_may_follow_the_last_ack_at_once(serve: ServerMaker, *, single_port: bool) -> None:
    """From the same port and for the same file, before the server has read that ACK."""
    served = await serve(single_port=single_port)
    with Client() as client, Client() as other:
        for number in range(1, 11):
            _, peer = await client.ask(ReadRequest("small.txt"), served.address)
            other.send(ReadRequest("missing"), served.address)  # makes the daemon look at its listener first
            client.send(Ack(1), peer)
            assert served.sink.steps().count("sent") == number - 1
        _, peer = await client.ask(ReadRequest("six.bin"), served.address)
    assert served.sink.steps().count("sent") == 10
    assert "duplicate_request" not in served.sink.steps()


async def test_the_echo_of_a_repeated_block_is_not_met_with_an_error(serve: ServerMaker, *, single_port: bool) -> None:
    """The client might take it for the answer to its next request."""
    limits = TftpLimits(transfer_ports=2, patience=Patience(retransmit_s=0.05, max_retries=50))
    served = await serve(limits=limits, single_port=single_port)
    with Client() as client, Client() as other:
        last, peer = await client.ask(ReadRequest("small.txt"), served.address)
        repeated, _ = await client.receive()
        assert repeated == last
        client.send(Ack(1), peer)
        await served.until_idle()
        await other.fetch(served.address, "small.txt")  # now it is the first port's turn again
        client.send(Ack(1), peer)
        answer, next_peer = await client.ask(ReadRequest("six.bin"), served.address)
        while answer == last:  # the timer may have been faster
            answer, next_peer = await client.receive()
        assert answer == Data(1, served.files.contents["six.bin"][:512])
        assert single_port or next_peer != peer, "where an echo may still come, the next transfer is not"


def test_echoes_are_expected_of_the_latest_thousand_clients() -> None:
    sessions = Sessions(most=10, most_per_host=10)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for port in range(1, 3_001):
            transfer = Transfer(b"x", Agreement(), Patience(), 0.0)
            transfer.start(0.0)
            transfer.resend(0.0)
            session = Session(transfer, ("192.0.2.1", port), request=b"", name="x", sock=sock, trace=Trace())
            sessions.add(session)
            transfer.receive(encode(Ack(1)), 0.0)
            sessions.remove(session)
    known = [port for port in range(1, 3_001) if sessions.knows(("192.0.2.1", port))]
    assert 1_000 <= len(known) < 1_100
    assert known[-1] == 3_000
