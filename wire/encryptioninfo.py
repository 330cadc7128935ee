"""The elements of a header that say how the body of an encrypted file is encrypted.

16 {17 {18, 19, 20}, 21 {22, 23, 24, 25}}, then 26 and 27 beside it. One variant is known: AES-128-CBC, its key
encrypted by RSA PKCS#1 v1.5 for the phone's certificate.
"""

from __future__ import annotations

from dataclasses import dataclass

from wire.digests import DigestAlgorithm, read_digest
from wire.errors import WireError
from wire.tlv import block, element, read_integer, write_integer

IV_SIZE = 16
AES_KEY_SIZE = 16
AES_BLOCK_SIZE = 16

ENCRYPTION, PLAIN_DIGEST_ALGORITHM, PLAIN_DIGEST = 16, 26, 27
"""The elements that stand in the header itself."""

_IV_INFO, _IV_RESERVED, _IV, _PADDING = 17, 18, 19, 20
_KEY_INFO, _KEY_RESERVED, _KEY_BITS, _KEY_ALGORITHM, _WRAPPED_KEY = 21, 22, 23, 24, 25
_AES_128 = 1


@dataclass(frozen=True, slots=True)
class EncryptionInfo:
    """How a body is encrypted.

    Attributes:
        iv: of AES-CBC, 16 bytes.
        padding: bytes at the end of the decrypted body that are not part of the file, 1 to 16.
        key_bits: size of the recipient's RSA key.
        wrapped_key: the AES key, encrypted for the recipient; as long as the recipient's modulus.
        digest_algorithm: of `digest`.
        digest: of the plain file.

    Raises:
        WireError: a value is not as above.
    """

    iv: bytes
    padding: int
    key_bits: int
    wrapped_key: bytes
    digest_algorithm: DigestAlgorithm
    digest: bytes

    def __post_init__(self) -> None:
        if len(self.iv) != IV_SIZE:
            raise WireError(f"IV of {len(self.iv)} bytes, not {IV_SIZE}")
        if not 1 <= self.padding <= AES_BLOCK_SIZE:
            raise WireError(f"padding of {self.padding} bytes, not 1 to {AES_BLOCK_SIZE}")
        if not self.wrapped_key or len(self.wrapped_key) != (self.key_bits + 7) // 8:
            raise WireError(f"encrypted key of {len(self.wrapped_key)} bytes by a key of {self.key_bits} bits")
        if len(self.digest) != self.digest_algorithm.size:
            raise WireError(f"digest of the plain file has {len(self.digest)} bytes, not {self.digest_algorithm.size}")


def encode_encryption(info: EncryptionInfo) -> dict[int, bytes]:
    """The values of elements 16, 26 and 27."""
    iv = (
        element(_IV_RESERVED, b"\0")
        + element(_IV, info.iv)
        + element(_PADDING, write_integer("padding", info.padding, 2))
    )
    key = (
        element(_KEY_RESERVED, b"\0")
        + element(_KEY_BITS, write_integer("key size", info.key_bits, 2))
        + element(_KEY_ALGORITHM, bytes((_AES_128,)))
        + element(_WRAPPED_KEY, info.wrapped_key)
    )
    return {
        ENCRYPTION: element(_IV_INFO, iv) + element(_KEY_INFO, key),
        PLAIN_DIGEST_ALGORITHM: bytes((info.digest_algorithm,)),
        PLAIN_DIGEST: info.digest,
    }


def decode_encryption(values: dict[int, bytes]) -> EncryptionInfo | None:
    """Reads elements 16, 26 and 27 out of the values of a header; None when there are none of them.

    Raises:
        WireError: one of the three is missing, or is not of the known variant.
    """
    tags = (ENCRYPTION, PLAIN_DIGEST_ALGORITHM, PLAIN_DIGEST)
    missing = [tag for tag in tags if tag not in values]
    if len(missing) == len(tags):
        return None
    if missing:
        raise WireError(f"header: of 16, 26 and 27, which go together, {missing[0]} is missing")
    parts = _in_order("encryption", values[ENCRYPTION], _IV_INFO, _KEY_INFO)
    iv = _in_order("IV", parts[_IV_INFO], _IV_RESERVED, _IV, _PADDING)
    key = _in_order("key", parts[_KEY_INFO], _KEY_RESERVED, _KEY_BITS, _KEY_ALGORITHM, _WRAPPED_KEY)
    _require("element 18", iv[_IV_RESERVED], 0)
    _require("element 22", key[_KEY_RESERVED], 0)
    _require("key algorithm", key[_KEY_ALGORITHM], _AES_128)
    code = read_integer("digest algorithm of the plain file", values[PLAIN_DIGEST_ALGORITHM], 1)
    return EncryptionInfo(
        iv=iv[_IV],
        padding=read_integer("padding", iv[_PADDING], 2),
        key_bits=read_integer("key size", key[_KEY_BITS], 2),
        wrapped_key=key[_WRAPPED_KEY],
        digest_algorithm=read_digest("plain file", code),
        digest=values[PLAIN_DIGEST],
    )


def _require(where: str, value: bytes, only: int) -> None:
    if (number := read_integer(where, value, 1)) != only:
        raise WireError(f"{where}: {number}; only {only} is known")


def _in_order(where: str, value: bytes, *expected: int) -> dict[int, bytes]:
    found = block(where, value, *expected)
    if tuple(found) != expected:
        raise WireError(f"{where}: elements in the order {tuple(found)}, not {expected}")
    return found
