"""Messages of CAPF, the Certificate Authority Proxy Function: every element, and signatures as phones make them.

No real session was published to the byte; the messages here are laid out by hand from the description of the protocol.
"""

from __future__ import annotations

import dataclasses
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.capf_transcripts import NAMES, transcript
from tests.conftest import require_tool
from tests.wire.material import VECTORS, certificate, certificate_of_length, nul, private_key, tlv
from tests.wire.strategies import moderately, mutations, raw_bytes, texts, thoroughly
from wire.capf import (
    HEADER_SIZE,
    MAX_BODY,
    RSA_SIZES,
    AuthType,
    CertificateType,
    Command,
    Curve,
    KeyType,
    Message,
    PhoneCertificate,
    ReasonCode,
    Sudi,
    body_length,
    decode,
    encode,
    proof_of,
    sign,
    sudi_proof_of,
    verify,
)
from wire.certificates import MAX_CERTIFICATE_SIZE
from wire.digests import DigestAlgorithm
from wire.errors import WireError

if TYPE_CHECKING:
    from pathlib import Path

DEVICE = "SEP001122334455"
DER = certificate("phone-mic.pem").der
SHA1, SHA512 = DigestAlgorithm.SHA1, DigestAlgorithm.SHA512


def message(command: int, *elements: bytes, protocol: int = 0x55, session: int = 9, longer: int = 0) -> bytes:
    body = b"".join(elements)
    return struct.pack(">BBIH", protocol, command, session, len(body) + longer) + body


ELEMENTS: dict[str, tuple[object, bytes]] = {
    "reason": (7, tlv(1, b"\x07")),
    "reason_info": ("no", tlv(2, b"no\0")),
    "certificate_type": (CertificateType.MIC, tlv(3, b"\x02")),
    "certificate": (
        PhoneCertificate(1, b"DER"),
        tlv(4, b"\x01" + (5).to_bytes(2, "big") + b"\x00\x01DER"),
    ),
    "certificate_id": (b"\x12\x34", tlv(5, b"\x12\x34")),
    "signed_data": (b"signature", tlv(6, b"signature")),
    "version": (3, tlv(7, b"\x03")),
    "auth_type": (AuthType.PASSWORD, tlv(8, b"\x01")),
    "public_key": (b"SPKI", tlv(9, b"SPKI")),
    "key_size": (2048, tlv(10, b"\x08\x00")),
    "password": ("12345", tlv(11, b"12345\0")),
    "retry_delay": (b"\x00\x1e", tlv(12, b"\x00\x1e")),
    "device_name": (DEVICE, tlv(13, nul(DEVICE))),
    "sudi": (Sudi(b"DER", b"one", b"two"), tlv(16, tlv(0, b"DER") + tlv(1, b"one") + tlv(3, b"two"))),
    "key_type": (KeyType.EC, tlv(17, b"\x01")),
    "curve": (Curve.SECP521R1, tlv(18, b"\x02")),
    "digest_type": (3, tlv(19, b"\x03")),
    "sha2_signed_data": (b"signature", tlv(20, b"\x03\x00\x09signature")),
}
"""Field -> a value and its element, written by hand."""

MESSAGES = [
    Message(Command.AUTH_REQUEST, 1, version=3, auth_type=AuthType.NONE),
    Message(
        Command.AUTH_RESPONSE,
        0xFFFF_FFFF,
        reason=ReasonCode.SUCCESS,
        version=3,
        device_name=DEVICE,
        certificate=PhoneCertificate(CertificateType.MIC, DER),
        signed_data=b"one",
        sha2_signed_data=b"two",
        sudi=Sudi(DER, b"three", b"four"),
    ),
    Message(Command.KEY_GENERATE_REQUEST, 5, key_type=KeyType.EC, curve=Curve.SECP384R1),
    Message(Command.STORE_REQUEST, 5, certificate_type=1, certificate=PhoneCertificate(1, DER)),
    Message(Command.END_SESSION, 5, reason=ReasonCode.NO_ACTION),
    Message(Command.IN_PROGRESS, 0),
]


def test_a_table_of_elements_leaves_none_out() -> None:
    fields = {field.name for field in dataclasses.fields(Message)} - {"command", "session"}
    assert set(ELEMENTS) == fields


@pytest.mark.parametrize("name", ELEMENTS)
def test_each_element_is_written_and_read_to_the_byte(name: str) -> None:
    value, element = ELEMENTS[name]
    data = message(Command.STATUS_REQUEST, element)
    expected = dataclasses.replace(Message(Command.STATUS_REQUEST, 9), **{name: value})  # type: ignore[arg-type]
    assert decode(data) == expected
    assert encode(expected) == data


