"""Who may log in, and how fast passwords may be guessed.

Attempts from one address are judged one after the other, however many connections they come over. After a wrong one
the next answer to that address, right or wrong, waits a little, longer each time. An unknown user gets the same answer
after the same time as a wrong password. `Turnstile` is the waiting alone, for whatever attempts are counted by.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.config import Administrator


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """Bounds on guessing.

    Attributes:
        first_delay_s: after the first wrong password.
        longest_delay_s: each further one doubles the delay up to this.
        forgiven_s: an address that was quiet so long begins anew.
        waiting: attempts of one address that may wait for each other; more are refused at once.
        attempts: wrong passwords of one connection before it is closed.
        remembered: addresses with wrong passwords that are kept in mind.
    """

    first_delay_s: float = 0.5
    longest_delay_s: float = 8.0
    forgiven_s: float = 300.0
    waiting: int = 8
    attempts: int = 3
    remembered: int = 4_096


@dataclass(slots=True)
class _Source:
    """What is known of one address."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    failures: int = 0
    not_before: float = 0.0
    last: float = 0.0


class Turnstile:
    """Lets attempts from one source through one after the other, and slowly after wrong ones."""

    def __init__(self, limits: LoginLimits) -> None:
        self._limits = limits
        self._sources: OrderedDict[str, _Source] = OrderedDict()

    async def passes(self, source: str, judge: Callable[[], bool]) -> bool:
        """What `judge` says; takes its time after wrong attempts of the same source."""
        state = self._state(source)
        if state.waiting >= self._limits.waiting:
            return False
        state.waiting += 1
        try:
            async with state.lock:
                return await self._judge(state, right=judge())
        finally:
            state.waiting -= 1

    async def _judge(self, state: _Source, *, right: bool) -> bool:
        loop = asyncio.get_running_loop()
        if loop.time() - state.last > self._limits.forgiven_s:
            state.failures = 0
        delay = max(0.0, state.not_before - loop.time())
        if not right:  # noted before the wait: who hangs up meanwhile has made it all the same
            state.failures += 1
            pause = self._limits.first_delay_s * 2 ** min(state.failures - 1, 16)
            delay = max(delay, min(pause, self._limits.longest_delay_s))
            state.not_before = loop.time() + delay
            state.last = state.not_before
        if delay:  # else nobody of the same address has to wait
            await asyncio.sleep(delay)
        if right:
            state.failures = 0
        return right

    def _state(self, source: str) -> _Source:
        state = self._sources.setdefault(source, _Source())
        self._sources.move_to_end(source)
        while len(self._sources) > self._limits.remembered:
            self._sources.popitem(last=False)
        return state


class Gatekeeper:
    """Judges log-ins to one node."""

    def __init__(self, administrator: Administrator, limits: LoginLimits) -> None:
        self._salt = secrets.token_bytes(16)
        self._expected = self._mixed(administrator.name, administrator.password.get_secret_value())
        self._turnstile = Turnstile(limits)

    async def admits(self, source: str, user: str, password: str) -> bool:
        """Whether the log-in is right; takes its time after wrong ones."""
        return await self._turnstile.passes(
            source, lambda: hmac.compare_digest(self._mixed(user, password), self._expected)
        )

    def _mixed(self, user: str, password: str) -> bytes:
        """Both in one digest, so that which of them is wrong makes no difference to anything."""
        parts = (user.encode("utf-8", "surrogatepass"), password.encode("utf-8", "surrogatepass"))
        return hashlib.sha256(self._salt + b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()
