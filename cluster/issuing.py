"""Makes the certificates that a cluster has from its installation, laid out as UCM's are."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cluster.purposes import PURPOSES, Purpose
from wire.certificates import Certificate, PrivateKey

if TYPE_CHECKING:
    from cluster.definition import ClusterDefinition, NodeDefinition

_SERIAL_BYTES = 16


@dataclass(frozen=True, slots=True)
class Issued:
    """A new certificate and its key."""

    node: str
    purpose: Purpose
    certificate: Certificate
    private_key: PrivateKey


def common_name(definition: ClusterDefinition, node: NodeDefinition, purpose: Purpose) -> str:
    """The CN that UCM gives: host name, ``<host>-EC`` for EC (R-CRT-3), ``CAPF-<8 hex>``, ``ITLRECOVERY_<host>``."""
    if PURPOSES[purpose].elliptic:
        return f"{node.name}-EC"
    if purpose is Purpose.CAPF:
        return f"CAPF-{definition.stable_uuid('capf', node.name)[:8]}"
    if purpose is Purpose.ITL_RECOVERY:
        return f"ITLRECOVERY_{node.name}"
    return node.name


def purposes_of(
    definition: ClusterDefinition, node: NodeDefinition, *, ecdsa: bool, recovery: bool
) -> tuple[Purpose, ...]:
    """What a node owns after installation, in the order in which UCM lists it."""
    return tuple(
        purpose
        for purpose, facts in PURPOSES.items()
        if (node.name == definition.publisher.name or not facts.publisher_only)
        and (ecdsa or not facts.elliptic)
        and (recovery or purpose is not Purpose.ITL_RECOVERY)
    )


def issue(
    definition: ClusterDefinition, node: NodeDefinition, purpose: Purpose, *, key_length: int, now: datetime
) -> Issued:
    """A self-signed certificate; the serial number has exactly 16 bytes as UCM's do.

    That self-signed certificates are their own CA (CA:TRUE, pathlen 0, keyCertSign) is documented for CAPF only; for
    the others it is our choice, so that ordinary TLS clients accept one as an anchor.
    """
    facts = PURPOSES[purpose]
    private_key: PrivateKey = (
        ec.generate_private_key(ec.SECP384R1())
        if facts.elliptic
        else rsa.generate_private_key(public_exponent=65537, key_size=key_length)
    )
    name = _subject(definition, common_name(definition, node, purpose))
    begin = now.replace(microsecond=0)
    serial = int.from_bytes(bytes([secrets.randbelow(127) + 1]) + secrets.token_bytes(_SERIAL_BYTES - 1), "big")
    public = private_key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=facts.validity_days))
        .add_extension(_key_usage(purpose), critical=False)
        .add_extension(x509.ExtendedKeyUsage(facts.usages), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(definition.fqdn(node))]), critical=False)
    )
    digest = hashes.SHA384() if facts.elliptic else hashes.SHA256()
    der = builder.sign(private_key, digest).public_bytes(Encoding.DER)
    return Issued(node.name, purpose, Certificate.from_der(der), private_key)


def _subject(definition: ClusterDefinition, name: str) -> x509.Name:
    subject = definition.subject
    parts = (
        (NameOID.COMMON_NAME, name),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, subject.unit),
        (NameOID.ORGANIZATION_NAME, subject.organization),
        (NameOID.LOCALITY_NAME, subject.locality),
        (NameOID.STATE_OR_PROVINCE_NAME, subject.state),
        (NameOID.COUNTRY_NAME, subject.country),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


def _key_usage(purpose: Purpose) -> x509.KeyUsage:
    signs_only = purpose is Purpose.CAPF
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_only,
        data_encipherment=not signs_only,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
