"""Certificates of somebody else, with names and times as a test wants them."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from wire.certificates import Certificate

_KEY = ec.generate_private_key(ec.SECP256R1())


def foreign(
    name: str = "foreign",
    begin: datetime = datetime(2024, 1, 1, tzinfo=UTC),
    *,
    unit: str = "",
    end: datetime = datetime(2040, 1, 1, tzinfo=UTC),
) -> Certificate:
    """Self-signed; a certificate without a common name when `name` is empty."""
    parts = [(NameOID.COMMON_NAME, name), (NameOID.ORGANIZATIONAL_UNIT_NAME, unit)]
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in parts if text])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(_KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    return Certificate.from_der(builder.sign(_KEY, hashes.SHA256()).public_bytes(Encoding.DER))
