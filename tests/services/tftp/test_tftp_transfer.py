"""One transfer, without sockets and without a clock: what is sent when, and how it ends (R-DL-1)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.tftp.transfer import Outcome, Patience, Transfer
from wire.tftp import Ack, Agreement, Data, ErrorPacket, OptionAck, ReadRequest, decode, encode

PATIENCE = Patience(retransmit_s=1.0, max_retransmit_s=8.0, max_retries=5, transfer_s=1_000.0)


def transfer(
    size: int, *, blksize: int = 512, windowsize: int = 1, timeout_s: int | None = None, options: bool = False
) -> Transfer:
    """Of the bytes of `content`, beginning at second 0."""
    acknowledged = (("blksize", str(blksize)),) if options else ()
    agreement = Agreement(blksize, windowsize, timeout_s, acknowledged)
    return Transfer(content(size), agreement, PATIENCE, 0.0)


def content(size: int) -> bytes:
    return random.Random(7).randbytes(size)


def blocks(datagrams: list[bytes] | tuple[bytes, ...] | object) -> list[int]:
    """The block numbers of DATA packets; an OACK is -1."""
    assert isinstance(datagrams, list | tuple)
    numbers = []
    for datagram in datagrams:
        packet = decode(datagram)
        assert isinstance(packet, Data | OptionAck)
        numbers.append(packet.block if isinstance(packet, Data) else -1)
    return numbers


def ack(block: int) -> bytes:
    return encode(Ack(block))


@pytest.mark.parametrize(
    ("size", "blksize", "payloads"),
    [
        (0, 512, [0]),
        (1, 512, [1]),
        (511, 512, [511]),
        (512, 512, [512, 0]),
        (513, 512, [512, 1]),
        (1_536, 512, [512, 512, 512, 0]),
        (6_144, 1_428, [1_428, 1_428, 1_428, 1_428, 432]),
        (65_464, 65_464, [65_464, 0]),
        (9, 8, [8, 1]),
    ],
)
def test_a_file_ends_with_a_block_that_is_not_full(size: int, blksize: int, payloads: list[int]) -> None:
    sending = transfer(size, blksize=blksize)
    sent: list[bytes] = list(sending.start(0.0))
    while sending.outcome is None:
        sent += sending.receive(ack(len(sent)), 0.0)
    packets = [decode(datagram) for datagram in sent]
    assert [len(packet.payload) for packet in packets if isinstance(packet, Data)] == payloads
    assert b"".join(packet.payload for packet in packets if isinstance(packet, Data)) == content(size)
    assert sending.outcome is Outcome.SENT


def test_block_numbers_wrap_to_zero_behind_65535() -> None:
    """Files over 32 MB in blocks of 512 bytes have more blocks than numbers."""
    sending = transfer(8 * 140_000, blksize=8)
    answers = sending.start(0.0)
    seen = 0
    received = bytearray()
    while sending.outcome is None:
        (packet,) = [decode(answer) for answer in answers]
        assert isinstance(packet, Data)
        seen += 1
        assert packet.block == seen % 65_536
        received += packet.payload
        answers = sending.receive(ack(packet.block), 0.0)
    assert seen == 140_001
    assert received == content(8 * 140_000)


def test_a_window_reaches_over_the_wrap() -> None:
    sending = transfer(8 * 70_000, blksize=8, windowsize=60)
    window = blocks(sending.start(0.0))
    while 0 not in window:
        window = blocks(sending.receive(ack(window[-1]), 0.0))
    assert window[window.index(0) - 1 : window.index(0) + 2] == [65_535, 0, 1]
    assert blocks(sending.receive(ack(65_535), 0.0))[:3] == [0, 1, 2], "an ACK short of the window, across the wrap"


@dataclass(frozen=True)
class Step:
    """A datagram of the client and the blocks it brings."""

    datagram: bytes
    brings: list[int] = field(default_factory=list)


LOCK_STEP = {
    "the next ACK brings the next block": [Step(ack(1), [2]), Step(ack(2), [3])],
    "a second ACK of the same block brings nothing": [Step(ack(1), [2]), Step(ack(1)), Step(ack(2), [3])],
    "an older ACK brings nothing": [Step(ack(1), [2]), Step(ack(2), [3]), Step(ack(1))],
    "an ACK of what was not sent brings nothing": [Step(ack(2)), Step(ack(40_000)), Step(ack(1), [2])],
    "ACK 0 brings nothing where no option was agreed": [Step(ack(0)), Step(ack(1), [2])],
    "what is no ACK brings nothing": [
        Step(encode(Data(1, b"x"))),
        Step(encode(ReadRequest("x"))),
        Step(b""),
        Step(b"\0"),
        Step(ack(1) + b"\0"),
        Step(ack(1)[:3]),
        Step(b"\xff\xff\0\1"),
        Step(ack(1), [2]),
    ],
}


@pytest.mark.parametrize("steps", LOCK_STEP.values(), ids=LOCK_STEP.keys())
def test_blocks_go_out_one_by_one(steps: list[Step]) -> None:
    sending = transfer(5_000)
    assert blocks(sending.start(0.0)) == [1]
    for step in steps:
        assert blocks(sending.receive(step.datagram, 0.0)) == step.brings
    assert sending.outcome is None


WINDOWS = {
    "an ACK of the whole window brings the next": [Step(ack(4), [5, 6, 7, 8]), Step(ack(8), [9, 10])],
    "an ACK within the window tells that the rest was lost": [Step(ack(2), [3, 4, 5, 6]), Step(ack(6), [7, 8, 9, 10])],
    "an ACK of the window before, once: its successor's first block was lost": [
        Step(ack(4), [5, 6, 7, 8]),
        Step(ack(4), [5, 6, 7, 8]),
        Step(ack(4)),
        Step(ack(8), [9, 10]),
    ],
    "behind a repetition a second ACK may be an echo": [
        Step(ack(4), [5, 6, 7, 8]),
        Step(ack(4), [5, 6, 7, 8]),
        Step(ack(8), [9, 10]),
        Step(ack(8)),
    ],
    "an ACK from before the window brings nothing": [Step(ack(4), [5, 6, 7, 8]), Step(ack(3)), Step(ack(0))],
}


@pytest.mark.parametrize("steps", WINDOWS.values(), ids=WINDOWS.keys())
def test_windows_go_out_as_rfc_7440_has_it(steps: list[Step]) -> None:
    sending = transfer(9 * 512 + 1, windowsize=4)
    assert blocks(sending.start(0.0)) == [1, 2, 3, 4]
    for step in steps:
        assert blocks(sending.receive(step.datagram, 0.0)) == step.brings


@pytest.mark.parametrize("windowsize", [1, 4])
def test_an_option_acknowledgement_goes_first_and_is_acknowledged_as_block_0(windowsize: int) -> None:
    sending = transfer(512 * windowsize, windowsize=windowsize, options=True)
    (first,) = sending.start(0.0)
    assert decode(first) == OptionAck((("blksize", "512"),))
    assert blocks(sending.receive(ack(1), 0.0)) == [], "no block was sent yet"
    assert blocks(sending.receive(ack(65_535), 0.0)) == [], "there is no block before block 0"
    assert blocks(sending.receive(ack(0), 0.0)) == list(range(1, windowsize + 1))
    assert blocks(sending.receive(ack(windowsize), 0.0)) == [windowsize + 1]


def test_a_second_acknowledgement_of_the_options_doubles_nothing() -> None:
    sending = transfer(600, options=True)
    sending.start(0.0)
    assert blocks(sending.receive(ack(0), 0.0)) == [1]
    assert blocks(sending.receive(ack(0), 0.0)) == []


def test_a_lost_option_acknowledgement_is_sent_again() -> None:
    sending = transfer(600, options=True)
    sending.start(0.0)
    assert blocks(sending.timer(1.0)) == [-1]


@pytest.mark.parametrize(
    ("timeout_s", "deadlines"),
    [(None, [1.0, 3.0, 7.0, 15.0, 23.0, 31.0]), (3, [3.0, 6.0, 9.0, 12.0, 15.0, 18.0])],
    ids=["waits double up to a bound", "the client's own time-out is kept to"],
)
def test_a_silent_client_is_reminded_a_few_times_and_given_up(timeout_s: int | None, deadlines: list[float]) -> None:
    sending = transfer(600, timeout_s=timeout_s)
    sending.start(0.0)
    seen = [sending.deadline]
    while blocks(sending.timer(sending.deadline)) == [1]:
        seen.append(sending.deadline)
    assert seen == deadlines
    assert sending.outcome is Outcome.TIMED_OUT
    assert sending.retransmissions == PATIENCE.max_retries


def test_progress_gives_a_client_all_its_retries_back() -> None:
    sending = transfer(5_000)
    sending.start(0.0)
    for _ in range(PATIENCE.max_retries):
        sending.timer(sending.deadline)
    assert sending.stalled
    assert blocks(sending.receive(ack(1), 50.0)) == [2]
    assert not sending.stalled
    assert sending.deadline == 51.0, "and waits begin short again"
    for _ in range(PATIENCE.max_retries):
        assert blocks(sending.timer(sending.deadline)) == [2]
    assert sending.outcome is None


def test_duplicate_acks_do_not_prolong_a_transfer() -> None:
    sending = transfer(5_000)
    sending.start(0.0)
    sending.receive(ack(1), 0.5)
    for second in range(100):
        sending.receive(ack(1), float(second))
    assert sending.deadline == 1.5


def test_a_whole_window_is_sent_again() -> None:
    sending = transfer(5_000, windowsize=4)
    sending.start(0.0)
    sending.receive(ack(4), 0.1)
    assert blocks(sending.timer(1.1)) == [5, 6, 7, 8]


def test_the_clients_error_ends_a_transfer() -> None:
    sending = transfer(5_000)
    sending.start(0.0)
    assert blocks(sending.receive(encode(ErrorPacket(3, "disk full")), 0.0)) == []
    assert sending.outcome is Outcome.ABORTED


@pytest.mark.parametrize("event", ["ack", "timer"])
def test_a_transfer_that_takes_too_long_ends(event: str) -> None:
    sending = transfer(5_000)
    sending.start(0.0)
    sent = sending.receive(ack(1), 1_000.0) if event == "ack" else sending.timer(1_000.0)
    assert blocks(sent) == []
    assert sending.outcome is Outcome.TOO_LONG


def test_a_retransmission_never_waits_beyond_the_end() -> None:
    sending = transfer(5_000)
    sending.start(0.0)
    sending.timer(999.5)
    assert sending.deadline == 1_000.0


def test_duplicates_on_the_way_do_not_multiply() -> None:
    """The Sorcerer's Apprentice: every datagram arrives twice, yet each block is sent once, but for the timer."""
    sending = transfer(20 * 512)
    sent = list(sending.start(0.0))
    total = len(sent)
    while sending.outcome is None:
        answers: list[bytes] = []
        for datagram in sent:
            packet = decode(datagram)
            assert isinstance(packet, Data)
            for _ in range(2):
                answers += sending.receive(ack(packet.block), 0.0)
        total += len(answers)
        sent = answers
    assert total == 21


