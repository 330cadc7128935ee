"""The digests that files are signed with, by the code that they carry."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes

from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Mapping


class DigestAlgorithm(IntEnum):
    """UCM offers SHA-1 and SHA-512; SHA-256 is read and written all the same."""

    SHA1 = 1
    SHA256 = 2
    SHA512 = 3

    @property
    def hash(self) -> hashes.HashAlgorithm:
        """The algorithm for `cryptography`."""
        return _HASHES[self]

    @property
    def size(self) -> int:
        """Bytes of a digest."""
        return self.hash.digest_size

    def digest(self, data: bytes) -> bytes:
        """The digest of `data`."""
        hasher = hashes.Hash(self.hash)
        hasher.update(data)
        return hasher.finalize()


_HASHES: Mapping[DigestAlgorithm, hashes.HashAlgorithm] = {
    DigestAlgorithm.SHA1: hashes.SHA1(),  # noqa: S303 - all that older phones can check
    DigestAlgorithm.SHA256: hashes.SHA256(),
    DigestAlgorithm.SHA512: hashes.SHA512(),
}


def read_digest(where: str, code: int) -> DigestAlgorithm:
    """The digest of a code.

    Raises:
        WireError: no such code.
    """
    try:
        return DigestAlgorithm(code)
    except ValueError as error:
        raise WireError(f"{where}: digest algorithm {code} is not known (1 SHA-1, 2 SHA-256, 3 SHA-512)") from error
