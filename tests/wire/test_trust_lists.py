"""Trust lists built by hand from elements: what is read, what is odd, what is refused."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.material import (
    HEADER_ELEMENTS,
    RECORD_ELEMENTS,
    SIGNED_FILES,
    TRUST_LISTS,
    certificate,
    header_of,
    nul,
    plain_header,
    plain_record,
    record_of,
    signing_key,
    tlv,
    vector,
)
from tests.wire.strategies import headers, moderately, mutations, raw_bytes, records, thoroughly
from wire.digests import DigestAlgorithm
from wire.errors import WireError
from wire.fileheader import FileHeader, encode_header
from wire.files import decode_file
from wire.signing import verify_file
from wire.tlv import Element
from wire.trustlist import (
    MAX_FILE_SIZE,
    MAX_PHONE_FILE_SIZE,
    MAX_RECORDS,
    Function,
    TrustList,
    TrustRecord,
    decode_trust_list,
    encode_trust_list,
    sign_trust_list,
)
from wire.trustrecord import decode_record, encode_record

BLANK = tlv(2, nul("pub")) + tlv(4, b"\0\2") + tlv(10, bytes(4))
NAMES = {
    2: "DNS_NAME",
    3: "SUBJECT_NAME",
    4: "FUNCTION",
    5: "ISSUER_NAME",
    6: "SERIAL_NUMBER",
    7: "PUBLIC_KEY",
    8: "SIGNATURE",
    9: "CERTIFICATE",
    10: "IP_ADDRESS",
    11: "CERTIFICATE_HASH",
    12: "HASH_ALGORITHM",
}


def with_elements(**changed: bytes) -> bytes:
    """The plain record with the values of some elements changed: ``e3=...``."""
    values = RECORD_ELEMENTS | {int(name[1:]): value for name, value in changed.items()}
    return record_of(*(tlv(tag, value) for tag, value in values.items()))


def without(*tags: int) -> bytes:
    return record_of(*(tlv(tag, value) for tag, value in RECORD_ELEMENTS.items() if tag not in tags))


def listed(*records: bytes) -> TrustList:
    return decode_trust_list(plain_header() + b"".join(records))


# --- records ---


def test_a_record_built_by_hand_is_read() -> None:
    (record,) = listed(plain_record()).records
    assert record == TrustRecord(
        dns_name="pub",
        function=Function.CCM_TFTP,
        subject="CN=pub",
        issuer="CN=ca",
        serial=b"\x22",
        public_key=b"key",
        signature=b"signature",
        certificate=b"certificate",
        ip_address=bytes(4),
        certificate_hash=bytes(20),
        hash_algorithm=1,
        layout=(2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
    )
    assert (record.serial_number, str(record.issuer_dn), record.x509) == (0x22, "CN=ca", None)
    assert record.length == len(plain_record())
    assert not record.is_blank


def test_a_blank_record_is_read() -> None:
    """R-CTL-1: the CCM+TFTP records of a non-secure cluster's CTL are empty."""
    (record,) = listed(record_of(BLANK)).records
    assert record == TrustRecord.blank("pub", Function.CCM_TFTP)
    assert record.is_blank
    assert (record.serial_number, record.issuer_dn.parts) == (0, ())


@pytest.mark.parametrize("tags", [(2,), (8,), (9,), (10,), (11,), (12,), (2, 8, 9, 10, 11, 12)])
def test_elements_that_may_be_absent_are_absent_when_written_back(tags: tuple[int, ...]) -> None:
    """No DNSNAME from other builders, no SIGNATURE in eToken records."""
    data = without(*tags)
    record = decode_record(data, "record")
    assert encode_record(record) == data
    assert not set(tags) & set(record.layout)


@pytest.mark.parametrize("tag", [3, 4, 5, 6, 7])
def test_a_record_without_a_mandatory_element_is_refused(tag: int) -> None:
    with pytest.raises(WireError, match=rf"record 1: element {NAMES[tag]} \({tag}\) is missing"):
        listed(without(tag))


def test_a_record_with_a_certificate_and_no_names_is_refused() -> None:
    with pytest.raises(WireError, match=r"record 1: element SUBJECT_NAME \(3\) is missing"):
        listed(record_of(BLANK, tlv(9, b"certificate")))


