"""Lets whoever gave an order see how it gets on: what each phone answered, written to the database."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cluster.management.orderanswers import OrderAnswer, Told, note_answers
from services.callmanager.lazywriter import LazyWriter
from wire.errors import OperatorError

if TYPE_CHECKING:
    from cluster.store import ClusterStore
    from services.callmanager.exchange import Answered

log = logging.getLogger("ucmsim.callmanager")


class OrderBoard:
    """Writes for one node, from one task.

    Args:
        store: the cluster.
        node: at which the phones are registered.
    """

    def __init__(self, store: ClusterStore, node: str) -> None:
        self._store, self._node = store, node
        self._unwritten: list[OrderAnswer] = []
        self._writer = LazyWriter(self._write)

    def sent(self, revision: int, device: str) -> Answered:
        """A phone is sent the order of that revision; the result takes what comes of it."""

        def note(told: Told) -> None:
            self._unwritten.append(OrderAnswer(revision, self._node, device, told))
            self._writer.changed()

        def answered(status: int | None) -> None:
            good = status is not None and 200 <= status < 300
            note(Told.ANSWERED if good else Told.REFUSED if status else Told.UNANSWERED)

        note(Told.SENT)
        return answered

    async def close(self) -> None:
        """Writes what is left."""
        await self._writer.close()
        await self._write()

    async def _write(self) -> None:
        answers, self._unwritten = self._unwritten, []
        orders = self._store.snapshot.phone_orders
        if not answers or not orders:
            return
        try:
            await note_answers(self._store, answers, orders[0].revision)
        except OperatorError as error:  # of no importance to phones; whoever waits for it gives up in time
            log.warning("answers to orders are not noted: %s", error)
