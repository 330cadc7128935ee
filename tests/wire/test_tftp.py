"""TFTP datagrams: bytes of the RFCs, round trips, anything that a network may bring, and option negotiation."""

from __future__ import annotations

import logging

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tftpy.TftpPacketFactory import TftpPacketFactory
from tftpy.TftpShared import TftpException

from tests.wire.strategies import thoroughly
from wire.errors import WireError
from wire.tftp import (
    MAX_BLKSIZE,
    Ack,
    Agreement,
    Data,
    ErrorPacket,
    OptionAck,
    OptionLimits,
    Packet,
    ReadRequest,
    WriteRequest,
    decode,
    encode,
    negotiate,
    to_netascii,
)

# -------------------------------------------------------------------- bytes

WRITTEN: list[tuple[Packet, bytes]] = [
    # RFC 1350, section 5
    (ReadRequest("ITLFile.tlv"), b"\0\1ITLFile.tlv\0octet\0"),
    (ReadRequest("ITLFile.tlv", "netascii"), b"\0\1ITLFile.tlv\0netascii\0"),
    (WriteRequest("x"), b"\0\2x\0octet\0"),
    (Data(1, b"abc"), b"\0\3\0\1abc"),
    (Data(65_535, b""), b"\0\3\xff\xff"),
    (Ack(258), b"\0\4\1\2"),
    (ErrorPacket(1, "File not found"), b"\0\5\0\1File not found\0"),
    (ErrorPacket(0, ""), b"\0\5\0\0\0"),
    # RFC 2347, 2348, 2349 and 7440, each with its own example
    (ReadRequest("foobar", "octet", (("blksize", "1428"),)), b"\0\1foobar\0octet\0blksize\x001428\0"),
    (
        ReadRequest("foobar", "octet", (("timeout", "5"), ("tsize", "0"))),
        b"\0\1foobar\0octet\0timeout\x005\0tsize\x000\0",
    ),
    (OptionAck((("tsize", "673312"),)), b"\0\6tsize\x00673312\0"),
    (OptionAck((("windowsize", "16"),)), b"\0\6windowsize\x0016\0"),
]


@pytest.mark.parametrize(("packet", "datagram"), WRITTEN, ids=[repr(packet)[:50] for packet, _ in WRITTEN])
def test_packets_are_the_bytes_of_the_rfcs(packet: Packet, datagram: bytes) -> None:
    assert encode(packet) == datagram
    assert decode(datagram) == packet


@pytest.mark.parametrize(
    ("datagram", "packet"),
    [
        (b"\0\1x\0OCTET\0", ReadRequest("x", "octet")),
        (b"\0\1x\0octet\0BlkSize\x00512\0", ReadRequest("x", "octet", (("BlkSize", "512"),))),
        (b"\0\1../x\0octet\0", ReadRequest("../x")),
        (b"\0\5\0\1", ErrorPacket(1, "")),
        (b"\0\5\0\1no NUL", ErrorPacket(1, "no NUL")),
        (b"\0\5\0\1one\0two\0", ErrorPacket(1, "one")),
        (b"\0\5\1\2\xe4\0", ErrorPacket(258, "ä")),
        (b"\0\3\0\0" + b"x" * MAX_BLKSIZE, Data(0, b"x" * MAX_BLKSIZE)),
    ],
)
def test_what_clients_write_in_their_own_way_is_understood(datagram: bytes, packet: Packet) -> None:
    assert decode(datagram) == packet


@pytest.mark.parametrize("block", [65_536, 131_072 + 65_536])
def test_block_numbers_wrap_to_zero(block: int) -> None:
    assert decode(encode(Ack(block))) == Ack(0)
    assert decode(encode(Data(block + 1, b"x"))) == Data(1, b"x")


MALFORMED = [
    b"",
    b"\0",
    b"\0\1",
    b"\0\4\0",
    b"\0\4\0\1\0",
    b"\0\0\0\0",
    b"\0\7\0\0",
    b"\1\1x\0octet\0",
    b"\0\3\0\1" + b"x" * (MAX_BLKSIZE + 1),
    b"\0\5\0\0" + b"x" * 512,
    b"\0\1\0octet\0",
    b"\0\1x\0\0",
    b"\0\1x\0octet",
    b"\0\1x",
    b"\0\1x\0octet\0blksize\0",
    b"\0\1x\0octet\0blksize\x00512",
    b"\0\1x\0octet\0\x00512\0",
    b"\0\1x\0octet\0blksize\0\0",
    b"\0\1x\0octet\0a\x001\0A\x002\0",
    b"\0\1x\0octet\0a\x001\0a\x001\0",
    b"\0\1\xe4\0octet\0",
    b"\0\1x\0oct\xe4t\0",
    b"\0\1x\n\0octet\0",
    b"\0\1" + b"x" * 256 + b"\0octet\0",
    b"\0\1x\0octet\0a\0" + b"1" * 500 + b"\0",
    b"\0\6",
    b"\0\6\0\0",
    b"\0\6tsize\0",
    b"\0\6tsize\x001",
    b"\0\6tsize\x001\0tsize\x001\0",
    b"\0\6\xe4\x001\0",
]


