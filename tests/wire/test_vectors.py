"""Files that independent tools made and real phones accept; their own parser's account stands beside each."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from tests.wire.material import (
    ENCRYPTED_FILES,
    PARTIES,
    SIGNERS,
    TRUST_LISTS,
    certificate,
    rsa_key,
    vector,
)
from wire.encryptedfile import (
    EncryptedFile,
    certificate_hash,
    decode_encrypted_file,
    decrypt_file,
    encode_encrypted_file,
)
from wire.errors import WireError
from wire.files import decode_file
from wire.names import DistinguishedName
from wire.phoneconfig import decode_phone_config
from wire.signedfile import SignedFile, decode_signed_file, encode_signed_file
from wire.signing import verify_file
from wire.trustlist import Function, TrustList, decode_trust_list, encode_trust_list

ROLES = {
    "SAST": Function.SAST,
    "CCM+TFTP": Function.CCM_TFTP,
    "TFTP": Function.TFTP,
    "CAPF": Function.CAPF,
    "APP-SERVER": Function.APP_SERVER,
    "TVS": Function.TVS,
}
DESCRIBED = [name for name in SIGNERS if name != "enc/SEP001122334455.cnf.xml.sgn"]
"""All but the stub have an account."""


def account(name: str) -> list[dict[str, str]]:
    """The paragraphs of what the independent parser printed: header, records."""
    paragraphs = vector(f"{name}.parsed.txt").decode().split("\n\n")
    return [dict(re.findall(r"^([^:\n]+): +(.*)$", text, re.MULTILINE)) for text in paragraphs if ":" in text]


def number(text: str) -> int:
    return int(text.removesuffix(" bytes"))


@pytest.mark.parametrize("name", SIGNERS)
def test_what_was_decoded_is_written_back_byte_for_byte(name: str) -> None:
    file = decode_file(vector(name))
    match file:
        case TrustList():
            assert encode_trust_list(file) == vector(name)
        case SignedFile():
            assert encode_signed_file(file) == vector(name)
        case EncryptedFile():
            assert encode_encrypted_file(file) == vector(name)


@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("name", SIGNERS)
def test_the_signature_holds_with_the_key_of_the_signer_and_with_no_other(name: str, party: str) -> None:
    assert verify_file(vector(name), certificate(party).public_key) is (party == SIGNERS[name])


@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("name", SIGNERS)
def test_the_header_names_its_signer_by_issuer_and_serial(name: str, party: str) -> None:
    assert decode_file(vector(name)).header.signer.matches(certificate(party)) is (party == SIGNERS[name])


@pytest.mark.parametrize("name", DESCRIBED)
def test_the_header_says_what_the_independent_parser_says(name: str) -> None:
    header, said = decode_file(vector(name)).header, account(name)[0]
    assert "{}.{}".format(*header.version) == said["Version"]
    assert header.header_length == number(said["Header Length"])
    signer_version = header.signer_version and "{}.{}".format(*header.signer_version)
    assert signer_version == said.get("Signer Version")
    assert header.signer.name == said["Signer Name"]
    assert header.signer.issuer == said["Issuer Name"]
    assert header.signer.serial.hex() == said["Serial Number"]
    assert header.digest.name == said["Digest Algorithm"]
    assert len(header.signature) == number(said["Signature"])
    assert header.file_name == said["Filename"]
    assert datetime.fromtimestamp(header.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S") == said["Timestamp"]
    assert header.unknown == ()


@pytest.mark.parametrize("name", TRUST_LISTS)
def test_every_record_says_what_the_independent_parser_says(name: str) -> None:
    records, (_, *paragraphs) = decode_trust_list(vector(name)).records, account(name)
    assert len(records) == len(paragraphs)
    for record, said in zip(records, paragraphs, strict=True):
        assert record.length == number(said["Record Length"])
        assert record.subject == said["Subject Name"]
        assert record.issuer == said["Issuer Name"]
        assert record.serial.hex() == said["Serial Numer"]
        assert record.function == ROLES[said["Role"]]
        assert len(record.public_key) == number(said["Public Key"])
        assert record.signature is not None
        assert len(record.signature) == number(said["Signature"])
        assert record.certificate is not None
        assert len(record.certificate) == number(said["Certificate"])
        assert record.x509 is not None
        assert record.x509.is_rsa is (said["Key Algorithm"] == "RSA")
        assert record.x509.sha1.hex() == said["Certificate Hash"]


@pytest.mark.parametrize("name", TRUST_LISTS)
def test_fields_beside_a_certificate_are_those_taken_out_of_it(name: str) -> None:
    """The other tool extracted them; ours have to come out the same, for ours are what phones get."""
    for record in decode_trust_list(vector(name)).records:
        taken = record.x509
        assert taken is not None
        assert taken.serial_bytes == record.serial
        assert taken.public_key_bytes == record.public_key
        assert taken.signature == record.signature
        assert taken.subject == DistinguishedName.parse(record.subject)
        assert taken.issuer == record.issuer_dn


@pytest.mark.parametrize(("name", "signer"), TRUST_LISTS.items())
def test_a_list_holds_the_sast_record_of_its_signer(name: str, signer: str) -> None:
    trust_list = decode_trust_list(vector(name))
    record = trust_list.signer_record
    assert record is not None
    assert record.function == Function.SAST
    assert record.x509 == certificate(signer)
    assert trust_list.problems == ()


def test_certificates_are_found_by_issuer_and_serial_in_either_writing() -> None:
    trust_list = decode_trust_list(vector("ITLFile.tlv"))
    callmanager = certificate("callmanager.pem")
    found = trust_list.find(callmanager.issuer, callmanager.serial)
    assert [record.function for record in found] == [Function.SAST, Function.CCM_TFTP]
    turned = DistinguishedName.parse("C=PL;ST=Malopolska;L=Krakow;OU=TAC;O=Labalpha;CN=alpha-pub")
    assert trust_list.find(turned, callmanager.serial) == found
    assert trust_list.find(callmanager.issuer, callmanager.serial + 1) == ()
    assert trust_list.find(certificate("rogue.pem").issuer, callmanager.serial) == ()


def test_records_are_found_by_function() -> None:
    trust_list = decode_trust_list(vector("v11/ITLFile.tlv"))
    functions = [record.function for record in trust_list.with_function(Function.TFTP, Function.CCM_TFTP)]
    assert functions == [Function.CCM_TFTP, Function.TFTP]
    assert [record.x509 for record in trust_list.with_function(Function.TVS)] == [certificate("tvs.pem")]
    assert [record.x509 for record in trust_list.with_function(Function.APP_SERVER)] == [certificate("tomcat.pem")]


@pytest.mark.parametrize("name", ["SEP001122334455.cnf.xml.sgn", "sha512/SEP001122334455.cnf.xml.sgn"])
def test_the_body_of_a_signed_file_is_the_plain_file(name: str) -> None:
    assert decode_signed_file(vector(name)).body == vector("SEP001122334455.cnf.xml")


@pytest.mark.parametrize("name", SIGNERS)
def test_any_changed_byte_breaks_the_file_or_its_signature(name: str) -> None:
    data, key = vector(name), certificate(SIGNERS[name]).public_key
    header_length = decode_file(data).header.header_length
    in_body = (header_length, (header_length + len(data)) // 2, len(data) - 1)
    for position in (*range(header_length), *in_body):
        changed = bytearray(data)
        changed[position] ^= 1
        try:
            holds = verify_file(bytes(changed), key)
        except WireError:
            continue
        assert holds is False, f"byte {position} is not covered"


def test_the_encrypted_file_decrypts_to_the_plain_one_with_the_phones_key() -> None:
    file = decode_encrypted_file(vector("enc/SEP001122334455.cnf.xml.enc.sgn"))
    assert decrypt_file(file, rsa_key("phone-mic.pem")) == vector("SEP001122334455.cnf.xml")


def test_the_encrypted_file_says_how_it_is_encrypted_as_the_independent_parser_does() -> None:
    (name,) = ENCRYPTED_FILES
    info, said = decode_encrypted_file(vector(name)).encryption, account(name)[0]
    assert len(info.iv) == number(said["Encryption IV"])
    assert len(info.wrapped_key) == number(said["Encryption Key"])
    assert info.key_bits == 2048
    assert info.digest_algorithm.name == said["Encryption Digest Algorithm"]
    assert info.digest.hex() == said["Encryption Digest"]


def test_the_stub_announces_the_encrypted_file_for_the_phones_certificate() -> None:
    stub = decode_phone_config(decode_signed_file(vector("enc/SEP001122334455.cnf.xml.sgn")).body)
    assert stub.full_config is False
    assert stub.encrypted is True
    assert stub.cert_hash == certificate_hash(certificate("phone-mic.pem"))


def test_the_vector_of_a_configuration_is_understood() -> None:
    config = decode_phone_config(vector("SEP001122334455.cnf.xml"))
    assert [(node.host, node.sip_port, node.secured_sip_port) for node in config.call_managers] == [
        ("127.0.1.1", 5060, 5061)
    ]
    assert [(server.address, server.port) for server in config.tvs_servers] == [("127.0.1.1", 2445)]
    assert config.load_information == "sip8845_65.14-2-1"
    assert config.capf_nodes == (("127.0.1.1", 3804),)
    assert config.device_security_mode == 1
    assert config.encrypted is False
