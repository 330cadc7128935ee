"""Keeps asking the other ends of a node's SIP trunks whether they serve, and lets operators see it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from cluster.management.trunks import IN_SERVICE, OUT_OF_SERVICE, UNKNOWN, TrunkStatus, note_trunks
from services.callmanager.trunkping import ping
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from base.trace import Trace
    from cluster.siptrunk import SipTrunk
    from cluster.store import ClusterStore
    from services.callmanager.trunkping import Near, Outcome

log = logging.getLogger("ucmsim.callmanager")


class TrunkKeeper:
    """One task for each trunk; what they found is written as it changes.

    Args:
        store: the cluster.
        node: whose trunks.
        trunks: which.
        near: this end.
        incoming: port on which a trunk's requests come, by the number that the definition has for it.
        trace: of the service.
    """

    def __init__(
        self,
        store: ClusterStore,
        node: str,
        trunks: Sequence[SipTrunk],
        near: Near,
        incoming: Mapping[int, int],
        *,
        trace: Trace,
    ) -> None:
        self._store, self._node, self._near, self._trace = store, node, near, trace
        now = store.now().isoformat()
        self._states = {
            trunk.name: TrunkStatus(node, trunk.name, UNKNOWN, "not asked yet", "", incoming[trunk.listens_on], now)
            for trunk in trunks
        }
        self._written: list[TrunkStatus] = []
        self._writing = asyncio.Lock()
        self._tasks = [asyncio.create_task(self._keep(trunk)) for trunk in trunks]

    async def close(self) -> None:
        """Asks no more; the node has nothing to say of its trunks from then on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._states = {}
        await self._write()

    async def _keep(self, trunk: SipTrunk) -> None:
        times, cseq = self._near.times, 100
        await self._write()
        while True:
            cseq += 1
            outcome = await ping(trunk, self._near, cseq)
            self._note(trunk, outcome)
            await self._write()
            await asyncio.sleep(times.in_service_s if outcome.serves else times.out_of_service_s)

    def _note(self, trunk: SipTrunk, outcome: Outcome) -> None:
        before = self._states[trunk.name]
        state = IN_SERVICE if outcome.serves else OUT_OF_SERVICE
        self._trace.emit(
            "trunk_pinged",
            trunk=trunk.name,
            peer=f"{trunk.destination}:{trunk.port}",
            reason=outcome.reason,
            tls=outcome.tls,
        )
        now = replace(before, state=state, reason=outcome.reason, tls=outcome.tls)
        if state != before.state:
            now = replace(now, since=self._store.now().isoformat())
            step = "trunk_in_service" if outcome.serves else "trunk_out_of_service"
            self._trace.emit(step, trunk=trunk.name, reason=outcome.reason)
        self._states[trunk.name] = now

    async def _write(self) -> None:
        async with self._writing:
            rows = list(self._states.values())
            if rows == self._written:
                return
            try:
                await note_trunks(self._store, self._node, rows)
            except OperatorError as error:  # tried again after the next ping
                log.warning("SIP trunks of %s are not noted: %s", self._node, error)
            else:
                self._written = rows
