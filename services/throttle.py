"""Slows down whoever guesses passwords: shared by every way to log in to a node.

Each address may be wrong a few times, and once more after each interval. Until then it is not even listened to, right
password or wrong, so guessing faster gains nothing. Nothing here knows account names, so nothing tells them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class ThrottleLimits:
    """How much guessing is allowed (all ours).

    Attributes:
        tries: wrong passwords in a row that cost no waiting.
        interval_s: after which one more is allowed.
        addresses: how many are remembered; beyond them the one whose waiting ends first is forgotten.
    """

    tries: int = 5
    interval_s: float = 10.0
    addresses: int = 4_096


class Throttle:
    """Counts wrong passwords by address.

    Args:
        limits: how many.
        monotonic: seconds that never go backwards.
    """

    def __init__(self, limits: ThrottleLimits | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits or ThrottleLimits()
        self._monotonic = monotonic
        self._forgiven_at: dict[str, float] = {}

    def wait_s(self, address: str) -> float:
        """Seconds until the address may try again; 0 when it may now."""
        free = self._limits.tries - 1
        return max(0.0, self._debt_s(address) - free * self._limits.interval_s)

    def failed(self, address: str) -> None:
        """Notes a wrong password, or an account that does not exist."""
        now = self._monotonic()
        until = now + self._debt_s(address) + self._limits.interval_s
        self._forgiven_at.pop(address, None)
        if len(self._forgiven_at) >= self._limits.addresses:
            self._make_room(now)
        self._forgiven_at[address] = until

    def succeeded(self, address: str) -> None:
        """Forgets the wrong passwords of an address that knew the right one in the end."""
        self._forgiven_at.pop(address, None)

    def _debt_s(self, address: str) -> float:
        return max(0.0, self._forgiven_at.get(address, 0.0) - self._monotonic())

    def _make_room(self, now: float) -> None:
        self._forgiven_at = {address: until for address, until in self._forgiven_at.items() if until > now}
        if len(self._forgiven_at) >= self._limits.addresses:
            del self._forgiven_at[min(self._forgiven_at, key=self._forgiven_at.__getitem__)]
