"""What the registrar answers to which request: no sockets, a clock that stands still (R-PHN-5, R-DL-5, R-ITL-6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from cluster.parameters import SECURITY_MODE
from services.callmanager.registrations import CurrentLists, TrustListStatus
from tests.foreign import foreign
from tests.services.sip_cast import (
    MAC,
    NAME,
    NUMBERS,
    SECURE_MAC,
    SECURE_NAME,
    START,
    STRANGER,
    STRANGER_MAC,
    THREE_LINES,
    THREE_LINES_MAC,
    Desk,
    other,
    register,
    snapshot,
    tcp,
    tls,
    udp,
)
from tests.wire import sip_messages as captured
from wire.ciscosip import ALARM_TYPE, TrustListAlarm, encode_alarm, register_body
from wire.sip import Request, Response, decode, encode

if TYPE_CHECKING:
    from services.callmanager.registrations import Source

LSC = foreign(SECURE_NAME)
ALL_OF_THREE = ("4001", "4002", "4003")


# ---------------------------------------------------------------- the captured registration


def captured_desk() -> Desk:
    """At the time of the capture, with its phone."""
    devices = "devices: [{mac: c80084aa8743, model: 7821, lines: [{number: 2222}]}]"
    return Desk(snapshot("11.5", devices=devices), clock=ManualClock(datetime(2019, 3, 9, 18, 32, 46, tzinfo=UTC)))


def test_a_captured_7821_gets_the_captured_answers() -> None:
    """Header by header, in order, and the bodies' lengths with them."""
    desk = captured_desk()
    request = Request(captured.REGISTER_HEADERS, register_body(), "REGISTER", "sip:192.168.7.200")
    trying, answer = desk.take(request).answers
    assert isinstance(trying, Response)
    assert isinstance(answer, Response)
    assert (trying.status, trying.reason, trying.headers, trying.body) == (100, "Trying", captured.TRYING_HEADERS, b"")
    assert (answer.status, answer.reason, answer.headers) == (200, "OK", captured.OK_HEADERS)
    assert answer.body == captured.OK_BODY
    assert len(encode(trying)) in range(319, 322)


def test_nobody_answers_an_ack() -> None:
    """Not even one that cannot be read."""
    desk = Desk()
    for ack in (other("ACK"), replace(other("ACK"), headers=(("Via", "nonsense"), *other("ACK").headers[1:]))):
        assert desk.take(ack).answers == ()


def test_the_captured_phone_is_registered_with_its_line() -> None:
    desk = captured_desk()
    desk.take(Request(captured.REGISTER_HEADERS, register_body(), "REGISTER", "sip:192.168.7.200"))
    registration = desk.of("SEPC80084AA8743")
    assert registration.lines == ("2222",)
    assert registration.model == "621"
    assert registration.call_id == captured.CALL_ID
    assert registration.contact_uri.endswith("@192.168.7.104:51778;transport=tcp")


# ---------------------------------------------------------------- what is refused, and why

REFUSALS = {
    "no Contact names a device": (register(parameters=""), 400, "names no device"),
    "a device that is none": (register(parameters=';+u.sip!devicename.ccm.cisco.com="CSFUSER"'), 400, "no device"),
    "an instance without a MAC": (register(parameters=';+sip.instance="<urn:uuid:1>"'), 400, "names no device"),
    "a Contact that cannot be read": (register(contact="<sip:a"), 400, "cannot be read"),
    "two Contacts": (register(contact="<sip:a@b>, <sip:c@d>"), 400, "cannot be read"),
    "an unknown device": (register(STRANGER_MAC), 404, f"{STRANGER} is no device"),
    "a line of another device": (register(line="3001"), 404, f"3001 is no directory number of {NAME}"),
    "no line": (register(line=""), 404, "no line is no directory number"),
    "a device without lines": (register("00112233dddd", "00112233dddd"), 404, "no directory number"),
    "Expires that is no number": (register(expires="soon"), 400, "no number of seconds"),
    "Expires below zero": (register(expires="-1"), 400, "no number of seconds"),
    "Expires beyond reason": (register(expires="99999999999"), 400, "no number of seconds"),
    "Expires in other digits": (register(expires="\u0661"), 400, "no number of seconds"),
    "a body in pieces": (register(body=b"--uniqueBoundary"), 400, "not closed"),
    "a body that is no XML": (
        register(body=b"<a", content_type="application/x-cisco-remotecc-request+xml"),
        400,
        "no XML",
    ),
    "a secure device over TCP": (register(SECURE_MAC, "3001"), 403, "has to register over TLS"),
    "Contact * for an hour": (register(contact="*"), 400, "without Expires 0"),
    "a call": (other("INVITE"), 501, "no call control"),
    "a method that nobody knows": (other("EXPLODE"), 501, "no call control"),
    "a CANCEL of nothing": (other("CANCEL"), 481, "nothing to cancel"),
    "an alarm that is none": (other("REFER", f"Content-Type: {ALARM_TYPE}", body=b"<a/>"), 400, "not DeviceTLInfo"),
    "a REGISTER without Contact": (other("REGISTER"), 400, "without Contact"),
}


