"""Tables of the durable state. Plain types only, so that SQLite and PostgreSQL hold the same."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text

SCHEMA_VERSION = "2"

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)
"""``schema``: version of this layout. ``identity``: random, tells this database from every other one."""

revision = Table(
    "revision",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("what", Text, nullable=False),
    Column("who", String(64), nullable=False),
    Column("origin", String(128), nullable=False),
)
"""One row for each committed change, which is the audit trail; the highest number is the state's revision."""

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
    Column("chain", LargeBinary, nullable=False),
    Column("installed_at", String(32), nullable=False),
    Column("revision", Integer, ForeignKey("revision.number"), nullable=False),
)
"""``chain``: the issuing certificates as PEM, nearest first; empty when self-signed."""

certificate_request = Table(
    "certificate_request",
    metadata,
    Column("node", String(63), primary_key=True),
    Column("purpose", String(32), primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("private_key", LargeBinary, nullable=False),
    Column("multi_server", Integer, nullable=False),
    Column("created_at", String(32), nullable=False),
)
"""The pending signing request of a purpose, at most one."""

trust_certificate = Table(
    "trust_certificate",
    metadata,
    Column("store", String(32), primary_key=True),
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("lookup_key", Text, nullable=False),
    Column("common_name", Text, nullable=False),
    Column("subject_key", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("added_at", String(32), nullable=False),
    Index("trust_certificate_by_digest", "sha256"),
    Index("trust_certificate_by_name", "store", "common_name"),
    Index("trust_certificate_by_subject", "store", "subject_key"),
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
    Column("timestamp", BigInteger, nullable=False),
)
"""When a generated file's content last changed."""

stored_file = Table(
    "stored_file",
    metadata,
    Column("node", String(63), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("modified_at", String(32), nullable=False),
)
"""Files that a command made and that stay as they are until another command: the CTL, on each node."""

itl_reset = Table(
    "itl_reset",
    metadata,
    Column("node", String(63), primary_key=True),
    Column("base", String(63), nullable=False),
    Column("der", LargeBinary, nullable=False),
    Column("private_key", LargeBinary, nullable=False),
)
"""The reset ITL that a TFTP node serves until its TFTP service restarts: whose records, and the signer."""

service_state = Table(
    "service_state",
    metadata,
    Column("node", String(63), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("activated", Integer, nullable=False),
    Column("stopped", Integer, nullable=False),
    Column("starts", Integer, nullable=False),
)
"""What operators want of a service, where it differs from the default; ``starts`` counts orders to start anew."""

service_status = Table(
    "service_status",
    metadata,
    Column("node", String(63), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("starts", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("at", String(32), nullable=False),
)
"""What a running node says of its services. No part of the cluster's state: it has no revision."""

host_key = Table(
    "host_key",
    metadata,
    Column("node", String(63), primary_key=True),
    Column("private_key", LargeBinary, nullable=False),
)
"""SSH host keys, OpenSSH format."""

phone_order = Table(
    "phone_order",
    metadata,
    Column("revision", Integer, ForeignKey("revision.number"), primary_key=True, autoincrement=False),
    Column("action", String(16), nullable=False),
    Column("target", String(128), nullable=False),
)
"""Orders to phones: reset, restart ... Each node carries out those that are newer than the last one it knew."""

phone_security = Table(
    "phone_security",
    metadata,
    Column("device", String(32), primary_key=True),
    Column("operation", String(16), nullable=False),
    Column("authentication", String(16), nullable=False),
    Column("auth_string", String(16), nullable=False),
    Column("key_order", String(16), nullable=False),
    Column("rsa_size", Integer, nullable=False),
    Column("ec_size", Integer, nullable=False),
    Column("complete_by", String(32), nullable=False),
    Column("status", Text, nullable=False),
    Column("wrong_strings", Integer, nullable=False),
    Column("lsc", LargeBinary, nullable=False),
    Column("mic", LargeBinary, nullable=False),
    Column("scheduled", Integer, nullable=False),
    Column("changed_at", String(32), nullable=False),
    Column("revision", Integer, ForeignKey("revision.number"), nullable=False, index=True),
)
"""CAPF settings of each phone and its certificates as DER; what is not there is empty. A row never goes away."""

auto_device = Table(
    "auto_device",
    metadata,
    Column("device", String(32), primary_key=True),
    Column("model", String(16), nullable=False),
    Column("number", String(24), nullable=False),
    Column("device_pool", String(128), nullable=False),
    Column("revision", Integer, ForeignKey("revision.number"), nullable=False, index=True),
)
"""Devices that were made when a phone registered itself. One that the definition has, too, is the definition's."""

mobility_login = Table(
    "mobility_login",
    metadata,
    Column("device", String(32), primary_key=True),
    Column("user", String(64), nullable=False),
    Column("changed_at", String(32), nullable=False),
    Column("revision", Integer, ForeignKey("revision.number"), nullable=False, index=True),
)
"""Who is logged in to a phone by Extension Mobility; empty after a log-out. A row never goes away."""

registration = Table(
    "registration",
    metadata,
    Column("node", String(63), primary_key=True),
    Column("device", String(32), primary_key=True),
    Column("address", String(64), nullable=False),
    Column("transport", String(8), nullable=False),
    Column("lines", Text, nullable=False),
    Column("ctl", String(16), nullable=False),
    Column("itl", String(16), nullable=False),
    Column("since", String(32), nullable=False),
)
"""What a running node says of the phones that are registered with it. No part of the cluster's state."""

order_answer = Table(
    "order_answer",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("node", String(63), primary_key=True),
    Column("device", String(32), primary_key=True),
    Column("answer", String(16), nullable=False),
)
"""What a running node says of an order's way to each phone that it gave it to. No part of the cluster's state."""

trunk_status = Table(
    "trunk_status",
    metadata,
    Column("node", String(63), primary_key=True),
    Column("trunk", String(128), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("tls", String(64), nullable=False),
    Column("incoming_port", Integer, nullable=False),
    Column("since", String(32), nullable=False),
)
"""What a running node says of its SIP trunks. No part of the cluster's state."""
