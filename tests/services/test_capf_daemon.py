"""The CAPF daemon on a real socket: what it says, what it bears, and what it never does."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from base.trace import MemorySink, Trace
from cluster.audit import Actor
from cluster.management.capf import schedule
from cluster.management.certificates import regenerate
from cluster.phonesecurity import Authentication, CapfOrder, KeyOrder, Operation
from cluster.purposes import Purpose
from lab.laboratory import database_path
from services.capf.daemon import CapfDaemon, CapfLimits
from tests.conftest import require_tool
from tests.services import wires
from tests.services.capf_cast import DEVICE, OTHER, spki
from tests.waiting import PATIENCE_S, eventually
from wire.capf import HEADER_SIZE, AuthType, Command, Message, ReasonCode, body_length, decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from cluster.phonesecurity import PhoneSecurity
    from tests.conftest import Lab

ADMIN = Actor("admin", "test")
CAPF = "Cisco Certificate Authority Proxy Function"
STRING = "987654"
QUICK = CapfLimits(handshake_s=0.5, answer_s=0.3, key_generation_s=0.3)


@dataclass
class RawPhone:
    """Says what a test wants said."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    session: int = 0

    async def hear(self) -> Message:
        async with asyncio.timeout(PATIENCE_S):
            header = await self.reader.readexactly(HEADER_SIZE)
            message = decode(header + await self.reader.readexactly(body_length(header)))
        self.session = message.session
        return message

    def say(self, command: Command, reason: int | None = ReasonCode.SUCCESS, **more: object) -> None:
        self.writer.write(encode(Message(command, self.session, reason=reason, **more)))  # type: ignore[arg-type]

    async def greet(self, device: str = DEVICE, password: str | None = None) -> Message:
        """Answers the first request; the server's next message."""
        first = await self.hear()
        assert (first.command, first.auth_type) == (Command.AUTH_REQUEST, AuthType.NONE)
        self.say(Command.AUTH_RESPONSE, version=3, device_name=device, password=password)
        return await self.hear()

    async def rest(self) -> bytes:
        return await wires.until_closed(self.reader)


@asynccontextmanager
async def calling(port: int) -> AsyncIterator[RawPhone]:
    async with wires.connection(port, wires.any_server()) as (reader, writer):
        yield RawPhone(reader, writer)


@asynccontextmanager
async def daemon(lab: Lab, limits: CapfLimits) -> AsyncIterator[CapfDaemon]:
    """One beside the laboratory's own, with limits of its own."""
    service = CapfDaemon("alpha-pub", lab.store, "127.0.0.1", lambda: 0, trace=Trace(lab.sink), limits=limits)
    await service.start()
    try:
        yield service
    finally:
        await service.stop(1)


async def install(lab: Lab, authentication: Authentication = Authentication.NULL_STRING, size: int = 1024) -> None:
    string = STRING if authentication is Authentication.STRING else ""
    await schedule(lab.store, DEVICE, CapfOrder(Operation.INSTALL, authentication, string, rsa_size=size), ADMIN)


def security(lab: Lab) -> PhoneSecurity:
    return lab.store.snapshot.security_of(DEVICE)


async def install_over(port: int, kind: str = "rsa1024") -> Message:
    """A whole installation by null string; the end of the session."""
    async with calling(port) as phone:
        assert (await phone.greet()).command == Command.KEY_GENERATE_REQUEST
        phone.say(Command.KEY_GENERATE_RESPONSE, public_key=spki(kind))
        assert (await phone.hear()).command == Command.STORE_REQUEST
        phone.say(Command.STORE_RESPONSE)
        return await phone.hear()


# --- what is served ---


async def test_only_the_publisher_serves_capf_and_stops_when_told(lab: Lab) -> None:
    """R-CAPF-1."""
    nodes = lab.laboratory.nodes
    (listener,) = nodes["alpha-pub"].supervisor.listeners()[CAPF]
    assert (listener.protocol, listener.port) == ("CAPF", lab.ports().capf)
    assert nodes["alpha-sub1"].supervisor.listeners()[CAPF] == ()
    await nodes["alpha-pub"].supervisor.stop(CAPF)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", listener.port)
    await nodes["alpha-pub"].supervisor.start(CAPF)
    assert lab.ports().capf == listener.port, "the same port again"


