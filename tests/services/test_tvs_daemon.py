"""TVS over real TLS: every role, every way to ask wrongly, and clients that hold on (R-TVS-1, R-TVS-4)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from base.trace import Trace
from cluster.parameters import TLS_MIN_VERSION
from cluster.purposes import Purpose
from services.tvs.daemon import TvsDaemon, TvsLimits
from tests.services.wires import HOST, any_server, connection, identity, send, shake_hands, until_closed
from tests.shared_lab import PUB, SUB, SharedLab
from tests.waiting import PATIENCE_S, WatchedSink, eventually
from wire.errors import OperatorError
from wire.trustlist import Function, decode_trust_list
from wire.tvs import (
    HEADER_SIZE,
    QueryRequest,
    QueryResponse,
    Request,
    Response,
    Status,
    VerifyRequest,
    VerifyResponse,
    body_length,
    decode,
    encode,
)

if TYPE_CHECKING:
    from tests.conftest import Lab, LabMaker
    from wire.certificates import Certificate

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")

DEVICE = "CP-8865-SEP001122334455"
STRANGER = identity("rogue").certificate


def verify(certificate: Certificate, session: int = 7) -> VerifyRequest:
    return VerifyRequest(session, DEVICE, certificate.der)


def query(certificate: Certificate, session: int = 7) -> QueryRequest:
    serial = certificate.serial.to_bytes((certificate.serial.bit_length() + 7) // 8, "big")
    return QueryRequest(session, DEVICE, str(certificate.subject), str(certificate.issuer), serial)


async def read_response(reader: asyncio.StreamReader) -> Response:
    async with asyncio.timeout(PATIENCE_S):
        header = await reader.readexactly(HEADER_SIZE)
        response = decode(header + await reader.readexactly(body_length(header)))
    assert isinstance(response, VerifyResponse | QueryResponse)
    return response


async def ask(port: int, request: Request, context: ssl.SSLContext | None = None) -> Response:
    async with connection(port, context or any_server()) as (reader, writer):
        writer.write(encode(request))
        return await read_response(reader)


ROLES = [
    (Purpose.CALLMANAGER, {Function.SAST, Function.CCM_TFTP}),
    (Purpose.CALLMANAGER_ECDSA, {Function.CCM_TFTP}),
    (Purpose.TOMCAT, {Function.APP_SERVER}),
    (Purpose.TOMCAT_ECDSA, {Function.APP_SERVER}),
    (Purpose.CAPF, {Function.CAPF}),
    (Purpose.ITL_RECOVERY, {Function.SAST}),
]


@pytest.mark.parametrize(("purpose", "roles"), ROLES, ids=lambda value: getattr(value, "value", ""))
@pytest.mark.parametrize("owner", [PUB, SUB])
async def test_every_certificate_of_the_cluster_is_trusted_for_what_it_does(
    shared_lab: SharedLab, owner: str, purpose: Purpose, roles: set[Function]
) -> None:
    """Whichever node is asked, about whichever node's certificate."""
    certificate = shared_lab.certificate(purpose, owner)
    for asked in (PUB, SUB):
        port = shared_lab.ports(asked).tvs
        verified = await ask(port, verify(certificate))
        assert verified == VerifyResponse(7, Status.TRUSTED, tuple(sorted(roles)), 86_400)
        found = await ask(port, query(certificate))
        assert found == QueryResponse(7, Status.TRUSTED, certificate.der, tuple(sorted(roles)), 86_400)


@pytest.mark.parametrize("purpose", [Purpose.TVS, Purpose.IPSEC, None])
async def test_a_stranger_and_what_phones_never_ask_about_are_unknown(
    shared_lab: SharedLab, purpose: Purpose | None
) -> None:
    """No TVS vouches for a TVS certificate: phones know those from their ITL."""
    certificate = STRANGER if purpose is None else shared_lab.certificate(purpose)
    for asked in (PUB, SUB):
        port = shared_lab.ports(asked).tvs
        assert await ask(port, verify(certificate)) == VerifyResponse(7, Status.UNKNOWN)
        assert await ask(port, query(certificate)) == QueryResponse(7, Status.UNKNOWN)


async def test_a_query_is_answered_however_the_phone_orders_and_pads_the_name(shared_lab: SharedLab) -> None:
    """Names are compared without order, serial numbers without leading zeros."""
    certificate = shared_lab.certificate(Purpose.CALLMANAGER)
    asked = query(certificate)
    backwards = ";".join(reversed(asked.issuer.split(";")))
    other = QueryRequest(1, DEVICE, asked.subject, backwards, b"\0" + asked.serial)
    response = await ask(shared_lab.ports().tvs, other)
    assert isinstance(response, QueryResponse)
    assert response.certificate == certificate.der


