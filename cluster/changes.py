"""What an operator can change, each as a function that writes into a transaction and says whether anything changed.

`ClusterStore.apply` runs one, and adds what every change has in common: the revision, the timestamps of the generated
files whose content it alters, the commit and the next snapshot.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import delete, insert, select, update

from cluster import schema
from cluster.issuing import certificates_needed, issue_all
from cluster.loading import KEPT_REVISIONS, batches
from cluster.purposes import PURPOSES
from cluster.snapshot import ClusterSnapshot, Stamp, lookup_key, name_key
from cluster.trustlists import itl_content
from wire.errors import Refusal
from wire.trustlist import ITL_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from cluster.definition import ClusterDefinition
    from cluster.issuing import Issued
    from wire.certificates import Certificate, PrivateKey


@dataclass(frozen=True, slots=True)
class Transaction:
    """A change in the making.

    Attributes:
        connection: into which it is written.
        revision: the number that it gets.
        now: its time.
        before: the state that it starts from; None before the installation.
    """

    connection: AsyncConnection
    revision: int
    now: datetime
    before: ClusterSnapshot | None

    @property
    def state(self) -> ClusterSnapshot:
        """`before`, for a change that needs an installed cluster."""
        if self.before is None:
            raise Refusal(409, "there is no installed cluster to change")
        return self.before


OWN_DESCRIPTION = "Self-signed certificate"
"""What a trust store says of a certificate that a node of the cluster owns."""

Change = Callable[[Transaction], Awaitable[bool]]
"""Returns False, having written nothing, when the state is already as wanted."""


async def install(transaction: Transaction, definition: ClusterDefinition) -> bool:
    """Makes the cluster, or brings an installed one in line with a changed definition.

    A parameter follows the definition when its entry there changed or went away; one that an operator set otherwise
    stays as it is.
    """
    before = transaction.before
    wanted = certificates_needed(definition, before)
    upgrade = before is not None and before.definition.release != definition.release
    issued = await issue_all(definition, wanted, transaction.now, upgrade=upgrade)
    if before is not None and before.definition == definition and not issued and not stale_stamps(before):
        return False
    document = {"revision": transaction.revision, "document": definition.model_dump_json()}
    await transaction.connection.execute(insert(schema.definition).values(**document))
    older = delete(schema.definition).where(schema.definition.c.revision < transaction.revision)
    await transaction.connection.execute(older)
    known = before.definition.parameters if before is not None else {}
    for name, value in definition.parameters.items():
        if known.get(name) != value:
            await put_parameter(transaction, name, value)
    if before is not None:
        for name in known.keys() - definition.parameters.keys():
            if before.overrides.get(name) == known[name]:
                await _drop_parameter(transaction, name)
    await put_own(transaction, issued)
    return True


async def set_parameter(transaction: Transaction, name: str, value: str) -> bool:
    """Sets an enterprise parameter; the caller has checked both."""
    if transaction.state.parameter(name) == value:
        return False
    await put_parameter(transaction, name, value)
    return True


async def add_trust(
    transaction: Transaction, store: str, certificates: Sequence[Certificate], description: str = ""
) -> int:
    """Puts certificates into a trust store; returns how many were new."""
    table = schema.trust_certificate
    rows = {certificate.sha256: certificate for certificate in certificates}
    for some in batches(list(rows)):
        query = select(table.c.sha256).where(table.c.store == store, table.c.sha256.in_(some))
        for row in await transaction.connection.execute(query):
            del rows[row.sha256]
    for batch in batches(rows):
        added = [
            {
                "store": store,
                "sha256": digest,
                "der": rows[digest].der,
                "lookup_key": lookup_key(rows[digest].issuer, rows[digest].serial),
                "common_name": rows[digest].subject.common_name,
                "subject_key": name_key(rows[digest].subject),
                "description": description,
                "added_at": transaction.now.isoformat(),
            }
            for digest in batch
        ]
        await transaction.connection.execute(insert(table), added)
    await note_touched(transaction, rows)
    return len(rows)


async def delete_trust(transaction: Transaction, store: str, sha256: bytes) -> bool:
    """Takes a certificate out of a trust store.

    Raises:
        Refusal: it is not in there.
    """
    table = schema.trust_certificate
    gone = await transaction.connection.execute(delete(table).where(table.c.store == store, table.c.sha256 == sha256))
    if not gone.rowcount:
        raise Refusal(404, f"{store} holds no certificate with SHA-256 {sha256.hex()}")
    await note_touched(transaction, [sha256])
    return True


# ---------------------------------------------------------------- rows, for changes here and elsewhere


async def put_parameter(transaction: Transaction, name: str, value: str) -> None:
    """Writes the row of a parameter."""
    await _drop_parameter(transaction, name)
    row = {"name": name, "value": value, "revision": transaction.revision}
    await transaction.connection.execute(insert(schema.parameter).values(**row))


async def put_own(transaction: Transaction, issued: Iterable[Issued]) -> None:
    """Writes certificates that nodes own from now on, in place of those that they had for the same purpose."""
    table = schema.own_certificate
    for item in issued:
        where = (table.c.node == item.node, table.c.purpose == item.purpose.value)
        await transaction.connection.execute(delete(table).where(*where))
        row = {
            "node": item.node,
            "purpose": item.purpose.value,
            "der": item.certificate.der,
            "private_key": key_pem(item.private_key),
            "chain": "".join(certificate.pem for certificate in item.chain).encode("ascii"),
            "installed_at": transaction.now.isoformat(),
            "revision": transaction.revision,
        }
        await transaction.connection.execute(insert(table).values(**row))
        old = transaction.before.own.get((item.node, item.purpose)) if transaction.before is not None else None
        touched = [item.certificate.sha256] if old is None else [old.certificate.sha256, item.certificate.sha256]
        await note_touched(transaction, touched)
        for store in PURPOSES[item.purpose].stores:
            await replace_trust(transaction, store, item.certificate, OWN_DESCRIPTION)


async def replace_trust(transaction: Transaction, store: str, certificate: Certificate, description: str) -> None:
    """Puts a certificate into a trust store in place of those of the same common name; a store holds one of each."""
    table = schema.trust_certificate
    where = same_name(store, certificate)
    old = [row.sha256 for row in await transaction.connection.execute(select(table.c.sha256).where(*where))]
    if old:
        await transaction.connection.execute(delete(table).where(*where))
        await note_touched(transaction, old)
    await add_trust(transaction, store, [certificate], description)


def same_name(store: str, certificate: Certificate) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Which rows of a trust store have the certificate's common name; its whole subject when it has none (ours)."""
    table, subject = schema.trust_certificate, certificate.subject
    if subject.common_name:
        return table.c.store == store, table.c.common_name == subject.common_name
    return table.c.store == store, table.c.subject_key == name_key(subject)


