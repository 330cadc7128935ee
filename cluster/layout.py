"""Makes the tables of a new database, and makes sure that an old one is ours and of this version."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sqlalchemy import insert, inspect, select

from cluster import schema
from wire.errors import OperatorError

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

SCHEMA = "schema"
IDENTITY = "identity"


async def prepare(connection: AsyncConnection, where: str) -> str:
    """Lays out an empty database; returns the identity of this one, made at random when it was laid out.

    Raises:
        OperatorError: it holds something else, or another version's layout.
        SQLAlchemyError: the database fails.
    """
    tables = await connection.run_sync(_table_names)
    if not tables:
        await connection.run_sync(schema.metadata.create_all)
        identity = str(uuid.uuid4())
        rows = {SCHEMA: schema.SCHEMA_VERSION, IDENTITY: identity}
        await connection.execute(insert(schema.meta), [{"key": key, "value": value} for key, value in rows.items()])
        return identity
    if schema.meta.name not in tables:
        raise OperatorError(f"{where} is a database of something else: it has tables, and {schema.meta.name!r} is none")
    found = {row.key: row.value for row in await connection.execute(select(schema.meta))}
    if found.get(SCHEMA) != schema.SCHEMA_VERSION:
        raise OperatorError(
            f"{where} has layout {found.get(SCHEMA, 'unknown')}; "
            f"this version of ucmsim reads layout {schema.SCHEMA_VERSION}"
        )
    missing = sorted(set(schema.metadata.tables) - set(tables))
    if missing:
        raise OperatorError(f"{where} was made by another version of ucmsim: it has no {', '.join(missing)}")
    return str(found.get(IDENTITY))


def _table_names(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()
