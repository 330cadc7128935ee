"""A laboratory that runs in a thread of its own, so that many tests and blocking clients can share it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Self, TypeVar

from base.trace import MemorySink, Trace
from cluster.endpoints import Endpoints, Ports
from lab.laboratory import Laboratory
from lab.ports import PortPlan
from services.callmanager.service import CiscoCallManager

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from types import TracebackType

    from cluster.config import LabConfig
    from cluster.purposes import Purpose
    from cluster.snapshot import ClusterSnapshot
    from wire.certificates import Certificate

T = TypeVar("T")
PUB, SUB = "alpha-pub", "alpha-sub1"


class SharedLab:
    """Who shares it must not change its state."""

    def __init__(self, config: LabConfig, state: Path) -> None:
        self.sink = MemorySink()
        plan = PortPlan(config, Endpoints(Ports.any_free()))
        self._laboratory = Laboratory(plan, state, trace=Trace(self.sink))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.call(self._laboratory.__aenter__)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.call(self._laboratory.close)
        self._end()

    def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Runs a coroutine on the laboratory's own loop."""

        async def run() -> T:
            return await function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def snapshot(self) -> ClusterSnapshot:
        return self._laboratory.clusters["alpha"].store.snapshot

    def registered(self, node: str = PUB) -> list[str]:
        """Devices that are registered with a node now."""

        async def look() -> list[str]:
            services = self._laboratory.nodes[node].supervisor.services
            (found,) = (service for service in services if isinstance(service, CiscoCallManager))
            return [item.device for item in found.registrar.registrations]

        return self.call(look)

    def ports(self, node: str = PUB) -> Ports:
        return self._laboratory.endpoints.of(node)

    def certificate(self, purpose: Purpose, node: str = PUB) -> Certificate:
        return self.snapshot.require(node, purpose).certificate
