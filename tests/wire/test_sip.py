"""SIP messages: written and read back, every truncation, streams cut anywhere, nothing but `WireError` (R-PHN-5)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire import sip_messages as captured
from tests.wire.strategies import moderately, mutations, raw_bytes, thoroughly
from wire.ciscosip import register_answer, register_body
from wire.errors import WireError
from wire.sip import (
    MAX_HEADERS,
    MAX_LINE,
    MAX_MESSAGE,
    Address,
    Framer,
    Request,
    Response,
    decode,
    encode,
    parse_address,
)

if TYPE_CHECKING:
    from wire.sip import Message

REGISTER = Request(captured.REGISTER_HEADERS, register_body(), "REGISTER", "sip:192.168.7.200")
OK = Response(captured.OK_HEADERS, register_answer(), 200, "OK")
TRYING = Response(captured.TRYING_HEADERS, b"", 100, "Trying")
MESSAGES: dict[str, Message] = {"REGISTER": REGISTER, "200": OK, "100": TRYING}

MINIMAL = (
    ("Via", "SIP/2.0/UDP a"),
    ("From", "<sip:a@b>;tag=1"),
    ("To", "<sip:a@b>"),
    ("Call-ID", "1"),
    ("CSeq", "1 OPTIONS"),
)
BARE = Request(MINIMAL, b"", "OPTIONS", "sip:b")

tokens = st.text("abcdefghijklmnopqrstuvwxyzABCDEF0123456789-.!%*_+`'~", min_size=1, max_size=12)
values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=30).map(
    lambda text: text.strip(" \t")
)
_RESERVED = {"via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "content-length", "l"}
extras = st.lists(st.tuples(tokens.filter(lambda name: name.lower() not in _RESERVED), values), max_size=4)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    method = draw(tokens).upper()
    headers = [
        *(("Via", draw(values)) for _ in range(draw(st.integers(1, 3)))),
        ("f", draw(values)),
        ("To", draw(values)),
        ("Call-ID", draw(values)),
        ("CSeq", f"{draw(st.integers(0, (1 << 32) - 1))} {method}"),
        *draw(extras),
    ]
    body, order = draw(raw_bytes(60)), tuple(draw(st.permutations(headers)))
    if draw(st.booleans()):
        return Response(order, body, draw(st.integers(100, 699)), draw(values))
    return Request(order, body, method, f"sip:{draw(tokens)}")


def all_of(data: bytes, *, cuts: tuple[int, ...] = ()) -> tuple[list[Message], str]:
    """What a stream gives when it comes in pieces, and with what it ended."""
    framer, found = Framer(), []
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        try:
            for message in framer.feed(data[start:end]):
                found.append(message)  # noqa: PERF402 - what came before an error counts
        except WireError:
            return found, "closed"
    return found, "waiting" if framer.waiting else "done"


# ---------------------------------------------------------------- round trips


@thoroughly
@given(messages())
def test_what_is_written_is_read_back(message: Message) -> None:
    assert decode(encode(message)) == message


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_captured_message_keeps_its_header_fields_in_order(message: Message) -> None:
    lines = encode(message).partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert lines[1:-1] == [f"{name}: {value}" for name, value in message.headers]
    assert lines[-1] == f"Content-Length: {len(message.body)}"
    assert decode(encode(message)) == message


@pytest.mark.parametrize(("message", "length"), [(REGISTER, 1313), (OK, 381), (TRYING, 0)])
def test_captured_bodies_have_their_published_lengths(message: Message, length: int) -> None:
    assert f"Content-Length: {length}\r\n".encode() in encode(message)


def test_the_captured_100_is_as_long_as_published() -> None:
    """319 to 321 bytes, by the port and the sequence number."""
    assert len(encode(TRYING)) in range(319, 322)


# ---------------------------------------------------------------- tortures


def test_the_tortuous_invite_of_rfc_4475_is_read() -> None:
    message = decode(captured.TORTUOUS)
    assert isinstance(message, Request)
    assert (message.method, message.uri) == ("INVITE", "sip:vivekg@chair-dnrc.example.com;unknownparam")
    assert len(message.body) == 150
    assert message.get("CSeq") == "0009 INVITE"
    assert message.get("Max-Forwards") == "0068"
    assert message.get("Subject") == ""
    assert message.get("newfangledheader") == "newfangled value continued newfangled value"
    assert len(message.all("Via")) == 2
    to, sender, contact = (parse_address(message.require(name)) for name in ("To", "From", "Contact"))
    assert (to.uri, to.parameter("tag")) == ("sip:vivekg@chair-dnrc.example.com", "1918181833n")
    assert (sender.display_name, sender.uri) == (r"J Rosenberg \\\"", "sip:jdrosen@example.com")
    assert sender.parameter("TAG") == "98asjd8"
    assert contact.display_name == r"Quoted string \"\""
    assert [name for name, _ in contact.parameters] == ["newparam", "secondparam", "q"]
    assert (contact.parameter("newparam"), contact.parameter("secondparam")) == ("newvalue", None)


def test_the_tortuous_invite_survives_being_written() -> None:
    assert decode(encode(decode(captured.TORTUOUS))) == decode(captured.TORTUOUS)


# ---------------------------------------------------------------- bad bytes


@thoroughly
@given(st.sampled_from([encode(message) for message in MESSAGES.values()]).flatmap(mutations))
def test_a_damaged_message_is_read_or_refused(data: bytes) -> None:
    try:
        message = decode(data)
    except WireError:
        return
    assert decode(encode(message)) == message


@thoroughly
@given(raw_bytes(200) | st.binary(max_size=120).map(lambda rest: b"REGISTER sip:a SIP/2.0\r\n" + rest + b"\r\n\r\n"))
def test_anything_at_all_is_read_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except WireError:
        return


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_no_part_of_a_message_is_a_message(message: Message) -> None:
    whole = encode(message)
    for length in range(len(whole)):
        with pytest.raises(WireError):
            decode(whole[:length])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\r\n\r\n",
        "REGISTER sip:a HTTP/1.1\r\n{rest}",
        "REGISTER  sip:a SIP/2.0\r\n{rest}",
        "REGISTER sip:a b SIP/2.0\r\n{rest}",
        "SIP/2.0 99 Low\r\n{rest}",
        "SIP/2.0 700 High\r\n{rest}",
        "SIP/2.0 20x OK\r\n{rest}",
        "OPTIONS sip:b SIP/2.0\r\n{rest}no colon\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}bad name: x\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}: no name\r\n",
        "OPTIONS sip:b SIP/2.0\r\n continued: before anything\r\n{rest}",
        "OPTIONS sip:b SIP/2.0\r\n{rest}X: a\nb\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}X: a\rb\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}X: \0\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}Content-Length: 1\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}Content-Length: -1\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}Content-Length: 0x0\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}Content-Length: 1234567\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}Content-Length: \u0664\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}Content-Length: 0\r\nl: 1\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}From: <sip:twice@b>\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}t: <sip:twice@b>\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}i: twice\r\n",
        "OPTIONS sip:b SIP/2.0\r\n{rest}CSeq: 2 OPTIONS\r\n",
        "REGISTER sip:b SIP/2.0\r\n{rest}",  # the CSeq says OPTIONS
    ],
)
def test_what_is_no_message_is_refused(text: str) -> None:
    rest = "".join(f"{name}: {value}\r\n" for name, value in MINIMAL)
    with pytest.raises(WireError):
        decode((text.replace("{rest}", rest) + "\r\n").encode())


def test_the_rest_of_those_is_a_message() -> None:
    rest = "".join(f"{name}: {value}\r\n" for name, value in MINIMAL)
    assert decode(f"OPTIONS sip:b SIP/2.0\r\n{rest}\r\n".encode()) == BARE


@pytest.mark.parametrize("name", [name for name, _ in MINIMAL])
def test_a_mandatory_field_may_not_be_missing(name: str) -> None:
    rest = "".join(f"{key}: {value}\r\n" for key, value in MINIMAL if key != name)
    with pytest.raises(WireError, match=name.title()):
        decode(f"OPTIONS sip:b SIP/2.0\r\n{rest}\r\n".encode())


@pytest.mark.parametrize("cseq", ["", "1", "x OPTIONS", "-1 OPTIONS", "4294967296 OPTIONS", "1 OPTIONS 2", "OPTIONS 1"])
def test_a_sequence_number_has_32_bits_and_a_method(cseq: str) -> None:
    headers = tuple((name, cseq if name == "CSeq" else value) for name, value in MINIMAL)
    text = "".join(f"{name}: {value}\r\n" for name, value in headers)
    with pytest.raises(WireError, match="CSeq"):
        decode(f"OPTIONS sip:b SIP/2.0\r\n{text}\r\n".encode())


def test_a_datagram_may_be_longer_than_its_message() -> None:
    """RFC 3261, 18.3."""
    assert decode(encode(REGISTER) + b"and more") == REGISTER


@pytest.mark.parametrize(
    "message",
    [
        Request((*MINIMAL, ("X", "a\r\nEvil: yes")), b"", "OPTIONS", "sip:b"),
        Request((*MINIMAL, ("X", "a\0")), b"", "OPTIONS", "sip:b"),
        Request((*MINIMAL, ("X ", "a")), b"", "OPTIONS", "sip:b"),
        Request((*MINIMAL, ("X", " a")), b"", "OPTIONS", "sip:b"),
        Request((*MINIMAL, ("Content-Length", "0")), b"", "OPTIONS", "sip:b"),
        Request((*MINIMAL, ("X", "a" * MAX_LINE)), b"", "OPTIONS", "sip:b"),
        Request((*MINIMAL, *[("X", "a")] * MAX_HEADERS), b"", "OPTIONS", "sip:b"),
        Request((*MINIMAL, ("X", "\ud800")), b"", "OPTIONS", "sip:b"),
        Request(MINIMAL, b"", "OPTIONS", "sip:b SIP/2.0\r\nX: y"),
        Request(MINIMAL, b"", "REGISTER", "sip:b"),
        Request(MINIMAL[1:], b"", "OPTIONS", "sip:b"),
        Request(MINIMAL, bytes(MAX_MESSAGE), "OPTIONS", "sip:b"),
        Response(MINIMAL, b"", 99, "Low"),
        Response(MINIMAL, b"", 200, "OK\r\nX: y"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(message: Message) -> None:
    with pytest.raises(WireError):
        encode(message)


@pytest.mark.parametrize(
    "data",
    [
        b"OPTIONS sip:b SIP/2.0\r\n" + b"X: " + b"a" * MAX_LINE + b"\r\n\r\n",
        b"OPTIONS sip:b SIP/2.0\r\nX: a\r\n" + b" more\r\n" * 3_000 + b"\r\n",
        b"OPTIONS sip:b SIP/2.0\r\n" + b"X: a\r\n" * MAX_HEADERS + b"\r\n",
        bytes(MAX_MESSAGE + 1),
    ],
)
def test_limits_are_kept(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(data)


# ---------------------------------------------------------------- streams


@moderately
@given(st.data(), st.lists(st.sampled_from([*MESSAGES.values(), BARE]), max_size=4))
def test_a_stream_may_be_cut_anywhere(data: st.DataObject, sent: list[Message]) -> None:
    stream = b"".join(b"\r\n" * data.draw(st.integers(0, 3)) + encode(message) for message in sent)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6).map(sorted).map(tuple))
    assert all_of(stream, cuts=cuts) == (sent, "done")


def test_a_stream_may_come_byte_by_byte() -> None:
    stream = encode(REGISTER) + b"\r\n\r\n" + encode(OK)
    assert all_of(stream, cuts=tuple(range(1, len(stream)))) == ([REGISTER, OK], "done")


@moderately
@given(st.data())
def test_a_damaged_stream_gives_the_same_however_it_is_cut(data: st.DataObject) -> None:
    stream = data.draw(mutations(encode(BARE) + encode(TRYING) + encode(BARE)))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6).map(sorted).map(tuple))
    assert all_of(stream, cuts=cuts) == all_of(stream)


def test_messages_before_the_damage_are_not_lost() -> None:
    assert all_of(encode(BARE) + encode(OK) + b"nonsense\r\n\r\n") == ([BARE, OK], "closed")


@pytest.mark.parametrize(
    "data",
    [
        encode(BARE).replace(b"Content-Length: 0\r\n", b""),
        encode(BARE).replace(b"Content-Length: 0", b"Content-Length: 999999"),
        encode(BARE).replace(b"Content-Length: 0", b"Content-Length: 65535"),
        b"OPTIONS sip:b SIP/2.0\r\n" + b"X: a\r\n" * 12_000,
    ],
    ids=["no length", "far too long", "a little too long", "endless header"],
)
def test_a_stream_that_cannot_be_followed_is_closed(data: bytes) -> None:
    assert all_of(data) == ([], "closed")


def test_an_unfinished_message_is_seen_to_be_waiting() -> None:
    framer = Framer()
    assert list(framer.feed(encode(REGISTER)[:-1])) == []
    assert framer.waiting == len(encode(REGISTER)) - 1
    assert list(framer.feed(encode(REGISTER)[-1:])) == [REGISTER]
    assert framer.waiting == 0


# ---------------------------------------------------------------- addresses


def test_the_captured_contact_is_read() -> None:
    contact = parse_address(captured.CONTACT)
    assert contact.user == "04984998-fe29-08c0-6d47-5593bf4ce606"
    assert contact.parameter("+sip.instance") == "<urn:uuid:00000000-0000-0000-0000-c80084aa8743>"
    assert contact.parameter("+u.sip!devicename.ccm.cisco.com") == "SEPC80084AA8743"
    assert contact.parameter("+u.sip!model.ccm.cisco.com") == "621"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("sip:a@b", Address("", "sip:a@b")),
        (" sip:a@b ;x=1", Address("", "sip:a@b", (("x", "1"),))),
        ("<sip:a@b;transport=tcp>", Address("", "sip:a@b;transport=tcp")),
        ('"A, B; <C>" <sip:a@b>;x', Address("A, B; <C>", "sip:a@b", (("x", None),))),
        ("Two words <sip:a@b> ; x = y", Address("Two words", "sip:a@b", (("x", "y"),))),
        ('<sip:a@b>;x="quoted; text"', Address("", "sip:a@b", (("x", '"quoted; text"'),))),
        ("tel:+123", Address("", "tel:+123")),
    ],
)
def test_addresses_are_read(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "a@b",
        "<sip:a@b",
        "<>",
        "<sip:a b>",
        '"open <sip:a@b>',
        'a"b <sip:a@b>',
        '"a" sip:a@b',
        '"a"',
        "<sip:a@b>;",
        "<sip:a@b>; =x",
        "<sip:a@b> x",
        "<sip:a@b>;x=",
        "<sip:a@b>, <sip:c@d>",
        "sip:",
        "sip:a b",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        parse_address(text)


@thoroughly
@given(
    st.text(max_size=60)
    | st.text('<>";:=@ \t,sipab\\', max_size=40)
    | st.just(captured.CONTACT).flatmap(
        lambda text: mutations(text.encode()).map(lambda data: data.decode("utf-8", "replace"))
    )
)
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except WireError:
        return
    assert address.uri
    assert address.user in address.uri


@pytest.mark.parametrize(
    "text",
    [
        "x" + " " * MAX_LINE + "y",
        '"' + "\\" * MAX_LINE,
        "<sip:a>" + ";" * MAX_LINE,
        "<sip:a>" + "; x" * (MAX_LINE // 3) + "=",
        "<" * MAX_LINE,
        "<sip:a>;x" + " " * MAX_LINE + "y",
    ],
)
def test_no_address_takes_long(text: str) -> None:
    """A pattern that tries everything would need minutes."""
    begun = time.process_time()
    with pytest.raises(WireError):
        parse_address(text)
    assert time.process_time() - begun < 0.5