@pytest.mark.parametrize("datagram", MALFORMED)
def test_what_is_no_whole_packet_is_refused(datagram: bytes) -> None:
    with pytest.raises(WireError, match="TFTP"):
        decode(datagram)


@pytest.mark.parametrize(
    "packet",
    [
        ReadRequest(""),
        ReadRequest("x" * 256),
        ReadRequest("ä"),
        ReadRequest("a\0b"),
        ReadRequest("x", ""),
        ReadRequest("x", "octet", (("a", ""),)),
        ReadRequest("x", "octet", (("a", "1"), ("A", "2"))),
        ReadRequest("x", "octet", (("a", "1" * 510),)),
        WriteRequest("x", "o\0"),
        Data(-1, b""),
        Data(1, b"x" * (MAX_BLKSIZE + 1)),
        Ack(-1),
        ErrorPacket(70_000, "x"),
        ErrorPacket(0, "a\0b"),
        ErrorPacket(0, "語"),
        ErrorPacket(0, "x" * 510),
        OptionAck(()),
    ],
)
def test_what_the_format_cannot_carry_is_not_written(packet: Packet) -> None:
    with pytest.raises(WireError):
        encode(packet)


# -------------------------------------------------------------------- properties

words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
options = st.lists(st.tuples(words, words), max_size=5, unique_by=lambda option: option[0].lower()).map(tuple)
numbers = st.integers(-1, 100_000).map(str)
names = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=200)
modes = st.sampled_from(["octet", "netascii", "mail", "other"])
packets: st.SearchStrategy[Packet] = st.one_of(
    st.builds(ReadRequest, names, modes, options),
    st.builds(WriteRequest, names, modes, options),
    st.builds(Data, st.integers(0, 65_535), st.binary(max_size=600)),
    st.builds(Ack, st.integers(0, 65_535)),
    st.builds(
        ErrorPacket,
        st.integers(0, 65_535),
        st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=100),
    ),
    st.builds(OptionAck, options.filter(bool)),
)


@thoroughly
@given(packets)
def test_what_is_written_is_read_back(packet: Packet) -> None:
    assert decode(encode(packet)) == packet


@st.composite
def datagrams(draw: st.DrawFn) -> bytes:
    """Bytes that look like a packet for longer or shorter."""
    datagram = bytearray(draw(st.one_of(st.binary(max_size=700), packets.map(encode))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(datagram)))
        match draw(st.integers(0, 3)):
            case 0:
                del datagram[at:]
            case 1:
                datagram[at:at] = draw(st.binary(min_size=1, max_size=3))
            case 2:
                datagram[at : at + 1] = draw(st.sampled_from([b"\0", b"\xff", b"", b"\n"]))
            case _:
                datagram[:2] = bytes((0, draw(st.integers(0, 8))))
    return bytes(datagram)


@thoroughly
@given(datagrams())
def test_any_bytes_give_a_packet_or_a_wire_error_and_nothing_else(datagram: bytes) -> None:
    try:
        packet = decode(datagram)
    except WireError:
        return
    assert decode(encode(packet)) == packet, "and what was read can be written"


@pytest.mark.parametrize("kind", [b"\0\1", b"\0\2"])
def test_a_request_can_be_cut_behind_a_pair_of_texts_only(kind: bytes) -> None:
    texts = [b"ITLFile.tlv", b"octet", b"blksize", b"1428", b"tsize", b"0"]
    whole = kind + b"".join(text + b"\0" for text in texts)
    pairs = [len(kind + b"".join(text + b"\0" for text in texts[:count])) for count in (2, 4, 6)]
    readable = []
    for size in range(len(whole) + 1):
        try:
            decode(whole[:size])
        except WireError:
            continue
        readable.append(size)
    assert readable == pairs


