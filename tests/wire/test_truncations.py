"""Every prefix of every vector: which are files, and what they say. Nothing is ever half read in silence.

* A trust list is one at the end of its header and at the end of each record, with the records up to there.
* A signed file is one from the end of its header on, with the body up to there: only the signature tells.
* An encrypted file is one where whole blocks of ciphertext end.

No prefix that is still a file keeps its signature.
"""

from __future__ import annotations

from functools import cache
from itertools import accumulate

import pytest

from tests.wire.material import (
    ENCRYPTED_FILES,
    SIGNED_FILES,
    SIGNERS,
    TRUST_LISTS,
    certificate,
    rsa_key,
    vector,
)
from wire.encryptedfile import decode_encrypted_file, decrypt_file
from wire.errors import WireError
from wire.fileheader import decode_header
from wire.files import PhoneFile, decode_file
from wire.signedfile import decode_signed_file
from wire.signing import verify_file
from wire.tlv import Reader
from wire.trustlist import decode_trust_list


@cache
def prefixes_that_are_files(name: str) -> dict[int, PhoneFile]:
    """Length -> file, of all prefixes but the whole; anything other than `WireError` fails the test."""
    files, data = {}, vector(name)
    for length in range(len(data)):
        try:
            files[length] = decode_file(data[:length])
        except WireError:
            continue
    return files


@pytest.mark.parametrize("name", TRUST_LISTS)
def test_a_trust_list_may_only_end_where_a_record_ends(name: str) -> None:
    whole = decode_trust_list(vector(name))
    ends = list(accumulate((record.length for record in whole.records), initial=whole.header.header_length))
    assert ends.pop() == len(whole.data)
    files = prefixes_that_are_files(name)
    assert list(files) == ends
    for number, length in enumerate(ends):
        shorter = decode_trust_list(whole.data[:length])
        assert shorter.records == whole.records[:number]
        assert shorter.header == whole.header


@pytest.mark.parametrize("name", SIGNED_FILES)
def test_a_signed_file_may_end_anywhere_after_its_header(name: str) -> None:
    whole = decode_signed_file(vector(name))
    begin = whole.header.header_length
    assert list(prefixes_that_are_files(name)) == list(range(begin, len(whole.data)))
    assert decode_signed_file(whole.data[:begin]).body == b""
    assert decode_signed_file(whole.data[:-1]).body == whole.body[:-1]


@pytest.mark.parametrize("name", ENCRYPTED_FILES)
def test_an_encrypted_file_may_end_after_any_block_but_does_not_decrypt(name: str) -> None:
    whole = decode_encrypted_file(vector(name))
    begin = whole.header.header_length
    files = prefixes_that_are_files(name)
    assert list(files) == list(range(begin + 16, len(whole.data), 16))
    for length in files:
        with pytest.raises(WireError, match="the digest of the plain file is another"):
            decrypt_file(decode_encrypted_file(whole.data[:length]), rsa_key("phone-mic.pem"))


@pytest.mark.parametrize("name", SIGNERS)
def test_no_prefix_keeps_the_signature(name: str) -> None:
    data, key = vector(name), certificate(SIGNERS[name]).public_key
    header_length = decode_header(data).header_length
    for length in range(header_length):
        with pytest.raises(WireError):
            decode_header(data[:length])
    for length in prefixes_that_are_files(name):
        assert verify_file(data[:length], key) is False


@pytest.mark.parametrize("name", TRUST_LISTS)
def test_a_trust_list_with_bytes_after_it_is_refused(name: str) -> None:
    data = vector(name)
    for rest in (b"\0", b"\1", b"\r", b"\n", bytes(5), b"\1\0\2\0\5", data[:100]):
        with pytest.raises(WireError):
            decode_trust_list(data + rest)


@pytest.mark.parametrize("name", SIGNED_FILES)
def test_a_signed_file_with_bytes_after_it_has_a_longer_body_and_no_signature(name: str) -> None:
    data, key = vector(name), certificate(SIGNERS[name]).public_key
    for rest in (b"\0", b"\n", b"\r"):
        assert decode_signed_file(data + rest).body == decode_signed_file(data).body + rest
        assert verify_file(data + rest, key) is False


@pytest.mark.parametrize("name", ENCRYPTED_FILES)
def test_an_encrypted_file_with_bytes_after_it_is_refused_or_does_not_decrypt(name: str) -> None:
    data, key = vector(name), certificate(SIGNERS[name]).public_key
    for length in range(1, 16):
        with pytest.raises(WireError, match="is not whole blocks of 16"):
            decode_encrypted_file(data + bytes(length))
    longer = data + bytes(16)
    assert verify_file(longer, key) is False
    with pytest.raises(WireError, match="the digest of the plain file is another"):
        decrypt_file(decode_encrypted_file(longer), rsa_key("phone-mic.pem"))


@pytest.mark.parametrize("name", TRUST_LISTS)
def test_a_trust_list_with_a_record_twice_is_read_and_no_longer_signed(name: str) -> None:
    whole = decode_trust_list(vector(name))
    first = whole.header.header_length
    record = whole.data[first : first + whole.records[0].length]
    twice = decode_trust_list(whole.data + record)
    assert twice.records == (*whole.records, whole.records[0])
    assert verify_file(twice.data, certificate(SIGNERS[name]).public_key) is False


@pytest.mark.parametrize("name", SIGNERS)
def test_repeating_any_element_of_a_header_is_refused(name: str) -> None:
    data = vector(name)
    length = decode_header(data).header_length
    reader = Reader(data[:length].rstrip(b"\r"), "header")
    while not reader.at_end:
        begin = reader.position
        item = reader.element()
        again = data[: reader.position] + data[begin : reader.position] + data[reader.position :]
        grown = length + reader.position - begin
        longer = again[:8] + grown.to_bytes(2, "big") + again[10:]
        with pytest.raises(WireError):
            decode_file(longer)
        assert item.tag in {1, 2, 3, 7, 12, 14, 15, 16, 26, 27, 28}


@pytest.mark.parametrize("name", TRUST_LISTS)
def test_repeating_any_element_of_a_record_is_refused(name: str) -> None:
    whole = decode_trust_list(vector(name))
    first = whole.header.header_length
    length = whole.records[0].length
    record, rest = whole.data[first : first + length], whole.data[first + length :]
    reader = Reader(record, "record")
    while not reader.at_end:
        begin = reader.position
        item = reader.element()
        again = record[: reader.position] + record[begin : reader.position] + record[reader.position :]
        grown = (length + reader.position - begin).to_bytes(2, "big")
        with pytest.raises(WireError, match="is there more than once"):
            decode_trust_list(whole.data[:first] + again[:3] + grown + again[5:] + rest)
        assert item.tag in {1, 3, 4, 5, 6, 7, 8, 9}
