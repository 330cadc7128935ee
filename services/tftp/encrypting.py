"""Encrypts a configuration for one phone.

Key and IV are drawn from the signer's private key and the content: the same content is the same bytes, here and in
every other process, and nobody without that key can guess them.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from wire.encryptedfile import encrypt_file
from wire.encryptioninfo import AES_KEY_SIZE, IV_SIZE
from wire.signing import SigningKey

if TYPE_CHECKING:
    from cluster.snapshot import OwnCertificate
    from wire.certificates import Certificate
    from wire.digests import DigestAlgorithm


def encrypted_config(
    name: str,
    body: bytes,
    recipient: Certificate,
    *,
    signer: OwnCertificate,
    digest: DigestAlgorithm,
    timestamp: int,
) -> bytes:
    """``SEP<MAC>.cnf.xml.enc.sgn``.

    Args:
        name: as the phone asks for it.
        body: the plain configuration.
        recipient: the phone's certificate; RSA.
        signer: the CallManager certificate of the TFTP server.
        digest: of the signature.
        timestamp: Unix seconds.

    Raises:
        WireError: the recipient's key is EC or too short.
    """
    content = b"\0".join((name.encode(), str(timestamp).encode(), recipient.sha256, hashlib.sha256(body).digest()))

    def drawn(what: bytes, size: int) -> bytes:
        return hmac.new(signer.key_pem, what + content, hashlib.sha256).digest()[:size]

    return encrypt_file(
        name,
        body,
        recipient=recipient,
        signer=SigningKey.of(signer.certificate, signer.private_key),
        digest=digest,
        timestamp=timestamp,
        iv=drawn(b"iv", IV_SIZE),
        aes_key=drawn(b"key", AES_KEY_SIZE),
    )
