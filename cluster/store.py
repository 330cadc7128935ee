"""The one holder of a cluster's durable state.

A change is one transaction: rows, the new revision, and the stamps of every generated file whose content it alters.
After the commit the store builds the next snapshot and tells its subscribers. Other processes on the same database
notice the revision (`watch`) and re-read what it touched. With the database gone the last snapshot goes on being
served, and changes are refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import immutables
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from base.clock import Clock, SystemClock
from base.trace import Trace
from cluster import schema
from cluster.database import open_sqlite
from cluster.definition import ClusterDefinition
from cluster.issuing import Issued, issue, purposes_of
from cluster.parameters import check_parameter
from cluster.purposes import TRUST_STORES, Purpose
from cluster.releases import RELEASES
from cluster.snapshot import ClusterSnapshot, OwnCertificate, Stamp, TrustEntry, lookup_key
from cluster.trustlists import ITL_FILE, itl_content
from wire.certificates import Certificate
from wire.errors import OperatorError, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

log = logging.getLogger("ucmsim.store")

_Item = TypeVar("_Item")
_BATCH = 500


class ClusterStore:
    """Durable state of one cluster; use `open` and `close`."""

    def __init__(self, engine: AsyncEngine, where: str, clock: Clock, trace: Trace) -> None:
        self._engine = engine
        self._where = where
        self._clock = clock
        self._trace = trace.bind(service="Store")
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
            await store._prepare()
            await store.refresh()
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        """Stops watching and closes the database."""
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
            self._watcher = None
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

    def subscribe(self, listener: Callable[[ClusterSnapshot], None]) -> Callable[[], None]:
        """Calls `listener` with each new snapshot; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # ------------------------------------------------------------------ changes

    async def install(self, definition: ClusterDefinition) -> ClusterSnapshot:
        """Makes the cluster, or brings an installed one in line with a changed definition.

        Certificates that exist are kept; nodes that are new get theirs (R-SBD-1). Nothing changed: no new revision.

        Raises:
            OperatorError: the database belongs to another cluster, or refuses the change.
        """

        async def change(connection: AsyncConnection, revision: int) -> bool:
            before = self._snapshot
            if before is not None and before.definition.name != definition.name:
                raise OperatorError(f"{self._where} holds cluster {before.definition.name!r}, not {definition.name!r}")
            wanted = _certificates_needed(definition, before)
            issued = await _issue_all(definition, wanted, self._clock.now())
            if before is not None and before.definition == definition and not issued:
                return False
            document = definition.model_dump_json()
            await connection.execute(insert(schema.definition).values(revision=revision, document=document))
            known = before.definition.parameters if before else {}
            for name, value in definition.parameters.items():
                if known.get(name) != value:
                    await _put_parameter(connection, name, value, revision)
            await self._put_own(connection, issued, revision)
            return True

        what = "installation" if self._snapshot is None else "definition changed"
        await self._transact(what, change)
        return self.snapshot

    async def set_parameter(self, name: str, value: str) -> None:
        """Sets an enterprise parameter.

        Raises:
            Refusal: no such parameter, or the value does not fit.
            OperatorError: the database refuses the change.
        """
        check_parameter(name, value)

        async def change(connection: AsyncConnection, revision: int) -> bool:
            if self.snapshot.parameter(name) == value:
                return False
            await _put_parameter(connection, name, value, revision)
            return True

        await self._transact(f"parameter {name}", change)

    async def add_trust(self, store: str, certificates: Sequence[Certificate]) -> int:
        """Puts certificates into a trust store of every node; returns how many were new (R-TVS-3).

        Raises:
            Refusal: no such trust store.
            OperatorError: the database refuses the change.
        """
        _check_store(store)
        added = 0

        async def change(connection: AsyncConnection, revision: int) -> bool:
            nonlocal added
            at = self._clock.now().isoformat()
            table = schema.trust_certificate
            rows = {certificate.sha256: certificate for certificate in certificates}
            known: set[bytes] = set()
            for some in _batches(list(rows)):
                query = select(table.c.sha256).where(table.c.store == store, table.c.sha256.in_(some))
                known |= {row.sha256 for row in await connection.execute(query)}
            new = [certificate for digest, certificate in rows.items() if digest not in known]
            added = len(new)
            for batch in _batches(new):
                await connection.execute(
                    insert(table),
                    [
                        {
                            "store": store,
                            "sha256": certificate.sha256,
                            "der": certificate.der,
                            "lookup_key": lookup_key(certificate.issuer, certificate.serial),
                            "added_at": at,
                        }
                        for certificate in batch
                    ],
                )
                await connection.execute(
                    insert(schema.trust_change),
                    [{"revision": revision, "sha256": certificate.sha256} for certificate in batch],
                )
            return bool(new)

        await self._transact(f"{len(certificates)} certificate(s) into {store}", change)
        return added

    async def delete_trust(self, store: str, sha256: bytes) -> None:
        """Takes a certificate out of a trust store of every node.

        Raises:
            Refusal: no such store, or the certificate is not in it.
            OperatorError: the database refuses the change.
        """
        _check_store(store)

        async def change(connection: AsyncConnection, revision: int) -> bool:
            table = schema.trust_certificate
            gone = await connection.execute(delete(table).where(table.c.store == store, table.c.sha256 == sha256))
            if not gone.rowcount:
                raise Refusal(404, f"{store} holds no certificate with SHA-256 {sha256.hex()}")
            await connection.execute(insert(schema.trust_change).values(revision=revision, sha256=sha256))
            return True

        await self._transact(f"certificate out of {store}", change)

    async def _transact(self, what: str, change: Callable[[AsyncConnection, int], Awaitable[bool]]) -> None:
        """Runs `change` as one transaction and publishes the snapshot that follows from it."""
        async with self._lock:
            try:
                connection = self._engine.execution_options(ucmsim_writing=True).connect()
                async with connection as connected:
                    transaction = await connected.begin()
                    present = await self._load(connected, self._snapshot)
                    if present is not None and present is not self._snapshot:
                        self._publish(present, "loaded")
                    last = present.revision if present else 0
                    now = self._clock.now()
                    row = {"number": last + 1, "at": now.isoformat(), "what": what}
                    await connected.execute(insert(schema.revision).values(**row))
                    if not await change(connected, last + 1):
                        await transaction.rollback()
                        return
                    candidate = await self._load(connected, self._snapshot)
                    assert candidate is not None  # noqa: S101 - a revision was just written
                    candidate = await _restamp(connected, candidate)
                    await transaction.commit()
            except SQLAlchemyError as error:
                reason = str(error.orig) if getattr(error, "orig", None) else type(error).__name__
                raise OperatorError(
                    f"the change was refused and nothing was altered: database {self._where}: {reason}"
                ) from error
            self._publish(candidate, what)

    async def _put_own(self, connection: AsyncConnection, issued: Iterable[Issued], revision: int) -> None:
        at = self._clock.now().isoformat()
        for item in issued:
            pem = item.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            await connection.execute(
                insert(schema.own_certificate).values(
                    node=item.node,
                    purpose=item.purpose.value,
                    der=item.certificate.der,
                    private_key=pem,
                    installed_at=at,
                    revision=revision,
                )
            )
            changed = insert(schema.trust_change).values(revision=revision, sha256=item.certificate.sha256)
            await connection.execute(changed)

    # ------------------------------------------------------------------ reading

    async def refresh(self) -> bool:
        """Takes up what other processes committed; True when there was anything.

        Raises:
            OperatorError: the database cannot be read; the last snapshot stays.
        """
        async with self._lock:
            try:
                async with self._engine.connect() as connection:
                    fresh = await self._load(connection, self._snapshot)
            except SQLAlchemyError as error:
                reason = str(error.orig) if getattr(error, "orig", None) else type(error).__name__
                raise OperatorError(f"cannot read the state database {self._where}: {reason}") from error
            if fresh is self._snapshot or fresh is None:
                return False
            self._publish(fresh, "loaded")
            return True

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
                if not reachable:
                    log.warning("the state database %s can be read again", self._where)
                reachable = True
            except OperatorError as error:
                if reachable:
                    log.warning("%s; going on with revision %d", error, self.snapshot.revision)
                reachable = False

    async def _prepare(self) -> None:
        try:
            async with self._engine.execution_options(ucmsim_writing=True).begin() as connection:
                await connection.run_sync(schema.metadata.create_all)
                found = await connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "schema"))
                if found is None:
                    row = {"key": "schema", "value": schema.SCHEMA_VERSION}
                    await connection.execute(insert(schema.meta).values(**row))
        except SQLAlchemyError as error:
            reason = str(error.orig) if getattr(error, "orig", None) else type(error).__name__
            raise OperatorError(f"{self._where} is no usable state database: {reason}") from error
        if found not in (None, schema.SCHEMA_VERSION):
            raise OperatorError(
                f"{self._where} has layout {found}; this version of ucmsim reads layout {schema.SCHEMA_VERSION}"
            )

    def _publish(self, snapshot: ClusterSnapshot, what: str) -> None:
        self._snapshot = snapshot
        self._trace.emit("snapshot_published", cluster=snapshot.definition.name, revision=snapshot.revision, what=what)
        for listener in list(self._listeners):
            listener(snapshot)

    async def _load(self, connection: AsyncConnection, before: ClusterSnapshot | None) -> ClusterSnapshot | None:
        """The database's state as a snapshot; `before` itself when nothing is newer."""
        newest = await connection.scalar(select(func.max(schema.revision.c.number)))
        if newest is None or (before is not None and before.revision == newest):
            return before
        since = before.revision if before is not None else 0
        at = await connection.scalar(select(schema.revision.c.at).where(schema.revision.c.number == newest))
        document, defined = await _load_definition(connection, before, since)
        overrides, set_at = await _load_parameters(connection)
        own = await _load_own(connection, before, since)
        configured = max(defined, set_at)
        configured_at = await connection.scalar(
            select(schema.revision.c.at).where(schema.revision.c.number == configured)
        )
        trusted, index = await _load_trust(connection, before, since, own)
        stamps = {
            (row.node, row.file_name): Stamp(row.content, row.timestamp)
            for row in await connection.execute(select(schema.stamp))
        }
        return ClusterSnapshot(
            revision=newest,
            changed_at=datetime.fromisoformat(str(at)),
            configured=configured,
            configured_at=datetime.fromisoformat(str(configured_at)),
            definition=document,
            overrides=overrides,
            own=own,
            trusted=trusted,
            by_issuer_serial=index,
            stamps=stamps,
        )


