"""Who changed what, when, and from where: one row of the audit trail for each revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from cluster import schema

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from base.trace import Json


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts.

    Attributes:
        name: log-in name, or ``system``.
        origin: how and from where: ``ssh 192.0.2.7``, ``admin command``.
    """

    name: str
    origin: str


SYSTEM = Actor("system", "ucmsim")
"""The simulator itself: installation, and what follows from a service's start."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change.

    Attributes:
        revision: that it made; it started from the one before.
        at: ISO 8601, UTC.
    """

    revision: int
    at: str
    what: str
    who: str
    origin: str

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        return {
            "at": self.at,
            "who": self.who,
            "origin": self.origin,
            "what": self.what,
            "revision_before": self.revision - 1,
            "revision": self.revision,
        }


async def read_audit(connection: AsyncConnection, limit: int) -> list[AuditEntry]:
    """The last `limit` changes, newest first."""
    table = schema.revision
    rows = await connection.execute(select(table).order_by(table.c.number.desc()).limit(limit))
    return [AuditEntry(row.number, row.at, row.what, row.who, row.origin) for row in rows]
