"""OPTIONS to the other end of a SIP trunk, over real sockets and TLS: what is asked, and what is made of the answer."""

from __future__ import annotations

import asyncio
import socket
import struct
from functools import partial
from ssl import TLSVersion
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from base.identity import Identity
from base.tls import ask_for_certificate, client_context, server_context
from cluster.audit import Actor
from cluster.ciphers import TLS_CIPHER_CHOICES
from cluster.parameters import TLS_CIPHERS, TLS_MIN_VERSION
from cluster.purposes import Purpose
from services.callmanager.tls import trunk_client_context
from services.callmanager.trunkdesk import judge_far_end
from services.callmanager.trunkping import Near, Outcome, PingTimes, ping
from tests.services.trunk_cast import (
    HOST,
    NAME,
    NOW,
    SELF_SIGNED,
    far_end,
    issued,
    options_answer,
    secure_trunk,
    trunk,
)
from tests.shared_lab import PUB
from wire.sip import Request, decode

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from cluster.siptrunk import SipTrunk
    from tests.conftest import Lab
    from wire.certificates import Certificate

QUICK = PingTimes(connect_s=10, answer_s=10, resend_s=0.02)
HASTY = PingTimes(connect_s=0.2, answer_s=0.2, resend_s=0.02)
IDENTITY = Identity(issued("alpha-pub"), SELF_SIGNED.private_key)


def near(
    times: PingTimes = QUICK,
    *,
    trusted: Sequence[Certificate] = (SELF_SIGNED.certificate,),
    context: ssl.SSLContext | None = None,
    host: str | None = HOST,
) -> Near:
    def judge(of: SipTrunk, shown: Certificate | None) -> str:
        return judge_far_end(shown, of, trusted, NOW)

    return Near("192.0.2.1", host, context or client_context(IDENTITY), judge, times)


KINDS: dict[str, Callable[..., SipTrunk]] = {
    "udp": partial(trunk, transport="udp"),
    "tcp": trunk,
    "tls": secure_trunk,
}


async def asked(
    kind: str,
    answer: Callable[[bytes], bytes | None] = options_answer,
    *,
    times: PingTimes = QUICK,
    identity: Identity = SELF_SIGNED,
) -> tuple[Outcome, list[bytes]]:
    """What a ping made of an answer, and what the other end had heard."""
    tls = server_context([identity]) if kind == "tls" else None
    async with far_end(answer, udp=kind == "udp", tls=tls) as there:
        return await ping(KINDS[kind](destination_port=there.port), near(times), 7), there.heard


@pytest.mark.parametrize("kind", KINDS)
async def test_an_other_end_that_answers_serves(kind: str) -> None:
    outcome, heard = await asked(kind)
    assert (outcome.serves, outcome.reason) == (True, "200 OK")
    assert outcome.tls.startswith("TLSv1.3 ") is (kind == "tls")
    request = decode(heard[0])
    assert isinstance(request, Request)
    assert (request.method, request.get("CSeq"), request.get("Max-Forwards")) == ("OPTIONS", "7 OPTIONS", "70")
    assert request.uri.startswith(f"sip:{HOST}:")
    assert request.require("Via").startswith(f"SIP/2.0/{kind.upper()} 192.0.2.1:")
    assert request.body == b""


STATUSES = [
    ("200 OK", True),
    ("401 Unauthorized", True),
    ("404 Not Found", True),
    ("405 Method Not Allowed", True),
    ("481 Call/Transaction Does Not Exist", True),
    ("403 Forbidden", False),
    ("408 Request Timeout", False),
    ("503 Service Unavailable", False),
]


@pytest.mark.parametrize(("status", "serves"), STATUSES)
async def test_any_answer_will_do_but_some(status: str, *, serves: bool) -> None:
    outcome, _ = await asked("tcp", partial(_answer_with, status))
    assert outcome == Outcome(serves, f'{status}: 399 gw "so"')


def _answer_with(status: str, request: bytes) -> bytes:
    return options_answer(request, "100 Trying") + options_answer(request, status, 'Warning: 399 gw "so"')


HOSTILE = [
    (b"\x1b[31mred\x07", "?[31mred?"),
    (b"[/red] [bold]", "[/red] [bold]"),
    (b"a" * 5_000, "a" * 293 + "..."),
]


