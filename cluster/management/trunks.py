"""What running nodes say of their SIP trunks: which are in service, and why the others are not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from cluster import schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from cluster.store import ClusterStore

UNKNOWN, IN_SERVICE, OUT_OF_SERVICE = "Unknown", "In Service", "Out Of Service"


@dataclass(frozen=True, slots=True)
class TrunkStatus:
    """One trunk as one node sees it.

    Attributes:
        node: which.
        trunk: its name.
        state: `IN_SERVICE`, `OUT_OF_SERVICE`, or `UNKNOWN` before the first answer.
        reason: what the other end answered, or why it did not.
        tls: version and suite of the last connection; empty without TLS.
        incoming_port: where the node takes the trunk's requests.
        since: of the state; ISO 8601, UTC.
    """

    node: str
    trunk: str
    state: str
    reason: str
    tls: str
    incoming_port: int
    since: str


async def trunk_states(store: ClusterStore) -> list[TrunkStatus]:
    """What nodes said last, by trunk.

    Raises:
        OperatorError: the database cannot be read.
    """

    async def read(connection: AsyncConnection) -> list[TrunkStatus]:
        table = schema.trunk_status
        rows = await connection.execute(select(table).order_by(table.c.trunk, table.c.node))
        return [TrunkStatus(**row) for row in rows.mappings()]

    return await store.look(read)


async def note_trunks(store: ClusterStore, node: str, trunks: Sequence[TrunkStatus]) -> None:
    """Notes all of a node's trunks in place of what was noted before.

    Raises:
        OperatorError: the database refuses.
    """
    table = schema.trunk_status

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(delete(table).where(table.c.node == node))
        if trunks:
            await connection.execute(insert(table), [asdict(trunk) for trunk in trunks])

    await store.note(write)
