"""The one holder of a cluster's durable state.

A change is one transaction: rows, the new revision, and the stamps of every generated file whose content it alters.
After the commit the store builds the next snapshot and tells its subscribers. Other processes on the same database
notice the revision (`watch`) and re-read what it touched. With the database gone the last snapshot goes on being
served, and changes are refused.

What can be changed is in `cluster.changes`, how a snapshot is read in `cluster.loading`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError

from base.clock import Clock, SystemClock
from base.trace import Trace
from cluster import changes, schema
from cluster.audit import SYSTEM, Actor, AuditEntry, read_audit
from cluster.changes import Transaction
from cluster.claims import is_claimed
from cluster.database import WRITING, open_sqlite, reason, to_its_end
from cluster.layout import prepare
from cluster.loading import load_snapshot
from cluster.parameters import check_parameter
from cluster.purposes import TRUST_STORES
from wire.errors import OperatorError, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from cluster.changes import Change
    from cluster.definition import ClusterDefinition
    from cluster.snapshot import ClusterSnapshot
    from wire.certificates import Certificate

log = logging.getLogger("ucmsim.store")

_Result = TypeVar("_Result")


class ClusterStore:
    """Durable state of one cluster; use `open` and `close`."""

    def __init__(self, engine: AsyncEngine, where: str, clock: Clock, trace: Trace) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**{WRITING: True})
        self._where = where
        self._clock = clock
        self._trace = trace.bind(service="Store")
        self._identity = ""
        self._snapshot: ClusterSnapshot | None = None
        self._listeners: list[Callable[[ClusterSnapshot], None]] = []
        self._lock = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path, *, clock: Clock | None = None, trace: Trace | None = None) -> ClusterStore:
        """Opens or creates the database file and loads its state, if it has any.

        Raises:
            OperatorError: not a database of ours, another version's, or not accessible.
        """
        store = cls(open_sqlite(path), str(path), clock or SystemClock(), trace or Trace())
        try:
            await to_its_end(store._prepare())
            await store.refresh()
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        """Stops watching and closes the database. Idempotent."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
        await self._engine.dispose()

    @property
    def installed(self) -> bool:
        """False while the database holds no cluster yet."""
        return self._snapshot is not None

    @property
    def snapshot(self) -> ClusterSnapshot:
        """The present state.

        Raises:
            OperatorError: nothing is installed.
        """
        if self._snapshot is None:
            raise OperatorError(f"{self._where} holds no installed cluster; start one with 'ucmsim up'")
        return self._snapshot

    def now(self) -> datetime:
        """The cluster's time."""
        return self._clock.now()

    def runs(self, node: str) -> bool:
        """True while a process runs that node on this state, whatever became of the process before."""
        return is_claimed(Path(self._where).parent, node)

    def subscribe(self, listener: Callable[[ClusterSnapshot], None]) -> Callable[[], None]:
        """Calls `listener` with each new snapshot; returns what ends that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return unsubscribe

    # ------------------------------------------------------------------ changes

    async def install(self, definition: ClusterDefinition) -> ClusterSnapshot:
        """Makes the cluster, or brings an installed one in line with a changed definition.

        Certificates that exist are kept; nodes that are new get theirs (R-SBD-1). Nothing changed: no new revision.

        Raises:
            OperatorError: the database belongs to another cluster, or refuses the change.
        """

        async def change(transaction: Transaction) -> bool:
            held = transaction.before.definition.name if transaction.before is not None else definition.name
            if held != definition.name:
                raise OperatorError(f"{self._where} holds cluster {held!r}, not {definition.name!r}")
            return await changes.install(transaction, definition)

        await self.apply("installation" if self._snapshot is None else "definition changed", change)
        return self.snapshot

    async def set_parameter(self, name: str, value: str, actor: Actor = SYSTEM) -> None:
        """Sets an enterprise parameter.

        Raises:
            Refusal: no such parameter, or the value does not fit.
            OperatorError: the database refuses the change.
        """
        checked = check_parameter(name, value)
        await self.apply(
            f"parameter {name}", lambda transaction: changes.set_parameter(transaction, name, checked), actor
        )

    async def add_trust(self, store: str, certificates: Sequence[Certificate]) -> int:
        """Puts certificates into a trust store of every node; returns how many were new (R-TVS-3).

        Raises:
            Refusal: no such trust store.
            OperatorError: the database refuses the change.
        """
        _check_store(store)
        added = 0

        async def change(transaction: Transaction) -> bool:
            nonlocal added
            added = await changes.add_trust(transaction, store, certificates)
            return bool(added)

        await self.apply(f"{len(certificates)} certificate(s) into {store}", change)
        return added

    async def delete_trust(self, store: str, sha256: bytes) -> None:
        """Takes a certificate out of a trust store of every node.

        Raises:
            Refusal: no such store, or the certificate is not in it.
            OperatorError: the database refuses the change.
        """
        _check_store(store)
        await self.apply(
            f"certificate out of {store}", lambda transaction: changes.delete_trust(transaction, store, sha256)
        )

    async def apply(self, what: str, change: Change, actor: Actor = SYSTEM) -> None:
        """Runs `change` as one transaction and publishes the snapshot that follows from it.

        Args:
            what: the change in a few words, for the audit trail and the trace.
            change: writes it; see `cluster.changes`. What it raises undoes everything and goes to the caller.
            actor: who changes it, for the audit trail.

        Raises:
            OperatorError: the database refuses the change; nothing is altered.
        """
        await to_its_end(self._apply(what, change, actor))

    async def _apply(self, what: str, change: Change, actor: Actor) -> None:
        async with self._lock:
            try:
                async with self._writing.connect() as connection, connection.begin() as transaction:
                    present = await self._load(connection, self._snapshot)
                    if present is not None and present is not self._snapshot:
                        self._publish(present, "loaded")
                    candidate = await self._write(connection, what, change, actor)
                    if candidate is None:
                        await transaction.rollback()
                        return
                    await transaction.commit()
            except SQLAlchemyError as error:
                raise OperatorError(
                    f"the change was refused and nothing was altered: database {self._where}: {reason(error)}"
                ) from error
            self._trace.emit(
                "changed",
                what=what,
                who=actor.name,
                origin=actor.origin,
                revision_before=candidate.revision - 1,
                revision=candidate.revision,
            )
            self._publish(candidate, what)

    async def _write(
        self, connection: AsyncConnection, what: str, change: Change, actor: Actor
    ) -> ClusterSnapshot | None:
        revision = self._snapshot.revision + 1 if self._snapshot is not None else 1
        now = self._clock.now()
        row = {"number": revision, "at": now.isoformat(), "what": what, "who": actor.name, "origin": actor.origin}
        await connection.execute(insert(schema.revision).values(**row))
        if not await change(Transaction(connection, revision, now, self._snapshot)):
            return None
        candidate = await self._load(connection, self._snapshot)
        assert candidate is not None  # noqa: S101 - a revision was just written
        return await changes.restamp(connection, candidate)

    # ------------------------------------------------------------------ reading

    async def refresh(self) -> bool:
        """Takes up what other processes committed; True when there was anything.

        Raises:
            OperatorError: the database cannot be read; the last snapshot stays.
        """
        return await to_its_end(self._refresh())

    async def _refresh(self) -> bool:
        async with self._lock:
            try:
                async with self._engine.connect() as connection:
                    fresh = await self._load(connection, self._snapshot)
            except SQLAlchemyError as error:
                raise OperatorError(f"cannot read the state database {self._where}: {reason(error)}") from error
            if fresh is self._snapshot or fresh is None:
                return False
            self._publish(fresh, "loaded")
            return True

    async def audit(self, limit: int = 100) -> list[AuditEntry]:
        """The last changes, newest first: who changed what, when, from where.

        Raises:
            OperatorError: the database cannot be read.
        """
        return await self.look(lambda connection: read_audit(connection, limit))

    async def look(self, work: Callable[[AsyncConnection], Awaitable[_Result]]) -> _Result:
        """Runs `work` in a transaction, to look at what no snapshot holds.

        Raises:
            OperatorError: the database cannot be read.
        """

        async def whole() -> _Result:
            async with self._engine.connect() as connection:
                return await work(connection)

        try:
            return await to_its_end(whole())
        except SQLAlchemyError as error:
            raise OperatorError(f"cannot read the state database {self._where}: {reason(error)}") from error

    async def note(self, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        """Runs `work` in a transaction that is no change of the cluster's state: no revision, and nobody is told.

        Raises:
            OperatorError: the database refuses it.
        """

        async def whole() -> None:
            async with self._lock, self._writing.begin() as connection:
                await work(connection)

        try:
            await to_its_end(whole())
        except SQLAlchemyError as error:
            raise OperatorError(f"database {self._where} refuses a note: {reason(error)}") from error

    def watch(self, interval_s: float = 0.25) -> None:
        """Keeps taking up other processes' changes until `close`. PostgreSQL would notify; SQLite has to be asked."""
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch(interval_s))

    async def _watch(self, interval_s: float) -> None:
        reachable = True
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may succeed
                if reachable:
                    log.warning("%s; going on with the state that was last read", str(error) or type(error).__name__)
                reachable = False
            else:
                if not reachable:
                    log.warning("the state database %s can be read again", self._where)
                reachable = True

    async def _load(self, connection: AsyncConnection, before: ClusterSnapshot | None) -> ClusterSnapshot | None:
        return await load_snapshot(connection, before, identity=self._identity, where=self._where)

    async def _prepare(self) -> None:
        try:
            async with self._writing.begin() as connection:
                self._identity = await prepare(connection, self._where)
        except SQLAlchemyError as error:
            raise OperatorError(f"{self._where} is no usable state database: {reason(error)}") from error

    def _publish(self, snapshot: ClusterSnapshot, what: str) -> None:
        self._snapshot = snapshot
        self._trace.emit("snapshot_published", cluster=snapshot.definition.name, revision=snapshot.revision, what=what)
        for listener in list(self._listeners):
            try:
                listener(snapshot)
            except Exception:
                log.exception("a listener failed with revision %d", snapshot.revision)


def _check_store(store: str) -> None:
    if store not in TRUST_STORES:
        raise Refusal(404, f"there is no trust store {store!r}; known: {', '.join(TRUST_STORES)}")
