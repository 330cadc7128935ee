"""One file on its way to one client: which datagrams to send, and when to give up. No socket, no clock.

Theory of operation
-------------------
Blocks are counted from 1 without wrapping; only the wire sees them modulo 65,536. An option acknowledgement
is block 0 of the same count, so that the ACK 0 which answers it is an acknowledgement like any other.

``acked`` is the last block the client confirmed, ``sent`` the last one that was sent. An ACK between the
two moves ``acked`` and the next window goes out behind it. In a window of one that is RFC 1350; in a larger
window an ACK short of ``sent`` tells that the rest was lost, and the next window begins behind it (RFC
7440).

An ACK of ``acked`` itself is a duplicate. Answering it would double every later block (the Sorcerer's
Apprentice), so in a window of one it is ignored and the timer heals a loss. In a larger window it also is
how a client reports that the first block of a window was lost. There it causes one resend, unless the
window before was itself resent: then the duplicate may be the echo of our own repetition.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from wire.tftp import HEADER, Opcode, OptionAck, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wire.tftp import Agreement

_ACK = Opcode.ACK.to_bytes(2, "big")
_ERROR = Opcode.ERROR.to_bytes(2, "big")
_DATA = int(Opcode.DATA)  # an IntEnum member takes struct six times as long to pack
_NOTHING: tuple[bytes, ...] = ()


class Outcome(Enum):
    """How a transfer ended."""

    SENT = "sent"
    ABORTED = "aborted"
    TIMED_OUT = "timed_out"
    TOO_LONG = "too_long"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a transfer waits.

    Attributes:
        retransmit_s: first wait for an ACK; doubles with each retransmission unless the client fixed it.
        max_retransmit_s: where the doubling ends.
        max_retries: retransmissions of one window before the client is forgotten.
        transfer_s: a whole transfer, however lively.
    """

    retransmit_s: float = 1.0
    max_retransmit_s: float = 8.0
    max_retries: int = 5
    transfer_s: float = 1_800.0


class Transfer:
    """The server's side of one read.

    Attributes:
        deadline: on the caller's monotonic clock, in seconds; call `timer` when it has passed.
        outcome: None while it runs.
        acked: blocks confirmed so far; -1 before an option acknowledgement is.
        retransmissions: windows sent again, for the trace.
    """

    __slots__ = (
        "_agreement",
        "_blksize",
        "_data",
        "_echo_possible",
        "_end",
        "_last",
        "_patience",
        "_resent",
        "_retries",
        "_sent",
        "_wait_s",
        "_window",
        "acked",
        "deadline",
        "outcome",
        "retransmissions",
    )

    def __init__(self, data: bytes, agreement: Agreement, patience: Patience, now: float) -> None:
        """Prepares to send `data`; nothing is sent before `start`.

        Args:
            data: the file as it travels.
            agreement: what was negotiated.
            patience: see `Patience`.
            now: monotonic time, seconds.
        """
        self._data = data
        self._agreement = agreement
        self._blksize = agreement.blksize
        self._window = agreement.windowsize
        self._patience = patience
        self._last = len(data) // agreement.blksize + 1
        self._end = now + patience.transfer_s
        self._wait_s = patience.retransmit_s if agreement.timeout_s is None else float(agreement.timeout_s)
        self._retries = 0
        self._resent = False
        self._echo_possible = False
        self.acked = -1 if agreement.acknowledged else 0
        self._sent = self.acked
        self.deadline = now + self._wait_s
        self.outcome: Outcome | None = None
        self.retransmissions = 0

    def start(self, now: float) -> Sequence[bytes]:
        """The first datagrams: the option acknowledgement, or the first window."""
        return self._next_window(now)

    @property
    def stalled(self) -> bool:
        """True when the client has been silent for at least one retransmission."""
        return self._retries > 0

    def receive(self, datagram: bytes, now: float) -> Sequence[bytes]:
        """What to send in answer to a datagram of the client; whatever is not an ACK or ERROR is ignored."""
        if len(datagram) != 4 or datagram[:2] != _ACK:
            if datagram[:2] == _ERROR:
                self.outcome = Outcome.ABORTED
            return _NOTHING
        ahead = ((datagram[2] << 8 | datagram[3]) - self.acked) & 0xFFFF
        if ahead == 0 or ahead > self._sent - self.acked:
            return self._duplicate(now) if ahead == 0 else _NOTHING
        self.acked = acked = self.acked + ahead
        if acked == self._last:
            self.outcome = Outcome.SENT
            return _NOTHING
        if self._retries or self._resent or self._echo_possible:
            self._progress_after_resend()
        self.deadline = now + self._wait_s
        if self._window > 1 or now >= self._end:
            return self._next_window(now)
        self._sent = sent = acked + 1
        start = acked * self._blksize
        return (HEADER.pack(_DATA, sent & 0xFFFF) + self._data[start : start + self._blksize],)

    def timer(self, now: float) -> Sequence[bytes]:
        """What to send again once `deadline` has passed; may end the transfer instead."""
        if self._retries == self._patience.max_retries:
            self.outcome = Outcome.TIMED_OUT
            return _NOTHING
        self._retries += 1
        wait_s = self._wait_s
        if self._agreement.timeout_s is None:
            wait_s = min(wait_s * 2**self._retries, self._patience.max_retransmit_s)
        self.deadline = min(now + wait_s, self._end)
        return self.resend(now)

    def resend(self, now: float) -> Sequence[bytes]:
        """The window in flight once more."""
        self._resent = True
        self.retransmissions += 1
        return self._next_window(now)

    def _duplicate(self, now: float) -> Sequence[bytes]:
        if self._window == 1 or self._resent or self._echo_possible or self.acked < 0:
            return _NOTHING
        return self.resend(now)

    def _progress_after_resend(self) -> None:
        self._retries = 0
        self._echo_possible = self._resent
        self._resent = False

    def _next_window(self, now: float) -> Sequence[bytes]:
        if now >= self._end:
            self.outcome = Outcome.TOO_LONG
            return _NOTHING
        if self.acked < 0:
            self._sent = 0
            return (encode(OptionAck(self._agreement.acknowledged)),)
        self._sent = min(self.acked + self._window, self._last)
        data, size = self._data, self._blksize
        return [
            HEADER.pack(_DATA, block & 0xFFFF) + data[(block - 1) * size : block * size]
            for block in range(self.acked + 1, self._sent + 1)
        ]