@pytest.mark.parametrize("tag", [1, *RECORD_ELEMENTS])
def test_a_repeated_element_is_refused(tag: int) -> None:
    again = tlv(tag, (RECORD_ELEMENTS | {1: b"\0\xff"})[tag])
    name = "RECORD_LENGTH" if tag == 1 else NAMES[tag]
    with pytest.raises(WireError, match=rf"record 1: element {name} \({tag}\) is there more than once"):
        listed(record_of(plain_record()[5:], again))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"e2": b"pub"}, "record 1 dns_name: text does not end with its only NUL"),
        ({"e2": b""}, "record 1 dns_name: text does not end with its only NUL"),
        ({"e3": b""}, "record 1 subject: text does not end with its only NUL"),
        ({"e4": b"\2"}, "record 1 function: 1 bytes, not 2"),
        ({"e5": b"a\0b\0"}, "record 1 issuer: text does not end with its only NUL"),
        ({"e6": b""}, "record 1 serial: empty"),
        ({"e7": b""}, "record 1 public_key: empty"),
        ({"e8": b""}, "record 1 signature: empty"),
        ({"e9": b""}, "record 1 certificate: empty"),
        ({"e10": bytes(16)}, "record 1 ip_address: 16 bytes, not 4"),
        ({"e11": b""}, "record 1 certificate_hash: empty"),
        ({"e12": b"\0\1"}, "record 1 hash_algorithm: 2 bytes, not 1"),
    ],
)
def test_an_element_that_is_not_as_it_has_to_be_is_refused(changed: dict[str, bytes], message: str) -> None:
    with pytest.raises(WireError, match=f"^{message}$"):
        listed(with_elements(**changed))


def test_unknown_elements_are_kept_and_written_back_in_their_places() -> None:
    """A reader skips unknown record tags but reports them."""
    data = record_of(tlv(99, b"x"), BLANK, tlv(99, b"x"), tlv(13, b""))
    record = decode_record(data, "record")
    assert record.unknown == (Element(99, b"x"), Element(99, b"x"), Element(13, b""))
    assert record.is_blank
    assert encode_record(record) == data
    assert "record 1: element 13 of 0 bytes is not known" in listed(data).problems


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"function": 0x10000}, "function: 65536 does not fit into 2 bytes"),
        ({"function": -1}, "function: -1 does not fit into 2 bytes"),
        ({"dns_name": "a\0"}, "dns_name: text has a NUL inside"),
        ({"ip_address": bytes(3)}, "ip_address: 3 bytes, not 4"),
        ({"hash_algorithm": 256}, "hash_algorithm: 256 does not fit into 1 bytes"),
        ({"serial": b"", "layout": ()}, "record: element SERIAL_NUMBER (6) is missing"),
        ({"subject": "x" * 70_000}, "element 3 of 70001 bytes is over the limit of 65535"),
        ({"subject": "x" * 40_000, "issuer": "x" * 40_000}, "RECORDLENGTH: 80"),
    ],
)
def test_what_its_element_cannot_carry_is_not_written(changes: dict[str, object], message: str) -> None:
    record: TrustRecord = dataclasses.replace(decode_record(plain_record(), "x"), **changes)  # type: ignore[arg-type]
    with pytest.raises(WireError) as caught:
        encode_record(record)
    assert message in str(caught.value)


# --- where records begin and end ---


def test_records_follow_one_another_to_the_end_of_the_file() -> None:
    trust_list = listed(plain_record(), record_of(BLANK), plain_record())
    assert [record.length for record in trust_list.records] == [len(plain_record()), 24, len(plain_record())]
    assert encode_trust_list(trust_list) == trust_list.data


def test_a_list_without_records_is_read() -> None:
    assert listed().records == ()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (record_of(BLANK, longer=1), "record 1: 25 bytes at byte 204, but only 24 are left"),
        (tlv(1, b"\xff\xff") + BLANK, "record 1: 65535 bytes at byte 204, but only 24 are left"),
        (tlv(1, b"\0\4") + BLANK, "record 1: RECORDLENGTH is 4, less than its own 5 bytes"),
        (tlv(1, b"\0\0") + BLANK, "record 1: RECORDLENGTH is 0, less than its own 5 bytes"),
        (tlv(1, b"\0\5") + BLANK, "record 1: element FUNCTION (4) is missing"),
        (tlv(1, b"\0\0\x1b") + BLANK, "record 1: no RECORDLENGTH at byte 204"),
        (BLANK, "record 1: no RECORDLENGTH at byte 204"),
        (record_of(BLANK, longer=-1), "record 1: element 10 at byte 17 has 4 bytes, but only 3 are left"),
        (record_of(BLANK) + b"\1", "record 2: no RECORDLENGTH at byte 228"),
        (record_of(BLANK) + b"\r", "record 2: no RECORDLENGTH at byte 228"),
        (record_of(BLANK) + b"\1\0\2\0", "record 2: no RECORDLENGTH at byte 228"),
    ],
)
def test_a_record_that_does_not_end_where_it_says_is_refused(record: bytes, message: str) -> None:
    with pytest.raises(WireError) as caught:
        listed(record)
    assert str(caught.value) == message


