"""Definitions, certificates and look-ups that the tests of the cluster share."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cluster.config import parse_config
from cluster.definition import ClusterDefinition
from wire.certificates import Certificate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RELEASES = ("8.6", "10.5", "11.5", "12.5", "14")
NODES = ("alpha-pub", "alpha-sub1")
WHEN = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)


def definition(count: int = 2, **changes: object) -> ClusterDefinition:
    """A cluster ``alpha`` of nodes ``n0`` (publisher), ``n1`` ...; `changes` replace fields."""
    fields: dict[str, object] = {
        "name": "alpha",
        "nodes": [
            {"name": f"n{number}", "address": f"127.0.{1 + number // 200}.{1 + number % 200}", "publisher": number == 0}
            for number in range(count)
        ],
    }
    return ClusterDefinition.model_validate({**fields, **changes})


def changed(before: ClusterDefinition, **changes: object) -> ClusterDefinition:
    """A definition with some fields replaced, validated anew."""
    return ClusterDefinition.model_validate({**before.model_dump(), **changes})


def parsed(text: str, environment: dict[str, str] | None = None) -> ClusterDefinition:
    """The first cluster of a configuration text."""
    return parse_config(text, "lab.yaml", environment or {}).clusters[0]


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def stranger(
    name: str = "stranger", *, issuer: Sequence[tuple[x509.ObjectIdentifier, str]] = (), serial: int | None = None
) -> Certificate:
    """A certificate that no cluster owns; every call gives other bytes, whatever the arguments."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    parts = [x509.NameAttribute(oid, value) for oid, value in issuer]
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name(parts) if parts else subject)
        .public_key(_key().public_key())
        .serial_number(serial if serial is not None else 1 + secrets.randbits(120))
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1825))
        .add_extension(x509.SubjectKeyIdentifier(secrets.token_bytes(20)), critical=False)
        .sign(_key(), hashes.SHA256())
    )
    return Certificate.from_der(certificate.public_bytes(Encoding.DER))


def sql(path: Path, statement: str, *values: object) -> list[dict[str, Any]]:
    """Runs one statement on a state database behind the store's back."""
    with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(statement, values)]


def sql_many(path: Path, statement: str, rows: Sequence[dict[str, Any]]) -> None:
    """The same for one statement and many rows."""
    with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
        connection.executemany(statement, rows)
