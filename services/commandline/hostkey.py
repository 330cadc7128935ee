"""A node's SSH host key: made once, kept with the cluster's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncssh
from sqlalchemy import insert, select

from cluster import schema
from wire.errors import OperatorError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from cluster.store import ClusterStore

_ALGORITHM = "ssh-ed25519"


async def host_key(store: ClusterStore, node: str) -> asyncssh.SSHKey:
    """The node's key; the first call makes it.

    Raises:
        OperatorError: the database refuses, or the stored key is damaged.
    """
    stored = await store.look(lambda connection: _read(connection, node))
    if stored is None:
        await store.note(lambda connection: _make(connection, node))
        stored = await store.look(lambda connection: _read(connection, node))
    try:
        return asyncssh.import_private_key(stored or b"")
    except asyncssh.KeyImportError:  # not chained: the message could quote the key
        raise OperatorError(f"the SSH host key of {node} in the state database is damaged") from None


async def _read(connection: AsyncConnection, node: str) -> bytes | None:
    table = schema.host_key
    row = (await connection.execute(select(table.c.private_key).where(table.c.node == node))).first()
    return None if row is None else bytes(row.private_key)


async def _make(connection: AsyncConnection, node: str) -> None:
    """Unless another process was faster."""
    if await _read(connection, node) is None:
        key = asyncssh.generate_private_key(_ALGORITHM, comment=node)
        row = {"node": node, "private_key": key.export_private_key("openssh")}
        await connection.execute(insert(schema.host_key).values(**row))
