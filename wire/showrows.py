"""How ``show ctl`` and ``show itl`` print elements: names, values, columns; and every text that is ours.

Names and spellings (``DIGESTALGORTITHM``) are UCM's where a published ``show ctl`` of release 10.5 has them. Elements
are printed by number, whatever their order in the file. Text from a file has its control characters escaped, so that a
file cannot write on the terminal of whoever looks at it.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from wire.digests import DigestAlgorithm
from wire.fileheader import MODULUS_SIZES, FileHeader, Tag, encode_header
from wire.tlv import Element, Reader
from wire.trustrecord import Function, RecordTag, TrustRecord, encode_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Ours(StrEnum):
    """Texts that no published output shows. Whoever sees a real one corrects it here."""

    RECORD_LINE = "          ----"
    """Under ``CTL Record #:1``; the line is known, its indentation is not."""
    BAD_SIGNATURE = "The {kind} file was not verified successfully."
    NOT_CHECKED = "The signature of the {kind} file was not checked."
    NO_ITL = "ITL File not found. Please activate or restart Cisco Tftp to generate the ITL file."
    REMARKS = "Remarks:"
    """Above the problems of a file, which UCM does not print."""
    UNKNOWN = "UNKNOWN"
    """Name of an element that is not in the tables."""
    SIGNED_FILE = "signed"
    """Stands where trust lists have CTL or ITL."""
    ENCRYPTED_FILE = "encrypted"
    BODY = "Body"
    """Title of what follows the header of a file that is not a trust list."""
    FUNCTION_CCM = "CCM"
    FUNCTION_TFTP = "TFTP"
    FUNCTION_APP_SERVER = "APP-SERVER"
    FUNCTION_TVS = "TVS"
    FUNCTION_UNKNOWN = "UNKNOWN ({number})"


