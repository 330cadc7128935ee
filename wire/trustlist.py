"""Trust lists: the CTL and the ITL, ``CTLFile.tlv``, ``ITLFile.tlv`` and the same for one phone.

A header of version 1.2, then records back to back to the end of the file. The list proves nothing by itself:
whoever reads it decides with `wire.signing.verify_file` and a certificate that it trusts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from wire.errors import WireError
from wire.fileheader import FileHeader, Version, decode_header, encode_header
from wire.signing import sign_body
from wire.trustproblems import problems_of
from wire.trustrecord import (
    LENGTH_ELEMENT_SIZE,
    Function,
    RecordTag,
    TrustRecord,
    decode_record,
    encode_record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wire.fileheader import DigestAlgorithm
    from wire.names import DistinguishedName
    from wire.signing import SigningKey

__all__ = [
    "CTL_FILE",
    "ITL_FILE",
    "MAX_PHONE_FILE_SIZE",
    "Function",
    "TrustList",
    "TrustRecord",
    "decode_trust_list",
    "encode_trust_list",
    "sign_trust_list",
]

CTL_FILE, ITL_FILE = "CTLFile.tlv", "ITLFile.tlv"
"""The names that headers carry, whichever name a phone asked for."""

MAX_PHONE_FILE_SIZE = 65_536
"""Bytes; phones do not load a larger trust list (R-ITL-8)."""

MAX_FILE_SIZE = 1_048_576
"""Bytes that are read at all, so that a list too large for phones can still be shown."""

MAX_RECORDS = 8_192
"""More do not fit into 64 KiB, however short."""

VERSION: Version = (1, 2)
_READABLE_VERSIONS = ((1, 1), VERSION)  # 1.1 is inferred: logs of phones call it the version before 1.2


@dataclass(frozen=True)
class TrustList:
    """A trust list.

    Attributes:
        header: who signed it, when, and how.
        records: in file order.
        data: the file itself.
    """

    header: FileHeader
    records: tuple[TrustRecord, ...]
    data: bytes

    @property
    def signer_record(self) -> TrustRecord | None:
        """The SAST record of the header's issuer and serial; None when the list lacks its signer."""
        try:
            found = self.find(self.header.signer.issuer_dn, self.header.signer.serial_number)
        except WireError:
            return None
        return next((record for record in found if record.function == Function.SAST), None)

    def find(self, issuer: DistinguishedName, serial: int) -> tuple[TrustRecord, ...]:
        """Records of this issuer and serial, in file order; the way in which every certificate is looked up."""
        return self._index.get((issuer, serial), ())

    def with_function(self, *functions: int) -> tuple[TrustRecord, ...]:
        """Records of any of these functions, in file order."""
        return tuple(record for record in self.records if record.function in functions)

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What is odd and yet no reason to refuse the file, one sentence each."""
        too_large = len(self.data) > MAX_PHONE_FILE_SIZE
        size = f"{len(self.data)} bytes: phones load no more than {MAX_PHONE_FILE_SIZE}"
        unsigned = "the signer has no SAST record in the file"
        return (
            *((size,) if too_large else ()),
            *problems_of(self.header, self.records),
            *(() if self.signer_record else (unsigned,)),
        )

    @cached_property
    def md5(self) -> str:
        """Checksum of the file, lower-case hex; what ``show itl`` prints first."""
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()

    @cached_property
    def sha1(self) -> str:
        """Checksum of the file, lower-case hex."""
        return hashlib.sha1(self.data, usedforsecurity=False).hexdigest()

    @cached_property
    def _index(self) -> dict[tuple[DistinguishedName, int], tuple[TrustRecord, ...]]:
        index: dict[tuple[DistinguishedName, int], tuple[TrustRecord, ...]] = {}
        for record in self.records:
            if record.is_blank:
                continue
            try:
                key = (record.issuer_dn, record.serial_number)
            except WireError:
                continue  # `problems` says so
            index[key] = (*index.get(key, ()), record)
        return index


def decode_trust_list(data: bytes, *, limit: int = MAX_FILE_SIZE) -> TrustList:
    """Reads a trust list.

    Args:
        data: the whole file.
        limit: bytes; more are refused before anything is read.

    Raises:
        WireError: it is not one; the message says what is wrong and where.
    """
    if len(data) > limit:
        raise WireError(f"trust list of {len(data)} bytes is over the limit of {limit}")
    header = decode_header(data)
    if header.version not in _READABLE_VERSIONS:
        raise WireError("file version {}.{} is not that of a trust list, 1.2".format(*header.version))
    if header.encryption is not None:
        raise WireError("trust list with encryption elements")
    return TrustList(header, _decode_records(data, header.header_length), data)


def _decode_records(data: bytes, position: int) -> tuple[TrustRecord, ...]:
    records: list[TrustRecord] = []
    while position < len(data):
        where = f"record {len(records) + 1}"
        if len(records) == MAX_RECORDS:
            raise WireError(f"trust list with more than {MAX_RECORDS} records")
        length = _record_length(data[position : position + LENGTH_ELEMENT_SIZE], where, position)
        end = position + length
        if end > len(data):
            left = len(data) - position
            raise WireError(f"{where}: {length} bytes at byte {position}, but only {left} are left")
        records.append(decode_record(data[position:end], where))
        position = end
    return tuple(records)


def _record_length(begin: bytes, where: str, position: int) -> int:
    if len(begin) < LENGTH_ELEMENT_SIZE or begin[:3] != bytes((RecordTag.RECORD_LENGTH, 0, 2)):
        raise WireError(f"{where}: no RECORDLENGTH at byte {position}")
    length = int.from_bytes(begin[3:], "big")
    if length < LENGTH_ELEMENT_SIZE:
        raise WireError(f"{where}: RECORDLENGTH is {length}, less than its own {LENGTH_ELEMENT_SIZE} bytes")
    return length


def encode_trust_list(trust_list: TrustList) -> bytes:
    """Writes header and records; for a list that was decoded, the bytes that it was decoded from.

    Nothing is signed: a changed list keeps its old signature, which then no longer holds.

    Raises:
        WireError: a value does not fit its element.
    """
    return encode_header(trust_list.header) + _encode_records(trust_list.records)


def _encode_records(records: Iterable[TrustRecord]) -> bytes:
    return b"".join(map(encode_record, records))


def sign_trust_list(
    records: Iterable[TrustRecord],
    *,
    file_name: str,
    signer: SigningKey,
    digest: DigestAlgorithm,
    timestamp: int,
    signer_version: tuple[int, int] | None,
) -> bytes:
    """A signed trust list, laid out like UCM's; the same arguments always give the same bytes.

    Args:
        records: in the order in which they are written. That the signer is among them is the caller's affair.
        file_name: ``ITLFile.tlv``, ``CTLFile.tlv``.
        signer: its certificate gives the names in the header.
        digest: of the signature.
        timestamp: Unix seconds.
        signer_version: (1, 1) where phones are to use EC certificates and HTTPS on 6971; else (1, 0) or None.

    Raises:
        WireError: a value does not fit its element.
    """
    return sign_body(
        _encode_records(records),
        version=VERSION,
        file_name=file_name,
        signer=signer,
        digest=digest,
        timestamp=timestamp,
        signer_version=signer_version,
    )
