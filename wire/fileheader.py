"""The header of trust lists (``.tlv``), signed files (``.sgn``) and encrypted files (``.enc.sgn``).

UCM's order is 1, 2, [28], 3 {4, 5, 6}, 7 {8, 9 {10, 11}}, 12, 14, 15, [16 {...}, 26, 27], 13*. Readers have to take
4, 5 and 6 in any order; this one does so with all that follows 2. A header is written back in the order in which it
was read, with the elements that are not in the table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING

from wire.digests import DigestAlgorithm, read_digest
from wire.encryptioninfo import (
    ENCRYPTION,
    PLAIN_DIGEST,
    PLAIN_DIGEST_ALGORITHM,
    EncryptionInfo,
    decode_encryption,
    encode_encryption,
)
from wire.errors import WireError
from wire.names import DistinguishedName
from wire.tlv import (
    Element,
    Layout,
    Reader,
    block,
    element,
    read_integer,
    read_text,
    settle_layout,
    write_integer,
    write_text,
)

if TYPE_CHECKING:
    from wire.certificates import Certificate

__all__ = [
    "DigestAlgorithm",
    "EncryptionInfo",
    "FileHeader",
    "SignerId",
    "Tag",
    "Version",
    "decode_header",
    "encode_header",
]

Version = tuple[int, int]
"""Major and minor number, one byte each."""

MODULUS_SIZES = (64, 128, 256, 512)
"""Bytes of an RSA modulus; the index is the code that the header carries. Others have no known code."""

ALIGNMENT = 4
"""A header's length is a multiple of this many bytes."""

_RSA_PKCS1 = 0


class Tag(IntEnum):
    """Elements that stand in a header, those of SIGNERID and of SIGNATUREINFO included."""

    VERSION = 1
    HEADER_LENGTH = 2
    SIGNER_ID = 3
    SIGNER_NAME = 4
    SERIAL_NUMBER = 5
    CA_NAME = 6
    SIGNATURE_INFO = 7
    DIGEST_ALGORITHM = 8
    SIGNATURE_ALGORITHM_INFO = 9
    SIGNATURE_ALGORITHM = 10
    SIGNATURE_MODULUS = 11
    SIGNATURE = 12
    PADDING = 13
    FILE_NAME = 14
    TIMESTAMP = 15
    ENCRYPTION = ENCRYPTION
    PLAIN_DIGEST_ALGORITHM = PLAIN_DIGEST_ALGORITHM
    PLAIN_DIGEST = PLAIN_DIGEST
    SIGNER_VERSION = 28


_USUAL_ORDER = (
    Tag.SIGNER_VERSION,
    Tag.SIGNER_ID,
    Tag.SIGNATURE_INFO,
    Tag.SIGNATURE,
    Tag.FILE_NAME,
    Tag.TIMESTAMP,
    Tag.ENCRYPTION,
    Tag.PLAIN_DIGEST_ALGORITHM,
    Tag.PLAIN_DIGEST,
)
_SIGNER_TAGS = (Tag.SIGNER_NAME, Tag.SERIAL_NUMBER, Tag.CA_NAME)
_MANDATORY = (Tag.SIGNER_ID, Tag.SIGNATURE_INFO, Tag.SIGNATURE, Tag.FILE_NAME, Tag.TIMESTAMP)
_ENCRYPTION_TAGS = (Tag.ENCRYPTION, Tag.PLAIN_DIGEST_ALGORITHM, Tag.PLAIN_DIGEST)


@dataclass(frozen=True)
class SignerId:
    """Who signed: what the phone looks the certificate up with.

    Attributes:
        name: subject, as the file has it.
        issuer: issuer, as the file has it.
        serial: serial number, big-endian.
        layout: order of 4, 5 and 6.
    """

    name: str
    issuer: str
    serial: bytes
    layout: tuple[int, ...] = _SIGNER_TAGS

    @cached_property
    def name_dn(self) -> DistinguishedName:
        """The subject, parsed.

        Raises:
            WireError: it is not a distinguished name.
        """
        return DistinguishedName.parse(self.name)

    @cached_property
    def issuer_dn(self) -> DistinguishedName:
        """The issuer, parsed.

        Raises:
            WireError: it is not a distinguished name.
        """
        return DistinguishedName.parse(self.issuer)

    @property
    def serial_number(self) -> int:
        """The serial as a number."""
        return int.from_bytes(self.serial, "big")

    def matches(self, certificate: Certificate) -> bool:
        """True when issuer and serial are the certificate's; the subject does not count."""
        if self.serial_number != certificate.serial:
            return False
        try:
            return self.issuer_dn == certificate.issuer
        except WireError:
            return False  # a name that cannot be read is nobody's

    @classmethod
    def of(cls, certificate: Certificate) -> SignerId:
        """Names this certificate."""
        return cls(str(certificate.subject), str(certificate.issuer), certificate.serial_bytes)


