"""Makes the certificates that a cluster has from its installation, laid out as UCM's are."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cluster.purposes import PURPOSES, Purpose
from cluster.releases import RELEASES
from wire.certificates import Certificate, PrivateKey

if TYPE_CHECKING:
    from datetime import datetime

    from cluster.definition import ClusterDefinition, NodeDefinition
    from cluster.snapshot import ClusterSnapshot

_SERIAL_BYTES = 16
EC_DEFAULT = 384
_Curve = ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1
_Digest = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
CURVES: dict[int, type[_Curve]] = {
    256: ec.SECP256R1,
    384: ec.SECP384R1,
    521: ec.SECP521R1,
}
"""Bits -> curve."""
DIGESTS: dict[str, type[_Digest]] = {
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}
"""UCM's name -> digest of a certificate's signature."""
COMMON_NAME_LIMIT = 64
"""Characters, in X.509."""
_UPGRADE_YEARS = 5


@dataclass(frozen=True, slots=True)
class Issued:
    """A new certificate and its key."""

    node: str
    purpose: Purpose
    certificate: Certificate
    private_key: PrivateKey
    chain: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class CertificateSpec:
    """What a certificate or a signing request is to look like, every field settled.

    Attributes:
        node: who makes the key.
        purpose: decides the key type.
        common_name: CN of the subject.
        dns_names: subject alternative names.
        key_length: bits, of the modulus or the curve.
        digest: ``SHA256``, ``SHA384`` or ``SHA512``.
        years: validity of a self-signed certificate.
    """

    node: str
    purpose: Purpose
    common_name: str
    dns_names: tuple[str, ...]
    key_length: int
    digest: str
    years: int


def common_name(definition: ClusterDefinition, node: NodeDefinition, purpose: Purpose) -> str:
    """The CN that UCM gives: host name, ``<host>-EC`` for EC (R-CRT-3), ``CAPF-<8 hex>``, ``ITLRECOVERY_<host>``.

    X.509 allows 64 characters; what a long host name has beyond them is cut off (ours).
    """
    return _full_common_name(definition, node, purpose)[:COMMON_NAME_LIMIT]


def _full_common_name(definition: ClusterDefinition, node: NodeDefinition, purpose: Purpose) -> str:
    if PURPOSES[purpose].elliptic:
        return f"{node.name}-EC"
    if purpose is Purpose.CAPF:
        return f"CAPF-{definition.stable_uuid('capf', node.name)[:8]}"
    if purpose is Purpose.ITL_RECOVERY:
        return f"ITLRECOVERY_{node.name}"
    return node.name


def certificates_needed(definition: ClusterDefinition, present: ClusterSnapshot | None) -> list[tuple[str, Purpose]]:
    """(node, purpose) of each certificate that the cluster should own and does not, in UCM's order."""
    release = RELEASES[definition.release]
    return [
        (node.name, purpose)
        for node in definition.nodes
        for purpose, facts in PURPOSES.items()
        if release.knows(purpose)
        and (node.publisher or not facts.publisher_only)
        and (present is None or (node.name, purpose) not in present.own)
    ]


async def issue_all(
    definition: ClusterDefinition, wanted: list[tuple[str, Purpose]], now: datetime, *, upgrade: bool = False
) -> list[Issued]:
    """Makes certificates for (node, purpose); an ITLRecovery that an upgrade brings is valid 5 years (R-REC-1).

    Making keys leaves the interpreter, so threads use every core.
    """
    release = RELEASES[definition.release]
    nodes = {node.name: node for node in definition.nodes}
    recovery_years = _UPGRADE_YEARS if upgrade else release.recovery_years

    def one(name: str, purpose: Purpose) -> Issued:
        years = recovery_years if purpose is Purpose.ITL_RECOVERY else PURPOSES[purpose].validity_years
        return issue(definition, nodes[name], purpose, key_length=release.key_length, now=now, years=years)

    return list(await asyncio.gather(*(asyncio.to_thread(one, name, purpose) for name, purpose in wanted)))


