"""Messages of the Trust Verification Service, held against a query and a reply of a published server log (UCM 10.5)."""

from __future__ import annotations

import dataclasses
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.material import certificate, certificate_of_length, nul, tlv
from tests.wire.strategies import moderately, mutations, raw_bytes, texts, thoroughly
from wire.certificates import MAX_CERTIFICATE_SIZE
from wire.errors import WireError
from wire.trustlist import Function
from wire.tvs import (
    HEADER_SIZE,
    MAX_BODY,
    MAX_DEVICE_NAME,
    MAX_ROLES,
    Message,
    QueryRequest,
    QueryResponse,
    Status,
    VerifyRequest,
    VerifyResponse,
    body_length,
    decode,
    encode,
)

# The log prints the header, the lengths and the values;
# that issuer and serial number have the numbers 4 and 5 is inferred.
PUBLISHED_QUERY = bytes.fromhex("57 01 03 00 00 00 03 e9 00 8f") + b"".join(
    (
        bytes.fromhex("01 00 18 01") + b"CP-8861-SEPB000B4BA0AEE",
        bytes.fromhex("03 00 42") + nul("CN=ucm11pub.stormin.local;OU=IST;O=Stormin;L=Brisbane;ST=QLD;C=AU"),
        bytes.fromhex("04 00 16") + nul("CN=stormin-WIN2012-CA"),
        bytes.fromhex("05 00 13 24000000179479b8f124ac3f3b000000000017"),
    )
)
DEVICE = "CP-8865-SEP001122334455"
DER = certificate("tomcat.pem").der
QUERY = QueryRequest(
    session=0x3E9,
    device="CP-8861-SEPB000B4BA0AEE",
    subject="CN=ucm11pub.stormin.local;OU=IST;O=Stormin;L=Brisbane;ST=QLD;C=AU",
    issuer="CN=stormin-WIN2012-CA",
    serial=bytes.fromhex("24000000179479b8f124ac3f3b000000000017"),
)
VERIFY = VerifyRequest(7, DEVICE, DER)
FOUND = QueryResponse(0x3E9, Status.TRUSTED, DER, (Function.SAST, Function.TFTP), 86_400, filler=0xF7)
TRUSTED = VerifyResponse(7, Status.TRUSTED, (Function.APP_SERVER,), 86_400)
MESSAGES: list[Message] = [
    QUERY,
    VERIFY,
    FOUND,
    TRUSTED,
    QueryResponse(1, Status.UNKNOWN),
    VerifyResponse(1, Status.UNKNOWN),
]


def message(command: int, *elements: bytes, protocol: int = 0x57, version: int = 1, longer: int = 0) -> bytes:
    body = b"".join(elements)
    return struct.pack(">BBBBIH", protocol, version, command, 0, 9, len(body) + longer) + body


NAME = tlv(1, b"\x01" + DEVICE.encode())
SUBJECT, ISSUER, SERIAL = tlv(3, nul("CN=a")), tlv(4, nul("CN=b")), tlv(5, b"\x11")
STATUS, ROLES, TTL = tlv(7, b"\0"), tlv(8, b"\0\3"), tlv(9, b"\0\1\x51\x80")
CERTIFICATE = tlv(2, DER)


def test_the_published_query_is_read_and_written_to_the_byte() -> None:
    """R-TVS-4."""
    assert len(PUBLISHED_QUERY) == 153
    assert decode(PUBLISHED_QUERY) == QUERY
    assert encode(QUERY) == PUBLISHED_QUERY
    assert body_length(PUBLISHED_QUERY[:HEADER_SIZE]) == 143


def test_a_reply_like_the_published_one_has_its_1480_bytes() -> None:
    """The certificate itself, of 1,451 bytes, was not published."""
    der = certificate_of_length(1451).der
    reply = encode(dataclasses.replace(FOUND, certificate=der))
    assert len(reply) == 1480
    assert reply[:HEADER_SIZE] == bytes.fromhex("57 01 04 f7 00 00 03 e9 05 be")
    assert reply[HEADER_SIZE:-12] == bytes.fromhex("07 0001 00 02 05ab") + der
    assert reply[-12:] == bytes.fromhex("08 0002 00 03 09 0004 00015180")
    assert decode(reply) == dataclasses.replace(FOUND, certificate=der)
    assert body_length(reply[:HEADER_SIZE]) == 1470


