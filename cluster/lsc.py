"""Locally significant certificates: what CAPF issues for a phone's key."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.issuing import years_later
from cluster.purposes import IPSEC_END_SYSTEM
from wire.certificates import Certificate

if TYPE_CHECKING:
    from datetime import datetime

    from base.identity import Identity
    from wire.certificates import PublicKey

VALIDITY_YEARS = 5
_SERIAL_BYTES = 16
_COPIED = frozenset(
    {
        NameOID.ORGANIZATIONAL_UNIT_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.LOCALITY_NAME,
        NameOID.STATE_OR_PROVINCE_NAME,
        NameOID.COUNTRY_NAME,
    }
)


def issue_lsc(authority: Identity, device: str, public_key: PublicKey, now: datetime) -> Certificate:
    """A phone's LSC, signed with SHA-256.

    Args:
        authority: the CAPF certificate and its key.
        device: ``SEP<MAC>``; common name and alternative name.
        public_key: the phone's.
        now: start of validity.
    """
    issuer = authority.certificate.x509.subject
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, device), *(part for part in issuer if part.oid in _COPIED)]
    begin = now.replace(microsecond=0)
    serial = int.from_bytes(bytes([secrets.randbelow(127) + 1]) + secrets.token_bytes(_SERIAL_BYTES - 1), "big")
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH, IPSEC_END_SYSTEM]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(years_later(begin, VALIDITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(device)]), critical=False)
    )
    return Certificate.from_der(builder.sign(authority.private_key, hashes.SHA256()).public_bytes(Encoding.DER))


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