@dataclass
class _Receiver:
    """A client after RFC 7440: confirms a window when it is whole, the last block, or the last one before a gap."""

    blksize: int
    windowsize: int
    received: bytearray = field(default_factory=bytearray)
    expected: int = 1
    in_window: int = 0
    done: bool = False

    def take(self, datagram: bytes) -> bytes | None:
        packet = decode(datagram)
        if isinstance(packet, OptionAck):
            return ack(0)
        assert isinstance(packet, Data)
        if self.done or packet.block != self.expected & 0xFFFF:
            self.in_window = 0
            return ack(self.expected - 1)
        self.received += packet.payload
        self.expected += 1
        self.in_window += 1
        self.done = len(packet.payload) < self.blksize
        if self.done or self.in_window == self.windowsize:
            self.in_window = 0
            return ack(self.expected - 1)
        return None


@settings(max_examples=150, deadline=None)
@given(
    size=st.integers(0, 400),
    windowsize=st.integers(1, 6),
    options=st.booleans(),
    losses=st.lists(st.booleans(), max_size=60),
    doubles=st.lists(st.booleans(), max_size=60),
)
def test_a_file_arrives_whole_over_a_line_that_loses_and_doubles(
    size: int, windowsize: int, losses: list[bool], doubles: list[bool], *, options: bool
) -> None:
    """The line is bad for a while and then good: the transfer ends, with the right bytes or given up, never wrong."""
    fate = iter(zip(losses, doubles, strict=False))

    def line(datagrams: list[bytes]) -> list[bytes]:
        through: list[bytes] = []
        for datagram in datagrams:
            lost, doubled = next(fate, (False, False))
            through += [] if lost else [datagram, datagram] if doubled else [datagram]
        return through

    sending = transfer(size, blksize=16, windowsize=windowsize, options=options)
    client = _Receiver(16, windowsize)
    now = 0.0
    on_the_way = line(list(sending.start(now)))
    total = 0
    while sending.outcome is None:
        answers: list[bytes] = []
        for reply in line([reply for datagram in on_the_way if (reply := client.take(datagram)) is not None]):
            if sending.outcome is None:
                answers += sending.receive(reply, now)
        if not answers and sending.outcome is None:
            now = sending.deadline
            answers = list(sending.timer(now))
        total += len(answers)
        assert total < 3_000, "the transfer goes on for ever"
        on_the_way = line(answers)
    if sending.outcome is Outcome.SENT:
        assert client.done
        assert client.received == content(size)
    else:
        assert sending.outcome is Outcome.TIMED_OUT
        assert sum(losses) > PATIENCE.max_retries