async def _load_definition(
    connection: AsyncConnection, before: ClusterSnapshot | None, since: int
) -> tuple[ClusterDefinition, int]:
    table = schema.definition
    newest = await connection.scalar(select(func.max(table.c.revision)))
    number = int(newest or 0)
    if before is not None and number <= since:
        return before.definition, number
    text = await connection.scalar(select(table.c.document).where(table.c.revision == number))
    return ClusterDefinition.model_validate_json(str(text)), number


async def _load_parameters(connection: AsyncConnection) -> tuple[dict[str, str], int]:
    rows = (await connection.execute(select(schema.parameter))).all()
    return {row.name: row.value for row in rows}, max((row.revision for row in rows), default=0)


async def _load_own(
    connection: AsyncConnection, before: ClusterSnapshot | None, since: int
) -> dict[tuple[str, Purpose], OwnCertificate]:
    own = dict(before.own) if before is not None else {}
    table = schema.own_certificate
    for row in await connection.execute(select(table).where(table.c.revision > since)):
        own[row.node, Purpose(row.purpose)] = OwnCertificate(
            node=row.node,
            purpose=Purpose(row.purpose),
            certificate=Certificate.from_der(row.der),
            key_pem=row.private_key,
            installed_at=datetime.fromisoformat(row.installed_at),
        )
    return own