def test_a_verify_request_is_the_device_and_the_certificate() -> None:
    """R-TVS-1."""
    data = message(1, NAME, CERTIFICATE)
    assert decode(data) == VerifyRequest(9, DEVICE, DER)
    assert encode(VerifyRequest(9, DEVICE, DER)) == data


def test_a_verify_response_is_status_roles_and_time_to_live() -> None:
    data = message(2, STATUS, ROLES, TTL)
    assert decode(data) == VerifyResponse(9, 0, (0, 3), 86_400)
    assert encode(VerifyResponse(9, 0, (0, 3), 86_400)) == data


@pytest.mark.parametrize(("command", "kind"), [(2, VerifyResponse), (4, QueryResponse)])
def test_an_unknown_certificate_is_answered_by_the_status_alone(
    command: int, kind: type[VerifyResponse | QueryResponse]
) -> None:
    data = message(command, tlv(7, b"\1"))
    assert decode(data) == kind(9, Status.UNKNOWN)
    assert encode(kind(9, Status.UNKNOWN)) == data


@pytest.mark.parametrize("original", MESSAGES)
def test_messages_are_read_back_as_they_were_written(original: Message) -> None:
    assert decode(encode(original)) == original


def test_the_fourth_byte_is_ignored_in_requests_and_kept_in_responses() -> None:
    """A real server left 0xF7 there."""
    assert decode(PUBLISHED_QUERY[:3] + b"\xaa" + PUBLISHED_QUERY[4:]) == QUERY
    assert decode(encode(FOUND)[:3] + b"\xaa" + encode(FOUND)[4:]) == dataclasses.replace(FOUND, filler=0xAA)


