"""Writes what changed a little later, so that many changes at once are written as one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_PAUSES = 9
"""Times as long as writing took: while ten thousand phones come up, it takes a tenth of the time and not all of it."""


class LazyWriter:
    """Calls `write` after `changed`, from one task of its own.

    Args:
        write: writes what there is to be written; it deals with its own errors.
        delay_s: changes within this time are written as one.
    """

    def __init__(self, write: Callable[[], Awaitable[None]], delay_s: float = 0.3) -> None:
        self._write, self._delay_s = write, delay_s
        self._dirty = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def changed(self) -> None:
        """There is something to write."""
        self._dirty.set()

    async def close(self) -> None:
        """Ends without writing."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        loop, took_s = asyncio.get_running_loop(), 0.0
        while True:
            await self._dirty.wait()
            await asyncio.sleep(max(self._delay_s, _PAUSES * took_s))
            self._dirty.clear()
            begun = loop.time()
            await self._write()
            took_s = loop.time() - begun
