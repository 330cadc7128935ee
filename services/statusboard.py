"""What a node's services do, for every process on the database to read: kept in memory, written out as it changes.

Writing never holds a service up. While the database is not there, the newest state of each service waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from cluster.servicestatus import Observed, note_observed
from wire.errors import OperatorError

if TYPE_CHECKING:
    from cluster.servicecatalogue import Health
    from cluster.store import ClusterStore

log = logging.getLogger("ucmsim.node")

_RETRY_S = 0.5
_FLUSH_S = 2.0


class StatusBoard:
    """The states of one node's services.

    Args:
        store: where they are written.
        node: node name.
    """

    def __init__(self, store: ClusterStore, node: str) -> None:
        self._store = store
        self._node = node
        self._starts: dict[str, int] = {}
        self._now: dict[str, Observed] = {}
        self._unwritten: dict[str, Observed] = {}
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begins to write."""
        self._writer = asyncio.create_task(self._write_on())

    async def flush(self) -> None:
        """Writes what is left, now, unless the database keeps that waiting."""
        with contextlib.suppress(OperatorError, TimeoutError):
            await asyncio.wait_for(self._write(), _FLUSH_S)

    async def close(self) -> None:
        """Writes what is left and ends. Idempotent."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await self.flush()

    def begin(self, name: str, starts: int) -> None:
        """From here on, what the service does is done for the order of that number."""
        self._starts[name] = starts

    def note(self, name: str, state: Health, detail: str = "") -> None:
        """A service is in another state."""
        observed = Observed(state, self._starts.get(name, 0), detail)
        if self._now.get(name) != observed:
            self._now[name] = self._unwritten[name] = observed
            self._wake.set()

    def settle(self, name: str, state: Health) -> None:
        """The order is carried out. Keeps the reason that was noted with the state."""
        known = self._now.get(name)
        self.note(name, state, known.detail if known is not None and known.state is state else "")

    async def _write_on(self) -> None:
        possible = True
        while True:
            await self._wake.wait()
            try:
                await self._write()
            except OperatorError as error:
                if possible:
                    log.warning("%s: states of services cannot be written: %s", self._node, error)
                possible = False
                await asyncio.sleep(_RETRY_S)
            else:
                possible = True

    async def _write(self) -> None:
        self._wake.clear()
        batch, self._unwritten = self._unwritten, {}
        try:
            await note_observed(self._store, self._node, batch)
        except BaseException:
            self._unwritten = {**batch, **self._unwritten}
            self._wake.set()
            raise