def test_elements_are_taken_in_any_order() -> None:
    assert decode(message(3, SERIAL, ISSUER, SUBJECT, NAME)) == decode(message(3, NAME, SUBJECT, ISSUER, SERIAL))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "TVS header of 0 bytes, not 10"),
        (PUBLISHED_QUERY[:9], "TVS header of 9 bytes, not 10"),
        (b"\x55" + PUBLISHED_QUERY[1:], "TVS protocol byte is 0x55, not 0x57"),
        (b"GET / HTTP/1.1\r\n\r\n", "TVS protocol byte is 0x47, not 0x57"),
        (message(3, version=0), "TVS version is 0, not 1"),
        (message(3, version=2), "TVS version is 2, not 1"),
        (message(0), "TVS command 0 is unknown"),
        (message(5), "TVS command 5 is unknown"),
        (PUBLISHED_QUERY[:-1], "TVS message of 152 bytes says that it has 153"),
        (PUBLISHED_QUERY + b"\0", "TVS message of 154 bytes says that it has 153"),
        (message(1, NAME, CERTIFICATE, longer=-1), f"says that it has {10 + len(NAME) + len(CERTIFICATE) - 1}"),
        (
            struct.pack(">BBBBIH", 0x57, 1, 3, 0, 9, MAX_BODY + 1),
            f"{MAX_BODY + 1} bytes is over the limit of {MAX_BODY}",
        ),
        (
            message(3, NAME, SUBJECT, ISSUER, SERIAL, tlv(99, b"")),
            "TVS query request: element 99 does not belong there",
        ),
        (message(3, NAME, SUBJECT, ISSUER, SERIAL, STATUS), "TVS query request: element 7 does not belong there"),
        (message(1, NAME, CERTIFICATE, SUBJECT), "TVS verify request: element 3 does not belong there"),
        (message(2, STATUS, CERTIFICATE), "TVS verify response: element 2 does not belong there"),
        (message(4, STATUS, NAME), "TVS query response: element 1 does not belong there"),
        (message(3, NAME, NAME, SUBJECT, ISSUER, SERIAL), "TVS query request: element 1 is there more than once"),
        (message(3, SUBJECT, ISSUER, SERIAL), "TVS query request: element 1 (DEVICE_NAME) is missing"),
        (message(3, NAME, ISSUER, SERIAL), "TVS query request: element 3 (SUBJECT) is missing"),
        (message(3, NAME, SUBJECT, SERIAL), "TVS query request: element 4 (ISSUER) is missing"),
        (message(3, NAME, SUBJECT, ISSUER), "TVS query request: element 5 (SERIAL) is missing"),
        (message(1, NAME), "TVS verify request: element 2 (CERTIFICATE) is missing"),
        (message(2, ROLES, TTL), "TVS verify response: element 7 (STATUS) is missing"),
        (message(4), "TVS query response: element 7 (STATUS) is missing"),
        (message(1, NAME, tlv(2, b"not DER")), "not a readable X.509 certificate"),
        (message(1, NAME, tlv(2, DER[:-1])), "not a readable X.509 certificate"),
        (message(1, NAME, tlv(2, DER + b"\0")), "not a readable X.509 certificate"),
        (message(1, NAME, tlv(2, b"")), "not a readable X.509 certificate"),
        (message(4, STATUS, tlv(2, b"not DER")), "not a readable X.509 certificate"),
        (message(1, NAME, tlv(2, bytes(MAX_CERTIFICATE_SIZE + 1))), "certificate of 16385 bytes is over the limit"),
        (message(3, NAME, tlv(3, b"CN=a"), ISSUER, SERIAL), "element 3 (SUBJECT): text does not end with its only NUL"),
        (message(3, NAME, SUBJECT, tlv(4, b"\xff\0"), SERIAL), "element 4 (ISSUER): text is not UTF-8"),
        (message(3, NAME, SUBJECT, tlv(4, b""), SERIAL), "element 4 (ISSUER): text does not end with its only NUL"),
        (message(3, NAME, SUBJECT, ISSUER, tlv(5, b"")), "TVS query request: the serial number is empty"),
        (message(1, tlv(1, DEVICE.encode()), CERTIFICATE), "TVS device name is not 0x01 and 1 to 64 characters"),
        (message(1, tlv(1, b"\x01"), CERTIFICATE), "TVS device name is not 0x01 and 1 to 64 characters"),
        (message(1, tlv(1, b""), CERTIFICATE), "TVS device name is not 0x01 and 1 to 64 characters"),
        (message(1, tlv(1, b"\x01" + b"x" * 65), CERTIFICATE), "TVS device name is not 0x01 and 1 to 64 characters"),
        (message(1, tlv(1, b"\x01\xc3\xa9"), CERTIFICATE), "TVS device name is not ASCII"),
        (message(1, tlv(1, b"\x01a\x1b"), CERTIFICATE), "TVS device name has characters that cannot be printed"),
        (message(1, tlv(1, b"\x01a\0"), CERTIFICATE), "TVS device name has characters that cannot be printed"),
        (message(2, tlv(7, b"")), "TVS status: 0 bytes, not 1"),
        (message(2, STATUS, tlv(9, b"\0\1")), "TVS time to live: 2 bytes, not 4"),
        (message(2, STATUS, tlv(8, bytes(MAX_ROLES + 1))), "TVS response with 33 roles is over the limit of 32"),
        (message(2, b"\7"), "TVS verify response: ends inside the length of element 7 at byte 0"),
        (message(2, b"\7\0\5\0"), "TVS verify response: element 7 at byte 0 has 5 bytes, but only 1 are left"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        decode(data)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"", "TVS header of 0 bytes, not 10"),
        (PUBLISHED_QUERY[:11], "TVS header of 11 bytes, not 10"),
        (b"\x16\x03\x01" + bytes(7), "TVS protocol byte is 0x16, not 0x57"),
        (
            struct.pack(">BBBBIH", 0x57, 1, 3, 0, 9, 0xFFFF),
            f"TVS message of 65535 bytes is over the limit of {MAX_BODY}",
        ),
    ],
)
def test_a_header_is_judged_before_its_body_is_awaited(header: bytes, reason: str) -> None:
    with pytest.raises(WireError, match=f"^{reason}$"):
        body_length(header)


def test_the_largest_certificate_fits_into_a_message() -> None:
    der = certificate_of_length(MAX_CERTIFICATE_SIZE).der
    response = dataclasses.replace(FOUND, certificate=der, roles=tuple(range(MAX_ROLES)))
    assert decode(encode(response)) == response