async def test_the_server_shows_the_tvs_certificate_that_the_itl_lists(shared_lab: SharedLab) -> None:
    for node in (PUB, SUB):
        shown = await shake_hands(shared_lab.ports(node).tvs, any_server())
        assert shown.certificate == shared_lab.certificate(Purpose.TVS, node)


async def test_the_itl_over_the_wire_lists_every_tvs_that_answers(shared_lab: SharedLab) -> None:
    from tests.services.wires import get

    itl = decode_trust_list((await get(shared_lab.ports().http, "/ITLFile.tlv")).body)
    listed = [record.certificate for record in itl.with_function(Function.TVS)]
    shown = [(await shake_hands(shared_lab.ports(node).tvs, any_server())).certificate.der for node in (PUB, SUB)]
    assert listed == shown


@pytest.mark.parametrize(
    ("version", "suite"),
    [
        (ssl.TLSVersion.TLSv1, "AES256-SHA"),  # what a 7900 phone was seen to use
        (ssl.TLSVersion.TLSv1, "AES128-SHA"),
        (ssl.TLSVersion.TLSv1_1, "AES256-SHA"),
        (ssl.TLSVersion.TLSv1_2, "AES256-GCM-SHA384"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES128-GCM-SHA256"),
        (ssl.TLSVersion.TLSv1_3, None),
    ],
)
async def test_phones_of_every_age_can_ask(shared_lab: SharedLab, version: ssl.TLSVersion, suite: str | None) -> None:
    context = any_server(f"{suite}:@SECLEVEL=0" if suite else None, version, version)
    certificate = shared_lab.certificate(Purpose.TOMCAT)
    response = await ask(shared_lab.ports().tvs, verify(certificate), context)
    assert response.status == Status.TRUSTED


async def test_the_least_version_of_the_last_start_shuts_old_phones_out(lab: Lab) -> None:
    old = any_server("AES128-SHA:@SECLEVEL=0", ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1)
    await lab.store.set_parameter(TLS_MIN_VERSION, "1.2")
    assert (await shake_hands(lab.ports().tvs, old)).version == "TLSv1"
    await lab.laboratory.nodes[PUB].supervisor.restart(TvsDaemon.name)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake_hands(lab.ports().tvs, old)
    assert (await shake_hands(lab.ports().tvs, any_server())).version == "TLSv1.3"


# --- one connection, many requests ---


async def test_several_requests_on_one_connection_are_answered_in_order(shared_lab: SharedLab) -> None:
    known, unknown = verify(shared_lab.certificate(Purpose.TOMCAT), 1), verify(STRANGER, 2)
    third = query(shared_lab.certificate(Purpose.CALLMANAGER), 3)
    async with connection(shared_lab.ports().tvs, any_server()) as (reader, writer):
        writer.write(encode(known) + encode(unknown) + encode(third))
        answers = [await read_response(reader) for _ in range(3)]
    assert [(answer.session, answer.status) for answer in answers] == [(1, 0), (2, 1), (3, 0)]


async def test_a_request_that_comes_a_byte_at_a_time_is_answered(shared_lab: SharedLab) -> None:
    async with connection(shared_lab.ports().tvs, any_server()) as (reader, writer):
        for byte in encode(query(shared_lab.certificate(Purpose.CALLMANAGER))):
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await read_response(reader)).status == Status.TRUSTED


async def test_a_request_split_where_it_hurts_is_answered(shared_lab: SharedLab) -> None:
    message = encode(verify(shared_lab.certificate(Purpose.TOMCAT)))
    async with connection(shared_lab.ports().tvs, any_server()) as (reader, writer):
        for cut in (HEADER_SIZE - 1, HEADER_SIZE, HEADER_SIZE + 1, len(message) - 1):
            writer.write(message[:cut])
            await writer.drain()
            writer.write(message[cut:])
            assert (await read_response(reader)).status == Status.TRUSTED


# --- what ends a connection ---


def message(
    body: bytes, *, protocol: int = 0x57, version: int = 1, command: int = 1, length: int | None = None
) -> bytes:
    """Any header, right or wrong, before any body."""
    return struct.pack(">BBBBIH", protocol, version, command, 0, 9, len(body) if length is None else length) + body


GOOD_BODY = encode(verify(STRANGER))[HEADER_SIZE:]
DEVICE_ELEMENT = GOOD_BODY[: 3 + 1 + len(DEVICE)]

