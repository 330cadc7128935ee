"""Time, injected wherever it matters: validity of certificates, TTL of answers, timers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards, for durations."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()


class ShiftedClock:
    """The time of another clock, wrong by a fixed amount: a device whose date was never set, or set badly.

    Args:
        clock: whose time is shifted; its durations are right all the same.
        offset: added to it; negative for a clock that is slow.
    """

    def __init__(self, clock: Clock, offset: timedelta) -> None:
        self._clock, self._offset = clock, offset

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._clock.now() + self._offset

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self._clock.monotonic()


class ManualClock:
    """A clock that stands still until told to `advance`; for scenarios and tests of validity and TTL."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Moves time forward."""
        if seconds < 0:
            raise ValueError("time does not go backwards")
        self._elapsed += seconds

    def set_date(self, now: datetime) -> None:
        """Sets the wall clock, forward or back, as a person or a time server does; durations go on unmoved."""
        self._start = now - timedelta(seconds=self._elapsed)