@pytest.mark.parametrize(("request_", "status", "why"), REFUSALS.values(), ids=REFUSALS)
def test_what_is_refused_says_why(request_: Request, status: int, why: str) -> None:
    desk = Desk()
    (answer,) = desk.take(request_).answers
    assert isinstance(answer, Response)
    assert answer.status == status
    assert why in answer.require("Warning")
    assert answer.require("Warning").startswith('399 alpha-pub "')
    assert desk.registered() == {}
    assert decode(encode(answer)) == answer


MIC = foreign(f"CP-8865-{SECURE_NAME}")
SIGNED = (LSC, MIC, foreign(NAME), foreign(f"X{SECURE_NAME}"), foreign(SECURE_NAME, end=START - timedelta(days=1)))
"""What authorities of the cluster signed: here each is its own."""
SECURED = snapshot(authorities=SIGNED)

SECURE = {
    "its own LSC": (tls(LSC), 200, ""),
    "its own MIC": (tls(MIC), 200, ""),
    "no certificate": (tls(None), 403, "showed no certificate"),
    "another phone's": (tls(SIGNED[2]), 403, f"is not of {SECURE_NAME}"),
    "a name that ends alike": (tls(SIGNED[3]), 403, f"is not of {SECURE_NAME}"),
    "no name": (tls(foreign("", unit=SECURE_NAME)), 403, f"is not of {SECURE_NAME}"),
    "one that is over": (tls(SIGNED[4]), 403, "outside its validity"),
    "one of an unknown CA": (tls(foreign(f"cp-{SECURE_NAME}")), 403, "no CA of this cluster's phones"),
    "TCP": (tcp(), 403, "over TLS"),
    "UDP": (udp(), 403, "over TLS"),
}


@pytest.mark.parametrize(("source", "status", "why"), SECURE.values(), ids=SECURE)
def test_a_secure_device_shows_its_own_certificate(source: Source, status: int, why: str) -> None:
    answer = Desk(SECURED).answer(register(SECURE_MAC, "3001"), source)
    assert answer.status == status
    assert why in (answer.get("Warning") or "")


@pytest.mark.parametrize(("source", "status"), [(tcp(), 200), (udp(), 200), (tls(foreign(NAME)), 403)])
def test_a_non_secure_device_uses_udp_or_tcp(source: Source, status: int) -> None:
    assert Desk().answer(register(), source).status == status


@pytest.mark.parametrize(("source", "status"), [(tcp(), 200), (udp(), 200), (tls(LSC), 403)])
def test_a_secure_profile_counts_in_a_mixed_cluster_only(source: Source, status: int) -> None:
    """R-SBD-5."""
    view = snapshot(parameters={SECURITY_MODE: "0"}, authorities=SIGNED)
    assert Desk(view).answer(register(SECURE_MAC, "3001"), source).status == status


# ---------------------------------------------------------------- who, which lines, how long


@pytest.mark.parametrize(
    "parameters",
    [
        f';+u.sip!devicename.ccm.cisco.com="{NAME}"',
        f';+u.sip!devicename.ccm.cisco.com="{NAME.lower()}"',
        f";+U.SIP!DEVICENAME.ccm.cisco.com={NAME}",
        f';+sip.instance="<urn:uuid:00000000-0000-0000-0000-{MAC}>"',
        f';video;reg-id=1;+sip.instance="<urn:uuid:DEADBEEF-0000-0000-0000-{MAC.upper()}>"',
        f';+sip.instance="<urn:uuid:00000000-0000-0000-0000-ffffffffffff>";+u.sip!devicename.ccm.cisco.com="{NAME}"',
    ],
)
def test_a_device_is_named_by_name_or_instance(parameters: str) -> None:
    desk = Desk()
    assert desk.answer(register(parameters=parameters)).status == 200
    assert set(desk.registered()) == {NAME}


