"""The facts of an X.509 certificate that trust lists, TVS and the phone use.

Nothing here judges: a certificate with a SHA-1 signature, no extensions or a past validity still has its facts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wire.errors import WireError
from wire.names import DistinguishedName

if TYPE_CHECKING:
    from datetime import datetime

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_PEM_BEGIN = b"-----BEGIN CERTIFICATE-----"
MAX_CERTIFICATE_SIZE = 16_384
"""Bytes of DER accepted anywhere; a UCM certificate has about 1,000."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """One certificate; equal to another when the DER is.

    Attributes:
        der: the certificate itself.
        x509: the parsed certificate.
    """

    der: bytes
    x509: x509.Certificate

    @classmethod
    def from_der(cls, der: bytes) -> Certificate:
        """Parses DER.

        Raises:
            WireError: not a certificate, oversized, or its key is neither RSA nor EC.
        """
        parsed = _load(der)
        try:
            key = parsed.public_key()
            _ = (parsed.subject, parsed.issuer, parsed.signature)
            _ = (parsed.not_valid_before_utc, parsed.not_valid_after_utc)  # year 0 is valid DER
        except Exception as error:  # as in _load
            raise WireError(f"not a readable X.509 certificate: {error}") from error
        if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            raise WireError(f"certificate key is {type(key).__name__}; trust lists know RSA and EC only")
        return cls(der, parsed)

    @classmethod
    def from_pem(cls, pem: bytes) -> Certificate:
        """Parses the first certificate of a PEM text.

        Raises:
            WireError: as `from_der`.
        """
        try:
            parsed = x509.load_pem_x509_certificate(pem)
        except Exception as error:  # as in _load
            raise WireError(f"not a PEM certificate: {error}") from error
        return cls.from_der(parsed.public_bytes(Encoding.DER))

    @classmethod
    def from_pem_bundle(cls, pem: bytes) -> list[Certificate]:
        """Every certificate of a PEM text, in order; none gives an empty list.

        Raises:
            WireError: as `from_der`.
        """
        return [cls.from_pem(_PEM_BEGIN + block) for block in pem.split(_PEM_BEGIN)[1:]]

    @cached_property
    def subject(self) -> DistinguishedName:
        """Whose certificate it is."""
        return DistinguishedName.from_x509(self.x509.subject)

    @cached_property
    def issuer(self) -> DistinguishedName:
        """Who signed it."""
        return DistinguishedName.from_x509(self.x509.issuer)

    @property
    def serial(self) -> int:
        """Serial number, not negative."""
        return abs(self.x509.serial_number)

    @cached_property
    def serial_bytes(self) -> bytes:
        """Serial number, minimal big-endian, as trust lists and TVS carry it."""
        return self.serial.to_bytes(max(1, (self.serial.bit_length() + 7) // 8), "big")

    @property
    def not_before(self) -> datetime:
        """Start of validity, UTC."""
        return self.x509.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """End of validity, UTC."""
        return self.x509.not_valid_after_utc

    @cached_property
    def public_key(self) -> PublicKey:
        """The key, RSA or EC."""
        key = self.x509.public_key()
        assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)  # noqa: S101 - from_der saw to it
        return key

    @property
    def is_rsa(self) -> bool:
        """True for RSA, False for EC."""
        return isinstance(self.public_key, rsa.RSAPublicKey)

    @cached_property
    def public_key_bytes(self) -> bytes:
        """As in a trust-list record: PKCS#1 DER for RSA, uncompressed point for EC."""
        if isinstance(self.public_key, rsa.RSAPublicKey):
            return self.public_key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
        return self.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def signature(self) -> bytes:
        """The issuer's signature on this certificate."""
        return self.x509.signature

    @cached_property
    def sha1(self) -> bytes:
        """20 bytes; what ``show itl`` prints and certificate hashes carry."""
        return hashlib.sha1(self.der, usedforsecurity=False).digest()

    @cached_property
    def sha256(self) -> bytes:
        """32 bytes; the key of every index."""
        return hashlib.sha256(self.der).digest()

    @property
    def pem(self) -> str:
        """PEM text."""
        return self.x509.public_bytes(Encoding.PEM).decode("ascii")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        return f"<Certificate {self.subject} serial {self.serial:x}>"


def check_der(der: bytes) -> None:
    """Makes sure of the outline of a certificate, for who passes it on or looks it up; a tenth of `from_der`'s cost.

    Raises:
        WireError: not a certificate, or oversized.
    """
    _load(der)


def _load(der: bytes) -> x509.Certificate:
    if len(der) > MAX_CERTIFICATE_SIZE:
        raise WireError(f"certificate of {len(der)} bytes is over the limit of {MAX_CERTIFICATE_SIZE}")
    try:
        return x509.load_der_x509_certificate(der)
    except Exception as error:  # cryptography raises many kinds for bad DER, not one
        raise WireError(f"not a readable X.509 certificate: {error}") from error
