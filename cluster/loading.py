"""Reads a snapshot from the database: all of it at first, then what changed since the last one.

One call is one transaction's view, so a snapshot never mixes two revisions.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

import immutables
from pydantic import ValidationError
from sqlalchemy import func, select

from cluster import layout, schema
from cluster.definition import ClusterDefinition
from cluster.phonesecurity import Authentication, CapfOrder, KeyOrder, Operation, PhoneSecurity
from cluster.purposes import TRUST_STORES, Purpose
from cluster.snapshot import (
    AutoDevice,
    ClusterSnapshot,
    ItlReset,
    MobilityLogin,
    OwnCertificate,
    PendingRequest,
    PhoneOrder,
    ServiceState,
    Stamp,
    StoredFile,
    TrustEntry,
    lookup_key,
)
from wire.certificates import Certificate
from wire.errors import OperatorError, WireError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

KEPT_REVISIONS = 1_000
"""How many revisions back the database still says which certificates each touched; who is further behind reads all."""

KEPT_ORDERS = 50
"""How many orders to phones a snapshot has; a node that was away longer missed the others, as its phones did."""

_BATCH = 500

Own = dict[tuple[str, Purpose], OwnCertificate]
Indexes = tuple["immutables.Map[bytes, TrustEntry]", "immutables.Map[str, tuple[bytes, ...]]"]


async def load_snapshot(
    connection: AsyncConnection, before: ClusterSnapshot | None, *, identity: str, where: str
) -> ClusterSnapshot | None:
    """The database's state; `before` itself when nothing is newer, None when nothing is installed.

    Args:
        connection: in a transaction.
        before: the snapshot that the caller has.
        identity: of the database that `before` came from.
        where: names the database in messages.

    Raises:
        OperatorError: it is another database by now, an older copy, or holds what this version cannot read.
        SQLAlchemyError: the database fails.
    """
    newest = await _newest_revision(connection, before, identity, where)
    if newest == 0 or (before is not None and before.revision == newest):
        return before
    try:
        return await _load(connection, before, newest)
    except (WireError, ValueError) as error:
        said = str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)
        raise OperatorError(f"{where} holds state that this version of ucmsim cannot read: {said}") from error


async def _newest_revision(
    connection: AsyncConnection, before: ClusterSnapshot | None, identity: str, where: str
) -> int:
    number = select(func.max(schema.revision.c.number)).scalar_subquery()
    found_identity = select(schema.meta.c.value).where(schema.meta.c.key == layout.IDENTITY).scalar_subquery()
    row = (await connection.execute(select(number.label("number"), found_identity.label("identity")))).one()
    newest = int(row.number or 0)
    if row.identity != identity:
        raise OperatorError(f"{where} was replaced by another database; restart to take it up")
    if before is not None and newest < before.revision:
        raise OperatorError(
            f"{where} went back from revision {before.revision} to {newest}: an older copy? Restart to take it up"
        )
    return newest


async def _load(connection: AsyncConnection, before: ClusterSnapshot | None, newest: int) -> ClusterSnapshot:
    definition, defined = await _load_definition(connection, before)
    overrides, set_at = await _load_parameters(connection)
    own = await _load_own(connection, before)
    if before is None or newest - before.revision > KEPT_REVISIONS:
        trusted, by_issuer_serial = await _load_all_trust(connection, own)
    else:
        trusted, by_issuer_serial = await _load_changed_trust(connection, before, own)
    configured = max(defined, set_at)
    return ClusterSnapshot(
        revision=newest,
        changed_at=await _time_of(connection, newest),
        configured=configured,
        configured_at=await _time_of(connection, configured),
        definition=definition,
        overrides=overrides,
        own=own,
        trusted=trusted,
        by_issuer_serial=by_issuer_serial,
        stamps=await _load_stamps(connection),
        requests=await _load_requests(connection),
        files=await _load_files(connection),
        itl_resets=await _load_itl_resets(connection),
        services=await _load_services(connection),
        phone_orders=await _load_phone_orders(connection),
        phone_security=await _load_phone_security(connection, before),
        auto_devices=await _load_auto_devices(connection, before),
        logins=await _load_logins(connection, before),
    )


async def _time_of(connection: AsyncConnection, revision: int) -> datetime:
    table = schema.revision
    return datetime.fromisoformat(str(await connection.scalar(select(table.c.at).where(table.c.number == revision))))


async def _load_definition(
    connection: AsyncConnection, before: ClusterSnapshot | None
) -> tuple[ClusterDefinition, int]:
    table = schema.definition
    number = int(await connection.scalar(select(func.max(table.c.revision))) or 0)
    if before is not None and number <= before.revision:
        return before.definition, number
    text = await connection.scalar(select(table.c.document).where(table.c.revision == number))
    return ClusterDefinition.model_validate_json(str(text)), number


async def _load_parameters(connection: AsyncConnection) -> tuple[dict[str, str], int]:
    rows = (await connection.execute(select(schema.parameter))).all()
    return {row.name: row.value for row in rows}, max((row.revision for row in rows), default=0)


async def _load_own(connection: AsyncConnection, before: ClusterSnapshot | None) -> Own:
    own = dict(before.own) if before is not None else {}
    since = before.revision if before is not None else 0
    table = schema.own_certificate
    for row in await connection.execute(select(table).where(table.c.revision > since)):
        own[row.node, Purpose(row.purpose)] = OwnCertificate(
            node=row.node,
            purpose=Purpose(row.purpose),
            certificate=Certificate.from_der(row.der),
            key_pem=row.private_key,
            installed_at=datetime.fromisoformat(row.installed_at),
            chain=tuple(Certificate.from_pem_bundle(row.chain)),
        )
    return own


async def _load_stamps(connection: AsyncConnection) -> dict[tuple[str, str], Stamp]:
    rows = await connection.execute(select(schema.stamp))
    return {(row.node, row.file_name): Stamp(row.content, row.timestamp) for row in rows}


async def _load_requests(connection: AsyncConnection) -> dict[tuple[str, Purpose], PendingRequest]:
    return {
        (row.node, Purpose(row.purpose)): PendingRequest(
            node=row.node,
            purpose=Purpose(row.purpose),
            der=row.der,
            key_pem=row.private_key,
            multi_server=bool(row.multi_server),
            created_at=datetime.fromisoformat(row.created_at),
        )
        for row in await connection.execute(select(schema.certificate_request))
    }


async def _load_files(connection: AsyncConnection) -> dict[tuple[str, str], StoredFile]:
    rows = await connection.execute(select(schema.stored_file))
    return {(row.node, row.name): StoredFile(row.data, datetime.fromisoformat(row.modified_at)) for row in rows}


async def _load_itl_resets(connection: AsyncConnection) -> dict[str, ItlReset]:
    rows = await connection.execute(select(schema.itl_reset))
    return {row.node: ItlReset(row.base, Certificate.from_der(row.der), row.private_key) for row in rows}


async def _load_services(connection: AsyncConnection) -> dict[tuple[str, str], ServiceState]:
    rows = await connection.execute(select(schema.service_state))
    return {
        (row.node, row.name): ServiceState(bool(row.activated), stopped=bool(row.stopped), starts=row.starts)
        for row in rows
    }


async def _load_phone_security(
    connection: AsyncConnection, before: ClusterSnapshot | None
) -> Mapping[str, PhoneSecurity]:
    """What changed since `before`; the very same mapping when nothing did."""
    table, since = schema.phone_security, before.revision if before is not None else 0
    rows = (await connection.execute(select(table).where(table.c.revision > since))).all()
    if before is not None and not rows:
        return before.phone_security
    security = dict(before.phone_security) if before is not None else {}
    for row in rows:
        order = CapfOrder(
            operation=Operation(row.operation),
            authentication=Authentication(row.authentication),
            auth_string=row.auth_string,
            key_order=KeyOrder(row.key_order),
            rsa_size=row.rsa_size,
            ec_size=row.ec_size,
            complete_by=datetime.fromisoformat(row.complete_by) if row.complete_by else None,
        )
        security[row.device] = PhoneSecurity(
            order=order,
            status=row.status,
            wrong_strings=row.wrong_strings,
            lsc=Certificate.from_der(row.lsc) if row.lsc else None,
            mic=Certificate.from_der(row.mic) if row.mic else None,
            scheduled=row.scheduled,
            revision=row.revision,
            changed_at=datetime.fromisoformat(row.changed_at),
        )
    return security


async def _load_auto_devices(connection: AsyncConnection, before: ClusterSnapshot | None) -> Mapping[str, AutoDevice]:
    """With those that came since `before`; the very same mapping when none did."""
    table, since = schema.auto_device, before.revision if before is not None else 0
    rows = (await connection.execute(select(table).where(table.c.revision > since))).all()
    known = before.auto_devices if before is not None else {}
    fresh = {row.device: AutoDevice(row.device, row.model, row.number, row.device_pool) for row in rows}
    return {**known, **fresh} if fresh else known


async def _load_logins(connection: AsyncConnection, before: ClusterSnapshot | None) -> Mapping[str, MobilityLogin]:
    """With what changed since `before`; the very same mapping when nothing did."""
    table, since = schema.mobility_login, before.revision if before is not None else 0
    rows = (await connection.execute(select(table).where(table.c.revision > since))).all()
    known = before.logins if before is not None else {}
    fresh = {row.device: MobilityLogin(row.user, datetime.fromisoformat(row.changed_at), row.revision) for row in rows}
    return {**known, **fresh} if fresh else known


async def _load_phone_orders(connection: AsyncConnection) -> tuple[PhoneOrder, ...]:
    table = schema.phone_order
    rows = (await connection.execute(select(table).order_by(table.c.revision.desc()).limit(KEPT_ORDERS))).all()
    return tuple(PhoneOrder(row.revision, row.action, row.target) for row in reversed(rows))


async def _load_all_trust(connection: AsyncConnection, own: Own) -> Indexes:
    held, table = _Held(own), schema.trust_certificate
    async for row in await connection.stream(select(table.c.sha256, table.c.der, table.c.lookup_key, table.c.store)):
        held.add(row.sha256, row.der, row.lookup_key, row.store)
    trusted = {digest: held.entry(digest) for digest in held.digests}
    index: dict[str, tuple[bytes, ...]] = {}
    for digest, entry in trusted.items():
        index[entry.lookup_key] = (*index.get(entry.lookup_key, ()), digest)
    return immutables.Map(trusted), immutables.Map(index)


async def _load_changed_trust(connection: AsyncConnection, before: ClusterSnapshot, own: Own) -> Indexes:
    """Both indexes with only the touched certificates read again; the rest is shared with `before` (R-TVS-2)."""
    table, changes = schema.trust_certificate, schema.trust_change
    found = await connection.execute(select(changes.c.sha256).where(changes.c.revision > before.revision))
    touched = sorted({row.sha256 for row in found})
    if not touched:
        return before.trusted, before.by_issuer_serial
    held = _Held(own)
    for some in batches(touched):
        for row in await connection.execute(select(table).where(table.c.sha256.in_(some))):
            held.add(row.sha256, row.der, row.lookup_key, row.store)
    trusted, index = before.trusted.mutate(), before.by_issuer_serial.mutate()
    for digest in touched:
        old = trusted.pop(digest, None)
        if old is not None:
            left = tuple(other for other in index.pop(old.lookup_key) if other != digest)
            if left:
                index[old.lookup_key] = left
        if digest in held.digests:
            entry = held.entry(digest)
            trusted[digest] = entry
            index[entry.lookup_key] = (*index.get(entry.lookup_key, ()), digest)
    return trusted.finish(), index.finish()


class _Held:
    """Where certificates were found: in which trust stores, and for which purposes as a node's own."""

    def __init__(self, own: Mapping[tuple[str, Purpose], OwnCertificate]) -> None:
        self._stores: dict[bytes, frozenset[str]] = {}
        self._facts: dict[bytes, tuple[bytes, str]] = {}
        self._purposes: dict[bytes, set[Purpose]] = {}
        for item in own.values():
            certificate = item.certificate
            self._facts[certificate.sha256] = (certificate.der, lookup_key(certificate.issuer, certificate.serial))
            self._purposes.setdefault(certificate.sha256, set()).add(item.purpose)

    @property
    def digests(self) -> Mapping[bytes, object]:
        return self._facts

    def add(self, digest: bytes, der: bytes, lookup: str, store: str) -> None:
        if store not in TRUST_STORES:
            raise ValueError(f"trust store {store!r}")
        self._facts.setdefault(digest, (der, lookup))
        self._stores[digest] = _and(self._stores.get(digest, _NOWHERE), store)

    def entry(self, digest: bytes) -> TrustEntry:
        der, lookup = self._facts[digest]
        stores, purposes = self._stores.get(digest, _NOWHERE), frozenset(self._purposes.get(digest, ()))
        return TrustEntry.combine(der, lookup, stores, purposes)


_NOWHERE: frozenset[str] = frozenset()


@cache
def _and(stores: frozenset[str], store: str) -> frozenset[str]:
    """One object for equal sets: a hundred thousand certificates are in very few combinations of stores."""
    return stores | {store}


def batches(digests: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Portions that fit into one statement."""
    items = list(digests)
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
