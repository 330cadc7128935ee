"""A phone's registration against a registrar that is not ours: renewal, failover, fallback, orders (R-PHN-5)."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from ssl import TLSVersion
from typing import TYPE_CHECKING

import pytest

from base.clock import SystemClock
from base.tls import client_context, server_context
from base.trace import Trace
from phone_sim import sipmessages
from phone_sim.clients.stream import Tls
from phone_sim.reasons import Reason
from phone_sim.registrant import registrable
from phone_sim.registration import Ended, Identity, Registration, RegistrationStatus, RegistrationTimes
from phone_sim.sipmessages import Caller
from phone_sim.trust import Accept, KeepOld
from tests.phone_sim.cast import PUB
from tests.phone_sim.tiny_callmanager import HOST, TinyCallManager, order
from tests.waiting import PATIENCE_S, WatchedSink, eventually
from tests.wire import sip_messages as captured
from wire.ciscosip import ALARM_TYPE, TrustListAlarm, decode_alarm
from wire.configmembers import CallManagerNode
from wire.phoneconfig import DefaultConfig, Line, PhoneConfig
from wire.sip import parse_address

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from phone_sim.trust import Verdict
    from wire.certificates import Certificate
    from wire.sip import Request

MAC = "001122334455"
STAMP = "1555108264-18843a73-f9e1-4a3b-99bb-86295a710462"
ALARM = TrustListAlarm(f"SEP{MAC}", "", None, "", bytes(range(20)), "alpha-pub", status=3)
IDENTITY = Identity(MAC, 36225, "Cisco-CP8865/12.5.1", "sip8845_65.12-5-1SR2-2", "initialized", ALARM)
QUICK = RegistrationTimes(
    renew_before_s=0.9,
    least_s=0.02,
    monitor_s=0.05,
    connect_s=5,
    answer_s=5,
    leave_s=5,
    pause_s=0.02,
    longest_pause_s=0.1,
)
"""A second that is granted is renewed after a tenth of it."""
UDP, TCP, TLS = 2, 1, 3
AUTHENTICATED, ENCRYPTED = 2, 3
TLS_1_0 = TLSVersion.TLSv1


class Phone:
    """A registration that runs, and what its screen said."""

    def __init__(
        self,
        *servers: TinyCallManager,
        transport: int = TCP,
        times: RegistrationTimes = QUICK,
        verdict: Verdict | None = None,
        security_mode: int = 0,
        context: Callable[[], ssl.SSLContext] = client_context,
    ) -> None:
        self.screen: list[RegistrationStatus] = []
        self.sink = WatchedSink()
        self.judged: list[str] = []
        nodes = tuple(CallManagerNode(HOST, server.port, server.port) for server in servers)
        config = PhoneConfig(
            call_managers=nodes,
            lines=(Line(1, "2001", contact="04984998-fe29-08c0-6d47-5593bf4ce606"), Line(2, "2002")),
            version_stamp=STAMP,
            transport_layer_protocol=transport,
            device_security_mode=security_mode,
        )

        def tls(server: str) -> Tls:
            async def judge(certificate: Certificate) -> Verdict:
                self.judged.append(server)
                return verdict or Accept(Reason.SERVER_IN_ITL)

            return Tls(context(), judge)

        self.registration = Registration(
            IDENTITY,
            config,
            tls,
            clock=SystemClock(),
            trace=Trace(self.sink),
            on_status=self.screen.append,
            times=times,
            chance=random.Random(1),
        )
        self.task = asyncio.create_task(self.registration.run())

    async def until(self, text: str, server: str = "") -> None:
        """Waits until its screen says something."""

        def so() -> bool:
            status = self.registration.status
            return text in status.text and (not server or status.server == server)

        await eventually(so, lambda: f"{text!r} on the screen; it said {self.screen}")

    async def ended(self) -> Ended:
        async with asyncio.timeout(PATIENCE_S):
            return await self.task

    async def unplug(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def steps(self) -> list[str]:
        return [event.step for event in self.sink.events]


@asynccontextmanager
async def plugged_in(*servers: TinyCallManager, **options: object) -> AsyncIterator[Phone]:
    phone = Phone(*servers, **options)  # type: ignore[arg-type]
    try:
        yield phone
    finally:
        await phone.unplug()


async def down() -> TinyCallManager:
    """A server whose port is known and where nobody listens."""
    async with TinyCallManager() as server:
        pass
    return server


# ---------------------------------------------------------------- messages

CAPTURED = Caller(
    mac="c80084aa8743",
    line="2222",
    contact_user="04984998-fe29-08c0-6d47-5593bf4ce606",
    model_number=621,
    user_agent="Cisco-CP7821/12.1.1",
    server="192.168.7.200",
    local_host="192.168.7.104",
    local_port=51778,
    transport="TCP",
    call_id=captured.CALL_ID,
    tag="c80084aa8743001411d7279b-7ecf20ad",
    session_id="cead41d700105000a000",
)


def test_a_register_is_the_captured_one_header_by_header() -> None:
    request = sipmessages.register(
        CAPTURED,
        cseq=113,
        branch="66da98ae",
        now=datetime(2019, 3, 9, 18, 32, 45, tzinfo=UTC),
        last="reset-restart",
        load="sip78xx.12-1-1-12",
        inactive_load="sip78xx.10-3-1-12.loads",
        expires_s=3600,
    )
    assert (request.method, request.uri) == ("REGISTER", "sip:192.168.7.200")
    assert request.headers == captured.REGISTER_HEADERS
    assert len(request.body) == captured.REGISTER_LENGTH


def test_a_call_id_has_the_captured_groups() -> None:
    made = sipmessages.call_id("c80084aa8743", 3, "255b99f4", "783a63d4", "192.168.7.104")
    assert made == captured.CALL_ID


def test_the_alarm_before_it_has_the_captured_fields() -> None:
    now = datetime(2019, 3, 9, 18, 32, 45, tzinfo=UTC)
    request = sipmessages.alarm(CAPTURED, ALARM, cseq=1000, branch="1", now=now, token="5098d8fa")
    assert request.uri == "sip:192.168.7.200"
    expected = {
        "CSeq": "1000 REFER",
        "Expires": "10",
        "Require": "norefersub",
        "Referred-By": '"2222" <sip:2222@192.168.7.104>',
        "Refer-To": "cid:5098d8fa@192.168.7.104",
        "Content-Id": "<5098d8fa@192.168.7.104>",
        "Content-Type": ALARM_TYPE,
        "Content-Disposition": "session;handling=required",
    }
    assert {name: request.get(name) for name in expected} == expected
    assert decode_alarm(request.body) == ALARM


# ---------------------------------------------------------------- registering and staying


@pytest.mark.parametrize(("transport", "name"), [(TCP, "TCP"), (4, "TCP"), (UDP, "UDP")])
async def test_a_phone_reports_its_trust_lists_and_registers(transport: int, name: str) -> None:
    """R-ITL-6: what it holds goes first. 4 is what UCM writes for non-secure phones."""
    async with TinyCallManager(udp=transport == UDP) as server, plugged_in(server, transport=transport) as phone:
        await phone.until("Registered", HOST)
        refer, register = server.asked[:2]
        assert decode_alarm(refer.body) == replace(ALARM, ipv4=HOST)
        assert register.method == "REGISTER"
        assert register.require("Via").startswith(f"SIP/2.0/{name} {HOST}:")
        assert parse_address(register.require("To")).user == "2001"
        assert ("transport=" in register.require("Contact")) is (name != "UDP")
        assert "25 Name=SEP001122334455 ActiveLoad=sip8845_65.12-5-1SR2-2.loads" in register.require("Reason")
        assert [status.text for status in phone.screen] == [f"Registering with {HOST}", "Registered"]


async def test_a_registration_is_renewed_in_time_in_the_same_call() -> None:
    async with TinyCallManager(expires="1") as server, plugged_in(server) as phone:
        requests = await server.until_asked(4)
        assert len({request.get("Call-ID") for request in requests}) == 1
        assert len({request.require("From") for request in requests}) == 1
        assert len({request.require("Via") for request in requests}) == 4
        numbers = [int(request.require("CSeq").split()[0]) for request in requests]
        assert numbers == list(range(numbers[0], numbers[0] + 4))
        assert phone.registration.status.text == "Registered"
        assert len(server.clients) == 1


async def test_an_unplugged_phone_unregisters() -> None:
    async with TinyCallManager() as server:
        async with plugged_in(server) as phone:
            await phone.until("Registered")
        last = server.registers()[-1]
        assert (last.get("Expires"), last.get("Call-ID")) == ("0", server.registers()[0].get("Call-ID"))
        assert phone.screen[-1].text == "Unregistered"


async def test_unplugging_does_not_wait_for_a_server_that_is_silent() -> None:
    async with TinyCallManager() as server:
        async with plugged_in(server, times=replace(QUICK, leave_s=0.05)) as phone:
            await phone.until("Registered")
            server.deaf = True
        assert server.registers()[-1].get("Expires") == "0"


async def test_over_udp_a_lost_request_is_repeated() -> None:
    async with TinyCallManager(udp=True, lose=1) as server, plugged_in(server, transport=UDP) as phone:
        await phone.until("Registered")
        assert [request.method for request in server.asked] == ["REFER", "REGISTER"]


@pytest.mark.parametrize("expires", ["", "soon", "-1", "99999999"])
async def test_a_grant_that_cannot_be_read_counts_as_two_minutes(expires: str) -> None:
    times = replace(QUICK, renew_before_s=120 - 0.3, least_s=0.01)
    async with TinyCallManager(expires=expires) as server, plugged_in(server, times=times):
        await server.until_asked(2)
        began, renewed = (
            moment
            for request, moment in zip(server.asked, server.asked_at, strict=True)
            if request.method == "REGISTER"
        )
        assert renewed - began >= 0.3


# ---------------------------------------------------------------- trouble


@pytest.mark.parametrize(
    ("warning", "said"),
    [
        (
            '399 alpha-pub "SEP001122334455 is no device"',
            'Registration Rejected: 399 alpha-pub "SEP001122334455 is no device"',
        ),
        ("", "Registration Rejected: Not Found"),
    ],
)
async def test_a_refusal_is_shown_with_its_reason_and_tried_again(warning: str, said: str) -> None:
    async with TinyCallManager(refuse=(404, "Not Found"), warning=warning) as server, plugged_in(server) as phone:
        await server.until_asked(3)
        assert said in [status.text for status in phone.screen]
        server.refuse = None
        await phone.until("Registered")


@pytest.mark.parametrize("trouble", ["down", "refuses", "deaf"])
async def test_the_second_server_is_used_when_the_first_will_not_have_it(trouble: str) -> None:
    first = TinyCallManager(refuse=(403, "Forbidden") if trouble == "refuses" else None, deaf=trouble == "deaf")
    async with TinyCallManager() as second:
        if trouble == "down":
            first = await down()
            async with plugged_in(first, second) as phone:
                await phone.until("Registered")
                assert len(second.registers()) == 1
            return
        times = replace(QUICK, answer_s=0.05, monitor_s=60)
        async with first, plugged_in(first, second, times=times) as phone:
            await phone.until("Registered")
            assert len(second.registers()) == 1
            assert {event.step for event in phone.sink.events} & {"registration_failed", "registration_refused"}


async def test_a_udp_server_that_is_not_there_is_passed_over_at_once() -> None:
    first = TinyCallManager(udp=True)
    async with first:
        pass
    async with TinyCallManager(udp=True) as second, plugged_in(first, second, transport=UDP) as phone:
        await phone.until("Registered")
        assert second.registers()


async def test_when_the_server_goes_away_the_next_one_takes_over() -> None:
    async with TinyCallManager() as second:
        async with TinyCallManager() as first, plugged_in(first, second) as phone:
            await phone.until("Registered")
            first._close()
            first.hang_up()
            (request,) = await second.until_asked(1)
            assert "14 Name=SEP001122334455" in request.require("Reason")
            assert "Last=cm-closed-tcp" in request.require("Reason")
        assert "connection_lost" in phone.steps()


async def test_the_phone_returns_to_the_first_server_and_then_leaves_the_second() -> None:
    """It is never without a registration meanwhile."""
    first = await down()
    async with TinyCallManager() as second, plugged_in(first, second) as phone:
        await phone.until("Registered")
        left_before: list[bool] = []

        def note(_request: Request) -> bytes:
            left_before.append(second.registers()[-1].get("Expires") == "0")
            return b""

        first.after_register, first.expires = note, "1"
        async with first:
            await first.until_asked(1)
            await eventually(lambda: second.registers()[-1].get("Expires") == "0")
            assert not left_before[0]
            assert "fell_back" in phone.steps()
            seconds = len(second.registers())
            registers = await first.until_asked(4)  # three renewals take several times monitor_s: it stays
            assert len({request.get("Call-ID") for request in registers}) == 1
            assert len(second.registers()) == seconds
            assert phone.registration.status.text == "Registered"


async def test_a_first_server_that_still_refuses_changes_nothing() -> None:
    async with (
        TinyCallManager(refuse=(503, "Service Unavailable")) as first,
        TinyCallManager() as second,
        plugged_in(first, second) as phone,
    ):
        await first.until_asked(4)
        assert not [request for request in second.registers() if request.get("Expires") == "0"]
        await phone.until("Registered")
        assert len({request.get("Call-ID") for request in second.registers()}) == 1


async def test_a_renewal_that_is_refused_begins_a_new_registration() -> None:
    async with TinyCallManager(expires="1") as server, plugged_in(server) as phone:
        await phone.until("Registered")
        server.refuse = (403, "Forbidden")
        await phone.until("Registration Rejected")
        server.refuse = None
        await phone.until("Registered")
        assert "renewal_refused" in phone.steps()
        assert not [request for request in server.registers() if request.get("Expires") == "0"]


async def test_pauses_between_rounds_grow_up_to_a_limit() -> None:
    times = replace(QUICK, pause_s=0.02, longest_pause_s=0.08)
    async with TinyCallManager(refuse=(503, "No")) as server, plugged_in(server, times=times):
        await server.until_asked(9)
        moments = [
            at for at, request in zip(server.asked_at, server.asked, strict=True) if request.method == "REGISTER"
        ]
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        assert all(gap >= least for gap, least in zip(gaps, (0.02, 0.04, 0.08, 0.08), strict=False))
        assert gaps[7] < 1  # 2.56 s if they went on doubling


@pytest.mark.parametrize("rubbish", [b"nonsense\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", bytes(70_000)])
async def test_a_server_that_talks_nonsense_is_left(rubbish: bytes) -> None:
    async with TinyCallManager(after_register=lambda _request: rubbish) as server, plugged_in(server) as phone:
        await server.until_asked(2)
        assert "connection_lost" in phone.steps()


# ---------------------------------------------------------------- orders


def mine(server: TinyCallManager) -> str:
    return server.registers()[0].require("Call-ID")


@pytest.mark.parametrize(
    ("action", "stamp", "ended"),
    [
        ("reset", "", Ended.RESET),
        ("restart", "", Ended.RESTART),
        ("check-version", "another", Ended.RESTART),
        ("apply-config", "another", Ended.RESTART),
    ],
)
@pytest.mark.parametrize(("method", "status"), [("NOTIFY", 200), ("REFER", 202)])
async def test_a_phone_obeys_answers_and_unregisters(
    action: str, stamp: str, ended: Ended, method: str, status: int
) -> None:
    async with TinyCallManager() as server, plugged_in(server) as phone:
        await phone.until("Registered")
        server.send(order(action, mine(server), stamp, method))
        assert await phone.ended() is ended
        assert (await server.until_answered()).status == status
        assert server.registers()[-1].get("Expires") == "0"


@pytest.mark.parametrize(
    ("action", "stamp"),
    [("check-version", STAMP), ("apply-config", STAMP), ("check-version", ""), ("call-preservation", "another")],
)
async def test_an_order_that_changes_nothing_is_answered_and_nothing_happens(action: str, stamp: str) -> None:
    async with TinyCallManager() as server, plugged_in(server) as phone:
        await phone.until("Registered")
        server.send(order(action, mine(server), stamp))
        assert (await server.until_answered()).status == 200
        server.send(order("reset", "someone-elses@call", cseq=2))
        assert (await server.until_answered(2)).status == 481
        assert not phone.task.done()
        assert len(server.registers()) == 1


async def test_an_order_may_come_together_with_the_answer() -> None:
    """UCM sends its check-version right behind the 200: the phone may see both at once."""
    async with TinyCallManager() as server:
        server.after_register = lambda request: order("check-version", request.require("Call-ID"), "another", "REFER")
        async with plugged_in(server) as phone:
            assert await phone.ended() is Ended.RESTART
            assert (await server.until_answered()).status == 202
            assert phone.registration.wanted_version == "another"


async def test_a_version_that_was_given_up_is_not_waited_for_again() -> None:
    async with TinyCallManager() as server, plugged_in(server) as phone:
        phone.registration.given_up_version = "never-comes"
        await phone.until("Registered")
        server.send(order("apply-config", mine(server), "never-comes"))
        await server.until_answered()
        assert not phone.task.done()
        server.send(order("apply-config", mine(server), "a-newer-one", cseq=2))
        assert await phone.ended() is Ended.RESTART


@pytest.mark.parametrize("body", [b"", b"action=explode\r\n", b"\xff\xfe", b"action=reset"])
async def test_an_order_that_cannot_be_read_is_answered_and_not_obeyed(body: bytes) -> None:
    async with TinyCallManager() as server, plugged_in(server) as phone:
        await phone.until("Registered")
        head, _, _ = order("reset", mine(server)).partition(b"\r\n\r\n")
        kind = b"text/plain" if body != b"action=reset" else b"application/sdp"
        text = head.replace(b"text/plain", kind).rpartition(b"\r\nContent-Length")[0]
        server.send(text + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert (await server.until_answered()).status == 200
        assert not phone.task.done()


# ---------------------------------------------------------------- TLS


async def test_over_tls_the_server_is_judged_before_a_word_is_said() -> None:
    async with (
        TinyCallManager(tls=server_context([PUB.identity])) as server,
        plugged_in(server, transport=TLS) as phone,
    ):
        await phone.until("Registered")
        assert phone.judged == [f"{HOST}:{server.port}"]
        assert "transport=tls" in server.registers()[0].require("Contact")


async def test_a_server_that_is_not_trusted_hears_nothing() -> None:
    verdict = KeepOld(Reason.TVS_DOES_NOT_KNOW)
    async with (
        TinyCallManager(tls=server_context([PUB.identity])) as server,
        plugged_in(server, transport=TLS, verdict=verdict) as phone,
    ):
        await phone.sink.seen("registration_failed")
        assert server.asked == []


def old_context() -> ssl.SSLContext:
    """Of a phone that knows TLS 1.0 alone."""
    return client_context(minimum=TLS_1_0, maximum=TLS_1_0)


@pytest.mark.parametrize(("security_mode", "suite"), [(AUTHENTICATED, "NULL-SHA"), (ENCRYPTED, "AES128-SHA")])
async def test_a_phone_never_speaks_more_than_it_knows_and_says_why_it_fails(security_mode: int, suite: str) -> None:
    """The first server speaks TLS 1.2 alone, the second one old versions, too."""
    suites, times = f"{suite}:@SECLEVEL=0", replace(QUICK, monitor_s=60)
    async with (
        TinyCallManager(tls=server_context([PUB.identity], ciphers=suites)) as new,
        TinyCallManager(tls=server_context([PUB.identity], minimum=TLS_1_0, ciphers=suites)) as old,
        plugged_in(new, old, transport=TLS, times=times, security_mode=security_mode, context=old_context) as phone,
    ):
        await phone.until("Registered")
        assert new.asked == []
        (failed,) = [status for status in phone.screen if status.text.startswith("Registration failed: ")]
        assert failed.text == f"Registration failed: {failed.detail}"
        assert failed.detail.startswith(f"TLS with tls:{HOST}:{new.port} failed: ")
        (traced,) = [event for event in phone.sink.events if event.step == "registration_failed"]
        assert traced.data["reason"] == failed.detail


async def test_a_server_without_tls_is_passed_over() -> None:
    times = replace(QUICK, connect_s=0.5, monitor_s=60)
    async with (
        TinyCallManager() as plain,
        TinyCallManager(tls=server_context([PUB.identity])) as server,
        plugged_in(plain, server, transport=TLS, times=times) as phone,
    ):
        await phone.until("Registered")
        assert plain.asked == []


# ---------------------------------------------------------------- with which configuration

NODE = CallManagerNode(HOST)
LINES = (Line(1, "2001"),)
CONFIGURATIONS: dict[str, tuple[object, str | None]] = {
    "a device's own": (PhoneConfig(call_managers=(NODE,), lines=LINES), "2001"),
    "without lines": (PhoneConfig(call_managers=(NODE,)), None),
    "without servers": (PhoneConfig(lines=LINES), None),
    "the default one": (DefaultConfig(auto_registration=True, call_managers=(NODE,)), "SEP001122334455"),
    "the default one, off": (DefaultConfig(auto_registration=False, call_managers=(NODE,)), None),
    "the default one without servers": (DefaultConfig(auto_registration=True), None),
    "none": (None, None),
}


@pytest.mark.parametrize(("config", "line"), CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_phone_registers_with_a_number_or_for_want_of_one_with_its_name(config: object, line: str | None) -> None:
    """R-DL-5."""
    found = registrable(config, MAC)
    assert (found.lines[0].name if found else None) == line
