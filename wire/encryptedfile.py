"""Encrypted files: ``SEP<MAC>.cnf.xml.enc.sgn``, readable only with the key of the phone's LSC or MIC.

A header of version 2.0, then AES-128-CBC ciphertext. Decrypted, it is the plain file and 1 to 16 bytes 0x0D; the
header says how many, and what the digest of the plain file is. The signature covers header and ciphertext.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from wire.encryptioninfo import AES_BLOCK_SIZE, AES_KEY_SIZE, EncryptionInfo
from wire.errors import WireError
from wire.fileheader import FileHeader, Version, decode_header, encode_header
from wire.signing import sign_body

if TYPE_CHECKING:
    from wire.certificates import Certificate
    from wire.fileheader import DigestAlgorithm
    from wire.signing import SigningKey

VERSION: Version = (2, 0)
MAX_FILE_SIZE = 1_048_576
PADDING = b"\r"
_MIN_WRAP_PADDING = 8


@dataclass(frozen=True, slots=True)
class EncryptedFile:
    """An encrypted file.

    Attributes:
        header: who signed it; its ``encryption`` says how to decrypt it.
        ciphertext: a multiple of 16 bytes.
        data: the file itself.
    """

    header: FileHeader
    ciphertext: bytes
    data: bytes

    @property
    def encryption(self) -> EncryptionInfo:
        """How to decrypt it.

        Raises:
            WireError: the header does not say; never for a decoded file.
        """
        if self.header.encryption is None:
            raise WireError("encrypted file without encryption elements")
        return self.header.encryption


def decode_encrypted_file(data: bytes, *, limit: int = MAX_FILE_SIZE) -> EncryptedFile:
    """Reads an encrypted file, without decrypting it.

    Raises:
        WireError: it is not one, or over `limit` bytes.
    """
    if len(data) > limit:
        raise WireError(f"encrypted file of {len(data)} bytes is over the limit of {limit}")
    header = decode_header(data)
    if header.version != VERSION:
        raise WireError("file version {}.{} is not that of an encrypted file, 2.0".format(*header.version))
    ciphertext = data[header.header_length :]
    if not ciphertext or len(ciphertext) % AES_BLOCK_SIZE:
        raise WireError(f"ciphertext of {len(ciphertext)} bytes is not whole blocks of {AES_BLOCK_SIZE}")
    file = EncryptedFile(header, ciphertext, data)
    _ = file.encryption
    return file


def encode_encrypted_file(file: EncryptedFile) -> bytes:
    """Writes header and ciphertext; for a file that was decoded, the bytes that it was decoded from.

    Raises:
        WireError: a value does not fit its element.
    """
    return encode_header(file.header) + file.ciphertext


def decrypt_file(file: EncryptedFile, key: rsa.RSAPrivateKey) -> bytes:
    """The plain file.

    Args:
        file: what to decrypt; its signature is not looked at.
        key: the private key of the phone's LSC or MIC.

    Raises:
        WireError: the file is for another key, or the outcome is not what the header's digest says.
    """
    info = file.encryption
    if (key.key_size + 7) // 8 != len(info.wrapped_key):
        raise WireError(f"encrypted for a key of {info.key_bits} bits; this one has {key.key_size}")
    try:
        aes_key = key.decrypt(info.wrapped_key, PKCS1v15())
    except ValueError as error:
        raise WireError("encrypted for another key") from error
    if len(aes_key) != AES_KEY_SIZE:
        raise WireError("encrypted for another key")  # also how OpenSSL answers bad padding: with random bytes
    decryptor = Cipher(AES(aes_key), CBC(info.iv)).decryptor()
    padded = decryptor.update(file.ciphertext) + decryptor.finalize()
    plain = padded[: len(padded) - info.padding]
    if info.digest_algorithm.digest(plain) != info.digest:
        raise WireError("decrypted, but the digest of the plain file is another: wrong key or changed file")
    return plain


def encrypt_file(
    name: str,
    body: bytes,
    *,
    recipient: Certificate,
    signer: SigningKey,
    digest: DigestAlgorithm,
    timestamp: int,
    iv: bytes,
    aes_key: bytes,
) -> bytes:
    """Encrypts a file for one phone, and signs it.

    The same arguments always give the same bytes.

    Args:
        name: as the phone asks for it, with ``.enc.sgn``.
        body: the plain file.
        recipient: the phone's LSC or MIC; RSA.
        signer: in a cluster, the CallManager key of the TFTP server.
        digest: of the signature and of the plain file.
        timestamp: Unix seconds.
        iv: 16 random bytes.
        aes_key: 16 random bytes.

    Raises:
        WireError: the recipient's key is EC or too short, or a value does not fit its element.
    """
    key = recipient.public_key
    if not isinstance(key, rsa.RSAPublicKey):
        raise WireError(f"{recipient.subject} has an EC key; files are encrypted for RSA keys only")
    if len(aes_key) != AES_KEY_SIZE:
        raise WireError(f"AES key of {len(aes_key)} bytes, not {AES_KEY_SIZE}")
    padding = AES_BLOCK_SIZE - len(body) % AES_BLOCK_SIZE
    info = EncryptionInfo(
        iv=iv,
        padding=padding,
        key_bits=key.key_size,
        wrapped_key=_wrap(aes_key, key),
        digest_algorithm=digest,
        digest=digest.digest(body),
    )
    encryptor = Cipher(AES(aes_key), CBC(iv)).encryptor()
    ciphertext = encryptor.update(body + PADDING * padding) + encryptor.finalize()
    return sign_body(
        ciphertext,
        version=VERSION,
        file_name=name,
        signer=signer,
        digest=digest,
        timestamp=timestamp,
        encryption=info,
    )


def _wrap(aes_key: bytes, key: rsa.RSAPublicKey) -> bytes:
    """RSA PKCS#1 v1.5 encryption (RFC 8017, 7.2.1).

    The padding has to be unpredictable, not random: it is drawn from the AES key, which nobody can guess. So the
    wrapped key is a function of the arguments, and so is the file.
    """
    numbers, size = key.public_numbers(), (key.key_size + 7) // 8
    fill = size - 3 - len(aes_key)
    if fill < _MIN_WRAP_PADDING:
        raise WireError(f"a key of {key.key_size} bits cannot wrap an AES key")
    modulus = numbers.n.to_bytes(size, "big")
    stream = hashlib.shake_256(b"ucmsim wrap padding" + aes_key + modulus).digest(2 * size)
    padding = stream.replace(b"\0", b"")[:fill]
    message = b"\0\2" + padding + b"\0" + aes_key
    return pow(int.from_bytes(message, "big"), numbers.e, numbers.n).to_bytes(size, "big")


def certificate_hash(certificate: Certificate) -> str:
    """What ``certHash`` of a stub configuration holds: MD5 of the certificate, lower-case hex."""
    return hashlib.md5(certificate.der, usedforsecurity=False).hexdigest()