@pytest.mark.parametrize(
    ("original", "reason"),
    [
        (dataclasses.replace(QUERY, session=1 << 32), "TVS session number 4294967296 does not fit into 32 bits"),
        (dataclasses.replace(QUERY, session=-1), "TVS session number -1 does not fit into 32 bits"),
        (dataclasses.replace(QUERY, device=""), "TVS device name is not 0x01 and 1 to 64 characters"),
        (dataclasses.replace(QUERY, device="x" * (MAX_DEVICE_NAME + 1)), "TVS device name is not 0x01 and 1 to 64"),
        (dataclasses.replace(QUERY, device="é"), "TVS device name 'é' is not ASCII"),
        (dataclasses.replace(QUERY, device="a\n"), "TVS device name has characters that cannot be printed"),
        (dataclasses.replace(QUERY, subject="a\0b"), "subject: text has a NUL inside"),
        (dataclasses.replace(QUERY, issuer="\ud800"), "issuer: text cannot be written as UTF-8"),
        (dataclasses.replace(QUERY, serial=b""), "TVS query request: the serial number is empty"),
        (dataclasses.replace(QUERY, subject="x" * 20_480), f"is over the limit of {MAX_BODY}"),
        (dataclasses.replace(VERIFY, certificate=bytes(70_000)), "element 2 of 70000 bytes is over the limit of 65535"),
        (dataclasses.replace(TRUSTED, status=256), "TVS status: 256 does not fit into 1 bytes"),
        (dataclasses.replace(TRUSTED, roles=(256,)), "TVS roles (256,) are not all 0 to 255"),
        (dataclasses.replace(TRUSTED, roles=(-1,)), "TVS roles (-1,) are not all 0 to 255"),
        (dataclasses.replace(TRUSTED, roles=(0,) * 33), "TVS response with 33 roles is over the limit of 32"),
        (dataclasses.replace(TRUSTED, ttl_s=1 << 32), "TVS time to live: 4294967296 does not fit into 4 bytes"),
    ],
)
def test_what_its_element_cannot_carry_is_not_written(original: Message, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        encode(original)
    assert reason in str(caught.value)


@pytest.mark.parametrize("original", MESSAGES)
def test_every_truncation_and_every_trailing_byte_is_refused(original: Message) -> None:
    data = encode(original)
    for length in range(len(data)):
        with pytest.raises(WireError):
            decode(data[:length])
        if length != HEADER_SIZE:
            with pytest.raises(WireError):
                body_length(data[:length])
    for byte in range(256):
        with pytest.raises(WireError):
            decode(data + bytes((byte,)))


_sessions, _bytes = st.integers(0, 0xFFFF_FFFF), st.integers(0, 255)
_devices = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=64)
_certificates = st.sampled_from([certificate(party).der for party in ("rogue.pem", "callmanager-ecdsa.pem")])
_roles = st.lists(_bytes, max_size=MAX_ROLES).map(tuple)
_ttls = st.none() | st.integers(0, 0xFFFF_FFFF)
messages = st.one_of(
    st.builds(VerifyRequest, _sessions, _devices, _certificates),
    st.builds(QueryRequest, _sessions, _devices, texts, texts, raw_bytes(40, 1)),
    st.builds(VerifyResponse, _sessions, _bytes, _roles, _ttls, _bytes),
    st.builds(QueryResponse, _sessions, _bytes, st.none() | _certificates, _roles, _ttls, _bytes),
)


@thoroughly
@given(messages)
def test_any_message_is_read_back_as_it_was_written(original: Message) -> None:
    data = encode(original)
    assert decode(data) == original
    assert body_length(data[:HEADER_SIZE]) == len(data) - HEADER_SIZE


@thoroughly
@given(st.sampled_from(MESSAGES).map(encode).flatmap(mutations))
def test_a_damaged_message_is_another_one_or_a_wire_error(data: bytes) -> None:
    try:
        read = decode(data)
    except WireError:
        return
    assert decode(encode(read)) == read
    assert len(encode(read)) <= len(data)


@moderately
@given(st.integers(0, 5), raw_bytes(80))
def test_arbitrary_bytes_are_a_message_or_a_wire_error(command: int, body: bytes) -> None:
    for data in (body, message(command, body)):
        try:
            read = decode(data)
        except WireError:
            continue
        assert decode(encode(read)) == read