async def test_each_message_comes_in_one_piece(lab: Lab) -> None:
    await install(lab)
    async with calling(lab.ports().capf) as phone:
        piece = await phone.reader.read(65_536)
        assert decode(piece).command == Command.AUTH_REQUEST
        phone.session = decode(piece).session
        phone.say(Command.AUTH_RESPONSE, version=3, device_name=DEVICE)
        assert decode(await phone.reader.read(65_536)).command == Command.KEY_GENERATE_REQUEST
        phone.say(Command.KEY_GENERATE_RESPONSE, public_key=spki("rsa1024"))
        assert decode(await phone.reader.read(65_536)).command == Command.STORE_REQUEST


async def test_a_phone_may_send_a_byte_at_a_time(lab: Lab) -> None:
    await install(lab)
    async with calling(lab.ports().capf) as phone:
        await phone.hear()
        message = Message(Command.AUTH_RESPONSE, phone.session, reason=1, version=3, device_name=DEVICE)
        for byte in encode(message):
            phone.writer.write(bytes((byte,)))
            await phone.writer.drain()
        assert (await phone.hear()).command == Command.KEY_GENERATE_REQUEST


async def test_what_is_recorded_is_recorded_before_the_phone_hears_of_it(lab: Lab) -> None:
    await install(lab)
    end = await install_over(lab.ports().capf)
    assert (end.command, end.reason) == (Command.END_SESSION, ReasonCode.SUCCESS)
    assert security(lab).status == "Upgrade Success"
    (entry,) = await lab.store.audit(1)
    assert (entry.who, entry.origin) == ("CAPF", "capf 127.0.0.1")


async def test_no_success_is_told_when_the_state_cannot_be_written(lab: Lab) -> None:
    await install(lab)
    path = database_path(lab.laboratory.state, "alpha")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE phone_security RENAME TO elsewhere")
        connection.commit()
        async with calling(lab.ports().capf) as phone:
            await phone.greet()
            phone.say(Command.KEY_GENERATE_RESPONSE, public_key=spki("rsa1024"))
            await phone.hear()
            phone.say(Command.STORE_RESPONSE)
            assert await phone.rest() == b""
        connection.execute("ALTER TABLE elsewhere RENAME TO phone_security")
        connection.commit()
    assert security(lab).pending
    assert (await install_over(lab.ports().capf)).reason == ReasonCode.SUCCESS, "and it can be done again"


async def test_a_new_capf_certificate_is_used_after_a_restart(lab: Lab) -> None:
    """R-CRT-6: LSCs as well as the handshake."""
    await install(lab)
    old = lab.store.snapshot.require("alpha-pub", Purpose.CAPF).certificate
    await regenerate(lab.store, "alpha-pub", Purpose.CAPF, ADMIN)
    new = lab.store.snapshot.require("alpha-pub", Purpose.CAPF).certificate
    assert new != old
    port = lab.ports().capf
    assert (await wires.shake_hands(port, wires.any_server())).certificate == old
    await install_over(port)
    assert security(lab).lsc.issuer == old.subject  # type: ignore[union-attr]
    await lab.laboratory.nodes["alpha-pub"].supervisor.restart(CAPF)
    assert (await wires.shake_hands(port, wires.any_server())).certificate == new
    await install(lab)
    await install_over(port)
    assert security(lab).lsc.issuer == new.subject  # type: ignore[union-attr]


async def test_a_key_of_512_bits_is_certified(lab: Lab) -> None:
    """Made by openssl: our own library makes none so short."""
    await install(lab, size=512)
    made = subprocess.run([require_tool("openssl"), "genrsa", "512"], capture_output=True, check=True).stdout
    key = load_pem_private_key(made, None)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    async with calling(lab.ports().capf) as phone:
        assert (await phone.greet()).key_size == 512
        phone.say(Command.KEY_GENERATE_RESPONSE, public_key=public)
        await phone.hear()
        phone.say(Command.STORE_RESPONSE)
        assert (await phone.hear()).reason == ReasonCode.SUCCESS
    lsc = security(lab).lsc
    assert lsc is not None
    assert lsc.public_key.key_size == 512


# --- who is refused ---


async def test_unknown_phones_and_those_with_nothing_to_do_change_nothing(lab: Lab) -> None:
    revision = lab.store.snapshot.revision
    for device, reason in (("SEPFFFFFFFFFFFF", ReasonCode.UNKNOWN_DEVICE), (DEVICE, ReasonCode.NO_ACTION)):
        async with calling(lab.ports().capf) as phone:
            end = await phone.greet(device)
            assert (end.command, end.reason) == (Command.END_SESSION, reason)
            assert await phone.rest() == b""
    assert lab.store.snapshot.revision == revision


