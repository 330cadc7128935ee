"""Waiting in tests: for a step in a trace, or for a condition; never for a while.

What a test awaits is said when it does not come. To show that something does *not* happen, cause something later that
can be seen, wait for that, and look whether anything came before it.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar, overload

from base.trace import MemorySink, TraceEvent

T = TypeVar("T")
Why = str | Callable[[], object]
"""What is awaited, or what makes a picture of it when it did not come; without it the condition's source is shown."""

PATIENCE_S = 60.0
"""Nothing takes this long unless it is about to fail."""
LOOK_S = 0.005
"""Between two looks at a condition that nothing tells of."""


@overload
async def eventually(condition: Callable[[], Awaitable[T]], why: Why = "") -> T: ...
@overload
async def eventually(condition: Callable[[], T], why: Why = "") -> T: ...
async def eventually(condition: Callable[[], object], why: Why = "") -> object:
    """The first value of `condition` that counts as true; it may be a coroutine's.

    Raises:
        AssertionError: it does not come in time.
    """
    try:
        async with asyncio.timeout(PATIENCE_S) as limit:
            while True:
                found = condition()
                if inspect.isawaitable(found):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        if not limit.expired():
            raise  # the condition's own
        raise AssertionError(_never_came(condition, why)) from None


def until(condition: Callable[[], object], why: Why = "") -> Iterator[None]:
    """For tests without a loop: yields until the condition holds, so that the caller can look around meanwhile.

    Raises:
        AssertionError: it does not hold in time.
    """
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(_never_came(condition, why))
        yield
        time.sleep(LOOK_S)


def _never_came(condition: Callable[[], object], why: Why) -> str:
    if not why:
        try:
            why = inspect.getsource(condition).strip()
        except (OSError, TypeError):  # no file, or no function
            why = repr(condition)
    return f"not within {PATIENCE_S:g} s: {why if isinstance(why, str) else why()}"


class WatchedSink(MemorySink):
    """Keeps events, and lets a test wait for one of them."""

    def __init__(self) -> None:
        super().__init__()
        self._watchers: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def write(self, event: TraceEvent) -> None:
        """See `Sink.write`; daemons may do it in threads of theirs."""
        super().write(event)
        for loop, news in [*self._watchers]:
            loop.call_soon_threadsafe(news.set)

    def events_of(self, step: str, **data: object) -> list[TraceEvent]:
        """The events of a step whose data has these values."""
        return [
            event
            for event in self.events
            if event.step == step and all(event.data.get(name) == value for name, value in data.items())
        ]

    async def seen(self, step: str, *, count: int = 1, **data: object) -> TraceEvent:
        """Waits for the `count`-th event of a step with these values, and returns it.

        Raises:
            AssertionError: it does not come in time.
        """
        watcher = (asyncio.get_running_loop(), asyncio.Event())
        self._watchers.append(watcher)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while len(found := self.events_of(step, **data)) < count:
                    await watcher[1].wait()
                    watcher[1].clear()
            return found[count - 1]
        except TimeoutError:
            wanted = ", ".join([step, *(f"{name}={value!r}" for name, value in data.items())])
            raise AssertionError(f"not within {PATIENCE_S:g} s: {count} x {wanted}; seen: {self.steps()}") from None
        finally:
            self._watchers.remove(watcher)