@pytest.mark.parametrize(
    ("asked", "granted"),
    [("3600", "120"), ("120", "120"), ("60", "60"), ("1", "1"), (None, "120"), ("4294967295", "120")],
)
def test_two_minutes_are_granted_at_most(asked: str | None, granted: str) -> None:
    assert Desk().answer(register(expires=asked)).get("Expires") == granted


def test_the_contacts_own_time_goes_first_and_is_not_repeated() -> None:
    answer = Desk().answer(register(contact=f'<sip:a@b>;+u.sip!devicename.ccm.cisco.com="{NAME}"; expires=30'))
    assert answer.get("Expires") == "30"
    assert answer.require("Contact") == f'<sip:a@b>;+u.sip!devicename.ccm.cisco.com="{NAME}";x-cisco-newreg'


def test_a_bulk_registration_registers_all_lines() -> None:
    desk = Desk()
    desk.take(register(THREE_LINES_MAC, "4002"))
    assert desk.registered() == {THREE_LINES: ALL_OF_THREE}


def test_lines_register_one_by_one_and_leave_one_by_one() -> None:
    desk = Desk()
    for number, line in enumerate(("4002", "4001")):
        desk.take(register(THREE_LINES_MAC, line, bulk=False, call_id=f"line-{number}@h"))
    assert desk.registered() == {THREE_LINES: ("4002", "4001")}
    desk.take(register(THREE_LINES_MAC, "4002", bulk=False, call_id="line-0@h", expires="0"))
    assert desk.registered() == {THREE_LINES: ("4001",)}
    desk.take(register(THREE_LINES_MAC, "4001", bulk=False, call_id="line-1@h", expires="0"))
    assert desk.registered() == {}
    assert desk.told[-1] == ("unregistered by the phone", THREE_LINES)


def test_lines_expire_one_by_one() -> None:
    desk = Desk()
    desk.take(register(THREE_LINES_MAC, "4001", bulk=False))
    desk.clock.advance(100)
    desk.take(register(THREE_LINES_MAC, "4002", bulk=False))
    desk.clock.advance(20)
    desk.registrar.expire(desk.clock.now())
    assert desk.registered() == {THREE_LINES: ("4002",)}
    desk.clock.advance(100)
    desk.registrar.expire(desk.clock.now())
    assert desk.registered() == {}
    assert desk.told[-1] == ("expired", THREE_LINES)


def test_a_registration_lasts_exactly_as_long_as_granted() -> None:
    desk = Desk()
    desk.take(register())
    desk.clock.advance(119.999)
    desk.registrar.expire(desk.clock.now())
    assert desk.registered() == {NAME: ("2001",)}
    desk.clock.advance(0.001)
    desk.registrar.expire(desk.clock.now())
    assert desk.registered() == {}


def test_a_renewal_extends_it_and_is_no_new_registration() -> None:
    desk = Desk()
    assert "x-cisco-newreg" in desk.answer(register()).require("Contact")
    desk.clock.advance(115)
    assert "x-cisco-newreg" not in desk.answer(register(cseq=102)).require("Contact")
    assert desk.told == [("registered", NAME), ("renewed", NAME)]
    assert desk.of(NAME).since == START
    desk.clock.advance(115)
    desk.registrar.expire(desk.clock.now())
    assert desk.registered() == {NAME: ("2001",)}


def test_a_phone_that_starts_anew_replaces_its_old_registration() -> None:
    desk = Desk()
    desk.take(register(), tcp(1000))
    assert "x-cisco-newreg" in desk.answer(register(call_id="call-2@h"), tcp(2000)).require("Contact")
    desk.registrar.disconnected("TCP 192.168.7.104:1000")  # the old connection is noticed to be dead only now
    assert desk.registered() == {NAME: ("2001",)}
    desk.registrar.disconnected("TCP 192.168.7.104:2000")
    assert desk.registered() == {}


def test_a_lost_connection_ends_only_what_came_over_it() -> None:
    desk = Desk()
    desk.take(register(), tcp(1000))
    desk.take(register(THREE_LINES_MAC, "4001"), tcp(2000))
    desk.registrar.disconnected("TCP 192.168.7.104:1000")
    assert desk.registered() == {THREE_LINES: ALL_OF_THREE}
    assert desk.told[-1] == ("connection closed", NAME)


# ---------------------------------------------------------------- ending a registration