async def test_wrong_authentication_strings_are_limited(lab: Lab) -> None:
    await install(lab, Authentication.STRING)
    for attempt in ("000000", "000001", "000002"):
        async with calling(lab.ports().capf) as phone:
            assert (await phone.greet(password=attempt)).reason == ReasonCode.INVALID_ELEMENT
    assert security(lab).status == "Upgrade Failed: Invalid Authentication String"
    assert not security(lab).pending
    revision = lab.store.snapshot.revision
    async with calling(lab.ports().capf) as phone:
        assert (await phone.greet(password=STRING)).reason == ReasonCode.NO_ACTION, "even the right one is too late"
    assert lab.store.snapshot.revision == revision


async def test_strings_cannot_be_tried_side_by_side(lab: Lab) -> None:
    await install(lab, Authentication.STRING)
    async with calling(lab.ports().capf) as first:
        assert (await first.greet()).auth_type == AuthType.PASSWORD
        for password in ("000000", STRING):
            async with calling(lab.ports().capf) as second:
                assert (await second.greet(password=password)).command == Command.RETRY_LATER
                assert await second.rest() == b""
        async with calling(lab.ports().capf) as another:
            assert (await another.greet(OTHER)).command == Command.END_SESSION, "other phones are served"
        first.say(Command.AUTH_RESPONSE, version=3, device_name=DEVICE, password=STRING)
        assert (await first.hear()).command == Command.KEY_GENERATE_REQUEST
    await eventually(lambda: "Timeout" in security(lab).status or "Failure" in security(lab).status)
    async with calling(lab.ports().capf) as later:
        assert (await later.greet(password=STRING)).command == Command.KEY_GENERATE_REQUEST, "free again"


async def test_a_session_cannot_change_to_another_phone(lab: Lab) -> None:
    await install(lab, Authentication.STRING)
    await schedule(lab.store, OTHER, CapfOrder(Operation.INSTALL), ADMIN)
    async with calling(lab.ports().capf) as phone:
        await phone.greet()
        phone.say(Command.AUTH_RESPONSE, version=3, device_name=OTHER)
        assert (await phone.hear()).reason == ReasonCode.INVALID_ELEMENT
    assert lab.store.snapshot.security_of(OTHER).status == "Operation Pending"


# --- what goes wrong ---

STEPS = {
    # after so many answers the phone hangs up
    0: ("Operation Pending", True),
    1: ("Upgrade Failed: Key Generation Timeout", True),
    2: ("Upgrade Failed: Phone Communication Failure", True),
    3: ("Upgrade Success", False),
}


@pytest.mark.parametrize("step", STEPS)
async def test_a_phone_that_hangs_up_after_a_step_can_come_again(step: int, lab: Lab) -> None:
    await install(lab)
    status, pending = STEPS[step]
    async with calling(lab.ports().capf) as phone:
        await phone.hear()
        answers: list[tuple[Command, dict[str, object]]] = [
            (Command.AUTH_RESPONSE, {"version": 3, "device_name": DEVICE}),
            (Command.KEY_GENERATE_RESPONSE, {"public_key": spki("rsa1024")}),
            (Command.STORE_RESPONSE, {}),
        ]
        for command, elements in answers[:step]:
            phone.say(command, **elements)  # type: ignore[arg-type]
            await phone.hear()
    ends = ("session_broken", "session_ended")
    await eventually(lambda: any(event.step in ends and event.service == CAPF for event in lab.sink.events))
    await eventually(lambda: security(lab).status == status)
    assert security(lab).pending is pending
    if pending:
        assert (await install_over(lab.ports().capf)).reason == ReasonCode.SUCCESS


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x55\x02\x00\x00\x00\x01\xff\xff",
        b"\x57\x01" + bytes(40),
        b"\x55\x63" + bytes(6),
        encode(Message(Command.AUTH_RESPONSE, 1))[:-1] + b"\x05" + bytes(5),
    ],
)
async def test_what_is_no_message_ends_its_connection_and_no_other(data: bytes, lab: Lab) -> None:
    await install(lab)
    async with calling(lab.ports().capf) as good, calling(lab.ports().capf) as bad:
        await bad.hear()
        bad.writer.write(data)
        assert await bad.rest() == b""
        assert (await good.greet()).command == Command.KEY_GENERATE_REQUEST
    assert security(lab).status != "Upgrade Success"


async def test_a_message_at_the_wrong_time_is_answered_by_an_abort(lab: Lab) -> None:
    await install(lab)
    async with calling(lab.ports().capf) as phone:
        await phone.greet()
        phone.say(Command.DELETE_RESPONSE)
        assert (await phone.hear()).command == Command.ABORT_REQUEST
        assert await phone.rest() == b""
    assert security(lab).pending
    assert security(lab).lsc is None