MALFORMED = {
    "another protocol": message(GOOD_BODY, protocol=0x55),
    "another version": message(GOOD_BODY, version=2),
    "unknown command": message(GOOD_BODY, command=9),
    "a response": encode(VerifyResponse(9, Status.TRUSTED, (0,), 1)),
    "a query response": encode(QueryResponse(9, Status.UNKNOWN)),
    "announces too much": message(b"", length=0xFFFF),
    "length 0": message(b""),
    "shorter than its elements": message(GOOD_BODY, length=len(GOOD_BODY) - 1),
    "longer than its elements": message(GOOD_BODY + b"\0"),
    "unknown element": message(GOOD_BODY + b"\x63\x00\x00"),
    "repeated element": message(GOOD_BODY + DEVICE_ELEMENT),
    "no certificate": message(DEVICE_ELEMENT),
    "certificate of zeros": message(DEVICE_ELEMENT + b"\x02\x00\x10" + bytes(16)),
    "empty certificate": message(DEVICE_ELEMENT + b"\x02\x00\x00"),
    "element past the end": message(DEVICE_ELEMENT + b"\x02\xff\xff"),
    "device name without its prefix": message(GOOD_BODY.replace(b"\x01CP", b"\x02CP", 1)),
    "issuer that is no name": encode(QueryRequest(9, DEVICE, "CN=x", "no name at all", b"\x01")),
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
async def test_what_is_no_request_ends_its_connection_and_nothing_else(shared_lab: SharedLab, sent: bytes) -> None:
    port = shared_lab.ports().tvs
    assert await send(port, sent, any_server()) == b""
    assert (await ask(port, verify(STRANGER))).status == Status.UNKNOWN
    assert "malformed" in shared_lab.sink.steps(service=TvsDaemon.name)


async def test_answers_before_the_malformed_message_still_arrive_or_the_connection_just_ends(
    shared_lab: SharedLab,
) -> None:
    """Nothing is answered to the bad one, whatever becomes of the good one."""
    received = await send(shared_lab.ports().tvs, encode(verify(STRANGER, 5)) + b"\xff" * 20, any_server())
    assert received in {b"", encode(VerifyResponse(5, Status.UNKNOWN))}


# --- limits ---


class Listening:
    def __init__(self, daemon: TvsDaemon, sink: WatchedSink) -> None:
        self.daemon, self.sink = daemon, sink

    @property
    def port(self) -> int:
        return self.daemon.listeners[0].port

    async def saw(self, step: str) -> None:
        await self.sink.seen(step)


Starter = Callable[..., "asyncio.Future[Listening]"]


@pytest.fixture
async def listen(lab: Lab) -> AsyncIterator[Starter]:
    """Starts daemons with limits of their own."""
    async with AsyncExitStack() as stack:

        async def start(**limits: float) -> Listening:
            sink = WatchedSink()
            daemon = TvsDaemon(
                lambda: lab.store.snapshot,
                lambda: lab.store.snapshot.require(PUB, Purpose.TVS).identity,
                HOST,
                lambda: 0,
                trace=Trace(sink),
                limits=TvsLimits(**limits),  # type: ignore[arg-type]  # numbers, whole where they have to be
            )
            await daemon.start()
            stack.push_async_callback(daemon.stop, 0)
            return Listening(daemon, sink)

        yield start  # type: ignore[misc]  # an async function is as good


@pytest.mark.parametrize("said", [b"", b"\x57", encode(verify(STRANGER))[:-1]], ids=["nothing", "a byte", "almost all"])
async def test_a_client_that_does_not_finish_its_request_is_hung_up_on(listen: Starter, said: bytes) -> None:
    server = await listen(request_s=0.2)
    assert await send(server.port, said, any_server()) == b""
    await server.saw("connection_timed_out")


async def test_a_connection_that_asks_nothing_more_is_closed_after_its_answer(listen: Starter) -> None:
    server = await listen(request_s=0.2)
    async with connection(server.port, any_server()) as (reader, writer):
        writer.write(encode(verify(STRANGER)))
        assert (await read_response(reader)).status == Status.UNKNOWN
        assert await until_closed(reader) == b""


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"], ids=["nothing", "record", "HTTP"])
async def test_a_client_that_never_finishes_the_handshake_is_hung_up_on(listen: Starter, said: bytes) -> None:
    server = await listen(handshake_s=0.2)
    await send(server.port, said)
    assert (await ask(server.port, verify(STRANGER))).status == Status.UNKNOWN


async def test_connections_over_the_limit_are_refused_until_one_ends(listen: Starter) -> None:
    server = await listen(connections=1)
    async with connection(server.port, any_server()) as (reader, writer):
        writer.write(encode(verify(STRANGER)))
        await read_response(reader)
        with pytest.raises(ConnectionError):
            await shake_hands(server.port, any_server())
        await server.saw("connection_refused")
    await eventually(lambda: answers(server.port), "a client gets in after one has left")


async def test_clients_that_have_not_shaken_hands_count_towards_the_limit(listen: Starter) -> None:
    """Silent ones hold their places for no longer than a handshake may take."""
    server = await listen(connections=2, handshake_s=0.5)
    async with connection(server.port) as (first, _), connection(server.port) as (second, _):
        with pytest.raises(ConnectionError):
            await shake_hands(server.port, any_server())
        await server.saw("connection_refused")
        assert await until_closed(first) == await until_closed(second) == b""
    await server.saw("handshake_failed")
    await eventually(lambda: answers(server.port), "a client gets in after the silent ones")


async def answers(port: int) -> bool:
    """Whether a client gets in."""
    with contextlib.suppress(ConnectionError):
        return (await ask(port, verify(STRANGER))).status == Status.UNKNOWN
    return False


async def test_one_connection_cannot_ask_for_ever(listen: Starter) -> None:
    server = await listen(requests=3)
    async with connection(server.port, any_server()) as (reader, writer):
        for session in range(3):
            writer.write(encode(verify(STRANGER, session)))
            assert (await read_response(reader)).session == session
        writer.write(encode(verify(STRANGER)))
        assert await until_closed(reader) == b""


async def test_a_client_that_asks_and_never_reads_is_made_to_wait_and_then_hung_up_on(listen: Starter) -> None:
    """Its answers do not pile up in the server."""
    server = await listen(requests=1_000_000, request_s=0.3)
    assert server.daemon._server is not None
    listening = server.daemon._server._socket
    assert listening is not None
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)  # connections inherit it
    asked = 0

    def flood() -> None:
        nonlocal asked
        with socket.socket() as plain:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            plain.settimeout(PATIENCE_S)
            plain.connect((HOST, server.port))
            with any_server().wrap_socket(plain) as tls, contextlib.suppress(ConnectionError, ssl.SSLError):
                while asked < 1_000_000:
                    tls.sendall(encode(verify(STRANGER)) * 10)
                    asked += 10

    await asyncio.to_thread(flood)
    answered = server.sink.steps().count("verify_answered")
    assert 0 < answered < asked < 100_000
    await server.saw("connection_timed_out")


