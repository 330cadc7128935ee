"""One record of a trust list: a certificate and what it may be used for.

UCM's order is 1 to 10, with 11 and 12 rarely after them; other builders have 1, [2], 3, 5, 6, 4, 7, 8, 9. A record
is written back in the order in which it was read, with the elements that are not in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from wire.certificates import Certificate
from wire.errors import WireError
from wire.names import DistinguishedName
from wire.tlv import (
    Element,
    Layout,
    Reader,
    element,
    read_integer,
    read_text,
    settle_layout,
    write_integer,
    write_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NO_ADDRESS = b"\0\0\0\0"
_ADDRESS_SIZE = 4
LENGTH_ELEMENT_SIZE = 5
"""Bytes of the RECORDLENGTH element that a record begins with."""


class RecordTag(IntEnum):
    """Elements of a record."""

    RECORD_LENGTH = 1
    DNS_NAME = 2
    SUBJECT_NAME = 3
    FUNCTION = 4
    ISSUER_NAME = 5
    SERIAL_NUMBER = 6
    PUBLIC_KEY = 7
    SIGNATURE = 8
    CERTIFICATE = 9
    IP_ADDRESS = 10
    CERTIFICATE_HASH = 11
    HASH_ALGORITHM = 12


_USUAL_ORDER = tuple(RecordTag)[1:]
_OF_CERTIFICATE = tuple(RecordTag)[1:10]
_IDENTITY = (RecordTag.SUBJECT_NAME, RecordTag.ISSUER_NAME, RecordTag.SERIAL_NUMBER, RecordTag.PUBLIC_KEY)
_NOT_IN_BLANK = frozenset((*_IDENTITY, RecordTag.SIGNATURE, RecordTag.CERTIFICATE))


class Function(IntEnum):
    """What a record's certificate may be used for."""

    SAST = 0
    """Signs trust lists (System Administrator Security Token)."""
    CCM = 1
    """Call control."""
    CCM_TFTP = 2
    """Call control, and signs configuration files."""
    TFTP = 3
    """Signs configuration files."""
    CAPF = 4
    """Issues certificates to phones."""
    APP_SERVER = 7
    """Serves phone services over HTTPS."""
    TVS = 21
    """Answers for other certificates."""


@dataclass(frozen=True)
class TrustRecord:
    """One record.

    Attributes:
        dns_name: host; may be empty.
        function: see `Function`; other numbers are kept.
        subject: as the file has it; empty in a blank record.
        issuer: likewise.
        serial: big-endian; empty in a blank record.
        public_key: PKCS#1 DER (RSA) or uncompressed point (EC); empty in a blank record.
        signature: the certificate's own signature.
        certificate: DER.
        ip_address: four bytes.
        certificate_hash: digest of the certificate.
        hash_algorithm: code of that digest.
        layout: order of the elements after RECORDLENGTH, unknown ones among them. An element whose value is
            None is dropped from it, one with a value that it lacks is added.
    """

    dns_name: str
    function: int
    subject: str = ""
    issuer: str = ""
    serial: bytes = b""
    public_key: bytes = b""
    signature: bytes | None = None
    certificate: bytes | None = None
    ip_address: bytes | None = None
    certificate_hash: bytes | None = None
    hash_algorithm: int | None = None
    layout: Layout = ()

    def __post_init__(self) -> None:
        wished = self.layout or (RecordTag.DNS_NAME, RecordTag.FUNCTION)
        present = {
            tag
            for tag, field in _FIELDS.items()
            if (value := getattr(self, field.name)) not in _NOTHING or (tag in wished and value is not None)
        }
        object.__setattr__(self, "layout", settle_layout(self.layout, present, _USUAL_ORDER))

    @classmethod
    def for_certificate(
        cls, certificate: Certificate, function: Function, dns_name: str, ip_address: bytes = NO_ADDRESS
    ) -> TrustRecord:
        """A record with the certificate and the fields taken out of it, in UCM's order.

        Args:
            certificate: RSA or EC.
            function: what it may be used for.
            dns_name: host that it belongs to; may be empty.
            ip_address: four bytes.
        """
        return cls(
            dns_name=dns_name,
            function=int(function),
            subject=str(certificate.subject),
            issuer=str(certificate.issuer),
            serial=certificate.serial_bytes,
            public_key=certificate.public_key_bytes,
            signature=certificate.signature,
            certificate=certificate.der,
            ip_address=ip_address,
            layout=_OF_CERTIFICATE,
        )

    @classmethod
    def blank(cls, dns_name: str, function: Function, ip_address: bytes = NO_ADDRESS) -> TrustRecord:
        """A record without certificate, as the CCM+TFTP records of a non-secure cluster's CTL are."""
        return cls(dns_name=dns_name, function=int(function), ip_address=ip_address)

    @property
    def is_blank(self) -> bool:
        """True when there is nothing of a certificate in it."""
        return _NOT_IN_BLANK.isdisjoint(self.layout)

    @property
    def unknown(self) -> tuple[Element, ...]:
        """Elements that are not in the table."""
        return tuple(item for item in self.layout if isinstance(item, Element))

    @property
    def serial_number(self) -> int:
        """The serial as a number; 0 in a blank record."""
        return int.from_bytes(self.serial, "big")

    @cached_property
    def issuer_dn(self) -> DistinguishedName:
        """The issuer, parsed; without parts in a blank record.

        Raises:
            WireError: it is not a distinguished name.
        """
        return DistinguishedName.parse(self.issuer)

    @cached_property
    def x509(self) -> Certificate | None:
        """The certificate; None when there is none, or none that can be read."""
        if self.certificate is None:
            return None
        try:
            return Certificate.from_der(self.certificate)
        except WireError:
            return None

    @cached_property
    def length(self) -> int:
        """RECORDLENGTH: bytes of the whole record."""
        return len(encode_record(self))


