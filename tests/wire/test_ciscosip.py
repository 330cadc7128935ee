"""Bodies of registrations, alarms and service control, against the published captures (R-PHN-5, R-ITL-6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire import sip_messages as captured
from tests.wire.strategies import moderately, mutations, raw_bytes, thoroughly
from wire import ciscosip
from wire.ciscosip import (
    ACTIONS,
    MULTIPART,
    REQUEST_TYPE,
    Part,
    ServiceControl,
    TrustListAlarm,
    check_version_parts,
    decode_alarm,
    decode_service_control,
    encode_alarm,
    encode_service_control,
    join_parts,
    register_answer,
    register_body,
    registers_all_lines,
    service_control_in,
    split_parts,
)
from wire.errors import WireError

ALARM = TrustListAlarm(
    "SEPC80084AA8743", "192.168.7.104", None, "", captured.ALARM_SIGNATURE, "192.168.7.200", status=3
)
CONTROL = ServiceControl("check-version", captured.CALL_ID, "1555108264-18843a73-f9e1-4a3b-99bb-86295a710462")


# ---------------------------------------------------------------- registration


def test_the_registration_is_as_long_as_the_captured_one() -> None:
    """1313 bytes, of which the second part's XML has 856."""
    assert len(register_body()) == captured.REGISTER_LENGTH
    first, second = split_parts(MULTIPART, register_body())
    assert first.content_type == second.content_type == REQUEST_TYPE
    assert first.content.endswith(b">\n")
    assert second.content.endswith(b">")
    assert len(second.content) == 856


def test_the_registration_is_framed_as_captured() -> None:
    head = (
        b"--uniqueBoundary\r\nContent-Type: application/x-cisco-remotecc-request+xml\r\n"
        b"Content-Disposition: session;handling=optional\r\n\r\n"
        b'<?xml version="1.0" encoding="UTF-8"?>\n<x-cisco-remotecc-request>\n'
    )
    body = register_body()
    assert body.startswith(head)
    assert body.count(head) == 2
    assert body.endswith(b"</x-cisco-remotecc-request>\r\n--uniqueBoundary--\r\n")
    assert b'<bulkregisterreq>\n<contact all="true">\n<register></register>\n</contact>\n</bulkregisterreq>' in body


def test_the_answer_is_the_captured_one() -> None:
    assert len(captured.OK_BODY) == captured.ANSWER_LENGTH
    assert register_answer() == captured.OK_BODY


def test_a_phone_registers_all_its_lines_at_once() -> None:
    assert registers_all_lines(split_parts(MULTIPART, register_body()))


@pytest.mark.parametrize(
    "xml",
    [
        b"<x-cisco-remotecc-request><optionsind/></x-cisco-remotecc-request>",
        b'<x><bulkregisterreq><contact all="false"/></bulkregisterreq></x>',
        b"<x><bulkregisterreq/></x>",
        b"<bulkregisterreq/>",
    ],
)
def test_other_bodies_register_one_line(xml: bytes) -> None:
    assert not registers_all_lines([Part(REQUEST_TYPE, xml)])
    assert not registers_all_lines([Part("text/plain", register_body())])


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"\xff\xfe",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b'<?xml version="1.0" encoding="no-such-thing"?><a/>',
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b"<a>" * 3,
        b"<a/>" + b" " * ciscosip.MAX_XML,
    ],
)
def test_bad_xml_is_a_wire_error(xml: bytes) -> None:
    with pytest.raises(WireError):
        registers_all_lines([Part(REQUEST_TYPE, xml)])
    with pytest.raises(WireError):
        decode_alarm(xml)


# ---------------------------------------------------------------- parts

parts = st.builds(
    Part,
    st.sampled_from(["text/plain", REQUEST_TYPE, "application/sdp"]),
    st.binary(max_size=40).filter(lambda content: b"--uniqueBoundary" not in content),
)


@moderately
@given(st.lists(parts, min_size=1, max_size=5))
def test_parts_are_joined_and_split_again(some: list[Part]) -> None:
    assert split_parts(MULTIPART, join_parts(some)) == some


def test_a_part_needs_no_header_fields() -> None:
    body = b"--b\r\n\r\nhello\r\n--b\r\ncontent-type : Text/HTML; x\r\n\r\nbye\r\n--b--\r\n"
    assert split_parts('Multipart/Mixed;x=y; boundary="b"', body) == [
        Part("text/plain", b"hello"),
        Part("text/html", b"bye"),
    ]