async def _load_trust(
    connection: AsyncConnection,
    before: ClusterSnapshot | None,
    since: int,
    own: dict[tuple[str, Purpose], OwnCertificate],
) -> tuple[immutables.Map[bytes, TrustEntry], immutables.Map[str, bytes]]:
    """Both indexes, with only the certificates touched since `since` read again."""
    own_uses: dict[bytes, set[Purpose]] = {}
    for item in own.values():
        own_uses.setdefault(item.certificate.sha256, set()).add(item.purpose)
    entries: dict[bytes, tuple[bytes, str, set[str]]] = {
        item.certificate.sha256: (
            item.certificate.der,
            lookup_key(item.certificate.issuer, item.certificate.serial),
            set(),
        )
        for item in own.values()
    }
    table, changes = schema.trust_certificate, schema.trust_change
    if before is None:
        touched: set[bytes] | None = None
        rows = await connection.stream(select(table))
        async for row in rows:
            entries.setdefault(row.sha256, (row.der, row.lookup_key, set()))[2].add(row.store)
    else:
        found = await connection.execute(select(changes.c.sha256).where(changes.c.revision > since))
        touched = {row.sha256 for row in found}
        for some in _batches(list(touched)):
            for row in await connection.execute(select(table).where(table.c.sha256.in_(some))):
                entries.setdefault(row.sha256, (row.der, row.lookup_key, set()))[2].add(row.store)
    trusted = before.trusted if before is not None else immutables.Map[bytes, TrustEntry]()
    index = before.by_issuer_serial if before is not None else immutables.Map[str, bytes]()
    with trusted.mutate() as new_trusted, index.mutate() as new_index:
        for digest in touched if touched is not None else entries:
            found_entry = entries.get(digest)
            if found_entry is None:
                old = new_trusted.pop(digest, None)
                if old is not None and new_index.get(old.lookup_key) == digest:
                    del new_index[old.lookup_key]
                continue
            der, key, stores = found_entry
            uses = frozenset(own_uses.get(digest, ()))
            new_trusted[digest] = TrustEntry.combine(der, key, frozenset(stores), uses)
            new_index[key] = digest
        return new_trusted.finish(), new_index.finish()