_NOTHING = (None, "", b"")


class _Field(NamedTuple):
    name: str
    read: Callable[[str, bytes], Any]
    write: Callable[[str, Any], bytes]


def _integer(name: str, size: int) -> _Field:
    return _Field(
        name,
        lambda where, value: read_integer(where, value, size),
        lambda where, value: write_integer(where, value, size),
    )


def _bytes(name: str, size: int | None = None) -> _Field:
    def check(where: str, value: bytes) -> bytes:
        if size is not None and len(value) != size:
            raise WireError(f"{where}: {len(value)} bytes, not {size}")
        if not value:
            raise WireError(f"{where}: empty")
        return value

    return _Field(name, check, check)


_FIELDS: dict[int, _Field] = {
    RecordTag.DNS_NAME: _Field("dns_name", read_text, write_text),
    RecordTag.SUBJECT_NAME: _Field("subject", read_text, write_text),
    RecordTag.FUNCTION: _integer("function", 2),
    RecordTag.ISSUER_NAME: _Field("issuer", read_text, write_text),
    RecordTag.SERIAL_NUMBER: _bytes("serial"),
    RecordTag.PUBLIC_KEY: _bytes("public_key"),
    RecordTag.SIGNATURE: _bytes("signature"),
    RecordTag.CERTIFICATE: _bytes("certificate"),
    RecordTag.IP_ADDRESS: _bytes("ip_address", _ADDRESS_SIZE),
    RecordTag.CERTIFICATE_HASH: _bytes("certificate_hash"),
    RecordTag.HASH_ALGORITHM: _integer("hash_algorithm", 1),
}


def encode_record(record: TrustRecord) -> bytes:
    """Writes a record, RECORDLENGTH included.

    Raises:
        WireError: a value does not fit its element, part of a certificate's fields is missing, or the whole is
            over 65,535 bytes.
    """
    _check(record, "record")
    rest = b"".join(_encode_item(record, item) for item in record.layout)
    length = LENGTH_ELEMENT_SIZE + len(rest)
    return element(RecordTag.RECORD_LENGTH, write_integer("RECORDLENGTH", length, 2)) + rest


def _encode_item(record: TrustRecord, item: int | Element) -> bytes:
    if isinstance(item, Element):
        return item.encode()
    field = _FIELDS[item]
    return element(item, field.write(field.name, getattr(record, field.name)))


def decode_record(data: bytes, where: str) -> TrustRecord:
    """Reads one record, RECORDLENGTH included.

    Args:
        data: exactly the record.
        where: what to call it in messages: ``record 3``.

    Raises:
        WireError: an element overruns the record, is repeated, missing, or not of its type.
    """
    reader = Reader(data, where)
    reader.element()
    values: dict[str, Any] = {"dns_name": ""}
    layout: list[int | Element] = []
    while not reader.at_end:
        item = reader.element()
        field = _FIELDS.get(item.tag)
        if item.tag in layout or item.tag == RecordTag.RECORD_LENGTH:
            raise WireError(f"{where}: element {RecordTag(item.tag).name} ({item.tag}) is there more than once")
        if field is None:
            layout.append(item)
        else:
            values[field.name] = field.read(f"{where} {field.name}", item.value)
            layout.append(item.tag)
    if "function" not in values:
        raise WireError(f"{where}: element FUNCTION (4) is missing")
    record = TrustRecord(**values, layout=tuple(layout))
    _check(record, where)
    return record


def _check(record: TrustRecord, where: str) -> None:
    missing = [tag for tag in _IDENTITY if tag not in record.layout]
    if missing and not record.is_blank:
        raise WireError(f"{where}: element {missing[0].name} ({int(missing[0])}) is missing")