@pytest.mark.parametrize(
    "request_",
    [
        register(expires="0"),
        register(contact=f'<sip:a@b>;+u.sip!devicename.ccm.cisco.com="{NAME}";expires=0'),
        register(contact="*", expires="0"),
    ],
)
def test_a_phone_unregisters(request_: Request) -> None:
    desk = Desk()
    desk.take(register())
    trying, answer = desk.take(request_).answers
    assert isinstance(trying, Response)
    assert isinstance(answer, Response)
    assert (trying.status, answer.status, answer.get("Expires"), answer.body) == (100, 200, "0", b"")
    assert desk.registered() == {}


def test_who_is_not_registered_may_unregister_all_the_same() -> None:
    assert Desk().answer(register(expires="0")).status == 200
    assert Desk().answer(register(contact="*", expires="0")).status == 200


FROM_ELSEWHERE = tcp(7, "192.168.7.66")
FOREIGN_CONTACT = f'<sip:evil@192.168.7.66>;+u.sip!devicename.ccm.cisco.com="{NAME}"'


@pytest.mark.parametrize(
    "request_",
    [
        register(contact=FOREIGN_CONTACT, call_id="evil@h"),
        register(contact=FOREIGN_CONTACT, call_id="evil@h", expires="0"),
        register(contact="*", expires="0"),
    ],
)
def test_nobody_else_takes_over_or_ends_a_registration(request_: Request) -> None:
    desk = Desk()
    desk.take(register())
    answer = desk.answer(request_, FROM_ELSEWHERE)
    assert answer.status == 403
    assert "another client" in answer.require("Warning")
    assert desk.of(NAME).source == tcp()


def test_another_client_gets_its_turn_when_the_first_is_gone() -> None:
    desk = Desk()
    desk.take(register())
    desk.clock.advance(120)
    assert desk.answer(register(contact=FOREIGN_CONTACT, call_id="evil@h"), FROM_ELSEWHERE).status == 200


@pytest.mark.parametrize("request_", [register(SECURE_MAC, "3001", expires="0"), register(contact="*", expires="0")])
def test_a_secure_registration_is_not_ended_from_outside_tls(request_: Request) -> None:
    desk = Desk(SECURED)
    desk.take(register(SECURE_MAC, "3001"), tls(LSC))
    assert desk.answer(request_).status == 403
    assert desk.registered() == {SECURE_NAME: ("3001",)}


# ---------------------------------------------------------------- other requests


@pytest.mark.parametrize("method", ["OPTIONS", "NOTIFY", "SUBSCRIBE"])
def test_keep_alives_and_subscriptions_are_answered(method: str) -> None:
    answer = Desk().answer(other(method))
    assert (answer.status, answer.get("CSeq")) == (200, f"1000 {method}")


def test_an_ack_is_not_answered() -> None:
    assert Desk().take(other("ACK")).answers == ()


def test_a_refer_is_accepted_with_the_servers_contact() -> None:
    answer = Desk().answer(other("REFER", "Refer-To: <sip:x@y>"))
    assert (answer.status, answer.get("Contact")) == (202, "<sip:192.168.7.200:5060;transport=tcp>")
    names = [name for name, _ in answer.headers]
    assert names == ["Via", "From", "To", "Date", "Call-ID", "CSeq", "Contact"]  # as captured
    assert Desk().answer(other("REFER"), udp()).get("Contact") == "<sip:192.168.7.200:5060>"


def test_a_tag_that_is_there_is_kept() -> None:
    request = register()
    headers = tuple((name, f"{value};TAG=mine" if name == "To" else value) for name, value in request.headers)
    assert Desk().answer(replace(request, headers=headers)).require("To").endswith(";TAG=mine")


def test_all_vias_come_back_and_the_first_says_where_from_if_asked_to() -> None:
    """RFC 3581."""
    request = register(via="SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK1, SIP/2.0/UDP other;rport")
    request = replace(request, headers=(*request.headers, ("v", "SIP/2.0/UDP third")))
    assert Desk().answer(request, udp(5070)).all("Via") == (
        "SIP/2.0/UDP 10.0.0.1:5060;received=192.168.7.104;rport=5070;branch=z9hG4bK1, SIP/2.0/UDP other;rport",
        "SIP/2.0/UDP third",
    )


# ---------------------------------------------------------------- trust lists that phones report

CURRENT = bytes(range(20))


SERVED = CurrentLists(ctl=frozenset({CURRENT}), itl=frozenset({CURRENT, b"another node's"}))


def alarm(itl: bytes | None, device: str = NAME, *, ctl: bytes | None = None) -> Request:
    body = encode_alarm(TrustListAlarm(device, "192.168.7.104", ctl, "", itl, "alpha-pub", status=3))
    return other("REFER", f"Content-Type: {ALARM_TYPE}; charset=utf-8", body=body)


