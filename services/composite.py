"""A service made of several listeners that start and stop as one."""

from __future__ import annotations

import asyncio
from typing import Protocol

from services.service import Health, Listener


class Part(Protocol):
    """One listener of a service."""

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """What is bound now."""
        ...

    async def start(self) -> None:
        """Binds, or raises `wire.errors.OperatorError`."""
        ...

    async def stop(self, grace_s: float) -> None:
        """Closes; see `services.service.Service.stop`."""
        ...


class CompositeService:
    """Implements `services.service.Service` over the parts that `make_parts` gives at each start.

    Making the parts at start, not before, is what binds a service to the certificates of that moment.
    """

    name = ""

    def __init__(self) -> None:
        self._running: list[Part] = []
        self._health = Health.STOPPED

    def make_parts(self) -> list[Part]:
        """The listeners, in starting order."""
        raise AssertionError("a service says what it is made of")

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `services.service.Service`."""
        return tuple(listener for part in self._running for listener in part.listeners)

    def health(self) -> Health:
        """See `services.service.Service`."""
        return self._health

    async def start(self) -> None:
        """See `services.service.Service`."""
        if self._health is not Health.STOPPED:
            return
        self._health = Health.STARTING
        try:
            for part in self.make_parts():
                await part.start()
                self._running.append(part)
        except BaseException:
            await self._stop_parts(0)
            raise
        self._health = Health.STARTED

    async def stop(self, grace_s: float) -> None:
        """See `services.service.Service`."""
        if self._health is Health.STARTED:
            self._health = Health.STOPPING
            await self._stop_parts(grace_s)

    async def _stop_parts(self, grace_s: float) -> None:
        """All at once, so that a service with several busy listeners takes no longer than one."""
        try:
            await asyncio.gather(*(part.stop(grace_s) for part in self._running))
        finally:
            self._running.clear()
            self._health = Health.STOPPED