def test_a_record_longer_than_itself_swallows_the_next_and_is_refused() -> None:
    """RECORDLENGTH reaches into the following record, whose own RECORDLENGTH is then an element too many."""
    with pytest.raises(WireError, match=r"record 1: element RECORD_LENGTH \(1\) is there more than once"):
        listed(record_of(BLANK, longer=24), record_of(BLANK))


# --- sizes ---


def test_a_list_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(
        WireError, match=f"^trust list of {MAX_FILE_SIZE + 1} bytes is over the limit of {MAX_FILE_SIZE}"
    ):
        decode_trust_list(bytes(MAX_FILE_SIZE + 1))


@pytest.mark.parametrize(("missing", "accepted"), [(0, True), (1, False)])
def test_the_limit_of_phones_is_kept_to_the_byte(*, missing: int, accepted: bool) -> None:
    """R-ITL-8: phones stop at 64 KiB; nothing is truncated, and an operator can still look at the list."""
    room = MAX_PHONE_FILE_SIZE + missing - len(plain_header()) - len(plain_record())
    data = plain_header() + plain_record() + record_of(BLANK, tlv(99, bytes(room - 5 - len(BLANK) - 3)))
    assert len(data) == MAX_PHONE_FILE_SIZE + missing
    problem = f"{len(data)} bytes: phones load no more than {MAX_PHONE_FILE_SIZE}"
    assert (problem in decode_trust_list(data).problems) is not accepted
    if accepted:
        assert decode_trust_list(data, limit=MAX_PHONE_FILE_SIZE).data == data
    else:
        with pytest.raises(WireError, match="is over the limit of 65536"):
            decode_trust_list(data, limit=MAX_PHONE_FILE_SIZE)


def test_no_more_records_are_read_than_can_be_meant() -> None:
    shortest = record_of(tlv(4, b"\0\2"))
    assert len(decode_trust_list(plain_header() + shortest * MAX_RECORDS).records) == MAX_RECORDS
    with pytest.raises(WireError, match=f"trust list with more than {MAX_RECORDS} records"):
        decode_trust_list(plain_header() + shortest * (MAX_RECORDS + 1))


# --- kinds of file ---


@pytest.mark.parametrize("version", [(1, 1), (1, 2)])
def test_versions_of_trust_lists_are_read(version: tuple[int, int]) -> None:
    data = plain_header(version) + plain_record()
    assert decode_trust_list(data).header.version == version
    assert isinstance(decode_file(data), TrustList)


@pytest.mark.parametrize("version", [(0, 0), (1, 0), (1, 3), (2, 0), (2, 2), (255, 255)])
def test_other_versions_are_no_trust_lists(version: tuple[int, int]) -> None:
    with pytest.raises(WireError, match=r"file version {}\.{} is not that of a trust list, 1\.2".format(*version)):
        decode_trust_list(plain_header(version) + plain_record())


@pytest.mark.parametrize("name", SIGNED_FILES)
def test_a_signed_file_is_no_trust_list(name: str) -> None:
    with pytest.raises(WireError, match=r"file version 1\.0 is not that of a trust list"):
        decode_trust_list(vector(name))


def test_a_trust_list_is_not_encrypted() -> None:
    iv = tlv(17, tlv(18, b"\0") + tlv(19, bytes(16)) + tlv(20, b"\0\1"))
    key = tlv(21, tlv(22, b"\0") + tlv(23, b"\4\0") + tlv(24, b"\1") + tlv(25, bytes(128)))
    data = header_of(plain_header()[10:], tlv(16, iv + key), tlv(26, b"\1"), tlv(27, bytes(20)))
    with pytest.raises(WireError, match="trust list with encryption elements"):
        decode_trust_list(data)


# --- oddities that are no reason to refuse ---


def for_certificate(party: str, function: Function = Function.CCM_TFTP) -> TrustRecord:
    return TrustRecord.for_certificate(certificate(party), function, "pub")