def issue(
    definition: ClusterDefinition,
    node: NodeDefinition,
    purpose: Purpose,
    *,
    key_length: int,
    now: datetime,
    years: int | None = None,
) -> Issued:
    """A self-signed certificate; the serial number has exactly 16 bytes as UCM's do.

    That self-signed certificates are their own CA (CA:TRUE, pathlen 0, keyCertSign) is documented for CAPF only; for
    the others it is our choice, so that ordinary TLS clients accept one as an anchor.

    Args:
        definition: gives the subject below the common name, and the domain.
        node: whose it will be.
        purpose: decides key type, usages and common name.
        key_length: RSA bits.
        now: start of validity.
        years: validity; the purpose's own when None.
    """
    spec = default_spec(definition, node, purpose, key_length=key_length)
    return self_sign(definition, replace(spec, years=spec.years if years is None else years), now)


def default_spec(
    definition: ClusterDefinition, node: NodeDefinition, purpose: Purpose, *, key_length: int
) -> CertificateSpec:
    """What a certificate looks like when an operator asks for nothing special.

    Args:
        definition: gives the domain.
        node: whose it will be.
        purpose: decides key type, usages and common name.
        key_length: RSA bits; elliptic purposes have 384 (ours).
    """
    facts = PURPOSES[purpose]
    return CertificateSpec(
        node=node.name,
        purpose=purpose,
        common_name=common_name(definition, node, purpose),
        dns_names=(definition.fqdn(node),),
        key_length=EC_DEFAULT if facts.elliptic else key_length,
        digest="SHA384" if facts.elliptic else "SHA256",
        years=facts.validity_years,
    )


def make_key(spec: CertificateSpec) -> PrivateKey:
    """A new key of the type and length of `spec`. Takes up to seconds: call it in a thread."""
    if PURPOSES[spec.purpose].elliptic:
        return ec.generate_private_key(CURVES[spec.key_length]())
    return rsa.generate_private_key(public_exponent=65537, key_size=spec.key_length)


def self_sign(definition: ClusterDefinition, spec: CertificateSpec, now: datetime) -> Issued:
    """A new key and its self-signed certificate; see `issue`."""
    private_key = make_key(spec)
    public = private_key.public_key()
    name = _subject(definition, spec.common_name)
    begin = now.replace(microsecond=0)
    serial = int.from_bytes(bytes([secrets.randbelow(127) + 1]) + secrets.token_bytes(_SERIAL_BYTES - 1), "big")
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(years_later(begin, spec.years))
        .add_extension(_key_usage(spec.purpose, signs_certificates=True), critical=False)
        .add_extension(x509.ExtendedKeyUsage(PURPOSES[spec.purpose].usages), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_alternative_names(spec), critical=False)
    )
    der = builder.sign(private_key, DIGESTS[spec.digest]()).public_bytes(Encoding.DER)
    return Issued(spec.node, spec.purpose, Certificate.from_der(der), private_key)


def request(definition: ClusterDefinition, spec: CertificateSpec) -> tuple[bytes, PrivateKey]:
    """A new key and a signing request (PKCS#10, DER) with the fields that UCM asks a CA for."""
    private_key = make_key(spec)
    signs = spec.purpose is Purpose.CAPF
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_subject(definition, spec.common_name))
        .add_extension(x509.ExtendedKeyUsage(PURPOSES[spec.purpose].usages), critical=False)
        .add_extension(_key_usage(spec.purpose, signs_certificates=signs), critical=False)
        .add_extension(_alternative_names(spec), critical=False)
    )
    return builder.sign(private_key, DIGESTS[spec.digest]()).public_bytes(Encoding.DER), private_key


def _alternative_names(spec: CertificateSpec) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in spec.dns_names])


def years_later(begin: datetime, years: int) -> datetime:
    """The same day of the calendar; the day after when that year has no 29 February."""
    try:
        return begin.replace(year=begin.year + years)
    except ValueError:
        return begin.replace(year=begin.year + years, month=3, day=1)


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


def _key_usage(purpose: Purpose, *, signs_certificates: bool) -> x509.KeyUsage:
    signs_only = purpose is Purpose.CAPF
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_only,
        data_encipherment=not signs_only,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
