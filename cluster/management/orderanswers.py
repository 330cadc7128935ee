"""What came of an order to phones, as far as the nodes that give it have said."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from cluster import schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from cluster.store import ClusterStore


class Told(Enum):
    """How an order got on with one phone."""

    SENT = "sent"
    ANSWERED = "answered"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """One phone's.

    Attributes:
        revision: of the order.
        node: with which the phone was registered.
    """

    revision: int
    node: str
    device: str
    told: Told


async def note_answers(store: ClusterStore, answers: Sequence[OrderAnswer], oldest: int) -> None:
    """Notes what a node found out, and forgets orders before `oldest`.

    Raises:
        OperatorError: the database refuses.
    """
    table = schema.order_answer
    newest = {(item.revision, item.node, item.device): item for item in answers}

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(delete(table).where(table.c.revision < oldest))
        for revision, node, device in newest:
            own = (table.c.revision == revision, table.c.node == node, table.c.device == device)
            await connection.execute(delete(table).where(*own))
        rows = [
            {"revision": item.revision, "node": item.node, "device": item.device, "answer": item.told.value}
            for item in newest.values()
        ]
        await connection.execute(insert(table), rows)

    await store.note(write)


async def order_answers(store: ClusterStore, revision: int) -> Mapping[str, Told]:
    """Device -> what came of an order so far; a phone that nobody has given it to is not there.

    Raises:
        OperatorError: the database cannot be read.
    """

    async def read(connection: AsyncConnection) -> dict[str, Told]:
        table = schema.order_answer
        rows = await connection.execute(select(table).where(table.c.revision == revision))
        return {row.device: Told(row.answer) for row in rows}

    return await store.look(read)