@pytest.mark.parametrize("grace_s", [0, 0.2])
async def test_stopping_ends_every_connection_within_the_grace(listen: Starter, grace_s: float) -> None:
    server = await listen()
    port = server.port
    async with connection(port, any_server()) as (reader, writer), connection(port) as (silent, _):
        writer.write(encode(verify(STRANGER)))
        await read_response(reader)
        begun = asyncio.get_running_loop().time()
        await server.daemon.stop(grace_s)
        assert asyncio.get_running_loop().time() - begun < grace_s + 1
        assert await until_closed(reader) == b""
        del silent
    with pytest.raises(ConnectionError):
        await shake_hands(port, any_server())
    await server.daemon.stop(grace_s)


async def test_a_restarted_daemon_takes_up_its_new_certificate_and_not_before(make_lab: LabMaker) -> None:
    """R-CRT-6"""
    from cluster.audit import SYSTEM
    from cluster.management.certificates import regenerate

    lab = await make_lab()
    node = lab.laboratory.nodes[PUB]
    old = lab.store.snapshot.require(PUB, Purpose.TVS).certificate
    await regenerate(lab.store, PUB, Purpose.TVS, SYSTEM)
    new = lab.store.snapshot.require(PUB, Purpose.TVS).certificate
    port = lab.ports().tvs
    assert (await shake_hands(port, any_server())).certificate == old
    await node.supervisor.restart(TvsDaemon.name)
    assert lab.ports().tvs == port
    assert (await shake_hands(port, any_server())).certificate == new


async def test_a_port_that_is_taken_is_reported_in_one_sentence(lab: Lab) -> None:
    snapshot, port = lab.store.snapshot, lab.ports().tvs
    second = TvsDaemon(
        lambda: snapshot, lambda: snapshot.require(PUB, Purpose.TVS).identity, HOST, lambda: port, trace=Trace()
    )
    with pytest.raises(OperatorError, match=rf"^TVS cannot listen on {HOST} port {port}: the port is in use;"):
        await second.start()
    assert second.listeners == ()
