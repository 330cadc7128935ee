"""What running nodes say of their services: rows without a revision, written by the node, read by every process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from cluster import schema
from cluster.servicecatalogue import Health

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from cluster.store import ClusterStore


@dataclass(frozen=True, slots=True)
class Observed:
    """A service as its node sees it.

    Attributes:
        state: at this instant.
        starts: `cluster.snapshot.ServiceState.starts` of the last order that was carried out.
        detail: why it did not start; empty otherwise.
    """

    state: Health
    starts: int = 0
    detail: str = ""


async def read_observed(connection: AsyncConnection, node: str) -> dict[str, Observed]:
    """UCM's name -> what the node last said. Worth nothing when the node does not run."""
    table = schema.service_status
    rows = await connection.execute(select(table).where(table.c.node == node))
    return {row.name: Observed(Health(row.state), row.starts, row.detail) for row in rows}


async def note_observed(store: ClusterStore, node: str, observed: Mapping[str, Observed]) -> None:
    """Writes what the node says now of some of its services.

    Raises:
        OperatorError: the database refuses.
    """
    table, at = schema.service_status, store.now().isoformat()
    rows = [
        {"node": node, "name": name, "state": it.state.value, "starts": it.starts, "detail": it.detail, "at": at}
        for name, it in observed.items()
    ]

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(delete(table).where(table.c.node == node, table.c.name.in_(list(observed))))
        await connection.execute(insert(table), rows)

    if rows:
        await store.note(write)


async def forget_observed(store: ClusterStore, nodes: Iterable[str]) -> None:
    """Deletes what earlier processes of these nodes said.

    Raises:
        OperatorError: the database refuses.
    """
    table = schema.service_status

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(delete(table).where(table.c.node.in_(list(nodes))))

    await store.note(write)
