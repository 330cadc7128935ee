"""Carries out what operators want of a node's services, as it stands in the store, whichever process put it there.

One service's orders are carried out one after the other, different services' side by side. What matters is what is
wanted last: two orders to restart that come during a third are carried out as one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from cluster.servicecatalogue import wanted_state
from services.supervisor import GRACE_S
from wire.errors import UcmsimError

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from cluster.snapshot import ClusterSnapshot, ServiceState
    from cluster.store import ClusterStore
    from services.statusboard import StatusBoard
    from services.supervisor import Supervisor

log = logging.getLogger("ucmsim.node")

_PATIENCE_S = GRACE_S + 1


class Reconciler:
    """Keeps the services of one node as the store wants them, from `begin` to `end`.

    It acts when what is wanted changes, not when a service is found otherwise: one that failed to start, or that a test
    stopped behind its back, stays so until the next order.
    """

    def __init__(
        self, node: str, store: ClusterStore, supervisor: Supervisor, board: StatusBoard, trace: Trace
    ) -> None:
        self._node = node
        self._store = store
        self._supervisor = supervisor
        self._board = board
        self._trace = trace.bind(service="Service Manager")
        self._names = [service.name for service in supervisor.services]
        self._done: dict[str, ServiceState] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._unsubscribe: Callable[[], None] = lambda: None
        self._ending = False

    def prepare(self) -> list[str]:
        """Names of the services that a start of the node starts; what is ordered from here on comes after that."""
        snapshot = self._store.snapshot
        self._done = {name: wanted_state(snapshot, self._node, name) for name in self._names}
        for name, wanted in self._done.items():
            self._board.begin(name, wanted.starts)
        return [name for name, wanted in self._done.items() if wanted.runs]

    def begin(self) -> None:
        """Carries out what was ordered since `prepare`, and from here on."""
        self._unsubscribe = self._store.subscribe(self._look)
        self._look(self._store.snapshot)

    async def end(self) -> None:
        """Lets orders in progress come to their end, for a short while. Idempotent."""
        self._ending = True
        self._unsubscribe()
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_PATIENCE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _look(self, snapshot: ClusterSnapshot) -> None:
        for name in self._names:
            if name not in self._tasks and wanted_state(snapshot, self._node, name) != self._done[name]:
                self._tasks[name] = asyncio.create_task(self._serve(name))

    async def _serve(self, name: str) -> None:
        try:
            while not self._ending:
                wanted = wanted_state(self._store.snapshot, self._node, name)
                if wanted == self._done[name]:
                    break
                await self._carry_out(name, self._done[name], wanted)
                self._done[name] = wanted
        finally:
            del self._tasks[name]

    async def _carry_out(self, name: str, before: ServiceState, wanted: ServiceState) -> None:
        self._trace.emit(
            "order_taken", name=name, activated=wanted.activated, stopped=wanted.stopped, starts=wanted.starts
        )
        self._board.begin(name, wanted.starts)
        try:
            if not wanted.runs:
                await self._supervisor.stop(name)
            elif wanted.starts > before.starts:
                await self._supervisor.restart(name)
            else:
                await self._supervisor.start(name)
        except UcmsimError as error:
            log.warning("%s: %s: %s", self._node, name, error)
        except Exception:
            log.exception("%s: %s failed", self._node, name)
        state = self._supervisor.health(name)
        self._board.settle(name, state)
        self._trace.emit("order_carried_out", name=name, state=state.value)
