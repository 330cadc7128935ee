"""Lets every process see who is registered: the registrar's table, written to the database after it changed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cluster.management.phones import RegisteredPhone, note_registrations
from services.callmanager.lazywriter import LazyWriter
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.store import ClusterStore
    from services.callmanager.registrar import Registrar
    from services.callmanager.registrations import CurrentLists, Registration

log = logging.getLogger("ucmsim.callmanager")


class RegistrationBoard:
    """Writes for one node, from one task.

    Args:
        store: the cluster.
        node: whose registrations.
        registrar: has them.
        lists: gives what the cluster serves now.
    """

    def __init__(
        self,
        store: ClusterStore,
        node: str,
        registrar: Registrar,
        lists: Callable[[], CurrentLists],
    ) -> None:
        self._store, self._node, self._registrar, self._lists = store, node, registrar, lists
        self._written: dict[str, RegisteredPhone] | None = None
        """None: what a process left that was killed is not known, and no longer true."""
        self._writer = LazyWriter(self._write)
        self._writer.changed()

    def changed(self) -> None:
        """The table is not what was written."""
        self._writer.changed()

    async def close(self) -> None:
        """Nobody is registered any more."""
        await self._writer.close()
        self._registrar.registrations.clear()
        await self._write()

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
        current = self._lists()
        return {item.device: self._row(item, current) for item in self._registrar.registrations}

    def _row(self, item: Registration, current: CurrentLists) -> RegisteredPhone:
        ctl, itl = self._registrar.list_statuses(item.device, current)
        return RegisteredPhone(
            node=self._node,
            device=item.device,
            address=item.source.address,
            transport=item.source.transport,
            lines=item.lines,
            ctl=ctl.value,
            itl=itl.value,
            since=item.since.isoformat(),
        )
