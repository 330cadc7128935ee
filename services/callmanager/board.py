"""Lets every process see who is registered: the registrar's table, written to the database after it changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from cluster.management.phones import RegisteredPhone, note_registrations
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.store import ClusterStore
    from services.callmanager.registrar import Registrar

log = logging.getLogger("ucmsim.callmanager")

_PAUSES = 9
"""Times as long as writing took: while ten thousand phones come up, it takes a tenth of the time and not all of it."""


class RegistrationBoard:
    """Writes for one node, from one task.

    Args:
        store: the cluster.
        node: whose registrations.
        registrar: has them.
        itls: gives the SHA-1 checksums of the cluster's present ITLs.
        delay_s: changes within this time are written as one.
    """

    def __init__(
        self,
        store: ClusterStore,
        node: str,
        registrar: Registrar,
        itls: Callable[[], frozenset[bytes]],
        *,
        delay_s: float = 0.3,
    ) -> None:
        self._store, self._node, self._registrar, self._itls = store, node, registrar, itls
        self._delay_s = delay_s
        self._written: dict[str, RegisteredPhone] | None = None
        """None: what a process left that was killed is not known, and no longer true."""
        self._dirty = asyncio.Event()
        self._dirty.set()
        self._task = asyncio.create_task(self._run())

    def changed(self) -> None:
        """The table is not what was written."""
        self._dirty.set()

    async def close(self) -> None:
        """Nobody is registered any more."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._registrar.registrations.clear()
        await self._write()

    async def _run(self) -> None:
        loop, took_s = asyncio.get_running_loop(), 0.0
        while True:
            await self._dirty.wait()
            await asyncio.sleep(max(self._delay_s, _PAUSES * took_s))
            self._dirty.clear()
            begun = loop.time()
            await self._write()
            took_s = loop.time() - begun

    async def _write(self) -> None:
        """Writes what differs from what was written, or all of it the first time."""
        rows = self._rows()
        written = self._written or {}
        changed = [row for device, row in rows.items() if written.get(device) != row]
        gone = [device for device in written if device not in rows]
        try:
            await note_registrations(self._store, self._node, changed, None if self._written is None else gone)
        except OperatorError as error:
            log.warning("registrations of %s are not noted: %s", self._node, error)
        else:
            self._written = rows

    def _rows(self) -> dict[str, RegisteredPhone]:
        current = self._itls()
        return {
            item.device: RegisteredPhone(
                self._node,
                item.device,
                item.source.address,
                item.source.transport,
                item.lines,
                self._registrar.itl_status(item.device, current).value,
                item.since.isoformat(),
            )
            for item in self._registrar.registrations
        }
