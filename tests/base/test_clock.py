"""Time is injected: the machine's own, or one that stands still until it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from base.clock import ManualClock, ShiftedClock, SystemClock

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


def test_a_date_is_set_forward_and_back_while_durations_go_on() -> None:
    clock = ManualClock(START)
    clock.advance(10)
    for date in (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)):
        clock.set_date(date)
        assert (clock.now(), clock.monotonic()) == (date, 10.0)
    clock.advance(5)
    assert (clock.now(), clock.monotonic()) == (datetime(9000, 1, 1, 0, 0, 5, tzinfo=UTC), 15.0)


@pytest.mark.parametrize("offset", [timedelta(days=-3650), timedelta(0), timedelta(hours=9)])
def test_a_shifted_clock_is_wrong_by_the_same_amount_and_measures_right(offset: timedelta) -> None:
    right = ManualClock(START)
    clock = ShiftedClock(right, offset)
    right.advance(60)
    assert (clock.now(), clock.monotonic()) == (START + timedelta(minutes=1) + offset, 60.0)