@dataclass(frozen=True)
class FileHeader:
    """A header.

    Attributes:
        version: trust list 1.2, signed file 1.0, encrypted file 2.0.
        signer: who signed.
        digest: of the signature.
        signature: RSA PKCS#1 v1.5; as long as the signer's modulus.
        file_name: as the phone asks for it.
        timestamp: Unix seconds.
        signer_version: 1.1 tells phones of EC certificates and HTTPS on 6971; 1.0 or None: RSA only.
        encryption: of encrypted files only.
        layout: order of the elements after HEADERLENGTH, padding bytes included.
    """

    version: Version
    signer: SignerId
    digest: DigestAlgorithm
    signature: bytes
    file_name: str
    timestamp: int
    signer_version: Version | None = None
    encryption: EncryptionInfo | None = None
    layout: Layout = ()

    def __post_init__(self) -> None:
        present = {*_MANDATORY}
        if self.signer_version is not None:
            present.add(Tag.SIGNER_VERSION)
        if self.encryption is not None:
            present.update(_ENCRYPTION_TAGS)
        layout = settle_layout(self.layout, present, _USUAL_ORDER, Tag.PADDING)
        object.__setattr__(self, "layout", layout)

    @cached_property
    def header_length(self) -> int:
        """Bytes of the whole header."""
        return len(encode_header(self))

    @property
    def unknown(self) -> tuple[Element, ...]:
        """Elements that this module does not know."""
        return tuple(item for item in self.layout if isinstance(item, Element))

    def padded(self) -> FileHeader:
        """The same header with as much padding at its end as UCM writes."""
        bare = tuple(item for item in self.layout if item != Tag.PADDING)
        size = len(encode_header(replace(self, layout=bare)))
        return replace(self, layout=bare + (Tag.PADDING,) * (-size % ALIGNMENT))


# --- writing ---


def encode_header(header: FileHeader) -> bytes:
    """Writes a header in the order of its layout, HEADERLENGTH included.

    Raises:
        WireError: a value does not fit its element.
    """
    values = _values(header)
    rest = b"".join(
        item.encode()
        if isinstance(item, Element)
        else bytes((Tag.PADDING,))
        if item == Tag.PADDING
        else element(item, values[item])
        for item in header.layout
    )
    begin = element(Tag.VERSION, _write_version("VERSION", header.version))
    length = len(begin) + 5 + len(rest)
    return begin + element(Tag.HEADER_LENGTH, write_integer("HEADERLENGTH", length, 2)) + rest


def _values(header: FileHeader) -> dict[int, bytes]:
    values: dict[int, bytes] = {
        Tag.SIGNER_ID: _write_signer(header.signer),
        Tag.SIGNATURE_INFO: _write_signature_info(header.digest, len(header.signature)),
        Tag.SIGNATURE: header.signature,
        Tag.FILE_NAME: write_text("FILENAME", header.file_name),
        Tag.TIMESTAMP: write_integer("TIMESTAMP", header.timestamp, 4),
    }
    if header.signer_version is not None:
        values[Tag.SIGNER_VERSION] = _write_version("signer version", header.signer_version)
    if header.encryption is not None:
        values |= encode_encryption(header.encryption)
    return values


def _write_version(where: str, version: Version) -> bytes:
    return b"".join(write_integer(where, number, 1) for number in version)


def _write_signer(signer: SignerId) -> bytes:
    values: dict[int, bytes] = {
        Tag.SIGNER_NAME: write_text("SIGNERNAME", signer.name),
        Tag.SERIAL_NUMBER: signer.serial,
        Tag.CA_NAME: write_text("CANAME", signer.issuer),
    }
    if not signer.serial:
        raise WireError("SIGNERID: the serial number is empty")
    if sorted(signer.layout) != sorted(values):
        raise WireError(f"SIGNERID: the order {signer.layout} does not name 4, 5 and 6 once each")
    return b"".join(element(tag, values[tag]) for tag in signer.layout)


def _write_signature_info(digest: DigestAlgorithm, modulus_size: int) -> bytes:
    algorithm = element(Tag.SIGNATURE_ALGORITHM, bytes((_RSA_PKCS1,)))
    modulus = element(Tag.SIGNATURE_MODULUS, bytes((modulus_code(modulus_size),)))
    info = element(Tag.SIGNATURE_ALGORITHM_INFO, algorithm + modulus)
    return element(Tag.DIGEST_ALGORITHM, bytes((digest,))) + info


def modulus_code(size: int) -> int:
    """The code of a modulus of `size` bytes.

    Raises:
        WireError: it has none.
    """
    if size not in MODULUS_SIZES:
        sizes = ", ".join(str(8 * known) for known in MODULUS_SIZES)
        raise WireError(f"RSA keys of {8 * size} bits have no code in signed files; {sizes} bits have")
    return MODULUS_SIZES.index(size)


# --- reading ---


def decode_header(data: bytes) -> FileHeader:
    """Reads the header at the beginning of a file.

    Raises:
        WireError: it is not one; the message says what is wrong.
    """
    header, _ = _read(data)
    return header


