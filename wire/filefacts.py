"""The facts of a file for programs: what ``--as-json`` of the command line prints."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from wire.encryptedfile import EncryptedFile
from wire.showrows import Ours, dotted, function_text
from wire.trustlist import TrustList
from wire.trustproblems import problems_of_header
from wire.trustrecord import Function

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wire.encryptioninfo import EncryptionInfo
    from wire.fileheader import FileHeader
    from wire.files import PhoneFile
    from wire.tlv import Element
    from wire.trustrecord import TrustRecord


def as_json(file: PhoneFile, *, verified: bool | None) -> dict[str, object]:
    """The facts of a file: texts, numbers, truth values, lists and objects only.

    Args:
        file: any of the three kinds.
        verified: whether the signature holds; None when nobody checked.
    """
    facts = _header_facts(file.header) | {
        "length": len(file.data),
        "md5": hashlib.md5(file.data, usedforsecurity=False).hexdigest(),
        "sha1": hashlib.sha1(file.data, usedforsecurity=False).hexdigest(),
        "verified": verified,
    }
    if isinstance(file, TrustList):
        return facts | {
            "kind": kind_of(file),
            "records": [_record_facts(record) for record in file.records],
            "problems": list(file.problems),
        }
    facts["problems"] = list(problems_of_header(file.header))
    if isinstance(file, EncryptedFile):
        return facts | {
            "kind": str(Ours.ENCRYPTED_FILE),
            "body_length": len(file.ciphertext),
            "encryption": _encryption_facts(file.encryption),
        }
    return facts | {"kind": str(Ours.SIGNED_FILE), "body_length": len(file.body)}


def kind_of(trust_list: TrustList) -> Literal["CTL", "ITL"]:
    """CTL when the file name in the header begins so, else ITL."""
    return "CTL" if trust_list.header.file_name.upper().startswith("CTL") else "ITL"


def _header_facts(header: FileHeader) -> dict[str, object]:
    return {
        "file_name": header.file_name,
        "version": dotted(bytes(header.version)),
        "header_length": header.header_length,
        "timestamp": datetime.fromtimestamp(header.timestamp, UTC).isoformat(),
        "signer": {
            "name": header.signer.name,
            "issuer": header.signer.issuer,
            "serial": header.signer.serial.hex().upper(),
        },
        "signer_version": None if header.signer_version is None else dotted(bytes(header.signer_version)),
        "digest": header.digest.name,
        "signature_bits": 8 * len(header.signature),
        "unknown": _unknown_facts(header.unknown),
    }


def _record_facts(record: TrustRecord) -> dict[str, object]:
    return {
        "length": record.length,
        "dns_name": record.dns_name,
        "function": record.function,
        "function_name": Function(record.function).name if record.function in set(Function) else None,
        "function_text": function_text(record.function),
        "subject": record.subject,
        "issuer": record.issuer,
        "serial": record.serial.hex().upper(),
        "ip_address": None if record.ip_address is None else dotted(record.ip_address),
        "blank": record.is_blank,
        "certificate": _certificate_facts(record),
        "unknown": _unknown_facts(record.unknown),
    }


def _certificate_facts(record: TrustRecord) -> dict[str, object] | None:
    certificate = record.x509
    if certificate is None:
        return None
    return {
        "sha1": certificate.sha1.hex(),
        "sha256": certificate.sha256.hex(),
        "key": "RSA" if certificate.is_rsa else "EC",
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
    }


def _encryption_facts(info: EncryptionInfo) -> dict[str, object]:
    return {
        "iv": info.iv.hex(),
        "padding": info.padding,
        "key_bits": info.key_bits,
        "digest": info.digest_algorithm.name,
        "plain_digest": info.digest.hex(),
    }


def _unknown_facts(elements: Iterable[Element]) -> list[object]:
    return [{"tag": item.tag, "length": len(item.value), "value": item.value.hex()} for item in elements]
