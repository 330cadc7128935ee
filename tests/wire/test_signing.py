"""Signing: what keys can, and that the same content is always the same bytes."""

from __future__ import annotations

import dataclasses
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from tests.wire.material import (
    SIGNED_FILES,
    TIMESTAMP,
    TRUST_LISTS,
    certificate,
    header_of,
    plain_header,
    private_key,
    rsa_key,
    rsa_key_of,
    self_signed,
    signing_key,
    tlv,
    vector,
)
from wire.digests import DigestAlgorithm
from wire.encryptedfile import EncryptedFile
from wire.errors import WireError
from wire.fileheader import decode_header
from wire.files import decode_file
from wire.signedfile import SignedFile, decode_signed_file, encode_signed_file, sign_file
from wire.signing import SigningKey, verify_file
from wire.trustlist import decode_trust_list, sign_trust_list

NAME = "SEP001122334455.cnf.xml.sgn"
BODY = b"<device/>\n"


@cache
def key_of(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, bits)


def signed(
    signer: SigningKey, digest: DigestAlgorithm = DigestAlgorithm.SHA1, name: str = NAME, body: bytes = BODY
) -> bytes:
    return sign_file(name, body, signer=signer, digest=digest, timestamp=TIMESTAMP)


@pytest.mark.parametrize("digest", DigestAlgorithm)
@pytest.mark.parametrize("bits", [1024, 2048, 4096])
def test_keys_of_known_sizes_sign(bits: int, digest: DigestAlgorithm) -> None:
    key = key_of(bits)
    data = signed(SigningKey.of(self_signed(key), key), digest)
    header = decode_header(data)
    assert len(header.signature) == bits // 8
    assert header.digest is digest
    assert verify_file(data, key.public_key()) is True
    assert verify_file(data, rsa_key("rogue.pem").public_key()) is False


@pytest.mark.parametrize("bits", [1024, 2048, 4096])
def test_a_signature_is_pkcs1_over_the_file_without_its_element(bits: int) -> None:
    """Verified with the library alone, on bytes cut by hand."""
    key = key_of(bits)
    data = signed(SigningKey.of(self_signed(key), key), DigestAlgorithm.SHA512)
    size = bits // 8
    begin = data.index(b"\x0c" + size.to_bytes(2, "big"))
    covered = data[:begin] + data[begin + 3 + size :]
    key.public_key().verify(data[begin + 3 : begin + 3 + size], covered, PKCS1v15(), hashes.SHA512())


def test_a_key_of_3072_bits_is_refused_in_plain_words() -> None:
    """No code for its modulus is known."""
    key = key_of(3072)
    with pytest.raises(
        WireError, match=r"^RSA keys of 3072 bits have no code in signed files; .* 2048, 4096 bits have$"
    ):
        SigningKey.of(self_signed(key), key)


def test_a_key_whose_size_is_not_whole_bytes_is_refused() -> None:
    key = key_of(1025)
    with pytest.raises(WireError, match=r"^RSA keys of 1025 bits have no code in signed files$"):
        SigningKey.of(self_signed(key), key)


def test_a_key_of_512_bits_signs_with_the_digests_that_fit_and_refuses_the_others() -> None:
    """Code 0 of the modulus."""
    key = rsa_key_of(
        0xE02FDAA1AD864C44E049548E8A0A8C9632EA6928F6236BF2504B74BA4A0FE75D,
        0xEA9E2DE890D90E5A53777FEC1BA0895D61C12C05003E181AA962740FE4BA40D5,
    )
    signer = SigningKey.of(self_signed(key), key)
    assert verify_file(signed(signer), key.public_key()) is True
    assert len(decode_header(signed(signer)).signature) == 64
    with pytest.raises(WireError, match=r"^a key of 512 bits is too short for a SHA512 signature$"):
        signed(signer, DigestAlgorithm.SHA512)


def test_an_ec_key_is_refused_in_plain_words() -> None:
    with pytest.raises(WireError, match=r"^CN=alpha-pub-EC;O=Labalpha;OU=TAC has an EC key: phones check RSA"):
        SigningKey.of(certificate("callmanager-ecdsa.pem"), private_key("callmanager-ecdsa.pem"))