def test_a_body_that_is_not_multipart_is_its_own_only_part() -> None:
    assert split_parts("Text/Plain; charset=utf-8", b"hello") == [Part("text/plain", b"hello")]
    assert split_parts("", b"") == []


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/mixed", b"--b\r\n\r\n\r\n--b--"),
        ("multipart/mixed; boundary=", b"--b\r\n\r\n\r\n--b--"),
        ("multipart/mixed; boundary=b", b""),
        ("multipart/mixed; boundary=b", b"--b\r\n\r\nx\r\n--b"),
        ("multipart/mixed; boundary=b", b"--b--\r\n"),
        ("multipart/mixed; boundary=b", b"--b\r\nContent-Type: text/plain\r\n--b--"),
        ("multipart/mixed; boundary=b", b"--b\r\n\r\n" + b"\r\n--b\r\n\r\n" * ciscosip.MAX_PARTS + b"\r\n--b--"),
    ],
)
def test_parts_that_cannot_be_told_apart_are_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(WireError):
        split_parts(content_type, body)


@thoroughly
@given(st.data())
def test_damaged_bodies_are_read_or_refused(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from([register_body(), join_parts(check_version_parts(CONTROL))]).flatmap(mutations))
    kind = data.draw(st.just(MULTIPART) | st.text(max_size=30).map(lambda text: f"multipart/x; boundary={text}"))
    try:
        registers_all_lines(split_parts(kind, body))
        service_control_in(kind, body)
    except WireError:
        return


@pytest.mark.parametrize("length", range(0, 1313, 7))
def test_no_part_of_the_registration_is_a_whole_one(length: int) -> None:
    with pytest.raises(WireError):
        split_parts(MULTIPART, register_body()[:length])


# ---------------------------------------------------------------- alarms

ALARM_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<x-cisco-alarm>
<Alarm Name="DeviceTLInfo">
<ParameterList>
<String name="DeviceName">SEPC80084AA8743</String>
<String name="IPv4Address">192.168.7.104</String>
<String name="IPv6Address">N/A</String>
<String name="CTL_Signature">Not Installed</String>
<String name="CTL_TFTP_Server">N/A</String>
<String name="ITL_Signature">1B A1 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 6D </String>
<String name="ITL_TFTP_Server">192.168.7.200</String>
<String name="StatusCode">3</String>
</ParameterList>
</Alarm>
</x-cisco-alarm>"""


def test_the_alarm_is_laid_out_as_captured() -> None:
    assert encode_alarm(ALARM) == ALARM_XML
    assert decode_alarm(ALARM_XML) == ALARM


def test_the_alarm_is_as_long_as_the_captured_one() -> None:
    """569 bytes leave 17 for the server's name and the text for no IPv6 address, neither of which is published."""
    unknown = len("192.168.7.200") + len("N/A")
    assert len(ALARM_XML) - unknown + 17 == captured.ALARM_LENGTH


alarms = st.builds(
    TrustListAlarm,
    device=st.text("SEP0123456789ABCDEF", max_size=15),
    ipv4=st.sampled_from(["", "192.0.2.1", "10.0.0.255"]),
    ctl_sha1=st.none() | raw_bytes(20, 20),
    ctl_server=st.text("abc.-", max_size=10),
    itl_sha1=st.none() | raw_bytes(20, 20),
    itl_server=st.text("abc.-äé\u65e5", max_size=10),
    status=st.integers(0, 999),
)


@moderately
@given(alarms)
def test_alarms_are_read_back(alarm: TrustListAlarm) -> None:
    assert decode_alarm(encode_alarm(alarm)) == alarm


@thoroughly
@given(mutations(ALARM_XML) | raw_bytes(100))
def test_damaged_alarms_are_read_or_refused(data: bytes) -> None:
    try:
        decode_alarm(data)
    except WireError:
        return


def test_no_part_of_an_alarm_is_an_alarm() -> None:
    for length in range(len(ALARM_XML)):
        with pytest.raises(WireError):
            decode_alarm(ALARM_XML[:length])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"DeviceTLInfo", b"LastOutOfServiceInformation"),
        (b"x-cisco-alarm>", b"x-other-alarm>"),
        (b">3<", b"><"),
        (b">3<", b">-3<"),
        (b">3<", b">3333<"),
        (b">3<", "\u0663".encode().join([b">", b"<"])),
        (b"1B A1", b"1B A"),
        (b"1B A1", b"1B XX"),
        (b"1B A1 ", b""),
    ],
)
def test_alarms_that_are_none_are_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(WireError):
        decode_alarm(ALARM_XML.replace(old, new))