async def test_a_silent_phone_is_dropped_and_one_at_work_is_not(lab: Lab) -> None:
    await install(lab)
    async with daemon(lab, QUICK) as service:
        port = service.listeners[0].port
        async with calling(port) as silent:
            await silent.hear()
            silent.writer.write(b"\x55\x02")
            assert await silent.rest() == b""
        assert security(lab).status == "Operation Pending"
        async with calling(port) as busy:
            await busy.greet()
            for _ in range(6):  # longer than the limit, all together
                busy.say(Command.IN_PROGRESS, None)
                await asyncio.sleep(0.1)  # how long such a phone is at work between two signs of life
            busy.say(Command.KEY_GENERATE_RESPONSE, public_key=spki("rsa1024"))
            assert (await busy.hear()).command == Command.STORE_REQUEST
            assert await busy.rest() == b"", "and now it says nothing"
        assert security(lab).status == "Upgrade Failed: Phone Communication Failure"
        async with calling(port) as slow:
            await slow.greet()
            assert await slow.rest() == b""
        assert security(lab).status == "Upgrade Failed: Key Generation Timeout"
        assert security(lab).pending


async def test_a_client_that_shakes_no_hands_is_dropped(lab: Lab) -> None:
    async with daemon(lab, QUICK) as service, wires.connection(service.listeners[0].port) as (reader, _):
        assert await wires.until_closed(reader) == b""


async def test_connections_over_the_limit_are_refused_until_one_ends(lab: Lab) -> None:
    async with daemon(lab, CapfLimits(connections=2)) as service:
        port = service.listeners[0].port
        async with calling(port) as one, calling(port) as two:
            await one.hear()
            await two.hear()
            with pytest.raises(ConnectionError):
                await wires.shake_hands(port, wires.any_server())
        await eventually(lambda: not service._sessions)
        async with calling(port) as four:
            assert (await four.hear()).command == Command.AUTH_REQUEST


async def test_a_stop_waits_for_sessions_and_cuts_off_the_rest(lab: Lab) -> None:
    await install(lab)
    async with daemon(lab, CapfLimits()) as service:
        async with calling(service.listeners[0].port) as phone:
            await phone.greet()
            stopping = asyncio.create_task(service.stop(5))
            phone.say(Command.KEY_GENERATE_RESPONSE, public_key=spki("rsa1024"))
            await phone.hear()
            phone.say(Command.STORE_RESPONSE)
            assert (await phone.hear()).reason == ReasonCode.SUCCESS
            await stopping
        await service.start()
        async with calling(service.listeners[0].port) as idle:
            await idle.hear()
            await service.stop(0)
            assert await idle.rest() == b""


async def test_no_trace_and_no_audit_shows_the_authentication_string(lab: Lab) -> None:
    await install(lab, Authentication.STRING)
    for password in ("111222", STRING):
        async with calling(lab.ports().capf) as phone:
            await phone.greet(password=password)
    assert isinstance(lab.sink, MemorySink)
    text = f"{lab.sink.events!r}{await lab.store.audit()!r}"
    assert STRING not in text
    assert "111222" not in text
    assert "auth_response" in text


# --- other programs ---


@pytest.mark.interop
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_openssl_reads_the_capf_certificate(version: str, lab: Lab) -> None:
    process = await asyncio.create_subprocess_exec(
        require_tool("openssl"),
        "s_client",
        "-connect",
        f"127.0.0.1:{lab.ports().capf}",
        version,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    certificate = lab.store.snapshot.require("alpha-pub", Purpose.CAPF).certificate
    assert certificate.pem.encode() in output


@pytest.mark.interop
async def test_openssl_verifies_an_lsc_by_the_capf_certificate(lab: Lab, tmp_path: Path) -> None:
    order = CapfOrder(Operation.INSTALL, key_order=KeyOrder.RSA, rsa_size=2048)
    await schedule(lab.store, DEVICE, order, ADMIN)
    await install_over(lab.ports().capf, "rsa2048")
    lsc = security(lab).lsc
    assert lsc is not None
    (tmp_path / "lsc.pem").write_text(lsc.pem)
    (tmp_path / "capf.pem").write_text(lab.store.snapshot.require("alpha-pub", Purpose.CAPF).certificate.pem)
    command = [require_tool("openssl"), "verify", "-purpose", "sslserver"]
    files = [str(tmp_path / name) for name in ("capf.pem", "lsc.pem")]
    done = subprocess.run([*command, "-CAfile", *files], capture_output=True, check=False, text=True)
    assert done.stdout.strip().endswith("lsc.pem: OK"), done.stderr
