"""Tables of the durable state. Plain types only, so that SQLite and PostgreSQL hold the same."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text

SCHEMA_VERSION = "1"

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)
"""``schema`` and ``cluster``; one row each."""

revision = Table(
    "revision",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("what", Text, nullable=False),
)
"""One row for each committed change; the highest number is the state's revision."""

definition = Table(
    "definition",
    metadata,
    Column("revision", Integer, ForeignKey("revision.number"), primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
)
"""The cluster's definition as JSON; the newest row counts."""

parameter = Table(
    "parameter",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("value", Text, nullable=False),
    Column("revision", Integer, ForeignKey("revision.number"), nullable=False),
)

own_certificate = Table(
    "own_certificate",
    metadata,
    Column("node", String(63), primary_key=True),
    Column("purpose", String(32), primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("private_key", LargeBinary, nullable=False),
    Column("installed_at", String(32), nullable=False),
    Column("revision", Integer, ForeignKey("revision.number"), nullable=False),
)

trust_certificate = Table(
    "trust_certificate",
    metadata,
    Column("store", String(32), primary_key=True),
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("lookup_key", Text, nullable=False),
    Column("added_at", String(32), nullable=False),
    Index("trust_certificate_by_digest", "sha256"),
)

trust_change = Table(
    "trust_change",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", Integer, ForeignKey("revision.number"), nullable=False, index=True),
    Column("sha256", LargeBinary(32), nullable=False),
)
"""Which certificates a revision touched, so that other processes re-read those alone."""

stamp = Table(
    "stamp",
    metadata,
    Column("node", String(63), primary_key=True),
    Column("file_name", String(255), primary_key=True),
    Column("content", String(64), nullable=False),
    Column("timestamp", Integer, nullable=False),
)
"""When a generated file's content last changed."""