_FUNCTIONS: Mapping[int, str] = {
    Function.SAST: "System Administrator Security Token",
    Function.CCM: Ours.FUNCTION_CCM,
    Function.CCM_TFTP: "CCM+TFTP",
    Function.TFTP: Ours.FUNCTION_TFTP,
    Function.CAPF: "CAPF",
    Function.APP_SERVER: Ours.FUNCTION_APP_SERVER,
    Function.TVS: Ours.FUNCTION_TVS,
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STOP = 8
_NAME_WIDTH = 2 * _STOP
_DUMP_WIDTH = 8
_UNKNOWN_BYTES_SHOWN = 16


# --- values ---


def printable(text: str) -> str:
    """The text with everything escaped that is not a printable character."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def dotted(value: bytes) -> str:
    """``1.2`` of a version, ``10.0.0.1`` of an address."""
    return ".".join(map(str, value))


def function_text(number: int) -> str:
    """What stands in the row FUNCTION of a record."""
    return _FUNCTIONS.get(number, Ours.FUNCTION_UNKNOWN.format(number=number))


def time_text(moment: datetime) -> str:
    """``Fri Mar 06 20:56:07 UTC 2015``: in English and UTC, whatever locale and time zone the process has.

    Args:
        moment: aware.
    """
    utc = moment.astimezone(UTC)
    clock = f"{utc.hour:02}:{utc.minute:02}:{utc.second:02}"
    return f"{_DAYS[utc.weekday()]} {_MONTHS[utc.month - 1]} {utc.day:02} {clock} UTC {utc.year}"


def _nothing(_value: bytes) -> str:
    return ""


def _size(value: bytes) -> str:
    return str(len(value))


def _number(value: bytes) -> str:
    return str(int.from_bytes(value, "big"))


def _text(value: bytes) -> str:
    return printable(value[:-1].decode("utf-8"))


def _hex(value: bytes) -> str:
    return value.hex(" ").upper()


def _serial(value: bytes) -> str:
    return value.hex(":").upper()


def _function(value: bytes) -> str:
    return function_text(int.from_bytes(value, "big"))


def _certificate(value: bytes) -> str:
    return f"{_hex(hashlib.sha1(value, usedforsecurity=False).digest())} (SHA1 Hash HEX)"


def _digest(value: bytes) -> str:
    code = int.from_bytes(value, "big")
    return DigestAlgorithm(code).name if code in set(DigestAlgorithm) else str(code)


def _modulus(value: bytes) -> str:
    return f"{8 * MODULUS_SIZES[int.from_bytes(value, 'big')]} bits"


def _time(value: bytes) -> str:
    return time_text(datetime.fromtimestamp(int.from_bytes(value, "big"), UTC))


# --- tables ---


class _Row(NamedTuple):
    """How an element is printed. A container is followed by its children; its length stands in its value."""

    name: str
    value: Callable[[bytes], str] = _nothing
    container: bool = False


_HEADER: Mapping[int, _Row] = {
    Tag.SIGNER_ID: _Row("SIGNERID", _size, container=True),
    Tag.SIGNER_NAME: _Row("SIGNERNAME", _text),
    Tag.SERIAL_NUMBER: _Row("SERIALNUMBER", _serial),
    Tag.CA_NAME: _Row("CANAME", _text),
    Tag.SIGNATURE_INFO: _Row("SIGNATUREINFO", _size, container=True),
    Tag.DIGEST_ALGORITHM: _Row("DIGESTALGORTITHM"),
    Tag.SIGNATURE_ALGORITHM_INFO: _Row("SIGNATUREALGOINFO", _size, container=True),
    Tag.SIGNATURE_ALGORITHM: _Row("SIGNATUREALGORTITHM"),
    Tag.SIGNATURE_MODULUS: _Row("SIGNATUREMODULUS"),
    Tag.SIGNATURE: _Row("SIGNATURE"),
    Tag.FILE_NAME: _Row("FILENAME"),
    Tag.TIMESTAMP: _Row("TIMESTAMP"),
    Tag.SIGNER_VERSION: _Row("SIGNERVERSION", dotted),  # ours
}
# Of signed and encrypted files, which UCM does not print: all of this is ours.
_HEADER_IN_FULL: Mapping[int, _Row] = {
    **_HEADER,
    Tag.DIGEST_ALGORITHM: _Row("DIGESTALGORTITHM", _digest),
    Tag.SIGNATURE_ALGORITHM: _Row("SIGNATUREALGORTITHM", _number),
    Tag.SIGNATURE_MODULUS: _Row("SIGNATUREMODULUS", _modulus),
    Tag.FILE_NAME: _Row("FILENAME", _text),
    Tag.TIMESTAMP: _Row("TIMESTAMP", _time),
    Tag.ENCRYPTION: _Row("ENCRYPTIONINFO", _size, container=True),
    17: _Row("IVINFO", _size, container=True),
    18: _Row("IVRESERVED", _number),
    19: _Row("IV", _hex),
    20: _Row("PADDING", _number),
    21: _Row("KEYINFO", _size, container=True),
    22: _Row("KEYRESERVED", _number),
    23: _Row("KEYBITS", _number),
    24: _Row("KEYALGORITHM", _number),
    25: _Row("ENCRYPTEDKEY"),
    Tag.PLAIN_DIGEST_ALGORITHM: _Row("FILEDIGESTALGO", _digest),
    Tag.PLAIN_DIGEST: _Row("FILEDIGEST", _hex),
}
_RECORD: Mapping[int, _Row] = {
    RecordTag.RECORD_LENGTH: _Row("RECORDLENGTH", _number),
    RecordTag.DNS_NAME: _Row("DNSNAME", _text),
    RecordTag.SUBJECT_NAME: _Row("SUBJECTNAME", _text),
    RecordTag.FUNCTION: _Row("FUNCTION", _function),
    RecordTag.ISSUER_NAME: _Row("ISSUERNAME", _text),
    RecordTag.SERIAL_NUMBER: _Row("SERIALNUMBER", _serial),
    RecordTag.PUBLIC_KEY: _Row("PUBLICKEY"),
    RecordTag.SIGNATURE: _Row("SIGNATURE"),
    RecordTag.CERTIFICATE: _Row("CERTIFICATE", _certificate),
    RecordTag.IP_ADDRESS: _Row("IPADDRESS"),
    RecordTag.CERTIFICATE_HASH: _Row("CERTIFICATEHASH", _hex),  # ours
    RecordTag.HASH_ALGORITHM: _Row("HASHALGORITHM", _digest),  # ours
}


# --- lines ---


def label(name: str, value: str) -> str:
    """A line of a name and a value, as the version of a file has one."""
    return f"{name + ':':<{_NAME_WIDTH}}{value}"


def header_rows(header: FileHeader, *, in_full: bool) -> Iterator[str]:
    """The table of a header's elements.

    Args:
        header: which; VERSION and HEADERLENGTH are not in the table, nor is padding.
        in_full: also the values that UCM leaves out.

    Raises:
        WireError: a value does not fit its element; never for a decoded header.
    """
    yield from _titles()
    rows = _HEADER_IN_FULL if in_full else _HEADER
    for item in sorted(_header_elements(header, rows), key=lambda item: item.tag):
        yield _row(item, rows[item.tag])
        if item.tag == Tag.SIGNATURE:
            yield from _dump(item.value)
    yield from map(_unknown_row, header.unknown)


def record_rows(record: TrustRecord) -> Iterator[str]:
    """The table of a record's elements.

    Raises:
        WireError: as for `header_rows`.
    """
    yield from _titles()
    for item in sorted(_record_elements(record), key=lambda item: item.tag):
        yield _row(item, _RECORD[item.tag])
    yield from map(_unknown_row, record.unknown)


def _titles() -> Iterator[str]:
    yield _columns("BYTEPOS", "TAG", "LENGTH", "VALUE")
    yield _columns("-------", "---", "------", "-----")


def _row(item: Element, row: _Row) -> str:
    length = 2 if row.container else len(item.value)
    return _columns(str(item.tag), row.name, str(length), row.value(item.value))


def _unknown_row(item: Element) -> str:
    rest = " ..." if len(item.value) > _UNKNOWN_BYTES_SHOWN else ""
    shown = _hex(item.value[:_UNKNOWN_BYTES_SHOWN])
    return _columns(str(item.tag), Ours.UNKNOWN, str(len(item.value)), shown + rest)


def _columns(tag: str, name: str, length: str, value: str) -> str:
    """Stops of eight; a name of 16 letters or more pushes what follows it to the next stop, as it does in UCM."""
    width = max(_NAME_WIDTH, (len(name) // _STOP + 1) * _STOP)
    return f"{tag:<{_STOP}}{name:<{width}}{length:<{_STOP}}{value}".rstrip(" ")


def _dump(signature: bytes) -> Iterator[str]:
    for begin in range(0, len(signature), _DUMP_WIDTH):
        yield "  ".join(f"{byte:x}" for byte in signature[begin : begin + _DUMP_WIDTH])


def _header_elements(header: FileHeader, rows: Mapping[int, _Row]) -> Iterator[Element]:
    """Known elements of a header and of its containers; `FileHeader.unknown` has the others."""
    reader = Reader(encode_header(header), "header")
    while not reader.at_end:
        if reader.peek() == Tag.PADDING:
            reader.skip_byte()
            continue
        item = reader.element()
        if item.tag in header.layout and item.tag in rows:
            yield from _opened(item, rows)


def _opened(item: Element, rows: Mapping[int, _Row]) -> Iterator[Element]:
    yield item
    if rows[item.tag].container:
        for tag, value in Reader(item.value, rows[item.tag].name).children().items():
            yield from _opened(Element(tag, value), rows)


def _record_elements(record: TrustRecord) -> Iterator[Element]:
    reader = Reader(encode_record(record), "record")
    while not reader.at_end:
        item = reader.element()
        if item.tag in _RECORD:
            yield item