def problems(*records: TrustRecord, signer: str = "callmanager.pem") -> tuple[str, ...]:
    data = sign_trust_list(
        records,
        file_name="ITLFile.tlv",
        signer=signing_key(signer),
        digest=DigestAlgorithm.SHA1,
        timestamp=0,
        signer_version=None,
    )
    return decode_trust_list(data).problems


SAST = for_certificate("callmanager.pem", Function.SAST)
RECORD = for_certificate("capf.pem", Function.CAPF)


def test_a_proper_list_has_no_problems() -> None:
    assert problems(SAST, RECORD, TrustRecord.blank("pub", Function.CCM_TFTP)) == ()


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (dataclasses.replace(RECORD, function=99), "function 99 is not known"),
        (dataclasses.replace(RECORD, subject="?"), "SUBJECTNAME is not a distinguished name"),
        (dataclasses.replace(RECORD, issuer="?"), "ISSUERNAME is not a distinguished name"),
        (dataclasses.replace(RECORD, subject="CN=x"), "SUBJECTNAME is not that of its certificate"),
        (dataclasses.replace(RECORD, issuer="CN=x"), "ISSUERNAME is not that of its certificate"),
        (dataclasses.replace(RECORD, serial=b"\1"), "SERIALNUMBER is not that of its certificate"),
        (dataclasses.replace(RECORD, public_key=b"\1"), "PUBLICKEY is not that of its certificate"),
        (dataclasses.replace(RECORD, certificate=b"\1"), "its certificate cannot be read"),
        (dataclasses.replace(RECORD, certificate=None), "there is no certificate in it"),
        (
            dataclasses.replace(RECORD, certificate_hash=bytes(20), hash_algorithm=1),
            "CERTIFICATE HASH is not that of its certificate",
        ),
    ],
)
def test_what_is_odd_about_a_record_is_said(record: TrustRecord, problem: str) -> None:
    assert f"record 2: {problem}" in problems(SAST, record)


@pytest.mark.parametrize(
    "changes",
    [
        {"certificate_hash": certificate("capf.pem").sha1, "hash_algorithm": 1},
        {"certificate_hash": b"?", "hash_algorithm": 99},
        {"certificate_hash": b"?"},
        {"subject": str(certificate("capf.pem").subject).replace(";", ",")},
        {"serial": b"\0" + RECORD.serial},
    ],
    ids=["its hash", "hash of an unknown kind", "hash of no kind", "commas", "leading zero in the serial number"],
)
def test_what_is_not_odd_is_not_said(changes: dict[str, object]) -> None:
    assert problems(SAST, dataclasses.replace(RECORD, **changes)) == ()  # type: ignore[arg-type]


def test_a_list_that_lacks_its_signer_says_so() -> None:
    missing = "the signer has no SAST record in the file"
    assert problems(RECORD) == (missing,)
    assert problems(for_certificate("callmanager.pem")) == (missing,), "the signer's CCM+TFTP record does not count"
    assert problems(SAST, signer="rogue.pem") == (missing,)


def test_a_third_sast_record_is_one_too_many() -> None:
    """At most two SAST records are honoured by phones."""
    others = [for_certificate(party, Function.SAST) for party in ("itlrecovery.pem", "rogue.pem")]
    assert problems(SAST, others[0]) == ()
    assert problems(SAST, *others) == ("3 SAST records: phones honour 2",)


def test_a_signer_whose_name_cannot_be_parsed_is_said_and_has_no_record() -> None:
    header = header_of(
        tlv(3, tlv(4, nul("?")) + tlv(5, b"\1") + tlv(6, nul("?"))),
        *(tlv(tag, value) for tag, value in HEADER_ELEMENTS.items() if tag != 3),
    )
    trust_list = decode_trust_list(header)
    assert trust_list.signer_record is None
    assert trust_list.problems == (
        "header: SIGNERNAME is not a distinguished name",
        "header: CANAME is not a distinguished name",
        "the signer has no SAST record in the file",
    )


def test_a_record_whose_issuer_cannot_be_parsed_is_not_found() -> None:
    trust_list = listed(with_elements(e5=nul("?")), plain_record())
    assert len(trust_list.records) == 2
    (found,) = trust_list.find(trust_list.records[1].issuer_dn, 0x22)
    assert found is trust_list.records[1]


# --- our own files ---


