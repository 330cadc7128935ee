"""The clock of a phone whose date is wrong, as ``--clock`` describes it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

from base.clock import Clock, ShiftedClock, SystemClock

_OFFSET = re.compile(r"(?P<sign>[+-])(?P<number>\d{1,9})(?P<unit>[dhms])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""What a phone's clock can be set to; far enough from the ends of the calendar for every date reckoned from it."""


def phone_clock(text: str | None) -> Clock:
    """The machine's clock, wrong by what a person asked for.

    Args:
        text: a moment (ISO 8601, UTC where it names no zone) at which the clock starts, or how wrong it is: a sign, a
            number and one of d, h, m, s. None for the right time.

    Raises:
        typer.BadParameter: neither, or a moment that no phone's clock can show.
    """
    right = SystemClock()
    if text is None:
        return right
    now = right.now()
    try:
        offset = _offset(text, now)
        shown = now + offset
    except (ValueError, OverflowError):
        shown, offset = None, timedelta()
    if shown is None or not _EARLIEST <= shown <= _LATEST:
        raise typer.BadParameter(
            f"{text!r} is no time of a phone's clock: a moment of the years {_EARLIEST.year} to {_LATEST.year - 1}, "
            "such as 2010-01-01T00:00:00Z, or a difference such as -3650d",
            param_hint="--clock",
        )
    return ShiftedClock(right, offset)


def _offset(text: str, now: datetime) -> timedelta:
    difference = _OFFSET.fullmatch(text)
    if difference is not None:
        amount = timedelta(**{_UNITS[difference["unit"]]: int(difference["number"])})
        return -amount if difference["sign"] == "-" else amount
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