@pytest.mark.parametrize(
    "alarm",
    [
        TrustListAlarm("<b>", "", None, "", None, "", 1),
        TrustListAlarm("SEP\n", "", None, "", None, "", 1),
        TrustListAlarm("SEP", "", None, " a", None, "", 1),
        TrustListAlarm("SEP", "", None, "N/A", None, "", 1),
        TrustListAlarm("SEP", "", b"short", "", None, "", 1),
        TrustListAlarm("SEP", "", None, "", None, "", 1000),
    ],
)
def test_alarms_that_could_not_be_read_back_are_not_written(alarm: TrustListAlarm) -> None:
    with pytest.raises(WireError):
        encode_alarm(alarm)


# ---------------------------------------------------------------- service control


def test_an_order_is_lines_of_pairs_with_braces() -> None:
    assert encode_service_control(CONTROL) == (
        b"action=check-version\r\n"
        b"RegisterCallId={c80084aa-87430003-255b99f4-783a63d4@192.168.7.104}\r\n"
        b"ConfigVersionStamp={1555108264-18843a73-f9e1-4a3b-99bb-86295a710462}\r\n"
        b"DialplanVersionStamp={}\r\n"
        b"SoftkeyVersionStamp={}\r\n"
    )


@pytest.mark.parametrize(
    ("body", "control"),
    [
        (b"action=reset\r\nRegisterCallId={abc@h}\r\n", ServiceControl("reset", "abc@h")),
        (b"ACTION= Restart\nregistercallid={}\n", ServiceControl("restart")),
        (b"action=restart\r\nnot a pair\r\nX=1\r\n\r\n", ServiceControl("restart", others=(("X", "1"),))),
    ],
)
def test_orders_of_other_servers_are_read(body: bytes, control: ServiceControl) -> None:
    """As sipXconfig and FreeSWITCH write them, and with what phones are lenient about."""
    assert decode_service_control(body) == control


stamps = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="{}"), max_size=20)
controls = st.builds(
    ServiceControl,
    st.sampled_from(ACTIONS),
    stamps,
    stamps,
    stamps,
    stamps,
    st.lists(st.tuples(st.sampled_from(["X", "FwdUri", "a-b"]), stamps), max_size=2).map(tuple),
)


@moderately
@given(controls)
def test_orders_are_read_back(control: ServiceControl) -> None:
    assert decode_service_control(encode_service_control(control)) == control


@thoroughly
@given(mutations(encode_service_control(CONTROL)) | raw_bytes(80))
def test_damaged_orders_are_read_or_refused(data: bytes) -> None:
    try:
        control = decode_service_control(data)
    except WireError:
        return
    assert control.action in ACTIONS


@pytest.mark.parametrize("body", [b"", b"action=", b"action=explode\r\n", b"RegisterCallId={}\r\n", b"\xff"])
def test_what_orders_nothing_is_refused(body: bytes) -> None:
    with pytest.raises(WireError):
        decode_service_control(body)


@pytest.mark.parametrize(
    "control",
    [
        ServiceControl("explode"),
        ServiceControl("reset", "a\r\nb"),
        ServiceControl("reset", "a}"),
        ServiceControl("reset", " a"),
        ServiceControl("reset", others=(("action", "restart"),)),
        ServiceControl("reset", others=(("a=b", "c"),)),
        ServiceControl("reset", others=(("a", "b\n"),)),
    ],
)
def test_orders_that_could_not_be_read_back_are_not_written(control: ServiceControl) -> None:
    with pytest.raises(WireError):
        encode_service_control(control)


def test_the_stamps_after_a_registration_come_with_forwarding_and_message_waiting() -> None:
    """As a server was seen to combine them right after a registration."""
    forwarding, waiting, stamps_part = check_version_parts(CONTROL)
    assert b"<cfwdallupdate>" in forwarding.content
    assert b'<bulkupdate>\n<contact all="true"><mwi>no</mwi></contact>' in waiting.content
    assert stamps_part == Part("text/plain", encode_service_control(CONTROL))
    body = join_parts([forwarding, waiting, stamps_part])
    assert service_control_in(f"multipart/mixed;boundary={ciscosip.BOUNDARY}", body) == CONTROL


def test_a_body_without_an_order_has_none() -> None:
    assert service_control_in(MULTIPART, register_body()) is None
    assert service_control_in("", b"") is None
