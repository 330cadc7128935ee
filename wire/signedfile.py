"""Signed files: ``NAME.sgn`` is a header of version 1.0 and the plain bytes of ``NAME``.

The file carries no certificate. A phone looks the signer up by issuer and serial among those records of its trust
lists that may sign files, or asks TVS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire.errors import WireError
from wire.fileheader import FileHeader, Version, decode_header, encode_header
from wire.signing import sign_body

if TYPE_CHECKING:
    from wire.fileheader import DigestAlgorithm
    from wire.signing import SigningKey

VERSION: Version = (1, 0)

MAX_FILE_SIZE = 67_108_864
"""Bytes. Configurations have some kilobytes; ring tones, pictures and firmware have more."""


@dataclass(frozen=True, slots=True)
class SignedFile:
    """A signed file.

    Attributes:
        header: who signed it; its ``file_name`` ends in ``.sgn``.
        body: the plain file.
        data: the file itself.
    """

    header: FileHeader
    body: bytes
    data: bytes


def decode_signed_file(data: bytes, *, limit: int = MAX_FILE_SIZE) -> SignedFile:
    """Reads a signed file. Whether the signature holds, `wire.signing.verify_file` says.

    Raises:
        WireError: it is not one, or over `limit` bytes.
    """
    if len(data) > limit:
        raise WireError(f"signed file of {len(data)} bytes is over the limit of {limit}")
    header = decode_header(data)
    if header.version != VERSION:
        raise WireError("file version {}.{} is not that of a signed file, 1.0".format(*header.version))
    if header.encryption is not None:
        raise WireError("signed file with encryption elements")
    return SignedFile(header, data[header.header_length :], data)


def encode_signed_file(file: SignedFile) -> bytes:
    """Writes header and body; for a file that was decoded, the bytes that it was decoded from.

    Raises:
        WireError: a value does not fit its element.
    """
    return encode_header(file.header) + file.body


def sign_file(name: str, body: bytes, *, signer: SigningKey, digest: DigestAlgorithm, timestamp: int) -> bytes:
    """Signs a file; the same arguments always give the same bytes.

    Args:
        name: as the phone asks for it, with ``.sgn`` and any folder.
        body: the plain file.
        signer: in a cluster, the CallManager key of the TFTP server.
        digest: of the signature.
        timestamp: Unix seconds.

    Raises:
        WireError: a value does not fit its element.
    """
    return sign_body(body, version=VERSION, file_name=name, signer=signer, digest=digest, timestamp=timestamp)
