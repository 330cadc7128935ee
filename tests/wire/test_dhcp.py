"""DHCP messages: bytes that other programs sent, round trips, and anything that a network may bring."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import thoroughly
from wire.dhcp import (
    MAX_SIZE,
    MIN_SIZE,
    Message,
    Operation,
    Option,
    Options,
    as_address,
    as_addresses,
    as_seconds,
    as_text,
    decode,
    encode,
)
from wire.errors import WireError

FOLDER = Path(__file__).parents[1] / "vectors" / "dhcp"
VECTORS = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.bin"))}
FIXED = 240
PHONE = bytes.fromhex("001122334455")
SERVER = IPv4Address("192.0.2.1")


def addresses(*last: int) -> bytes:
    return b"".join(bytes((192, 0, 2, number)) for number in last)


# -------------------------------------------------------------------- bytes of others


@pytest.mark.parametrize(
    "name",
    ["dnsmasq-offer", "dnsmasq-ack", "dnsmasq-inform-ack", "udhcpc-discover", "udhcpc-request", "udhcpd-offer"],
)
def test_what_others_sent_is_written_in_the_same_bytes(name: str) -> None:
    assert encode(decode(VECTORS[name])) == VECTORS[name]


def test_a_discover_of_udhcpc_is_read() -> None:
    message = decode(VECTORS["udhcpc-discover"])
    assert message == Message(
        op=Operation.REQUEST,
        xid=0xE35C6241,
        chaddr=PHONE,
        options=(
            (53, b"\1"),
            (57, b"\2\x40"),
            (55, bytes((1, 3, 6, 12, 15, 28, 42, 66, 150))),
            (60, b"Cisco Systems, Inc. IP Phone CP-8865"),
            (61, b"\1" + PHONE),
        ),
    )
    assert message.type == 1


def test_an_offer_of_udhcpd_is_read() -> None:
    message = decode(VECTORS["udhcpd-offer"])
    assert (message.op, message.type, message.chaddr, message.broadcast) == (Operation.REPLY, 2, PHONE, True)
    assert (message.yiaddr, message.siaddr, message.sname) == (
        IPv4Address("192.0.2.53"),
        IPv4Address("192.0.2.9"),
        b"boot.example",
    )
    assert message.option(66) == b"ucm.lab.example"
    assert message.option(150) == addresses(7, 8)
    assert message.option(12) is None


def test_an_answer_of_dnsmasq_to_an_inform_is_read() -> None:
    message = decode(VECTORS["dnsmasq-inform-ack"])
    assert (message.type, message.ciaddr, message.yiaddr) == (5, IPv4Address("192.0.2.99"), IPv4Address(0))
    assert as_text("option 66", message.option(66) or b"") == "ucm.lab.example", "dnsmasq ends it with NUL"


def test_options_are_gathered_from_file_and_server_name_in_that_order() -> None:
    """RFC 3396, 5: ``ucm.`` stands in ``file`` and ``lab`` in ``sname``; option 52 itself is none of the message."""
    message = decode(VECTORS["scapy-overloaded"])
    assert (message.sname, message.file) == (b"", b"")
    assert message.options == (
        (53, b"\5"),
        (54, SERVER.packed),
        (51, (600).to_bytes(4, "big")),
        (150, addresses(7)),
        (66, b"ucm.lab"),
        (15, b"lab.example"),
    )


def test_an_option_in_two_pieces_is_one_value() -> None:
    """RFC 3396; the pieces part in the middle of an address, and another option stands between them."""
    assert decode(VECTORS["scapy-long-150"]).option(150) == addresses(*range(1, 101))


def test_padding_between_options_means_nothing() -> None:
    message = decode(VECTORS["scapy-offer"])
    assert (message.sname, message.option(150)) == (b"boot.example", addresses(7, 8))
    assert b"\0\0\xff" in VECTORS["scapy-offer"][FIXED:]


def test_a_short_message_is_padded_for_old_relays() -> None:
    assert len(VECTORS["scapy-nak"]) < MIN_SIZE
    assert encode(decode(VECTORS["scapy-nak"])) == VECTORS["scapy-nak"].ljust(MIN_SIZE, b"\0")


# -------------------------------------------------------------------- round trips

ADDRESSES = st.integers(0, 2**32 - 1).map(IPv4Address)
NAMES = st.binary(max_size=63).filter(lambda name: b"\0" not in name)
OPTIONS: st.SearchStrategy[Options] = st.dictionaries(
    st.integers(1, 254).filter(lambda code: code != Option.OVERLOAD), st.binary(max_size=300), max_size=4
).map(lambda found: tuple(found.items()))


@st.composite
def messages(draw: st.DrawFn) -> Message:
    return Message(
        op=draw(st.sampled_from(Operation)),
        xid=draw(st.integers(0, 2**32 - 1)),
        chaddr=draw(st.binary(max_size=16)),
        options=draw(OPTIONS),
        htype=draw(st.integers(0, 255)),
        hops=draw(st.integers(0, 255)),
        secs=draw(st.integers(0, 65_535)),
        broadcast=draw(st.booleans()),
        ciaddr=draw(ADDRESSES),
        yiaddr=draw(ADDRESSES),
        siaddr=draw(ADDRESSES),
        giaddr=draw(ADDRESSES),
        sname=draw(NAMES),
        file=draw(NAMES),
    )


@thoroughly
@given(messages())
def test_a_message_survives_the_wire(message: Message) -> None:
    datagram = encode(message)
    assert MIN_SIZE <= len(datagram) <= MAX_SIZE
    assert decode(datagram) == message


# -------------------------------------------------------------------- anything that a network may bring


@thoroughly
@given(
    st.one_of(st.binary(max_size=400), st.binary(max_size=400).map(lambda tail: VECTORS["scapy-nak"][:FIXED] + tail))
)
def test_garbage_is_a_message_or_a_wire_error(datagram: bytes) -> None:
    try:
        message = decode(datagram)
    except WireError:
        return
    assert decode(encode(message)) == message


@pytest.mark.parametrize("name", VECTORS)
def test_every_truncation_is_a_wire_error(name: str) -> None:
    datagram = VECTORS[name].rstrip(b"\0")
    decode(datagram)
    for length in range(len(datagram)):
        with pytest.raises(WireError):
            decode(datagram[:length])


@pytest.mark.parametrize("name", VECTORS)
def test_a_changed_byte_never_leaks_another_error(name: str) -> None:
    for at in range(len(VECTORS[name])):
        for value in (0, 1, 52, 0xFF):
            changed = bytearray(VECTORS[name])
            changed[at] = value
            try:
                decode(bytes(changed))
            except WireError:
                continue


def _with(options: bytes, *, sname: bytes = b"", file: bytes = b"") -> bytes:
    head = bytearray(VECTORS["scapy-nak"][:FIXED])
    head[44:108], head[108:236] = sname.ljust(64, b"\0"), file.ljust(128, b"\0")
    return bytes(head) + options


@pytest.mark.parametrize(
    ("datagram", "said"),
    [
        (b"", "shorter than its fixed part"),
        (_with(b"")[:FIXED], "options without an end mark"),
        (_with(b"\0" * 9), "options without an end mark"),
        (_with(b"\x35"), "option 53 goes beyond the end of options"),
        (_with(b"\x35\2\1"), "option 53 goes beyond the end of options"),
        (_with(b"\xff" + b"\0" * MAX_SIZE), "over the limit of 1472"),
        (b"\3" + _with(b"\xff")[1:], "operation 3 is unknown"),
        (_with(b"\xff").replace(b"\x63\x82\x53\x63", b"\x63\x82\x53\x64"), "not DHCP: 63825364 stands where"),
        (_with(b"\xff")[:2] + b"\x11" + _with(b"\xff")[3:], "hardware address of 17 bytes"),
        (_with(b"\x34\1\4\xff"), "option 52 is 04, not 01, 02 or 03"),
        (_with(b"\x34\1\0\xff"), "option 52 is 00"),
        (_with(b"\x34\2\1\1\xff"), "option 52 is 0101"),
        (_with(b"\x34\0\xff"), "option 52 is , not"),
        (_with(b"\x34\1\1\xff"), "file without an end mark"),
        (_with(b"\x34\1\2\xff", file=b"\xff"), "sname without an end mark"),
        (_with(b"\x34\1\2\xff", sname=b"\x0c\x3f\xff"), "option 12 goes beyond the end of sname"),
        (_with(b"\x34\1\1\xff", file=b"\x34\1\2\xff"), "option 52 inside the fields"),
    ],
)
def test_what_is_no_message_is_told(datagram: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        decode(datagram)


@pytest.mark.parametrize(("value", "sname", "file"), [(1, b"s", b""), (2, b"", b"f"), (3, b"", b"")])
def test_only_the_fields_that_option_52_names_hold_options(value: int, sname: bytes, file: bytes) -> None:
    datagram = _with(
        b"\x34\1" + bytes((value,)) + b"\xff",
        sname=b"\x0c\1a\xff" if value & 2 else b"s",
        file=b"\x0c\1b\xff" if value & 1 else b"f",
    )
    message = decode(datagram)
    assert (message.sname, message.file) == (sname, file)
    assert message.options == ((12, {1: b"b", 2: b"a", 3: b"ba"}[value]),)


HUGE = Message(Operation.REQUEST, 0, PHONE, tuple((code, b"x" * 255) for code in range(1, 6)))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Message(Operation.REQUEST, 0, bytes(17), ()), "too long for its place"),
        (Message(Operation.REQUEST, 0, PHONE, (), sname=b"s" * 64), "too long for its place"),
        (Message(Operation.REQUEST, 0, PHONE, (), file=b"f" * 128), "too long for its place"),
        (Message(Operation.REQUEST, 0, PHONE, (), file=b"a\0b"), "cannot hold NUL"),
        (Message(Operation.REQUEST, 0, PHONE, ((12, b""), (12, b""))), "each of 1 to 254 at most once"),
        (Message(Operation.REQUEST, 0, PHONE, ((0, b""),)), "each of 1 to 254 at most once"),
        (Message(Operation.REQUEST, 0, PHONE, ((255, b""),)), "each of 1 to 254 at most once"),
        (Message(Operation.REQUEST, 0, PHONE, ((52, b"\1"),)), "never written into the fields"),
        (Message(Operation.REQUEST, 2**32, PHONE, ()), "does not fit its field"),
        (Message(Operation.REQUEST, 0, PHONE, (), secs=65_536), "does not fit its field"),
        (HUGE, "over the limit of 1472"),
    ],
)
def test_what_the_format_cannot_carry_is_refused(message: Message, said: str) -> None:
    with pytest.raises(WireError, match=said):
        encode(message)


# -------------------------------------------------------------------- values


def test_values_are_read() -> None:
    assert as_addresses("x", addresses(7, 8)) == (IPv4Address("192.0.2.7"), IPv4Address("192.0.2.8"))
    assert as_address("x", addresses(7)) == IPv4Address("192.0.2.7")
    assert as_seconds("x", b"\0\1\0\2") == 65_538
    assert as_text("x", b"ucm.lab\0\0") == "ucm.lab"


@pytest.mark.parametrize("value", [b"", b"\1", b"\1\2\3\4\5", b"\1" * 7])
def test_values_of_the_wrong_length_are_told(value: bytes) -> None:
    for read in (as_addresses, as_address, as_seconds):
        with pytest.raises(WireError, match=f"option 150 of {len(value)} bytes"):
            read("option 150", value)


@pytest.mark.parametrize("value", [b"", b"\0", b"a\0b", b"a\nb", b"\x1b[2J", b"\xc3\xa9"])
def test_text_is_printable_ascii(value: bytes) -> None:
    with pytest.raises(WireError, match="option 66 is no text"):
        as_text("option 66", value)