def split_signature(data: bytes) -> tuple[FileHeader, bytes]:
    """The header, and what its signature covers: the whole file with the signature element cut out.

    Raises:
        WireError: the file does not begin with a header.
    """
    header, (begin, end) = _read(data)
    return header, data[:begin] + data[end:]


def _read(data: bytes) -> tuple[FileHeader, tuple[int, int]]:
    """The header, and where its signature element begins and ends."""
    reader = Reader(data[:10], "header")
    version = _expect(reader, Tag.VERSION, "VERSION")
    length = read_integer("HEADERLENGTH", _expect(reader, Tag.HEADER_LENGTH, "HEADERLENGTH"), 2)
    if length > len(data):
        raise WireError(f"header of {length} bytes in a file of {len(data)}")
    if length < reader.position:
        raise WireError(f"HEADERLENGTH is {length}; a header is longer")
    reader, begun = Reader(data[:length], "header"), reader.position
    reader.position = begun
    values: dict[int, bytes] = {Tag.VERSION: version}
    layout: list[int | Element] = []
    span = (0, 0)
    while not reader.at_end:
        if reader.peek() == Tag.PADDING:
            reader.skip_byte()
            layout.append(Tag.PADDING)
            continue
        begin = reader.position
        item = reader.element()
        if item.tag not in _KNOWN:
            layout.append(item)
            continue
        if item.tag in values or item.tag == Tag.HEADER_LENGTH:
            raise WireError(f"header: element {item.tag} is there more than once")
        values[item.tag] = item.value
        layout.append(item.tag)
        if item.tag == Tag.SIGNATURE:
            span = (begin, reader.position)
    return _header(values, tuple(layout)), span


_KNOWN = frozenset({Tag.VERSION, Tag.HEADER_LENGTH, *_USUAL_ORDER})


def _expect(reader: Reader, tag: Tag, name: str) -> bytes:
    item = reader.element()
    if item.tag != tag:
        raise WireError(f"header: element {item.tag} where {name} ({int(tag)}) has to stand")
    return item.value


def _header(values: dict[int, bytes], layout: Layout) -> FileHeader:
    if missing := [tag for tag in _MANDATORY if tag not in values]:
        raise WireError(f"header: element {missing[0].name} ({int(missing[0])}) is missing")
    digest, modulus_size = _read_signature_info(values[Tag.SIGNATURE_INFO])
    signature = values[Tag.SIGNATURE]
    if len(signature) != modulus_size:
        raise WireError(f"header: signature of {len(signature)} bytes by a modulus of {modulus_size}")
    signer_version = values.get(Tag.SIGNER_VERSION)
    return FileHeader(
        version=_read_version("VERSION", values[Tag.VERSION]),
        signer=_read_signer(values[Tag.SIGNER_ID]),
        digest=digest,
        signature=signature,
        file_name=read_text("FILENAME", values[Tag.FILE_NAME]),
        timestamp=read_integer("TIMESTAMP", values[Tag.TIMESTAMP], 4),
        signer_version=None if signer_version is None else _read_version("signer version", signer_version),
        encryption=decode_encryption(values),
        layout=layout,
    )


def _read_version(where: str, value: bytes) -> Version:
    number = read_integer(where, value, 2)
    return number >> 8, number & 0xFF


def _read_signer(value: bytes) -> SignerId:
    found = block("SIGNERID", value, *_SIGNER_TAGS)
    if not found[Tag.SERIAL_NUMBER]:
        raise WireError("SIGNERID: the serial number is empty")
    return SignerId(
        name=read_text("SIGNERNAME", found[Tag.SIGNER_NAME]),
        issuer=read_text("CANAME", found[Tag.CA_NAME]),
        serial=found[Tag.SERIAL_NUMBER],
        layout=tuple(found),
    )


def _read_signature_info(value: bytes) -> tuple[DigestAlgorithm, int]:
    reader = Reader(value, "SIGNATUREINFO")
    digest = read_integer("DIGESTALGORITHM", _expect(reader, Tag.DIGEST_ALGORITHM, "DIGESTALGORITHM"), 1)
    info = Reader(_expect(reader, Tag.SIGNATURE_ALGORITHM_INFO, "SIGNATUREALGOINFO"), "SIGNATUREALGOINFO")
    algorithm = read_integer("SIGNATUREALGORITHM", _expect(info, Tag.SIGNATURE_ALGORITHM, "SIGNATUREALGORITHM"), 1)
    code = read_integer("SIGNATUREMODULUS", _expect(info, Tag.SIGNATURE_MODULUS, "SIGNATUREMODULUS"), 1)
    if not (reader.at_end and info.at_end):
        raise WireError("SIGNATUREINFO: more than digest, algorithm and modulus")
    if algorithm != _RSA_PKCS1:
        raise WireError(f"signature algorithm {algorithm} is not known (0 RSA PKCS#1 v1.5)")
    if code >= len(MODULUS_SIZES):
        raise WireError(f"modulus code {code} is not known (0 to {len(MODULUS_SIZES) - 1})")
    return read_digest("SIGNATUREINFO", digest), MODULUS_SIZES[code]