def key_pem(private_key: PrivateKey) -> bytes:
    """A private key as the store keeps it: PKCS#8, protected by the permissions of the database alone."""
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


async def note_touched(transaction: Transaction, digests: Iterable[bytes]) -> None:
    """Lets every process on the database read these certificates again, and forgets what is older than any needs."""
    table = schema.trust_change
    for batch in batches(digests):
        rows = [{"revision": transaction.revision, "sha256": digest} for digest in batch]
        await transaction.connection.execute(insert(table), rows)
    await transaction.connection.execute(delete(table).where(table.c.revision <= transaction.revision - KEPT_REVISIONS))


async def restamp(connection: AsyncConnection, candidate: ClusterSnapshot) -> ClusterSnapshot:
    """Gives a new timestamp to each ITL whose content differs from what was stamped (R-ITL-1, R-ITL-4)."""
    stamps, table = dict(candidate.stamps), schema.stamp
    for (node, file_name), content in stale_stamps(candidate).items():
        fresh = Stamp(content, int(candidate.changed_at.timestamp()))
        values = {"content": fresh.content, "timestamp": fresh.timestamp}
        if (node, file_name) in stamps:
            where = (table.c.node == node, table.c.file_name == file_name)
            await connection.execute(update(table).where(*where).values(**values))
        else:
            await connection.execute(insert(table).values(node=node, file_name=file_name, **values))
        stamps[node, file_name] = fresh
    return replace(candidate, stamps=stamps)


def stale_stamps(snapshot: ClusterSnapshot) -> dict[tuple[str, str], str]:
    """(node, file) -> content, of each generated file that is not what was stamped."""
    contents = {(node.name, ITL_FILE): itl_content(snapshot, node.name) for node in snapshot.definition.nodes}
    return {
        key: content
        for key, content in contents.items()
        if key not in snapshot.stamps or snapshot.stamps[key].content != content
    }


async def _drop_parameter(transaction: Transaction, name: str) -> None:
    await transaction.connection.execute(delete(schema.parameter).where(schema.parameter.c.name == name))