@pytest.mark.parametrize(("phrase", "kept"), HOSTILE)
async def test_what_the_other_end_says_steers_no_terminal(phrase: bytes, kept: str) -> None:
    outcome, _ = await asked("tcp", lambda request: options_answer(request, "200 X").replace(b"X", phrase, 1))
    assert outcome == Outcome(serves=True, reason=f"200 {kept}")


def _not_ours(request: bytes) -> bytes:
    other = request.replace(b"Call-ID: ", b"Call-ID: x")
    return options_answer(other, "503 No") + other + options_answer(request)


@pytest.mark.parametrize("kind", ["tcp", "tls"])
async def test_what_is_no_answer_to_it_is_passed_over(kind: str) -> None:
    outcome, _ = await asked(kind, _not_ours)
    assert outcome.serves


BAD_ANSWERS: list[tuple[str, Callable[[bytes], bytes | None], str]] = [
    ("tcp", lambda _request: None, "it closed the connection without an answer"),
    ("tls", lambda _request: None, "it closed the connection without an answer"),
    ("tcp", lambda _request: b"HTTP/1.1 400 Bad Request\r\n\r\n", "its answer cannot be read: SIP"),
    ("tcp", lambda _request: b"\xff" * 70_000 + b"\r\n\r\n", "its answer cannot be read: SIP"),
]


@pytest.mark.parametrize(("kind", "answer", "reason"), BAD_ANSWERS)
async def test_nonsense_in_place_of_an_answer(kind: str, answer: Callable[[bytes], bytes | None], reason: str) -> None:
    outcome, _ = await asked(kind, answer)
    assert not outcome.serves
    assert outcome.reason.startswith(reason)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_end_that_never_answers(kind: str) -> None:
    outcome, heard = await asked(kind, lambda _request: b"\r\n", times=HASTY)
    assert (outcome.serves, outcome.reason) == (False, "no answer in time")
    assert (len(heard) > 1) is (kind == "udp"), "repeated over UDP alone"


async def test_an_end_that_only_trickles_is_given_up_in_time() -> None:
    async with far_end(lambda request: options_answer(request, "100 Trying"), udp=True) as there:
        outcome = await ping(trunk(transport="udp", destination_port=there.port), near(HASTY), 1)
    assert outcome.reason == "no answer in time"