def test_all_elements_together_stand_by_ascending_tag() -> None:
    values = {name: value for name, (value, _) in ELEMENTS.items()}
    everything = dataclasses.replace(Message(Command.STATUS_RESPONSE, 9), **values)  # type: ignore[arg-type]
    data = message(Command.STATUS_RESPONSE, *(element for _, element in ELEMENTS.values()))
    assert encode(everything) == data
    shuffled = message(Command.STATUS_RESPONSE, *(element for _, element in reversed(ELEMENTS.values())))
    assert decode(shuffled) == decode(data) == everything


def test_the_commands_have_the_numbers_of_the_protocol() -> None:
    """Requests come from the server; 5 is the response of encryption and 6 its request."""
    assert [command.value for command in Command] == list(range(1, 24))
    assert (Command.AUTH_REQUEST, Command.AUTH_RESPONSE) == (1, 2)
    assert (Command.ENCRYPT_RESPONSE, Command.ENCRYPT_REQUEST) == (5, 6)
    assert (Command.STORE_REQUEST, Command.STORE_RESPONSE, Command.END_SESSION) == (9, 10, 15)
    assert RSA_SIZES == (512, 1024, 2048, 3072, 4096)


@pytest.mark.parametrize("original", MESSAGES)
def test_messages_are_read_back_as_they_were_written(original: Message) -> None:
    data = encode(original)
    assert decode(data) == original
    assert body_length(data[:HEADER_SIZE]) == len(data) - HEADER_SIZE


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


