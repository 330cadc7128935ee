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

DELAY_S = 0.3
"""Changes within this time are written as one."""


class RegistrationBoard:
    """Writes for one node, from one task.

    Args:
        store: the cluster.
        node: whose registrations.
        registrar: has them.
        itl_sha1: gives the checksum of the node's present ITL.
    """

    def __init__(self, store: ClusterStore, node: str, registrar: Registrar, itl_sha1: Callable[[], bytes]) -> None:
        self._store, self._node, self._registrar, self._itl_sha1 = store, node, registrar, itl_sha1
        self._dirty = asyncio.Event()
        self._dirty.set()  # what a killed process left is no longer true
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
        while True:
            await self._dirty.wait()
            await asyncio.sleep(DELAY_S)
            self._dirty.clear()
            await self._write()

    async def _write(self) -> None:
        current = self._itl_sha1()
        phones = [
            RegisteredPhone(
                self._node,
                item.device,
                item.source.address,
                item.source.transport,
                item.lines,
                self._registrar.itl_status(item.device, current).value,
                item.since.isoformat(),
            )
            for item in self._registrar.registrations.values()
        ]
        try:
            await note_registrations(self._store, self._node, phones)
        except OperatorError as error:
            log.warning("registrations of %s are not noted: %s", self._node, error)