async def test_over_udp_a_lost_question_is_asked_again_and_nonsense_is_dropped() -> None:
    seen = 0

    def third(request: bytes) -> bytes | None:
        nonlocal seen
        seen += 1
        return {1: None, 2: b"nonsense"}.get(seen, options_answer(request))

    outcome, heard = await asked("udp", third)
    assert outcome.serves
    assert len(set(heard)) == 1 < len(heard), "the same one, for the other end to know it by"


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_there(kind: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as taken:
        taken.bind((HOST, 0))
        port = taken.getsockname()[1]
    outcome = await ping(KINDS[kind](destination_port=port), near(), 1)
    assert outcome == Outcome(serves=False, reason="Connection refused")


async def test_it_comes_from_the_nodes_own_address() -> None:
    """By which the other end knows whose trunk it is."""
    seen: list[str] = []

    def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        seen.append(writer.get_extra_info("peername")[0])
        writer.close()

    server = await asyncio.start_server(peer, HOST, 0)
    async with server:
        there = trunk(destination_port=server.sockets[0].getsockname()[1])
        await ping(there, near(host="127.0.0.5"), 1)
        await ping(there, near(host=None), 1)
    assert seen == ["127.0.0.5", HOST]


# ---------------------------------------------------------------- TLS


STRANGERS_KEY = ec.generate_private_key(ec.SECP256R1())
NOT_TRUSTED = [
    (Identity(issued("x"), SELF_SIGNED.private_key), f"CN=x has none of the subject names {NAME}"),
    (
        Identity(issued(NAME, key=STRANGERS_KEY), STRANGERS_KEY),
        f"neither CN={NAME} nor its issuer is in CallManager-trust",
    ),
]


@pytest.mark.parametrize(("identity", "reason"), NOT_TRUSTED)
async def test_nothing_is_said_to_who_is_not_trusted(identity: Identity, reason: str) -> None:
    outcome, heard = await asked("tls", identity=identity)
    assert outcome == Outcome(serves=False, reason=reason)
    assert heard == []


async def test_an_end_that_does_not_trust_us_is_told_as_that() -> None:
    context = server_context([SELF_SIGNED])
    ask_for_certificate(context, [issued("somebody", key=ec.generate_private_key(ec.SECP256R1()))])
    async with far_end(tls=context) as there:
        outcome = await ping(secure_trunk(destination_port=there.port), near(context=_tls_1_2()), 1)
    assert not outcome.serves
    assert "it may not trust this node's certificate" in outcome.reason


def _tls_1_2() -> ssl.SSLContext:
    context = client_context(IDENTITY)
    context.maximum_version = context.minimum_version
    return context


async def test_an_end_without_a_common_suite() -> None:
    async with far_end(
        tls=server_context([SELF_SIGNED], maximum=_tls_1_2().minimum_version, ciphers="AES256-SHA")
    ) as there:
        context = _tls_1_2()
        context.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")
        outcome = await ping(secure_trunk(destination_port=there.port), near(context=context), 1)
    assert not outcome.serves
    assert outcome.reason


@pytest.mark.parametrize("said", [b"", b"SIP/2.0 200 OK\r\n\r\n"], ids=["nothing", "no TLS"])
async def test_an_end_that_does_not_speak_tls(said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        there = secure_trunk(destination_port=server.sockets[0].getsockname()[1])
        outcome = await ping(there, near(HASTY), 1)
    assert not outcome.serves
    assert outcome.reason == "no answer in time" if not said else outcome.reason.startswith("TLS failed: ")


SUITE_NUMBERS = {
    0xC030: "ECDHE-RSA-AES256-GCM-SHA384",
    0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384",
    0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
    0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
    0x002F: "AES128-SHA",
}
"""RFC 5289 and RFC 5246."""
RENEGOTIATION = 0x00FF
"""RFC 5746: no suite, but stands among them."""


def offered(hello: bytes) -> list[str]:
    """The suites of a ClientHello in order (RFC 5246, 7.4.1.2), read without any TLS library."""
    assert hello[0] == 22, "a handshake record"
    assert hello[5] == 1, "a ClientHello"
    after_random = 5 + 4 + 2 + 32
    begin = after_random + 1 + hello[after_random]
    (length,) = struct.unpack_from(">H", hello, begin)
    numbers = struct.unpack_from(f">{length // 2}H", hello, begin + 2)
    return [SUITE_NUMBERS[number] for number in numbers if number != RENEGOTIATION]


@pytest.mark.parametrize("label", TLS_CIPHER_CHOICES)
async def test_as_client_it_offers_the_choices_suites_in_order(lab: Lab, label: str) -> None:
    """R-ECC-2"""
    hellos: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hellos.append(await reader.read(65_536))
        writer.close()

    await lab.store.set_parameter(TLS_CIPHERS, label, Actor("admin", "test"))
    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        there = secure_trunk(destination_port=server.sockets[0].getsockname()[1])
        await ping(there, near(context=trunk_client_context(PUB, lab.store.snapshot)), 1)
    assert offered(hellos[0]) == list(TLS_CIPHER_CHOICES[label])


@pytest.mark.parametrize(("least", "serves"), [("1.0", True), ("1.1", False)])
async def test_as_client_it_speaks_no_less_than_the_least_version(lab: Lab, least: str, *, serves: bool) -> None:
    """The far end knows TLS 1.0 alone."""
    await lab.store.set_parameter(TLS_MIN_VERSION, least, Actor("admin", "test"))
    old = TLSVersion.TLSv1
    async with far_end(tls=server_context([SELF_SIGNED], minimum=old, maximum=old)) as there:
        near_end = near(context=trunk_client_context(PUB, lab.store.snapshot))
        outcome = await ping(secure_trunk(destination_port=there.port), near_end, 1)
    assert (outcome.serves, outcome.tls) == (serves, "TLSv1 AES128-SHA" if serves else "")


async def test_as_client_it_shows_the_callmanager_certificate(lab: Lab) -> None:
    own = lab.store.snapshot.require(PUB, Purpose.CALLMANAGER).certificate
    shown: list[bytes] = []
    context = server_context([SELF_SIGNED])
    ask_for_certificate(context, [own])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown.append(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        writer.write(options_answer(await reader.readuntil(b"\r\n\r\n")))

    server = await asyncio.start_server(serve, HOST, 0, ssl=context)
    async with server:
        there = secure_trunk(destination_port=server.sockets[0].getsockname()[1])
        outcome = await ping(there, near(context=trunk_client_context(PUB, lab.store.snapshot)), 1)
    assert outcome == Outcome(serves=True, reason="200 OK", tls="TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384")
    assert shown == [own.der]
