"""Time is injected: the machine's own, or one that stands still until it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from base.clock import ManualClock, SystemClock

START = datetime(2030, 1, 1, tzinfo=UTC)


def test_the_system_clock_gives_utc_and_never_runs_backwards() -> None:
    clock = SystemClock()
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)
    assert clock.now().utcoffset() == timedelta(0)
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


def test_a_manual_clock_moves_only_when_it_is_told() -> None:
    clock = ManualClock(START)
    assert (clock.now(), clock.monotonic()) == (START, 0.0)
    clock.advance(90.5)
    clock.advance(0)
    assert (clock.now(), clock.monotonic()) == (START + timedelta(seconds=90.5), 90.5)


def test_time_does_not_go_backwards() -> None:
    clock = ManualClock(START)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
    assert clock.now() == START
