"""Every header field that the registrar reads, with values that are wrong, over real UDP and TCP sockets (R-PHN-5).

A value that leaves the message readable is answered, with a reason; one that does not ends the connection or is dropped
with its datagram. Nobody is registered by it, and others go on as before.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from base.identity import Identity
from base.tls import client_context
from services.callmanager.exchange import SipLimits
from tests.services.sip_cast import LINE, MAC, NAME, Desk, other, snapshot
from tests.services.sip_daemon import HOST, REGISTER, Client, Daemon, Datagrams, running
from tests.waiting import eventually
from tests.wire.material import certificate, private_key
from tests.wire.sip_messages import REGISTER_HEADERS
from wire.ciscosip import register_body
from wire.sip import MAX_HEADERS, MAX_LINE, MAX_MESSAGE, Request, Response, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CLOSED = "closed"
"""A stream that cannot be followed; over UDP the datagram is dropped."""
FINE = "200"
"""Wrong for a person, and of no consequence."""

DEVICE = ';+u.sip!devicename.ccm.cisco.com="SEP001122334455"'
NO_DEVICE = "400 the Contact names no device"
NO_LINE = "404 no directory number"
FIELDS: dict[tuple[str, bytes], str] = {
    ("Via", b""): "400 Via '' cannot be read",
    ("Via", b"nonsense"): "400 Via 'nonsense' cannot be read",
    ("Via", b"SIP/2.0/TCP"): "400 Via 'SIP/2.0/TCP' cannot be read",
    ("Via", b"SIP/3.0/TCP a"): "400 Via 'SIP/3.0/TCP a' cannot be read",
    ("Via", b"SIP/2.0/TCP [::1;rport=x;;;"): FINE,
    ("Via", b"\x01\x02"): "400 cannot be read",
    ("Via", b"\xff"): CLOSED,
    ("Via", b"a\0b"): CLOSED,
    ("Via", b"a\nb"): CLOSED,
    ("Via", b"a\rb"): CLOSED,
    ("Via", b"a" * MAX_LINE): CLOSED,
    ("From", b""): "400 From: SIP address '' cannot be read",
    ("From", b"nobody"): "400 From: SIP address 'nobody' cannot be read",
    ("From", b"<<<>>>"): "400 From: SIP address",
    ("From", b"<sip:a@b>;tag"): FINE,
    ("From", b"\xc3\x28"): CLOSED,
    ("From", b"a\r\nFrom: b"): CLOSED,
    ("To", b""): "400 To: SIP address '' cannot be read",
    ("To", b"nobody"): "400 To: SIP address 'nobody' cannot be read",
    ("To", b"<sip:"): "400 To: SIP address '<sip:' cannot be read",
    ("To", b"<>"): "400 To: SIP address '<>' cannot be read",
    ("To", b"<sip:2001@a>;=x"): "400 SIP parameters ';=x' cannot be read",
    ("To", b'"2001 <sip:2001@a>'): "400 SIP address",
    ("To", b"<sip:a b@c>"): "400 SIP address",
    ("To", b"<tel:2001>"): NO_LINE,
    ("To", b"<sip:192.0.2.1>"): NO_LINE,
    ("To", b"<sip:@a>"): NO_LINE,
    ("To", b"<sip:" + b"9" * 2_000 + b"@a>"): NO_LINE,
    ("To", b"<sip:" + b"9" * 2_100 + b"@a>"): "400 SIP address",
    ("To", b"<sip:' OR 1=1@a>"): "400 SIP address",
    ("To", b"<sip:2001%00@a>"): NO_LINE,
    ("Call-ID", b""): "400 Call-ID '' cannot be read",
    ("Call-ID", b"a b c"): "400 Call-ID 'a b c' cannot be read",
    ("Call-ID", b"a" * 1_025): "400 Call-ID",
    ("Call-ID", b"\xfe"): CLOSED,
    ("Call-ID", b"a" * MAX_LINE): CLOSED,
    ("CSeq", b""): CLOSED,
    ("CSeq", b"1"): CLOSED,
    ("CSeq", b"REGISTER"): CLOSED,
    ("CSeq", b"REGISTER 1"): CLOSED,
    ("CSeq", b"-1 REGISTER"): CLOSED,
    ("CSeq", b"1.5 REGISTER"): CLOSED,
    ("CSeq", b"4294967296 REGISTER"): CLOSED,
    ("CSeq", b"99999999999999999999 REGISTER"): CLOSED,
    ("CSeq", b"1 INVITE"): CLOSED,
    ("CSeq", "١ REGISTER".encode()): CLOSED,
    ("CSeq", b"4294967295 REGISTER"): FINE,
    ("Contact", b""): "400 SIP address",
    ("Contact", b"*"): "400 Contact * without Expires 0",
    ("Contact", b"<sip:a@b>"): NO_DEVICE,
    ("Contact", b"<sip:a@b"): "400 SIP address",
    ("Contact", b"<sip:a@b>;x="): "400 SIP parameters",
    ("Contact", b"<sip:a@b>;;;"): "400 SIP parameters",
    ("Contact", b'<sip:a@b>;+u.sip!devicename.ccm.cisco.com="'): "400 SIP parameters",
    ("Contact", b'<sip:a@b>;+u.sip!devicename.ccm.cisco.com="SEP"'): NO_DEVICE,
    ("Contact", b'<sip:a@b>;+u.sip!devicename.ccm.cisco.com="SEP00112233445"'): NO_DEVICE,
    ("Contact", b'<sip:a@b>;+u.sip!devicename.ccm.cisco.com="SEP00112233445566"'): NO_DEVICE,
    ("Contact", b'<sip:a@b>;+u.sip!devicename.ccm.cisco.com="SEP00112233445G"'): NO_DEVICE,
    ("Contact", b'<sip:a@b>;+u.sip!devicename.ccm.cisco.com="../../etc/passwd"'): NO_DEVICE,
    ("Contact", b'<sip:a@b>;+sip.instance="<urn:uuid:x>"'): NO_DEVICE,
    ("Contact", b'<sip:a@b>;+sip.instance="<urn:uuid:00000000-0000-0000-0000-00112233445>"'): NO_DEVICE,
    ("Contact", b'<sip:a@b>;+u.sip!devicename.ccm.cisco.com="SEP0000000000FF"'): "404 is no device of this cluster",
    ("Contact", b"<sip:a@b>" + DEVICE.encode() + b";expires=-1"): "400 Expires '-1' is no number",
    ("Contact", b"<sip:a@b>" + DEVICE.encode() + b";expires=x"): "400 Expires 'x' is no number",
    ("Contact", b"<sip:a@b>" + DEVICE.encode() + b";expires=99999999999"): "400 Expires '99999999999' is no number",
    ("Contact", b"\xff"): CLOSED,
    ("Expires", b"-5"): "400 Expires '-5' is no number of seconds",
    ("Expires", b"soon"): "400 Expires 'soon' is no number of seconds",
    ("Expires", b"1e3"): "400 Expires '1e3' is no number of seconds",
    ("Expires", b"1 2"): "400 Expires '1 2' is no number of seconds",
    ("Expires", b"99999999999"): "400 Expires '99999999999' is no number of seconds",
    ("Expires", "٣".encode()): "400 is no number of seconds",
    ("Expires", b""): FINE,
    ("Expires", b"9999999999"): FINE,
    ("Content-Type", b"multipart/mixed"): "400 multipart body without a boundary",
    ("Content-Type", b"multipart/mixed; boundary="): "400 multipart body without a boundary",
    ("Content-Type", b"multipart/mixed; boundary=other"): "400 multipart",
    ("Content-Type", b"text/plain"): FINE,
    ("Content-Type", b";;;"): FINE,
    ("Content-Type", b""): FINE,
    ("Supported", b",,,;;"): FINE,
    ("Supported", b""): FINE,
    ("Supported", b"\xff"): CLOSED,
    ("Content-Length", b""): CLOSED,
    ("Content-Length", b"-1"): CLOSED,
    ("Content-Length", b"+5"): CLOSED,
    ("Content-Length", b"5, 5"): CLOSED,
    ("Content-Length", b"0x10"): CLOSED,
    ("Content-Length", b"1e3"): CLOSED,
    ("Content-Length", b"65536"): CLOSED,
    ("Content-Length", b"9999999"): CLOSED,
    ("Content-Length", "١".encode()): CLOSED,
}


def with_field(name: str, value: bytes) -> bytes:
    before, found, rest = REGISTER.partition(f"\r\n{name}: ".encode())
    assert found, name
    return before + found + value + b"\r\n" + rest.partition(b"\r\n")[2]


def expectation(text: str) -> tuple[int, str]:
    status, _, why = text.partition(" ")
    return int(status), why


@pytest.fixture
async def daemon() -> AsyncIterator[Daemon]:
    async with running() as found:
        yield found


@pytest.mark.parametrize(
    ("field", "expected"), FIELDS.items(), ids=[f"{name} {value[:30]!r}" for name, value in FIELDS]
)
async def test_a_wrong_value_over_tcp_is_answered_or_ends_its_connection(
    daemon: Daemon, field: tuple[str, bytes], expected: str
) -> None:
    bad = await Client.open(daemon)
    bad.send(with_field(*field))
    if expected == CLOSED:
        assert await bad.is_closed()
        assert (await daemon.traced("malformed")).data["reason"]
    else:
        status, why = expectation(expected)
        answer = await bad.final()
        assert answer.status == status
        assert why in (answer.get("Warning") or "")
        assert set(daemon.desk.registered()) == ({NAME} if status == 200 else set())
        if status != 200:
            bad.send(REGISTER)
            assert (await bad.final()).status == 200, "the connection is still good"
    bad.close()
    await daemon.until_registered()
    await still_serves(daemon)


@pytest.mark.parametrize(
    ("field", "expected"), FIELDS.items(), ids=[f"{name} {value[:30]!r}" for name, value in FIELDS]
)
async def test_a_wrong_value_over_udp_is_answered_or_dropped(
    daemon: Daemon, field: tuple[str, bytes], expected: str
) -> None:
    phone = await Datagrams.open(daemon)
    phone.send(with_field(*field))
    if expected == CLOSED:
        assert (await daemon.traced("malformed")).data["reason"]
        assert daemon.desk.registered() == {}
    else:
        status, why = expectation(expected)
        answer = await phone.receive()
        while not (isinstance(answer, Response) and answer.status >= 200):
            answer = await phone.receive()
        assert answer.status == status
        assert why in (answer.get("Warning") or "")
        assert set(daemon.desk.registered()) == ({NAME} if status == 200 else set())
    await still_serves(daemon)


async def still_serves(daemon: Daemon) -> None:
    phone = await Client.open(daemon)
    phone.send(other("OPTIONS"))
    assert (await phone.final()).status == 200
    phone.close()


# ---------------------------------------------------------------- too much of it


def padded(total: int, *, name: bytes = b"X-Padding") -> bytes:
    """A whole REGISTER of so many bytes, in header fields of at most 8 KiB."""
    missing, fields = total - len(REGISTER), b""
    while missing > 0:
        size = min(missing, MAX_LINE)
        if 0 < missing - size < 40:
            size -= 40
        fields += name + b": " + b"a" * (size - len(name) - 4) + b"\r\n"
        missing -= size
    return REGISTER.replace(b"Supported:", fields + b"Supported:", 1)


SIZES = [(MAX_MESSAGE - 5_000, 200), (MAX_MESSAGE, 200), (MAX_MESSAGE + 1, None), (10 * MAX_MESSAGE, None)]


@pytest.mark.parametrize(("size", "status"), SIZES)
async def test_a_message_over_the_limit_ends_its_stream(daemon: Daemon, size: int, status: int | None) -> None:
    data = padded(size)
    assert len(data) == size
    phone = await Client.open(daemon)
    phone.send(data)
    if status is None:
        assert await phone.is_closed()
        assert "65535" in str((await daemon.traced("malformed")).data["reason"])
        assert daemon.desk.registered() == {}
    else:
        assert (await phone.final()).status == status
    phone.close()
    await still_serves(daemon)


async def test_a_body_over_the_limit_is_not_waited_for(daemon: Daemon) -> None:
    """Its announced length is enough to end the stream."""
    phone = await Client.open(daemon)
    head = REGISTER.partition(b"\r\n\r\n")[0].replace(b"Content-Length: 1313", b"Content-Length: 65535")
    phone.send(head + b"\r\n\r\n")
    assert await phone.is_closed()
    await still_serves(daemon)


FIELDS_OF_IT = [(MAX_HEADERS - 1 - REGISTER.partition(b"\r\n\r\n")[0].count(b"\r\n"), 200), (MAX_HEADERS, None)]


@pytest.mark.parametrize(("count", "status"), FIELDS_OF_IT)
async def test_header_fields_over_the_limit_end_the_stream(daemon: Daemon, count: int, status: int | None) -> None:
    phone = await Client.open(daemon)
    phone.send(REGISTER.replace(b"Supported:", b"X: y\r\n" * count + b"Supported:", 1))
    if status is None:
        assert await phone.is_closed()
    else:
        assert (await phone.final()).status == status
    phone.close()
    await still_serves(daemon)


# ---------------------------------------------------------------- cut anywhere


_HEADERS = tuple(
    (name, value.replace("C80084AA8743", MAC).replace("c80084aa8743", MAC).replace("2222@", f"{LINE}@"))
    for name, value in REGISTER_HEADERS
)
CAPTURED = encode(Request(_HEADERS, register_body(), "REGISTER", "sip:192.168.7.200"))
"""The captured REGISTER of a 7821, as one of a device of this cluster."""


@pytest.mark.parametrize("part", range(8))
async def test_a_stream_that_is_cut_anywhere_registers_nobody_and_leaves_nothing(part: int) -> None:
    """Every byte offset, each over a connection of its own; a whole message behind it would have registered."""
    async with running() as daemon:
        for cut in range(part, len(CAPTURED), 8):
            with socket.create_connection((HOST, daemon.ports["TCP"])) as client:
                client.sendall(CAPTURED[:cut])
            if cut % 50 == part % 50:
                await asyncio.sleep(0)
        await eventually(lambda: daemon.connections == 0)
        assert daemon.desk.told == []
        assert daemon.desk.registered() == {}
        assert daemon.exchange.connections == 0
        phone = await Client.open(daemon)
        phone.send(CAPTURED)
        assert (await phone.final()).status == 200
        phone.close()
        await daemon.until_registered()


@pytest.mark.parametrize(
    "cut", [1, 30, CAPTURED.index(b"\r\n\r\n"), CAPTURED.index(b"\r\n\r\n") + 4, len(CAPTURED) - 1]
)
async def test_a_stream_that_stops_in_a_message_is_given_up_in_time(cut: int) -> None:
    async with running(limits=SipLimits(unfinished_s=0.05)) as daemon:
        phone = await Client.open(daemon)
        phone.send(CAPTURED[:cut])
        assert await phone.is_closed()
        await daemon.traced("connection_timed_out")
        await eventually(lambda: daemon.connections == 0)
        assert daemon.desk.registered() == {}


@pytest.mark.parametrize("part", range(4))
async def test_a_datagram_that_is_cut_anywhere_registers_nobody(part: int) -> None:
    async with running() as daemon:
        phone = await Datagrams.open(daemon)
        for count, cut in enumerate(range(part + 1, len(CAPTURED), 4), start=1):
            phone.send(CAPTURED[:cut])
            if not count % 20:
                await daemon.traced("malformed", count)
        phone.send(other("OPTIONS"))
        answer = await phone.receive()
        assert answer.get("CSeq") == "1000 OPTIONS", "the first answer of all"
        assert daemon.desk.told == []


@pytest.mark.parametrize("cut", range(0, len(CAPTURED), 97))
async def test_two_messages_cut_at_the_same_place_are_both_read(cut: int) -> None:
    """The end of a segment is not the end of a message."""
    async with running() as daemon:
        phone = await Client.open(daemon)
        for piece in (CAPTURED[:cut], CAPTURED[cut:] + CAPTURED[:cut], CAPTURED[cut:]):
            phone.send(piece)
            await phone.writer.drain()
            await asyncio.sleep(0)
        statuses: list[int] = []
        while len(statuses) < 4:
            message = await phone.receive()
            if isinstance(message, Response):
                statuses.append(message.status)
        assert statuses == [100, 200, 100, 200]
        phone.close()


# ---------------------------------------------------------------- half-open TLS

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)


@pytest.mark.parametrize("said", [b"", b"\x16", HELLO], ids=["nothing", "a byte", "half a ClientHello"])
async def test_half_open_tls_takes_places_for_a_handshakes_time_only(said: bytes) -> None:
    """Once these places are given back, a phone gets in; before, it is turned away at once."""
    async with running(limits=SipLimits(connections=5, handshake_s=1.0)) as daemon:
        silent = [socket.create_connection((HOST, daemon.ports["TLS"])) for _ in range(5)]
        try:
            for client in silent:
                client.sendall(said)
            await eventually(lambda: daemon.connections == 5)
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await Client.open(daemon, client_context())
            await daemon.traced("handshake_failed", 5)
            await eventually(lambda: daemon.connections == 0)
            phone = await Client.open(daemon, client_context())
            phone.send(other("OPTIONS"))
            assert (await phone.final()).status == 200
            phone.close()
        finally:
            for client in silent:
                client.close()


async def test_a_tls_client_that_is_gone_in_the_middle_of_a_record_is_gone_with_its_registration() -> None:
    """No close_notify: a phone that loses its power."""
    devices = f"devices: [{{mac: {MAC}, model: 8865, security: encrypted, lines: [{{number: {LINE}}}]}}]"
    mic = Identity(certificate("phone-mic.pem"), private_key("phone-mic.pem"))
    async with running(Desk(snapshot(devices=devices, authorities=[mic.certificate]))) as daemon:
        phone = await Client.open(daemon, client_context(mic))
        phone.send(REGISTER)
        assert (await phone.final()).status == 200
        await daemon.until_registered(NAME)
        raw = phone.writer.get_extra_info("socket")
        os.write(raw.fileno(), b"\x17\x03\x03\x01\x00half a record")
        phone.writer.transport.abort()
        await daemon.until_registered()
        await eventually(lambda: daemon.connections == 0)