@pytest.mark.parametrize(
    ("reported", "status"),
    [
        (CURRENT, TrustListStatus.MATCH),
        (bytes(20), TrustListStatus.MISMATCH),
        (None, TrustListStatus.NOT_INSTALLED),
    ],
)
def test_the_lists_that_a_phone_reports_are_compared(reported: bytes | None, status: TrustListStatus) -> None:
    """R-ITL-6, and the ITL File Status of UCM's phone list."""
    desk = Desk()
    assert desk.answer(alarm(reported, ctl=CURRENT)).status == 202
    desk.take(register())
    assert desk.registrar.list_statuses(NAME, SERVED) == (TrustListStatus.MATCH, status)
    assert desk.answer(alarm(CURRENT, ctl=reported)).status == 202
    assert desk.registrar.list_statuses(NAME, SERVED) == (status, TrustListStatus.MATCH)


def test_without_a_report_nothing_is_known() -> None:
    desk = Desk()
    desk.take(register())
    assert desk.registrar.list_statuses(NAME, SERVED) == (TrustListStatus.UNKNOWN, TrustListStatus.UNKNOWN)


def test_what_a_phone_reported_is_forgotten_with_its_registration() -> None:
    desk = Desk()
    desk.take(alarm(CURRENT))
    desk.take(register())
    desk.take(register(expires="0"))
    assert desk.registrar.alarms == {}


def test_a_report_of_a_registered_phone_is_told() -> None:
    desk = Desk()
    desk.take(register())
    desk.take(alarm(CURRENT))
    assert desk.told[-1] == ("reported its trust lists", NAME)


def test_strangers_reports_are_accepted_and_not_kept() -> None:
    desk = Desk()
    assert desk.answer(alarm(CURRENT, STRANGER)).status == 202
    assert desk.registrar.alarms == {}


def test_a_secure_phones_report_comes_over_its_tls() -> None:
    desk = Desk(SECURED)
    assert desk.answer(alarm(CURRENT, SECURE_NAME)).status == 403
    assert desk.answer(alarm(CURRENT, SECURE_NAME), tls(LSC)).status == 202
    assert set(desk.registrar.alarms) == {SECURE_NAME}


# ---------------------------------------------------------------- what follows a registration


def test_a_new_registration_is_followed_by_the_version_stamps() -> None:
    desk = Desk()
    first, second = desk.take(register()), desk.take(register(cseq=102))
    assert first.begun == desk.of(NAME)
    assert not first.restart
    assert second.begun is None
    assert desk.take(register(call_id="call-2@h")).begun is not None


def test_a_phone_that_knows_no_service_control_is_told_nothing() -> None:
    assert Desk().take(register(supported="replaces")).begun is None


def test_a_known_phone_without_its_configuration_has_to_fetch_it() -> None:
    """It has only the default configuration, so it gives its name where others give their number (ours)."""
    desk = Desk()
    reaction = desk.take(register(line=NAME))
    assert reaction.restart
    assert reaction.begun is not None
    assert desk.registered() == {NAME: ("2001",)}


UNKNOWN = {
    "numbers and on": (snapshot(more=NUMBERS), STRANGER, STRANGER, 100, ""),
    "no numbers": (snapshot(), STRANGER, "", 404, "no numbers to give"),
    "off": (snapshot(parameters={"Auto-registration": "False"}, more=NUMBERS), STRANGER, "", 404, "is off"),
    "a number of its own choice": (snapshot(more=NUMBERS), "0500", "", 404, "did not give its own name"),
}


@pytest.mark.parametrize(("view", "line", "unknown", "status", "why"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_phone_may_register_itself(view: object, line: str, unknown: str, status: int, why: str) -> None:
    """R-DL-5."""
    desk = Desk()
    desk.view = view  # type: ignore[assignment]
    reaction = desk.take(register(STRANGER_MAC, line))
    (answer,) = reaction.answers
    assert isinstance(answer, Response)
    assert (reaction.unknown, answer.status) == (unknown, status)
    assert reaction.model == ("36225" if unknown else "")
    assert why in (answer.get("Warning") or "")


def test_an_unknown_phone_cannot_unregister() -> None:
    desk = Desk(snapshot(more=NUMBERS))
    reaction = desk.take(register(STRANGER_MAC, STRANGER, expires="0"))
    assert not reaction.unknown
    assert isinstance(reaction.answers[0], Response)
    assert reaction.answers[0].status == 404