@thoroughly
@given(datagrams())
@example(b"\0\1x\0octet\0\0")
@example(b"\0\1x\0octet\0a\x001\0")
def test_requests_are_read_as_tftpy_reads_them(datagram: bytes) -> None:
    """Where that reads them at all; what it does not, is not read here either."""
    if datagram[:2] not in (b"\0\1", b"\0\2"):
        return
    try:
        peer = TftpPacketFactory().parse(datagram)
    except (TftpException, AssertionError, ValueError, LookupError, TypeError):
        peer = None
    except Exception as error:  # noqa: BLE001 - struct.error among others
        assert type(error).__name__ == "error"  # noqa: PT017
        peer = None
    try:
        ours = decode(datagram)
    except WireError:
        return
    assert isinstance(ours, ReadRequest | WriteRequest)
    assert peer is not None
    assert (ours.file_name, ours.mode, dict(ours.options)) == (peer.filename, peer.mode, peer.options)


def test_errors_of_clients_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        decode(b"\0\5\0\0ordinary\0")
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]


# -------------------------------------------------------------------- negotiation

LIMITS = OptionLimits(max_blksize=8_192, max_windowsize=16, max_window_bytes=16_384, max_timeout_s=30)


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [
        ({}, Agreement()),
        ({"blksize": "8"}, Agreement(blksize=8, acknowledged=(("blksize", "8"),))),
        ({"blksize": "7"}, Agreement()),
        ({"blksize": "9000"}, Agreement(blksize=8_192, acknowledged=(("blksize", "8192"),))),
        ({"blksize": "0512"}, Agreement(blksize=512, acknowledged=(("blksize", "512"),))),
        ({"blksize": "-8"}, Agreement()),
        ({"blksize": "many"}, Agreement()),
        ({"blksize": "1e3"}, Agreement()),
        ({"blksize": "99999999999999999999"}, Agreement()),
        ({"windowsize": "1"}, Agreement(windowsize=1, acknowledged=(("windowsize", "1"),))),
        ({"windowsize": "0"}, Agreement()),
        ({"windowsize": "65536"}, Agreement()),
        ({"windowsize": "17"}, Agreement(windowsize=16, acknowledged=(("windowsize", "16"),))),
        (
            {"windowsize": "16", "blksize": "4096"},
            Agreement(blksize=4_096, windowsize=4, acknowledged=(("windowsize", "4"), ("blksize", "4096"))),
        ),
        ({"timeout": "30"}, Agreement(timeout_s=30, acknowledged=(("timeout", "30"),))),
        ({"timeout": "31"}, Agreement()),
        ({"timeout": "0"}, Agreement()),
        ({"tsize": "0"}, Agreement(acknowledged=(("tsize", "1000"),))),
        ({"tsize": "77"}, Agreement(acknowledged=(("tsize", "1000"),))),
        ({"TSIZE": "0", "x-vendor": "1"}, Agreement(acknowledged=(("TSIZE", "1000"),))),
    ],
)
def test_options_are_agreed_within_limits(asked: dict[str, str], agreed: Agreement) -> None:
    assert negotiate(tuple(asked.items()), 1_000, LIMITS) == agreed


def test_the_size_of_an_empty_file_is_not_told() -> None:
    """curl takes a ``tsize`` of 0 for an error; an option may be left out."""
    assert negotiate((("tsize", "0"), ("blksize", "512")), 0, LIMITS).acknowledged == (("blksize", "512"),)


@thoroughly
@given(
    st.lists(
        st.tuples(st.sampled_from(["blksize", "windowsize", "timeout", "tsize", "x"]), words | numbers),
        unique_by=lambda o: o[0],
    )
)
def test_whatever_is_asked_the_agreement_can_be_sent_and_kept(asked: list[tuple[str, str]]) -> None:
    agreement = negotiate(tuple(asked), 1_000, LIMITS)
    assert 8 <= agreement.blksize <= 8_192
    assert 1 <= agreement.windowsize <= 16
    assert agreement.windowsize == 1 or agreement.blksize * agreement.windowsize <= LIMITS.max_window_bytes
    if agreement.acknowledged:
        assert decode(encode(OptionAck(agreement.acknowledged))) == OptionAck(agreement.acknowledged)


@pytest.mark.parametrize(
    ("text", "netascii"),
    [
        (b"", b""),
        (b"plain", b"plain"),
        (b"one\ntwo\n", b"one\r\ntwo\r\n"),
        (b"one\r\n", b"one\r\0\r\n"),
        (b"\r", b"\r\0"),
        (b"\n\r", b"\r\n\r\0"),
        (b"\0", b"\0"),
    ],
)
def test_netascii_ends_lines_as_telnet_does(text: bytes, netascii: bytes) -> None:
    assert to_netascii(text) == netascii


@given(st.binary(max_size=60))
def test_netascii_loses_nothing(text: bytes) -> None:
    assert to_netascii(text).replace(b"\r\n", b"\n").replace(b"\r\0", b"\r") == text