CERTIFICATE = ELEMENTS["certificate"][1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "CAPF header of 0 bytes, not 8"),
        (message(1)[:7], "CAPF header of 7 bytes, not 8"),
        (message(1, protocol=0x57), "CAPF protocol byte is 0x57, not 0x55"),
        (b"GET / HTTP/1.1\r\n\r\n", "CAPF protocol byte is 0x47, not 0x55"),
        (message(0), "CAPF command 0 is unknown"),
        (message(24), "CAPF command 24 is unknown"),
        (message(1, longer=1), "CAPF message of 8 bytes says that it has 9"),
        (struct.pack(">BBIH", 0x55, 1, 0, MAX_BODY + 1), f"{MAX_BODY + 1} bytes is over the limit of {MAX_BODY}"),
        (message(1, tlv(99, b"x")), "CAPF auth request: element 99 is unknown"),
        (message(1, tlv(14, b"x")), "CAPF auth request: element 14 is unknown"),
        (message(1, tlv(7, b"\3"), tlv(7, b"\3")), "CAPF auth request: element 7 is there more than once"),
        (message(2, tlv(1, b"")), "CAPF auth response: reason: 0 bytes, not 1"),
        (message(2, tlv(7, b"\0\3")), "CAPF auth response: version: 2 bytes, not 1"),
        (message(3, tlv(10, b"\2")), "CAPF key generate request: key_size: 1 bytes, not 2"),
        (message(2, tlv(11, b"12345")), "password: text does not end with its only NUL"),
        (message(2, tlv(13, b"SEP\0\0")), "device_name: text does not end with its only NUL"),
        (message(2, tlv(13, b"\xff\0")), "device_name: text is not UTF-8"),
        (message(2, tlv(6, b"")), "signed_data: empty"),
        (message(2, tlv(9, b"")), "public_key: empty"),
        (message(2, tlv(4, b"")), "certificate: ends where an element has to begin"),
        (message(2, tlv(4, b"\2\0\5\0\1DER")), "certificate: not 1, length, 0, type and certificate"),
        (message(2, tlv(4, b"\1\0\5\1\1DER")), "certificate: not 1, length, 0, type and certificate"),
        (message(2, tlv(4, b"\1\0\2\0\1")), "certificate: not 1, length, 0, type and certificate"),
        (message(2, tlv(4, b"\1\0\4\0\1DER")), "certificate: not 1, length, 0, type and certificate"),
        (message(2, tlv(4, b"\1\0\6\0\1DER")), "certificate: element 1 at byte 0 has 6 bytes, but only 5 are left"),
        (
            message(2, tlv(4, tlv(1, b"\0\1" + bytes(MAX_CERTIFICATE_SIZE + 1)))),
            "certificate of 16385 bytes is over 16384",
        ),
        (message(2, tlv(16, tlv(2, b"x"))), "sudi: part 2 is unknown"),
        (message(2, tlv(16, tlv(0, b"x") * 2)), "sudi: element 0 is there more than once"),
        (message(2, tlv(16, b"\0")), "sudi: ends inside the length of element 0"),
        (message(2, tlv(20, b"\2\0\1x")), "sha2_signed_data: not a SHA-512 signature"),
        (message(2, tlv(20, b"\3\0\0")), "sha2_signed_data: not a SHA-512 signature"),
        (message(2, tlv(20, b"\3\0\1xx")), "sha2_signed_data: not a SHA-512 signature"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        decode(data)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("original", "reason"),
    [
        (Message(0, 0), "CAPF command 0 is unknown"),
        (Message(1, 1 << 32), "CAPF session number 4294967296 does not fit into 32 bits"),
        (Message(1, -1), "CAPF session number -1 does not fit into 32 bits"),
        (Message(1, 0, version=256), "version: 256 does not fit into 1 bytes"),
        (Message(1, 0, key_size=65_536), "key_size: 65536 does not fit into 2 bytes"),
        (Message(1, 0, key_size=-1), "key_size: -1 does not fit into 2 bytes"),
        (Message(1, 0, device_name="a\0b"), "device_name: text has a NUL inside"),
        (Message(1, 0, reason_info="\ud800"), "reason_info: text cannot be written as UTF-8"),
        (Message(1, 0, public_key=b""), "public_key: empty"),
        (Message(1, 0, sha2_signed_data=b""), "sha2_signed_data: empty"),
        (Message(1, 0, certificate=PhoneCertificate(1, b"")), "certificate: empty"),
        (Message(1, 0, certificate=PhoneCertificate(256, b"x")), "certificate: 256 does not fit into 1 bytes"),
        (Message(1, 0, certificate=PhoneCertificate(1, bytes(70_000))), "is over the limit of 65535"),
        (Message(1, 0, reason_info="x" * MAX_BODY), f"is over the limit of {MAX_BODY}"),
    ],
)
def test_what_its_element_cannot_carry_is_not_written(original: Message, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        encode(original)
    assert reason in str(caught.value)


def test_two_of_the_largest_certificates_fit_with_nothing_else() -> None:
    """An LSC for element 4 and a SUDI for element 16, of any size that a certificate may have, minus their headers."""
    largest = certificate_of_length(MAX_CERTIFICATE_SIZE).der
    alone = Message(Command.STORE_REQUEST, 1, certificate=PhoneCertificate(1, largest))
    assert decode(encode(alone)) == alone


def test_a_message_never_shows_its_password() -> None:
    told = Message(Command.AUTH_RESPONSE, 1, device_name=DEVICE, password="2468")
    assert "2468" not in repr(told)
    assert DEVICE in repr(told)


optional = st.none()
messages = st.builds(
    Message,
    st.sampled_from(Command).map(int),
    st.integers(0, 0xFFFF_FFFF),
    reason=optional | st.integers(0, 255),
    reason_info=optional | texts,
    certificate_type=optional | st.integers(0, 255),
    certificate=optional | st.builds(PhoneCertificate, st.integers(0, 255), raw_bytes(40, 1)),
    certificate_id=optional | raw_bytes(20, 1),
    signed_data=optional | raw_bytes(40, 1),
    version=optional | st.integers(0, 255),
    auth_type=optional | st.integers(0, 255),
    public_key=optional | raw_bytes(40, 1),
    key_size=optional | st.integers(0, 65_535),
    password=optional | texts,
    retry_delay=optional | raw_bytes(4, 1),
    device_name=optional | texts,
    sudi=optional | st.builds(Sudi, raw_bytes(20), raw_bytes(20), raw_bytes(20)),
    key_type=optional | st.integers(0, 255),
    curve=optional | st.integers(0, 255),
    digest_type=optional | st.integers(0, 255),
    sha2_signed_data=optional | raw_bytes(40, 1),
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
@given(st.integers(0, 25), raw_bytes(80))
def test_arbitrary_bytes_are_a_message_or_a_wire_error(command: int, body: bytes) -> None:
    for data in (body, message(command, body)):
        try:
            read = decode(data)
        except WireError:
            continue
        assert decode(encode(read)) == read


# --- signatures ---


def test_what_is_signed_is_the_name_a_nul_and_the_certificate() -> None:
    assert proof_of(DEVICE, b"DER") == b"SEP001122334455\0DER"


def test_what_a_sudi_signs_begins_with_the_session_in_little_endian_order() -> None:
    assert sudi_proof_of(0x0102_0304, b"DER") == b"\x04\x03\x02\x01DER"


@pytest.mark.parametrize("party", ["phone-mic.pem", "callmanager-ecdsa.pem"])
@pytest.mark.parametrize("digest", [SHA1, SHA512])
def test_a_signature_is_its_own_keys_digests_and_datas_alone(party: str, digest: DigestAlgorithm) -> None:
    data = proof_of(DEVICE, certificate(party).der)
    signature = sign(private_key(party), digest, data)
    assert verify(certificate(party), digest, data, signature)
    assert not verify(certificate(party), digest, data + b"x", signature)
    assert not verify(certificate(party), SHA512 if digest is SHA1 else SHA1, data, signature)
    assert not verify(certificate(party), digest, data, signature[:-1])
    assert not verify(certificate(party), digest, data, b"")
    assert not verify(certificate("tvs.pem"), digest, data, signature)


def test_an_rsa_signature_is_type_1_padding_around_the_bare_digest() -> None:
    """No DigestInfo stands before it: undone by arithmetic alone."""
    mic = certificate("phone-mic.pem")
    signature = sign(private_key("phone-mic.pem"), SHA1, b"data")
    numbers = mic.public_key.public_numbers()
    size = mic.public_key.key_size // 8
    block = pow(int.from_bytes(signature, "big"), numbers.e, numbers.n).to_bytes(size, "big")  # type: ignore[union-attr]
    assert block == b"\0\1" + b"\xff" * (size - 3 - 20) + b"\0" + SHA1.digest(b"data")


@pytest.mark.interop
@pytest.mark.parametrize("digest", [SHA1, SHA512])
def test_an_rsa_signature_of_openssl_counts(digest: DigestAlgorithm, tmp_path: Path) -> None:
    """``openssl pkeyutl`` pads a bare digest just so when it is told of no digest."""
    (tmp_path / "digest").write_bytes(digest.digest(b"data"))
    command = [require_tool("openssl"), "pkeyutl", "-sign", "-inkey", str(VECTORS / "phone-mic.pem")]
    made = subprocess.run([*command, "-in", str(tmp_path / "digest")], capture_output=True, check=True).stdout
    assert verify(certificate("phone-mic.pem"), digest, b"data", made)
    assert made == sign(private_key("phone-mic.pem"), digest, b"data")


@pytest.mark.interop
@pytest.mark.parametrize("digest", [SHA1, SHA512])
def test_openssl_accepts_an_ec_signature(digest: DigestAlgorithm, tmp_path: Path) -> None:
    signature = sign(private_key("callmanager-ecdsa.pem"), digest, b"data")
    (tmp_path / "data").write_bytes(b"data")
    (tmp_path / "signature").write_bytes(signature)
    key = subprocess.run(
        [require_tool("openssl"), "x509", "-in", VECTORS / "callmanager-ecdsa.pem", "-noout", "-pubkey"],
        capture_output=True,
        check=True,
    )
    (tmp_path / "key").write_bytes(key.stdout)
    name = "-sha1" if digest is SHA1 else "-sha512"
    files = [str(tmp_path / file) for file in ("key", "signature", "data")]
    command = [require_tool("openssl"), "dgst", name, "-verify", files[0], "-signature", files[1], files[2]]
    done = subprocess.run(command, capture_output=True, check=False)
    assert b"Verified OK" in done.stdout, done.stderr


# --- whole sessions, packed by another hand ---


@pytest.mark.parametrize("name", NAMES)
def test_a_transcript_is_read_and_written_to_the_byte(name: str) -> None:
    lines = transcript(name)
    assert lines[0].speaker == "server"
    assert lines[-1].what == "end session"
    for line in lines:
        read = decode(line.data)
        assert Command(read.command).name.lower().replace("_", " ") == line.what
        assert encode(read) == line.data
        for length in range(len(line.data)):
            with pytest.raises(WireError):
                decode(line.data[:length])


def test_the_proofs_of_a_transcript_hold() -> None:
    response = decode(transcript("troubleshoot-by-mic")[1].data)
    mic = certificate("phone-mic.pem")
    assert response.certificate == PhoneCertificate(CertificateType.MIC, mic.der)
    proof = proof_of(DEVICE, mic.der)
    assert verify(mic, SHA1, proof, response.signed_data or b"")
    assert verify(mic, SHA512, proof, response.sha2_signed_data or b"")
    assert response.sudi is not None
    sudi_proof = sudi_proof_of(response.session, mic.der)
    assert verify(mic, SHA1, sudi_proof, response.sudi.sha1_signature)
    assert verify(mic, SHA512, sudi_proof, response.sudi.sha512_signature)
