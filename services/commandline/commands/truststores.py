"""What trust stores hold, read from the database: a store may hold a hundred thousand certificates."""

from __future__ import annotations

from functools import partial
from string import hexdigits
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select, tuple_

from cluster import schema
from wire.certificates import Certificate
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.commandline.context import CommandContext

_FEWEST_DIGITS, _DIGITS = 8, 64
_BATCH = 5_000


class TrustRow(NamedTuple):
    """One certificate of one store."""

    store: str
    common_name: str
    description: str
    sha256: bytes

    @property
    def name(self) -> str:
        """As the list prints it; one without a common name goes by its digest."""
        return f"{self.store}/{self.common_name or self.sha256.hex()[:16]}.pem"


async def trust_rows(context: CommandContext) -> AsyncIterator[list[TrustRow]]:
    """All of them, sorted, some at a time, so that phones are answered in between."""
    last = TrustRow("", "", "", b"")
    while batch := await context.store.look(partial(_after, last)):
        yield batch
        last = batch[-1]


async def _after(last: TrustRow, connection: AsyncConnection) -> list[TrustRow]:
    columns = schema.trust_certificate.c
    key = tuple_(columns.store, columns.common_name, columns.sha256)
    query = (
        select(columns.store, columns.common_name, columns.description, columns.sha256)
        .where(key > tuple_(last.store, last.common_name, last.sha256))
        .order_by(columns.store, columns.common_name, columns.sha256)
        .limit(_BATCH)
    )
    rows = await connection.execute(query)
    return [TrustRow(row.store, row.common_name, row.description, bytes(row.sha256)) for row in rows]


async def trust_certificate(context: CommandContext, name: str) -> Certificate:
    """The certificate of a listed name: ``CallManager-trust/alpha-pub.pem``; digits of a SHA-256 do as well.

    Raises:
        Refusal: 404 none, 409 several.
    """
    store, _, file = name.partition("/")
    bare = file.removesuffix(".pem").removesuffix(".der")
    found = await context.store.look(lambda connection: _found(connection, store, bare)) if bare else []
    if not found:
        raise Refusal(404, f"there is no trust certificate {name!r}; 'show cert list trust' shows them")
    if len(found) > 1:
        raise Refusal(409, f"several certificates are called {name!r}; give {store}/ and digits of a SHA-256")
    return Certificate.from_der(found[0])


async def _found(connection: AsyncConnection, store: str, name: str) -> list[bytes]:
    """Two at most: by common name, else by the first digits of the SHA-256; the keys of the table serve both."""
    table = schema.trust_certificate
    query = select(table.c.der).where(table.c.store == store).limit(2)
    rows = list(await connection.execute(query.where(table.c.common_name == name)))
    if not rows and _FEWEST_DIGITS <= len(name) <= _DIGITS and set(name) <= set(hexdigits):
        first, last = (bytes.fromhex(name.ljust(_DIGITS, digit)) for digit in "0f")
        rows = list(await connection.execute(query.where(table.c.sha256.between(first, last))))
    return [bytes(row.der) for row in rows]