def test_a_key_that_is_not_the_certificates_is_refused() -> None:
    with pytest.raises(WireError, match=r"^the private key is not that of CN=rogue;O=Evil;OU=Evil$"):
        SigningKey.of(certificate("rogue.pem"), rsa_key("callmanager.pem"))


@pytest.mark.parametrize("name", [*SIGNED_FILES, *TRUST_LISTS])
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_an_ec_key_verifies_nothing(name: str, curve: ec.EllipticCurve) -> None:
    assert verify_file(vector(name), ec.generate_private_key(curve).public_key()) is False


@pytest.mark.parametrize("name", SIGNED_FILES)
def test_a_key_of_another_size_verifies_nothing(name: str) -> None:
    assert verify_file(vector(name), key_of(1024).public_key()) is False


def test_what_does_not_begin_with_a_header_is_not_verified_but_refused() -> None:
    with pytest.raises(WireError):
        verify_file(b"<device/>", rsa_key("rogue.pem").public_key())


def test_the_same_arguments_give_the_same_bytes() -> None:
    """R-ITL-4: signing again with nothing changed gives the same checksums."""
    signer = signing_key("callmanager.pem")
    assert signed(signer) == signed(signer)
    records = decode_trust_list(vector("CTLFile.tlv")).records

    def once() -> bytes:
        return sign_trust_list(
            records,
            file_name="CTLFile.tlv",
            signer=SigningKey.of(certificate("callmanager.pem"), private_key("callmanager.pem")),
            digest=DigestAlgorithm.SHA512,
            timestamp=TIMESTAMP,
            signer_version=(1, 1),
        )

    assert once() == once()


@pytest.mark.parametrize(
    "other",
    [
        signed(signing_key("rogue.pem")),
        signed(signing_key("callmanager.pem"), DigestAlgorithm.SHA512),
        signed(signing_key("callmanager.pem"), name="x.sgn"),
        signed(signing_key("callmanager.pem"), body=BODY + b"\n"),
    ],
    ids=["signer", "digest", "name", "body"],
)
def test_any_other_argument_gives_other_bytes(other: bytes) -> None:
    assert other != signed(signing_key("callmanager.pem"))
    assert decode_header(other).signature != decode_header(signed(signing_key("callmanager.pem"))).signature


@pytest.mark.parametrize(("name", "signer"), [*TRUST_LISTS.items(), *SIGNED_FILES.items()])
def test_our_signature_over_an_independent_file_is_the_independent_one(name: str, signer: str) -> None:
    """RSA PKCS#1 v1.5 has one signature for each content: the same key has to come to the same bytes."""
    data = vector(name)
    file = decode_file(data)
    begin = data.index(b"\x0c\x01\x00")
    covered = data[:begin] + data[begin + 3 + 256 :]
    assert signing_key(signer).sign(file.header.digest, covered) == file.header.signature


def test_our_signed_file_is_laid_out_like_ucms() -> None:
    data = signed(signing_key("callmanager.pem"))
    file = decode_signed_file(data)
    assert file.header.version == (1, 0)
    assert file.header.layout[:5] == (3, 7, 12, 14, 15)
    assert file.header.signer.layout == (4, 5, 6)
    assert file.header.signer.name == "CN=alpha-pub;O=Labalpha;OU=TAC;L=Krakow;ST=Malopolska;C=PL"
    assert file.header.signer.matches(certificate("callmanager.pem"))
    assert file.header.header_length % 4 == 0
    assert (file.header.file_name, file.header.timestamp, file.body) == (NAME, TIMESTAMP, BODY)
    assert (file.header.signer_version, file.header.encryption) == (None, None)
    assert encode_signed_file(file) == data