@pytest.mark.parametrize("party", ["callmanager.pem", "callmanager-ecdsa.pem"])
def test_our_record_is_laid_out_like_ucms_and_says_what_the_independent_one_says(party: str) -> None:
    """R-ITL-2: pre-extracted fields beside the certificate."""
    ours = for_certificate(party)
    assert ours.layout == (2, 3, 4, 5, 6, 7, 8, 9, 10)
    theirs = next(
        record
        for record in decode_trust_list(vector("v11/ITLFile.tlv")).records
        if record.x509 == certificate(party) and record.function in {Function.CCM_TFTP, Function.TFTP}
    )
    for field in ("serial", "public_key", "signature", "certificate"):
        assert getattr(ours, field) == getattr(theirs, field)
    assert ours.issuer_dn == theirs.issuer_dn


def test_our_list_is_laid_out_like_ucms() -> None:
    data = sign_trust_list(
        [SAST, RECORD],
        file_name="ITLFile.tlv",
        signer=signing_key("callmanager.pem"),
        digest=DigestAlgorithm.SHA512,
        timestamp=1_700_000_000,
        signer_version=(1, 1),
    )
    trust_list = decode_trust_list(data)
    assert trust_list.header.version == (1, 2)
    assert trust_list.header.layout[:6] == (28, 3, 7, 12, 14, 15)
    assert trust_list.header.signer.layout == (4, 5, 6)
    assert trust_list.header.header_length % 4 == 0
    assert (trust_list.header.file_name, trust_list.header.timestamp) == ("ITLFile.tlv", 1_700_000_000)
    assert trust_list.records == (SAST, RECORD)
    assert trust_list.signer_record == SAST
    assert verify_file(data, certificate("callmanager.pem").public_key)


@pytest.mark.parametrize("signer_version", [None, (1, 0), (1, 1)])
def test_the_signer_version_is_written_when_there_is_one(signer_version: tuple[int, int] | None) -> None:
    data = sign_trust_list(
        [SAST],
        file_name="ITLFile.tlv",
        signer=signing_key("callmanager.pem"),
        digest=DigestAlgorithm.SHA1,
        timestamp=0,
        signer_version=signer_version,
    )
    assert decode_trust_list(data).header.signer_version == signer_version
    assert data[10:11] == (b"\x03" if signer_version is None else b"\x1c")


def test_checksums_are_those_of_the_file() -> None:
    for name in TRUST_LISTS:
        trust_list = decode_trust_list(vector(name))
        assert trust_list.md5 == hashlib.md5(vector(name), usedforsecurity=False).hexdigest()
        assert trust_list.sha1 == hashlib.sha1(vector(name), usedforsecurity=False).hexdigest()


# --- properties ---


@thoroughly
@given(records())
def test_any_record_is_read_back_as_it_was_written(record: TrustRecord) -> None:
    data = encode_record(record)
    assert decode_record(data, "record") == record
    assert len(data) == record.length == int.from_bytes(data[3:5], "big")


@moderately
@given(headers((1, 2), encrypted=False), st.lists(records(), max_size=4))
def test_any_list_is_read_back_as_it_was_written(header: FileHeader, records: list[TrustRecord]) -> None:
    data = encode_trust_list(TrustList(header, tuple(records), b""))
    assert decode_trust_list(data) == TrustList(header, tuple(records), data)


@thoroughly
@given(records().flatmap(lambda record: mutations(encode_record(record))))
def test_a_damaged_record_is_written_back_as_it_is_or_is_a_wire_error(data: bytes) -> None:
    try:
        trust_list = listed(data)
    except WireError:
        return
    assert encode_trust_list(trust_list) == trust_list.data
    assert all(isinstance(problem, str) for problem in trust_list.problems)


VECTOR = vector("v11/ITLFile.tlv")


@thoroughly
@given(st.sampled_from([0, 480, 480 + 1729]).flatmap(lambda first: mutations(VECTOR, first)))
def test_a_damaged_vector_is_no_longer_signed_or_is_a_wire_error(data: bytes) -> None:
    try:
        trust_list = decode_trust_list(data)
        holds = verify_file(data, certificate("itlrecovery.pem").public_key)
    except WireError:
        return
    assert holds is (data == VECTOR)
    assert encode_trust_list(trust_list) == data
    assert isinstance(trust_list.problems, tuple)


@moderately
@given(raw_bytes(120))
def test_arbitrary_bytes_after_a_header_are_records_or_a_wire_error(data: bytes) -> None:
    try:
        trust_list = listed(data)
    except WireError:
        return
    assert encode_header(trust_list.header) + b"".join(map(encode_record, trust_list.records)) == trust_list.data
