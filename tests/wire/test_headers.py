"""The header that all three kinds of file begin with, built by hand from elements, and what may not stand in it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from tests.wire.material import HEADER_ELEMENTS, SIGNATURE_INFO, SIGNER_ID, header_of, nul, plain_header, tlv
from tests.wire.strategies import headers, moderately, mutations, raw_bytes, thoroughly
from wire.digests import DigestAlgorithm
from wire.encryptioninfo import EncryptionInfo
from wire.errors import WireError
from wire.fileheader import FileHeader, SignerId, Tag, decode_header, encode_header, split_signature
from wire.tlv import Element

NAMES = {3: "SIGNER_ID", 7: "SIGNATURE_INFO", 12: "SIGNATURE", 14: "FILE_NAME", 15: "TIMESTAMP"}


def with_elements(**changed: bytes) -> bytes:
    """The plain header with the values of some elements changed: ``e3=...``."""
    values = HEADER_ELEMENTS | {int(name[1:]): value for name, value in changed.items()}
    return header_of(*(tlv(tag, value) for tag, value in values.items()))


def without(tag: int) -> bytes:
    return header_of(*(tlv(other, value) for other, value in HEADER_ELEMENTS.items() if other != tag))


def test_a_header_built_by_hand_is_read() -> None:
    header = decode_header(plain_header())
    assert header.version == (1, 2)
    assert header.signer == SignerId("CN=a", "CN=b", b"\x11")
    assert header.signer.serial_number == 0x11
    assert header.digest is DigestAlgorithm.SHA1
    assert header.signature == bytes(128)
    assert (header.file_name, header.timestamp) == ("ITLFile.tlv", 0)
    assert (header.signer_version, header.encryption) == (None, None)
    assert encode_header(header) == plain_header()


@pytest.mark.parametrize("tag", HEADER_ELEMENTS)
def test_a_header_without_a_mandatory_element_is_refused(tag: int) -> None:
    with pytest.raises(WireError, match=rf"header: element {NAMES[tag]} \({tag}\) is missing"):
        decode_header(without(tag))


@pytest.mark.parametrize("tag", [1, 2, *HEADER_ELEMENTS, 28])
def test_a_repeated_element_is_refused(tag: int) -> None:
    value = {1: b"\1\2", 2: b"\0\xff", 28: b"\1\1"} | HEADER_ELEMENTS
    twice = tlv(tag, value[tag]) * (2 if tag == 28 else 1)
    with pytest.raises(WireError, match=f"header: element {tag} is there more than once"):
        decode_header(header_of(plain_header()[10:], twice))


@pytest.mark.parametrize("tag", [4, 5, 6])
def test_a_repeated_or_missing_element_of_the_signer_is_refused(tag: int) -> None:
    parts = {4: nul("CN=a"), 5: b"\x11", 6: nul("CN=b")}
    with pytest.raises(WireError, match=f"SIGNERID: element {tag} is there more than once"):
        decode_header(with_elements(e3=SIGNER_ID + tlv(tag, parts[tag])))
    less = b"".join(tlv(other, value) for other, value in parts.items() if other != tag)
    with pytest.raises(WireError, match=f"SIGNERID: element {tag} is missing"):
        decode_header(with_elements(e3=less))


@pytest.mark.parametrize("order", [(4, 5, 6), (4, 6, 5), (5, 4, 6), (5, 6, 4), (6, 4, 5), (6, 5, 4)])
def test_the_elements_of_the_signer_are_taken_in_any_order_and_written_back_in_it(order: tuple[int, ...]) -> None:
    """UCM writes 4, 5, 6, other builders 4, 6, 5; phones take either."""
    parts = {4: nul("CN=a"), 5: b"\x11", 6: nul("CN=b")}
    data = with_elements(e3=b"".join(tlv(tag, parts[tag]) for tag in order))
    header = decode_header(data)
    assert (header.signer.name, header.signer.issuer, header.signer.serial) == ("CN=a", "CN=b", b"\x11")
    assert encode_header(header) == data


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"e3": SIGNER_ID[:-2]}, "SIGNERID: element 6 at byte 12 has 5 bytes, but only 3 are left"),
        ({"e3": SIGNER_ID + tlv(99, b"")}, "SIGNERID: element 99 does not belong there"),
        ({"e3": tlv(4, b"CN=a") + SIGNER_ID[8:]}, "SIGNERNAME: text does not end with its only NUL"),
        ({"e3": tlv(4, b"") + SIGNER_ID[8:]}, "SIGNERNAME: text does not end with its only NUL"),
        ({"e3": SIGNER_ID[:8] + tlv(5, b"") + SIGNER_ID[12:]}, "SIGNERID: the serial number is empty"),
        ({"e7": SIGNATURE_INFO[4:] + SIGNATURE_INFO[:4]}, "header: element 9 where DIGESTALGORITHM (8) has to stand"),
        ({"e7": SIGNATURE_INFO + b"\0"}, "SIGNATUREINFO: more than digest, algorithm and modulus"),
        ({"e7": tlv(8, b"\4") + SIGNATURE_INFO[4:]}, "SIGNATUREINFO: digest algorithm 4 is not known"),
        ({"e7": tlv(8, b"\0\1") + SIGNATURE_INFO[4:]}, "DIGESTALGORITHM: 2 bytes, not 1"),
        ({"e7": SIGNATURE_INFO[:-5] + b"\1" + SIGNATURE_INFO[-4:]}, "signature algorithm 1 is not known"),
        ({"e7": SIGNATURE_INFO[:-1] + b"\4"}, "modulus code 4 is not known (0 to 3)"),
        ({"e7": SIGNATURE_INFO[:-1] + b"\2"}, "header: signature of 128 bytes by a modulus of 256"),
        ({"e12": bytes(127)}, "header: signature of 127 bytes by a modulus of 128"),
        ({"e14": b"ITLFile.tlv"}, "FILENAME: text does not end with its only NUL"),
        ({"e14": b"\xff\0"}, "FILENAME: text is not UTF-8"),
        ({"e15": bytes(3)}, "TIMESTAMP: 3 bytes, not 4"),
        ({"e15": bytes(8)}, "TIMESTAMP: 8 bytes, not 4"),
        ({"e28": b"\1"}, "signer version: 1 bytes, not 2"),
        ({"e16": b""}, "header: of 16, 26 and 27, which go together, 26 is missing"),
        ({"e26": b"\1", "e27": bytes(20)}, "header: of 16, 26 and 27, which go together, 16 is missing"),
        ({"e16": b"", "e26": b"\1", "e27": bytes(20)}, "encryption: element 17 is missing"),
    ],
)
def test_an_element_that_is_not_as_it_has_to_be_is_refused(changed: dict[str, bytes], message: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_header(with_elements(**changed))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "header: ends where an element has to begin, at byte 0"),
        (plain_header()[:9], "header: element 2 at byte 5 has 2 bytes, but only 1 are left"),
        (tlv(2, b"\0\xff") + tlv(1, b"\1\2"), "header: element 2 where VERSION (1) has to stand"),
        (tlv(1, b"\1\2") + plain_header()[10:], "header: element 3 at byte 5 has 20 bytes, but only 2 are left"),
        (tlv(1, b"\1\2\3") + plain_header()[5:], "header: element 2 at byte 6 has 2 bytes, but only 1 are left"),
        (plain_header()[:8] + b"\0\x09" + plain_header()[10:], "HEADERLENGTH is 9; a header is longer"),
        (plain_header()[:8] + b"\0\x0a" + plain_header()[10:], "header: element SIGNER_ID (3) is missing"),
        (plain_header()[:8] + b"\xff\xff" + plain_header()[10:], "header of 65535 bytes in a file of 204"),
    ],
)
def test_a_beginning_that_is_none_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_header(data)
    assert message in str(caught.value)


def test_a_header_that_is_one_byte_longer_than_the_file_is_refused() -> None:
    data = header_of(plain_header()[10:], longer=1)
    with pytest.raises(WireError, match=f"header of {len(data) + 1} bytes in a file of {len(data)}"):
        decode_header(data)


def test_a_header_whose_length_reaches_into_the_body_reads_no_further_than_it_says() -> None:
    """The byte of the body is read as an element, which it is too short for."""
    with pytest.raises(WireError, match="header: ends inside the length of element 66"):
        decode_header(header_of(plain_header()[10:], longer=1) + b"Body")


def test_padding_may_stand_anywhere_and_is_kept() -> None:
    parts = [tlv(tag, value) for tag, value in HEADER_ELEMENTS.items()]
    data = header_of(b"\r", *parts[:2], b"\r\r", *parts[2:], b"\r")
    header = decode_header(data)
    assert encode_header(header) == data
    assert header.layout.count(Tag.PADDING) == 4
    assert decode_header(encode_header(header.padded())).layout[-1] in {Tag.PADDING, Tag.TIMESTAMP}
    assert len(encode_header(header.padded())) == (len(data) - 4 + 3) // 4 * 4


def test_unknown_elements_are_kept_however_often_they_stand_there() -> None:
    data = header_of(tlv(99, b"x"), plain_header()[10:], tlv(99, b"x"), tlv(5, b"\1"))
    header = decode_header(data)
    assert header.unknown == (Element(99, b"x"), Element(99, b"x"), Element(5, b"\1"))
    assert encode_header(header) == data


def test_a_header_over_64_kib_cannot_be_written() -> None:
    header = decode_header(plain_header())
    with pytest.raises(WireError, match=r"HEADERLENGTH: .* does not fit into 2 bytes"):
        encode_header(dataclasses.replace(header, file_name="x" * 65_400))
    with pytest.raises(WireError, match="element 14 of 70001 bytes is over the limit"):
        encode_header(dataclasses.replace(header, file_name="x" * 70_000))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": (1, 256)}, "VERSION: 256 does not fit into 1 bytes"),
        ({"version": (-1, 0)}, "VERSION: -1 does not fit into 1 bytes"),
        ({"timestamp": 1 << 32}, "TIMESTAMP: 4294967296 does not fit into 4 bytes"),
        ({"timestamp": -1}, "TIMESTAMP: -1 does not fit into 4 bytes"),
        ({"file_name": "a\0b"}, "FILENAME: text has a NUL inside"),
        (
            {"signature": bytes(384)},
            "RSA keys of 3072 bits have no code in signed files; 512, 1024, 2048, 4096 bits have",
        ),
        ({"signer": SignerId("CN=a", "CN=b", b"")}, "SIGNERID: the serial number is empty"),
        ({"signer": SignerId("CN=a", "CN=b", b"\1", layout=(4, 5))}, "does not name 4, 5 and 6 once each"),
        ({"signer_version": (1, 999)}, "signer version: 999 does not fit into 1 bytes"),
    ],
)
def test_what_its_element_cannot_carry_is_not_written(changes: dict[str, object], message: str) -> None:
    header: FileHeader = dataclasses.replace(decode_header(plain_header()), **changes)  # type: ignore[arg-type]
    with pytest.raises(WireError) as caught:
        encode_header(header)
    assert message in str(caught.value)


def encryption(**changes: object) -> EncryptionInfo:
    values: dict[str, object] = {
        "iv": bytes(16),
        "padding": 1,
        "key_bits": 1024,
        "wrapped_key": bytes(128),
        "digest_algorithm": DigestAlgorithm.SHA1,
        "digest": bytes(20),
    }
    return EncryptionInfo(**values | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iv": bytes(15)}, "IV of 15 bytes, not 16"),
        ({"padding": 0}, "padding of 0 bytes, not 1 to 16"),
        ({"padding": 17}, "padding of 17 bytes, not 1 to 16"),
        ({"key_bits": 2048}, "encrypted key of 128 bytes by a key of 2048 bits"),
        ({"wrapped_key": b"", "key_bits": 0}, "encrypted key of 0 bytes by a key of 0 bits"),
        ({"digest": bytes(64)}, "digest of the plain file has 64 bytes, not 20"),
    ],
)
def test_encryption_that_no_file_can_have_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(WireError, match=f"^{message}$"):
        encryption(**changes)


IV_PARTS = {18: b"\0", 19: bytes(16), 20: b"\0\1"}
KEY_PARTS = {22: b"\0", 23: b"\4\0", 24: b"\1", 25: bytes(128)}


def encrypted_header(iv: dict[int, bytes] = IV_PARTS, key: dict[int, bytes] = KEY_PARTS, more: bytes = b"") -> bytes:
    inner = [b"".join(tlv(tag, value) for tag, value in parts.items()) for parts in (iv, key)]
    info = tlv(17, inner[0]) + tlv(21, inner[1]) + more
    return with_elements(e16=info, e26=b"\1", e27=bytes(20))


def test_encryption_built_by_hand_is_read() -> None:
    header = decode_header(encrypted_header())
    assert header.encryption == encryption()
    assert encode_header(header) == encrypted_header()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encrypted_header(iv=IV_PARTS | {18: b"\1"}), "element 18: 1; only 0 is known"),
        (encrypted_header(key=KEY_PARTS | {22: b"\1"}), "element 22: 1; only 0 is known"),
        (encrypted_header(key=KEY_PARTS | {24: b"\2"}), "key algorithm: 2; only 1 is known"),
        (encrypted_header(iv=IV_PARTS | {19: bytes(8)}), "IV of 8 bytes, not 16"),
        (encrypted_header(iv=IV_PARTS | {20: b"\1"}), "padding: 1 bytes, not 2"),
        (encrypted_header(iv=IV_PARTS | {99: b""}), "IV: element 99 does not belong there"),
        (encrypted_header(iv=dict(reversed(IV_PARTS.items()))), "IV: elements in the order (20, 19, 18), not"),
        (encrypted_header(key={25: bytes(128)}), "key: element 22 is missing"),
        (encrypted_header(more=tlv(17, b"")), "encryption: element 17 is there more than once"),
    ],
)
def test_encryption_of_another_variant_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_header(data)
    assert message in str(caught.value)


def test_the_signature_covers_everything_but_its_own_element() -> None:
    parts = [tlv(tag, value) for tag, value in HEADER_ELEMENTS.items()]
    header, covered = split_signature(plain_header() + b"body")
    assert header == decode_header(plain_header())
    assert covered == plain_header()[:10] + parts[0] + parts[1] + parts[3] + parts[4] + b"body"


def test_a_name_that_cannot_be_parsed_is_read_and_is_nobodys() -> None:
    signer = SignerId("nobody", "nobody", b"\1")
    for name in ("name_dn", "issuer_dn"):
        with pytest.raises(WireError, match="is not TYPE=VALUE"):
            getattr(signer, name)
    header = dataclasses.replace(decode_header(plain_header()), signer=signer)
    assert decode_header(encode_header(header)).signer == signer


@thoroughly
@given(headers())
def test_any_header_is_read_back_as_it_was_written(header: FileHeader) -> None:
    data = encode_header(header)
    assert decode_header(data) == header
    assert decode_header(data + b"\x03body") == header
    assert header.header_length == len(data)


@thoroughly
@given(headers().flatmap(lambda header: mutations(encode_header(header))))
def test_a_damaged_header_is_written_back_as_it_is_or_is_a_wire_error(data: bytes) -> None:
    try:
        header = decode_header(data)
    except WireError:
        return
    assert encode_header(header) == data[: header.header_length]


@moderately
@given(raw_bytes(80))
def test_arbitrary_bytes_are_no_header(data: bytes) -> None:
    """A header has more than 80 bytes, and yet its beginning may look like one."""
    for candidate in (data, header_of(data)):
        with pytest.raises(WireError):
            decode_header(candidate)
