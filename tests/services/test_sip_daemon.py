"""The SIP listeners on real sockets: UDP, TCP, TLS; bad bytes, slow clients, limits (R-PHN-5)."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import HealthCheck, given, settings

from base.identity import Identity
from base.tls import client_context
from services.callmanager.exchange import SipLimits
from tests.services.sip_cast import (
    LINE,
    MAC,
    NAME,
    THREE_LINES,
    THREE_LINES_MAC,
    Desk,
    other,
    register,
    snapshot,
)
from tests.services.sip_daemon import HOST, REGISTER, Client, Datagrams, answer_to, running
from tests.waiting import PATIENCE_S, eventually
from tests.wire.material import certificate, private_key
from tests.wire.strategies import mutations
from wire.ciscosip import ServiceControl, service_control_in
from wire.sip import Request, Response, decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


# ---------------------------------------------------------------- every transport


async def test_a_phone_registers_over_tcp_is_told_the_version_and_is_gone_with_its_connection() -> None:
    """R-PHN-5; the REFER with the stamps as captured."""
    async with running() as daemon:
        phone = await Client.open(daemon)
        phone.send(REGISTER)
        trying, answer, refer = [await phone.receive() for _ in range(3)]
        assert isinstance(trying, Response)
        assert isinstance(answer, Response)
        assert isinstance(refer, Request)
        assert (trying.status, answer.status, refer.method) == (100, 200, "REFER")
        assert refer.get("Require") == "norefersub"
        assert refer.get("Content-Type") == "multipart/mixed;boundary=uniqueBoundary"
        assert refer.require("Refer-To") == f"cid:{refer.require('Content-Id')}"
        control = service_control_in(refer.require("Content-Type"), refer.body)
        assert control == ServiceControl("check-version", "call-1@192.168.7.104", f"stamp-of-{NAME}")
        phone.send(answer_to(refer, 202))
        assert (await daemon.traced("order_answered")).data["status"] == 202
        assert set(daemon.desk.registered()) == {NAME}
        phone.close()
        await daemon.until_registered()
        assert daemon.desk.told[-1] == ("connection closed", NAME)


async def test_a_phone_registers_over_udp_and_its_orders_are_repeated_until_it_answers() -> None:
    async with running(limits=SipLimits(resend_s=0.01)) as daemon:
        phone = await Datagrams.open(daemon)
        phone.send(REGISTER)
        statuses = [cast("Response", await phone.receive()).status for _ in range(2)]
        assert statuses == [100, 200]
        first, second = await phone.receive(), await phone.receive()
        assert first == second
        assert isinstance(first, Request)
        phone.send(answer_to(first, 202))
        await daemon.traced("order_answered")
        assert set(daemon.desk.registered()) == {NAME}


async def test_a_secure_phone_registers_over_tls_with_its_certificate() -> None:
    """The vectors' MIC is CP-8865-SEP001122334455's."""
    devices = f"devices: [{{mac: {MAC}, model: 8865, security: encrypted, lines: [{{number: {LINE}}}]}}]"
    view = snapshot(devices=devices, authorities=[certificate("phone-mic.pem")])
    async with running(Desk(view)) as daemon:
        mic = Identity(certificate("phone-mic.pem"), private_key("phone-mic.pem"))
        phone = await Client.open(daemon, client_context(mic))
        phone.send(REGISTER)
        assert (await phone.final()).status == 200
        stranger = await Client.open(daemon, client_context())
        stranger.send(REGISTER)
        assert (await stranger.final()).status == 403
        stranger.close()
        phone.close()
        await daemon.until_registered()


async def test_udp_and_tcp_phones_are_registered_beside_each_other() -> None:
    async with running() as daemon:
        udp, tcp = await Datagrams.open(daemon), await Client.open(daemon)
        udp.send(REGISTER)
        tcp.send(register(THREE_LINES_MAC, "4001"))
        await daemon.until_registered(NAME, THREE_LINES)
        assert {item.device: item.source.transport for item in daemon.desk.registrar.registrations} == {
            NAME: "UDP",
            THREE_LINES: "TCP",
        }
        tcp.close()
        await daemon.until_registered(NAME)


# ---------------------------------------------------------------- bad bytes

DAMAGED = {
    "no SIP": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS where none is spoken": b"\x16\x03\x01\x02\x00" + bytes(300) + b"\r\n\r\n",
    "a response line out of range": REGISTER.replace(b"REGISTER sip:192.168.7.200 SIP/2.0", b"SIP/2.0 999 No", 1),
    "bytes that are no UTF-8": REGISTER.replace(b"Supported: ", b"Supported: \xff\xfe", 1),
    "NUL": REGISTER.replace(b"Supported: ", b"Supported: \0", 1),
    "a line without a colon": REGISTER.replace(b"Supported: ", b"Supported ", 1),
    "no Content-Length": REGISTER.replace(b"Content-Length", b"X-Content-Length", 1),
    "two lengths": REGISTER.replace(b"Content-Length:", b"Content-Length: 1\r\nContent-Length:", 1),
    "a line feed alone": REGISTER.replace(b"Expires: 3600\r\n", b"Expires: 3600\n", 1),
    "too many header fields": REGISTER.replace(b"Expires", b"X: y\r\n" * 300 + b"Expires", 1),
    "a header field without end": b"REGISTER sip:a SIP/2.0\r\nX: " + b"a" * 70_000,
    "a body without end": REGISTER.replace(b"Content-Length: 1313", b"Content-Length: 999999", 1),
    **{
        f"{name} twice": REGISTER.replace(f"{name}:".encode(), f"{name}: x\r\n{name}:".encode(), 1)
        for name in ("From", "To", "Call-ID", "CSeq")
    },
    **{
        f"no {name}": REGISTER.replace(f"\r\n{name}:".encode(), b"\r\nX-Other:", 1)
        for name in ("Via", "From", "To", "Call-ID", "CSeq")
    },
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
async def test_a_stream_that_cannot_be_followed_is_closed_and_others_go_on(data: bytes) -> None:
    async with running() as daemon:
        good, bad = await Client.open(daemon), await Client.open(daemon)
        bad.send(REGISTER.replace(MAC.encode().upper(), b"00112233BBBB").replace(b"sip:2001@", b"sip:4001@"))
        bad.send(data)
        assert await bad.is_closed()
        assert (await daemon.traced("malformed")).data["reason"]
        good.send(REGISTER)
        assert (await good.final()).status == 200
        assert set(daemon.desk.registered()) == {NAME}
        good.close()


@pytest.mark.parametrize("data", [item for item in DAMAGED.values() if len(item) < 60_000])
async def test_a_datagram_that_cannot_be_read_is_dropped(data: bytes) -> None:
    async with running() as daemon:
        phone = await Datagrams.open(daemon)
        phone.send(data)
        phone.send(b"\r\n\r\n")
        phone.send(b"\0")
        phone.send(other("OPTIONS"))
        answer = await phone.receive()
        while answer.get("CSeq") != "1000 OPTIONS":  # a datagram needs no length, nor does its body need to be all
            assert "without" not in (answer.get("Warning") or "")
            answer = await phone.receive()


BAD_FIELDS = {
    "Via": b"\x01",
    "From": b"nobody",
    "To": b"<sip:",
    "Contact": b"<sip:a@b>;x=",
    "Expires": b"-5",
    "Content-Type": b"multipart/mixed",
    "Supported": b",,,;;",
}


@pytest.mark.parametrize(("name", "value"), BAD_FIELDS.items())
async def test_nonsense_inside_a_field_gets_an_answer_or_no_harm(name: str, value: bytes) -> None:
    async with running() as daemon:
        phone = await Client.open(daemon)
        before, _, rest = REGISTER.partition(f"{name}: ".encode())
        phone.send(before + f"{name}: ".encode() + value + b"\r\n" + rest.partition(b"\r\n")[2])
        assert (await phone.final()).status in {200, 400}
        phone.send(other("OPTIONS"))
        answer = await phone.receive()
        while not (isinstance(answer, Response) and answer.get("CSeq") == "1000 OPTIONS"):
            answer = await phone.receive()
        phone.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations(REGISTER, first=40))
def test_whatever_arrives_is_answered_at_most_finally_once(data: bytes) -> None:
    desk = Desk()
    try:
        message = decode(data)
    except Exception:  # noqa: BLE001 - what that may be is tested elsewhere
        return
    if isinstance(message, Request):
        answers = desk.take(message).answers
        assert [item.status >= 200 for item in answers if isinstance(item, Response)] in ([], [True], [False, True])
        assert [decode(encode(item)) for item in answers] == list(answers)


async def test_an_answer_that_would_be_too_long_is_not_sent() -> None:
    vias = "".join(f"Via: SIP/2.0/TCP a{'x' * 8_000}\r\n" for _ in range(8)).encode()
    async with running() as daemon:
        phone = await Client.open(daemon)
        request = encode(other("INVITE"))
        phone.send(request.replace(b"Via:", vias + b"Via:", 1).replace(b"Max", b"M" * 500))
        phone.send(request.replace(b"Call-ID:", b"X: " + b"y" * 8_000 + b"\r\nCall-ID:", 1))
        answer = await phone.final()
        assert answer.status == 501
        phone.close()


# ---------------------------------------------------------------- slow and many


async def test_who_says_nothing_is_disconnected() -> None:
    async with running(limits=SipLimits(first_request_s=0.05)) as daemon:
        phone = await Client.open(daemon)
        assert await phone.is_closed()
        await daemon.traced("connection_timed_out")


async def test_empty_lines_do_not_keep_a_connection() -> None:
    async with running(limits=SipLimits(first_request_s=0.2)) as daemon:
        phone = await Client.open(daemon)
        trickle = asyncio.create_task(_trickle(phone, b"\r\n" * 1_000))
        assert await phone.is_closed()
        trickle.cancel()


async def test_a_message_that_trickles_in_is_cut_off() -> None:
    """Each byte is in time, the message is not."""
    async with running(limits=SipLimits(unfinished_s=0.15)) as daemon:
        phone = await Client.open(daemon)
        phone.send(other("OPTIONS"))
        assert (await phone.final()).status == 200
        trickle = asyncio.create_task(_trickle(phone, REGISTER))
        assert await phone.is_closed()
        assert daemon.desk.registered() == {}
        trickle.cancel()


async def _trickle(phone: Client, data: bytes) -> None:
    for byte in data:
        phone.send(bytes((byte,)))
        await asyncio.sleep(0.01)  # the pace of such a client: what the server has to bear


async def test_an_idle_connection_stays_as_long_as_somebody_is_registered_over_it() -> None:
    async with running(limits=SipLimits(idle_s=0.05)) as daemon:
        idle, registered = await Client.open(daemon), await Client.open(daemon)
        registered.send(REGISTER)
        assert (await registered.final()).status == 200
        idle.send(other("OPTIONS"))
        assert await idle.is_closed()
        registered.send(register(expires="0"))  # it is still there
        while (await registered.final()).get("Expires") != "0":
            pass
        assert await registered.is_closed()


async def test_no_more_connections_than_allowed() -> None:
    async with running(limits=SipLimits(connections=2)) as daemon:
        first, second, third = [await Client.open(daemon) for _ in range(3)]
        assert await third.is_closed()
        assert (await daemon.traced("connection_refused")).data["reason"] == "too many connections"
        first.close()
        second.send(REGISTER)
        assert (await second.final()).status == 200
        await eventually(lambda: daemon.connections == 1, "the server has seen the end of the first one")
        fourth = await Client.open(daemon)
        fourth.send(other("OPTIONS"))
        assert (await fourth.final()).status == 200
        fourth.close()
        second.close()


async def test_a_handshake_that_does_not_go_on_is_given_up() -> None:
    async with running(limits=SipLimits(handshake_s=1.0)) as daemon:
        reader, writer = await asyncio.open_connection(HOST, daemon.ports["TLS"])
        writer.write(b"\x16\x03\x01\x02\x00")
        async with asyncio.timeout(PATIENCE_S):
            assert not [chunk async for chunk in _chunks(reader)]
        writer.close()
        phone = await Client.open(daemon, client_context())
        phone.send(other("OPTIONS"))
        assert (await phone.final()).status == 200
        phone.close()


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    try:
        while data := await reader.read(100):
            yield data
    except ConnectionError:
        return


@pytest.mark.parametrize("data", [REGISTER, b"\x16\x03\x01\xff\xff" + bytes(20), b"\x80\x80\x01\x03\x01"])
async def test_what_is_no_tls_ends_a_tls_connection_and_nothing_else(data: bytes) -> None:
    async with running(limits=SipLimits(handshake_s=1.0)) as daemon:
        reader, writer = await asyncio.open_connection(HOST, daemon.ports["TLS"])
        writer.write(data)
        async with asyncio.timeout(PATIENCE_S):
            received = b"".join([chunk async for chunk in _chunks(reader)])
        assert b"SIP/2.0" not in received
        writer.close()
        phone = await Client.open(daemon, client_context())
        phone.send(other("OPTIONS"))
        assert (await phone.final()).status == 200
        phone.close()


async def test_a_client_that_asks_and_does_not_read_is_asked_to_wait() -> None:
    async with running() as daemon:
        greedy = socket.create_connection((HOST, daemon.ports["TCP"]))
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        greedy.setblocking(False)
        long_via = b"Via: SIP/2.0/TCP " + b"a" * 8_000 + b"\r\nVia:"  # echoed, so that answers are large
        data, sent, stuck = encode(other("OPTIONS")).replace(b"Via:", long_via, 1) * 8, 0, 0
        phone = await Client.open(daemon)
        async with asyncio.timeout(PATIENCE_S):
            while stuck < 20 and sent < 50_000_000:
                try:
                    sent += greedy.send(data[sent % len(data) :])
                    stuck = 0
                except BlockingIOError:
                    stuck += 1
                phone.send(other("OPTIONS"))  # somebody else is served meanwhile
                await phone.final()
        assert stuck == 20
        phone.send(REGISTER)
        assert (await phone.final()).status == 200
        phone.close()
        greedy.close()
