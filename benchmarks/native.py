"""Processor time inside C libraries, told from Python's own.

The profiler sees each call into a library. It slows Python down, but not what happens inside such a call: these seconds
can be set against the processor time of a run without profiler.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from typing import Any

TLS, SIGNING, CHECKING = "tls", "signing", "checking"
_MARKS = {
    TLS: ("_ssl.", "ssl.py:"),
    SIGNING: ("'sign' of 'cryptography",),
    CHECKING: ("'verify' of 'cryptography",),
}
"""Part -> what the names of its functions contain. The standard library's ssl module is thin, and counts as TLS."""


class NativeProfile:
    """What one thread does between `start` and `stop`."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile(time.thread_time)

    def start(self) -> None:
        """Begins anew."""
        self._profile = cProfile.Profile(time.thread_time)
        self._profile.enable()

    def stop(self) -> dict[str, float]:
        """Seconds of each part, and under ``signatures`` how many were made."""
        self._profile.disable()
        found = dict.fromkeys((*_MARKS, "signatures"), 0.0)
        statistics: dict[tuple[str, int, str], Any] = vars(pstats.Stats(self._profile))["stats"]
        for (file, line, name), (_, calls, own_s, *_rest) in statistics.items():
            part = _part(f"{file}:{line} {name}")
            if part is not None:
                found[part] += own_s
            if part == SIGNING:
                found["signatures"] += calls
        return found


def _part(function: str) -> str | None:
    return next((part for part, marks in _MARKS.items() if any(mark in function for mark in marks)), None)
