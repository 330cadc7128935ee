"""The phone's own certificates as flash keeps them: LSC and MIC, each in one file with its key, always a pair."""

from __future__ import annotations

from enum import Enum

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from base.identity import Identity
from wire.certificates import Certificate, PrivateKey
from wire.errors import WireError


class Credential(Enum):
    """Which certificate."""

    LSC = "LSC"
    MIC = "MIC"


def encode_credential(identity: Identity) -> bytes:
    """PEM of certificate, chain and key (PKCS#8, unencrypted: flash is readable by its owner alone)."""
    pem = "".join(certificate.pem for certificate in (identity.certificate, *identity.chain)).encode("ascii")
    return pem + identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def decode_credential(data: bytes) -> Identity:
    """The reverse of `encode_credential`.

    Raises:
        WireError: damaged, or the key is not that of the certificate. The message quotes nothing of the key.
    """
    certificates = Certificate.from_pem_bundle(data)
    if not certificates:
        raise WireError("no certificate")
    try:
        key = load_pem_private_key(data, None, unsafe_skip_rsa_key_validation=True)  # a full check takes 50 ms
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise WireError("no readable key") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or not is_pair(certificates[0], key):
        raise WireError("the key is not that of the certificate")
    return Identity(certificates[0], key, tuple(certificates[1:]))


def is_pair(certificate: Certificate, key: PrivateKey) -> bool:
    """The certificate is for this key."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return certificate.public_key.public_bytes(*form) == key.public_key().public_bytes(*form)
