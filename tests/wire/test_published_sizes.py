"""Lengths that real ``show ctl`` outputs print; a layout that is wrong by one byte misses some of them."""

from __future__ import annotations

import pytest

from tests.wire import published
from wire.fileheader import DigestAlgorithm, FileHeader, SignerId, encode_header
from wire.tlv import Reader
from wire.trustlist import TrustList, TrustRecord, encode_trust_list


def elements_of(header: FileHeader) -> dict[int, bytes]:
    encoded = encode_header(header)
    return Reader(encoded.rstrip(b"\r"), "header").children()


@pytest.mark.parametrize(
    ("header", "header_length", "signer_id"),
    [
        (published.header(), 336, 149),
        (published.header(published.TOKEN, published.TOKEN_ISSUER, bytes(range(10))), 304, 117),
        (published.header(modulus=256), 464, 149),
    ],
    ids=["1024-bit server key", "eToken", "2048-bit server key"],
)
def test_headers_have_the_published_lengths(header: FileHeader, header_length: int, signer_id: int) -> None:
    assert header.header_length == header_length
    assert len(encode_header(header)) == header_length
    found = elements_of(header)
    assert len(found[3]) == signer_id
    assert len(found[7]) == 15
    assert len(Reader(found[7], "SIGNATUREINFO").children()[9]) == 8
    assert len(found[14]) == 12


def test_the_elements_of_a_header_stand_in_the_published_order() -> None:
    found = elements_of(published.header())
    assert list(found) == [1, 2, 3, 7, 12, 14, 15]
    assert list(Reader(found[3], "SIGNERID").children()) == [4, 5, 6]
    assert int.from_bytes(found[2], "big") == 336
    assert encode_header(published.header()).endswith(b"\r\r\r")


@pytest.mark.parametrize(
    ("record", "length"),
    [
        (published.SAST_1024, 1156),
        (published.CCM_TFTP_1024, 1156),
        (published.CAPF_1024, 1138),
        (published.SUBSCRIBER_1024, 1161),
        (published.SAST_2048, 1675),
        (published.token_record(), 1186),
        (published.capf_record_without_signature(), 1004),
        (published.blank_record(), 33),
    ],
    ids=["server", "server CCM+TFTP", "CAPF", "subscriber", "server 2048", "eToken", "CAPF without tag 8", "blank"],
)
def test_records_have_the_published_lengths(record: TrustRecord, length: int) -> None:
    assert record.length == length


@pytest.mark.parametrize(
    ("record", "tags"),
    [
        (published.SAST_1024, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (published.token_record(), [1, 2, 3, 4, 5, 6, 7, 9, 10]),
        (published.blank_record(), [1, 2, 4, 10]),
    ],
    ids=["server", "eToken", "blank"],
)
def test_the_elements_of_a_record_stand_in_the_published_order(record: TrustRecord, tags: list[int]) -> None:
    trust_list = published.as_list(published.header(), record)
    data = trust_list.data[trust_list.header.header_length :]
    assert list(Reader(data, "record").children()) == tags


@pytest.mark.parametrize(
    ("trust_list", "length"),
    [(published.tokenless(), 4947), (published.non_secure(), 3746), (published.regenerated(), 6113)],
    ids=["tokenless", "non-secure again", "key regenerated"],
)
def test_files_have_the_published_lengths(trust_list: TrustList, length: int) -> None:
    assert len(trust_list.data) == length
    assert len(encode_trust_list(trust_list)) == length
    assert length == trust_list.header.header_length + sum(record.length for record in trust_list.records)


def test_the_names_have_the_published_lengths() -> None:
    assert [len(name) + 1 for name in (published.PUBLISHER, published.TOKEN, published.TOKEN_ISSUER)] == [62, 56, 42]


@pytest.mark.parametrize("extra", range(9))
def test_a_header_is_padded_to_the_next_multiple_of_four(extra: int) -> None:
    signer = SignerId("CN=" + "x" * extra, "CN=ca", b"\x01")
    header = FileHeader((1, 2), signer, DigestAlgorithm.SHA1, bytes(128), "ITLFile.tlv", 0)
    bare, padded = encode_header(header), encode_header(header.padded())
    assert len(padded) % 4 == 0
    assert 0 <= len(padded) - len(bare) < 4
    assert encode_header(header.padded().padded()) == padded