async def _restamp(connection: AsyncConnection, candidate: ClusterSnapshot) -> ClusterSnapshot:
    """Gives a new timestamp to each ITL whose content differs from what was stamped (R-ITL-1, R-ITL-4)."""
    stamps = dict(candidate.stamps)
    now = int(candidate.changed_at.timestamp())
    for node in candidate.definition.nodes:
        key = (node.name, ITL_FILE)
        content, old = itl_content(candidate, node.name), candidate.stamps.get(key)
        if old is not None and old.content == content:
            continue
        stamps[key] = Stamp(content, now)
        values = {"content": content, "timestamp": now}
        table = schema.stamp
        if old is None:
            row = {"node": node.name, "file_name": ITL_FILE, **values}
            await connection.execute(insert(table).values(**row))
        else:
            where = (table.c.node == node.name, table.c.file_name == ITL_FILE)
            await connection.execute(update(table).where(*where).values(**values))
    return replace(candidate, stamps=stamps)


def _certificates_needed(definition: ClusterDefinition, before: ClusterSnapshot | None) -> list[tuple[str, Purpose]]:
    release = RELEASES[definition.release]
    present = before.own if before is not None else {}
    return [
        (node.name, purpose)
        for node in definition.nodes
        for purpose in purposes_of(definition, node, ecdsa=release.ecdsa, recovery=release.itl_recovery)
        if (node.name, purpose) not in present
    ]


async def _issue_all(definition: ClusterDefinition, wanted: list[tuple[str, Purpose]], now: datetime) -> list[Issued]:
    """Key generation leaves the interpreter, so threads use every core."""
    key_length = RELEASES[definition.release].key_length

    def one(name: str, purpose: Purpose) -> Issued:
        node = definition.node(name)
        assert node is not None  # noqa: S101 - names come from the definition
        return issue(definition, node, purpose, key_length=key_length, now=now)

    return list(await asyncio.gather(*(asyncio.to_thread(one, name, purpose) for name, purpose in wanted)))


async def _put_parameter(connection: AsyncConnection, name: str, value: str, revision: int) -> None:
    table = schema.parameter
    await connection.execute(delete(table).where(table.c.name == name))
    await connection.execute(insert(table).values(name=name, value=value, revision=revision))


def _check_store(store: str) -> None:
    if store not in TRUST_STORES:
        raise Refusal(404, f"there is no trust store {store!r}; known: {', '.join(TRUST_STORES)}")


def _batches(items: list[_Item]) -> Iterable[list[_Item]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
