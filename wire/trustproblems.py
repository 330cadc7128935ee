"""What is odd about a file and yet no reason to refuse to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wire.digests import DigestAlgorithm
from wire.errors import WireError
from wire.names import DistinguishedName
from wire.trustrecord import Function, TrustRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wire.fileheader import FileHeader

MAX_SAST_RECORDS = 2
"""Phones honour no more."""


def problems_of(header: FileHeader, records: Sequence[TrustRecord]) -> Iterator[str]:
    """One sentence for each oddity of a trust list, in file order."""
    yield from problems_of_header(header)
    for number, record in enumerate(records, start=1):
        for problem in _of_record(record):
            yield f"record {number}: {problem}"
    sast = sum(record.function == Function.SAST for record in records)
    if sast > MAX_SAST_RECORDS:
        yield f"{sast} SAST records: phones honour {MAX_SAST_RECORDS}"


def problems_of_header(header: FileHeader) -> Iterator[str]:
    """One sentence for each oddity of a header; signed and encrypted files have them too."""
    for element in header.unknown:
        yield f"header: element {element.tag} of {len(element.value)} bytes is not known"
    yield from _unreadable("header: SIGNERNAME", header.signer.name)
    yield from _unreadable("header: CANAME", header.signer.issuer)


def _of_record(record: TrustRecord) -> Iterator[str]:
    for element in record.unknown:
        yield f"element {element.tag} of {len(element.value)} bytes is not known"
    if record.function not in set(Function):
        yield f"function {record.function} is not known"
    if record.is_blank:
        return
    yield from _unreadable("SUBJECTNAME", record.subject)
    yield from _unreadable("ISSUERNAME", record.issuer)
    if record.certificate is None:
        yield "there is no certificate in it"
    else:
        yield from _beside_certificate(record, record.certificate)


def _beside_certificate(record: TrustRecord, der: bytes) -> Iterator[str]:
    """Fields beside the certificate that are not those of the certificate."""
    yield from _hash(record, der)
    certificate = record.x509
    if certificate is None:
        yield "its certificate cannot be read"
        return
    if record.serial_number != certificate.serial:
        yield "SERIALNUMBER is not that of its certificate"
    if record.public_key != certificate.public_key_bytes:
        yield "PUBLICKEY is not that of its certificate"
    for where, text, name in (
        ("SUBJECTNAME", record.subject, certificate.subject),
        ("ISSUERNAME", record.issuer, certificate.issuer),
    ):
        if not _is_name(text) or DistinguishedName.parse(text) != name:
            yield f"{where} is not that of its certificate"


def _hash(record: TrustRecord, der: bytes) -> Iterator[str]:
    if record.certificate_hash is None or record.hash_algorithm not in set(DigestAlgorithm):
        return
    if DigestAlgorithm(record.hash_algorithm).digest(der) != record.certificate_hash:
        yield "CERTIFICATE HASH is not that of its certificate"


def _unreadable(where: str, text: str) -> Iterator[str]:
    if not _is_name(text):
        yield f"{where} is not a distinguished name"


def _is_name(text: str) -> bool:
    try:
        DistinguishedName.parse(text)
    except WireError:
        return False
    return True
