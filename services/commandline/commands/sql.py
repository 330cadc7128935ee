"""``run sql`` for the two queries that the guides print; there is no database of UCM's behind it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import select

from cluster import schema
from services.commandline.commands.units import ORDER
from services.commandline.grammar import Argument, Command
from services.commandline.texts import Ours
from wire.certificates import Certificate
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments

MODE_QUERY = "select paramname,paramvalue from processconfig where paramname='ClusterSecurityMode'"
CERTIFICATE_QUERY = (
    "select c.servername, tcs.name, dist.moniker, c.ipv4address, c.certificate from certificate as c inner join "
    "certificateservicecertificatemap as cscm on c.pkid = cscm.fkcertificate inner join typecertificateservice as tcs "
    "on cscm.tkcertificateservice = tcs.enum inner join typecertificatedistribution as dist on "
    "c.tkcertificatedistribution = dist.enum"
)
_MOST_ROWS = 5_000
"""Certificates of one answer."""


async def run(context: CommandContext, arguments: Arguments) -> None:
    """Answers what it knows, refuses the rest."""
    asked = _same(arguments["QUERY"])
    if asked == _same(MODE_QUERY):
        mode = "1" if context.snapshot.mixed_mode else "0"
        await context.write("\n".join(table(("paramname", "paramvalue"), [("ClusterSecurityMode", mode)])))
    elif asked == _same(CERTIFICATE_QUERY):
        rows = [*_own_rows(context), *await _trust_rows(context)]
        headings = ("servername", "name", "moniker", "ipv4address", "certificate")
        await context.write("\n".join(table(headings, rows)) if rows else Ours.NO_ROWS)
    else:
        raise Refusal(400, Ours.SQL_REFUSED)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their longest value, a ruler of ``=`` under the headings."""
    columns = [[row[number] for row in (headings, *rows)] for number in range(len(headings))]
    widths = [max(len(line) for cell in column for line in cell.split("\n")) for column in columns]

    def line(cells: Sequence[str]) -> str:
        return " ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    return [line(headings), " ".join("=" * width for width in widths), *(line(row) for row in rows)]


def _same(query: str) -> str:
    """Without what does not matter: case, and blanks beside commas and signs."""
    text = " ".join(query.split()).rstrip("; ").lower()
    return re.sub(r"\s*([,=])\s*", r"\1", text)


def _own_rows(context: CommandContext) -> list[tuple[str, ...]]:
    addresses = {node.name: node.address for node in context.snapshot.definition.nodes}
    own = sorted(context.snapshot.own.values(), key=lambda item: (item.node, ORDER.index(item.purpose)))
    return [(item.node, item.purpose.value, "own", addresses.get(item.node, ""), item.certificate.pem) for item in own]


async def _trust_rows(context: CommandContext) -> list[tuple[str, ...]]:
    columns = schema.trust_certificate.c
    query = select(columns.store, columns.common_name, columns.der).order_by(columns.store, columns.common_name)

    async def read(connection: AsyncConnection) -> list[tuple[str, str, bytes]]:
        return [(row.store, row.common_name, row.der) for row in await connection.execute(query.limit(_MOST_ROWS + 1))]

    rows = await context.store.look(read)
    if len(rows) > _MOST_ROWS:
        raise Refusal(413, Ours.TOO_MANY_ROWS.format(limit=_MOST_ROWS))
    return [(name, store, "trust", "", Certificate.from_der(der).pem) for store, name, der in rows]


COMMANDS = (
    Command(
        "run sql",
        "two queries of the guides: the security mode, and the certificates",
        run,
        (Argument("QUERY", "one of these two", choices=lambda _context: (MODE_QUERY, CERTIFICATE_QUERY), rest=True),),
        level=1,
    ),
)
