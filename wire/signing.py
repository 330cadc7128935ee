"""Signatures of all kinds of file: RSA PKCS#1 v1.5 over everything but the signature element."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from wire.errors import WireError
from wire.fileheader import (
    DigestAlgorithm,
    EncryptionInfo,
    FileHeader,
    SignerId,
    Version,
    encode_header,
    modulus_code,
    split_signature,
)

if TYPE_CHECKING:
    from wire.certificates import Certificate, PrivateKey, PublicKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A certificate and its RSA key, of a size that files can name.

    Attributes:
        certificate: names the signer.
        private_key: 512, 1024, 2048 or 4096 bits.

    Raises:
        WireError: the key is EC or of another size, or it is not the certificate's.
    """

    certificate: Certificate
    private_key: rsa.RSAPrivateKey

    def __post_init__(self) -> None:
        if not isinstance(self.private_key, rsa.RSAPrivateKey):
            raise WireError(
                f"{self.certificate.subject} has an EC key: phones check RSA signatures only, "
                "of 512, 1024, 2048 or 4096 bits"
            )
        if self.private_key.key_size % 8:
            raise WireError(f"RSA keys of {self.private_key.key_size} bits have no code in signed files")
        modulus_code(self.modulus_size)
        if self.private_key.public_key() != self.certificate.public_key:
            raise WireError(f"the private key is not that of {self.certificate.subject}")

    @classmethod
    def of(cls, certificate: Certificate, private_key: PrivateKey) -> SigningKey:
        """A signing key, if the key can sign files.

        Raises:
            WireError: as for the class.
        """
        return cls(certificate, private_key)  # type: ignore[arg-type]  # EC keys are refused above

    @property
    def modulus_size(self) -> int:
        """Bytes of the modulus, and so of every signature."""
        return self.private_key.key_size // 8

    def sign(self, digest: DigestAlgorithm, data: bytes) -> bytes:
        """The signature of `data`; the same data always gives the same signature.

        Raises:
            WireError: the key is too short for the digest.
        """
        try:
            return self.private_key.sign(data, PKCS1v15(), digest.hash)
        except ValueError as error:
            bits = self.private_key.key_size
            raise WireError(f"a key of {bits} bits is too short for a {digest.name} signature") from error


def sign_body(
    body: bytes,
    *,
    version: Version,
    file_name: str,
    signer: SigningKey,
    digest: DigestAlgorithm,
    timestamp: int,
    signer_version: Version | None = None,
    encryption: EncryptionInfo | None = None,
) -> bytes:
    """A whole file: a header in UCM's order, padded to a multiple of four bytes, then `body`.

    Raises:
        WireError: a value does not fit its element.
    """
    header = FileHeader(
        version=version,
        signer=SignerId.of(signer.certificate),
        digest=digest,
        signature=bytes(signer.modulus_size),
        file_name=file_name,
        timestamp=timestamp,
        signer_version=signer_version,
        encryption=encryption,
    ).padded()
    _, signed = split_signature(encode_header(header) + body)
    return encode_header(replace(header, signature=signer.sign(digest, signed))) + body


def verify_file(data: bytes, key: PublicKey) -> bool:
    """True when `key` signed the file as it is: a trust list, a signed or an encrypted file.

    Raises:
        WireError: the file does not begin with a header.
    """
    header, signed = split_signature(data)
    if not isinstance(key, rsa.RSAPublicKey) or (key.key_size + 7) // 8 != len(header.signature):
        return False
    try:
        key.verify(header.signature, signed, PKCS1v15(), header.digest.hash)
    except (InvalidSignature, ValueError):
        return False
    return True
