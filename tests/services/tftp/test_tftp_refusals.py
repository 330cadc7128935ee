"""What the daemon refuses, and with which code (RFC 1350, RFC 2347)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.services.tftp.client import Client
from wire.errors import Refusal
from wire.tftp import Ack, Data, ErrorPacket, OptionAck, ReadRequest

if TYPE_CHECKING:
    from tests.services.tftp.conftest import ServerMaker


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
    serve: ServerMaker, request_bytes: bytes, code: int, *, single_port: bool
) -> None:
    served = await serve(single_port=single_port)
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
    serve: ServerMaker, *, single_port: bool
) -> None:
    served = await serve(single_port=single_port)
    with Client() as client:
        client.send(ErrorPacket(0, "two servers would go on for ever"), served.address)
        for packet in (Ack(1), Data(1, b"x"), OptionAck((("tsize", "1"),))):
            answer, _ = await client.ask(packet, served.address)
            assert answer == ErrorPacket(5, "Unknown transfer ID")
        assert client.has_nothing()