@pytest.mark.parametrize("name", ["New_Zealand/g3-tones.xml.sgn", "リング.xml.sgn", ""])
@pytest.mark.parametrize("body", [b"", b"\0", bytes(range(256)) * 40], ids=["empty", "NUL", "10 KiB"])
def test_names_with_folders_and_any_body_are_carried(name: str, body: bytes) -> None:
    file = decode_signed_file(signed(signing_key("callmanager.pem"), name=name, body=body))
    assert (file.header.file_name, file.body) == (name, body)


@pytest.mark.parametrize(
    ("name", "timestamp", "message"),
    [
        ("a\0b", 0, "FILENAME: text has a NUL inside"),
        ("x", -1, "TIMESTAMP: -1 does not fit into 4 bytes"),
        ("x", 1 << 32, "TIMESTAMP: 4294967296 does not fit into 4 bytes"),
    ],
)
def test_what_a_header_cannot_carry_is_not_signed(name: str, timestamp: int, message: str) -> None:
    signer = signing_key("callmanager.pem")
    with pytest.raises(WireError, match=f"^{message}$"):
        sign_file(name, BODY, signer=signer, digest=DigestAlgorithm.SHA1, timestamp=timestamp)


def test_a_changed_file_keeps_a_signature_that_no_longer_holds() -> None:
    file = decode_signed_file(signed(signing_key("callmanager.pem")))
    changed = encode_signed_file(dataclasses.replace(file, body=b"<device>evil</device>"))
    assert decode_signed_file(changed).header == file.header
    assert verify_file(changed, certificate("callmanager.pem").public_key) is False


# --- kinds ---


@pytest.mark.parametrize("version", [(0, 1), (1, 1), (1, 2), (2, 0), (9, 9)])
def test_other_versions_are_no_signed_files(version: tuple[int, int]) -> None:
    with pytest.raises(WireError, match=r"^file version {}\.{} is not that of a signed file, 1\.0$".format(*version)):
        decode_signed_file(plain_header(version) + BODY)


def test_a_signed_file_is_not_encrypted() -> None:
    iv = tlv(17, tlv(18, b"\0") + tlv(19, bytes(16)) + tlv(20, b"\0\1"))
    key = tlv(21, tlv(22, b"\0") + tlv(23, b"\4\0") + tlv(24, b"\1") + tlv(25, bytes(128)))
    encryption = (tlv(16, iv + key), tlv(26, b"\1"), tlv(27, bytes(20)))
    header = plain_header()[10:]
    with pytest.raises(WireError, match=r"^signed file with encryption elements$"):
        decode_signed_file(header_of(header, *encryption, version=(1, 0)) + BODY)
    assert isinstance(decode_file(header_of(header, *encryption, version=(2, 0)) + bytes(16)), EncryptedFile)


def test_a_signed_file_over_the_limit_is_refused() -> None:
    data = signed(signing_key("callmanager.pem"))
    assert isinstance(decode_signed_file(data, limit=len(data)), SignedFile)
    with pytest.raises(WireError, match=f"^signed file of {len(data)} bytes is over the limit of {len(data) - 1}$"):
        decode_signed_file(data, limit=len(data) - 1)


@pytest.mark.parametrize("version", [(0, 0), (1, 3), (2, 1), (255, 255)])
def test_a_file_of_an_unknown_version_is_none_of_the_three_kinds(version: tuple[int, int]) -> None:
    with pytest.raises(WireError, match=r"^file version {}\.{} is not".format(*version)):
        decode_file(plain_header(version))


def test_the_subject_does_not_count_when_a_signer_is_looked_up() -> None:
    """A certificate is found by (issuer, serial), not by subject."""
    signer = decode_header(signed(signing_key("callmanager.pem"))).signer
    assert dataclasses.replace(signer, name="CN=whoever").matches(certificate("callmanager.pem"))
    assert not dataclasses.replace(signer, issuer="CN=whoever").matches(certificate("callmanager.pem"))
    assert not dataclasses.replace(signer, issuer="?").matches(certificate("callmanager.pem"))
    assert not dataclasses.replace(signer, serial=b"\1").matches(certificate("callmanager.pem"))
    assert dataclasses.replace(signer, serial=b"\0" + signer.serial).matches(certificate("callmanager.pem"))
