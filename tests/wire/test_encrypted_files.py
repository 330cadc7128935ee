"""Encrypted configurations: for one phone, by AES and that phone's RSA key."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.material import (
    TIMESTAMP,
    certificate,
    plain_header,
    rsa_key,
    rsa_key_of,
    self_signed,
    signing_key,
    vector,
)
from tests.wire.strategies import moderately, mutations, raw_bytes
from wire.digests import DigestAlgorithm
from wire.encryptedfile import (
    MAX_FILE_SIZE,
    EncryptedFile,
    certificate_hash,
    decode_encrypted_file,
    decrypt_file,
    encode_encrypted_file,
    encrypt_file,
)
from wire.errors import WireError
from wire.signing import verify_file

if TYPE_CHECKING:
    from wire.certificates import Certificate

NAME = "SEP001122334455.cnf.xml.enc.sgn"
VECTOR = vector(f"enc/{NAME}")
PLAIN = vector("SEP001122334455.cnf.xml")
MIC = "phone-mic.pem"


def encrypted(
    body: bytes = PLAIN,
    *,
    recipient: Certificate | None = None,
    digest: DigestAlgorithm = DigestAlgorithm.SHA512,
    iv: bytes = bytes(16),
    aes_key: bytes = bytes(range(16)),
) -> bytes:
    return encrypt_file(
        NAME,
        body,
        recipient=recipient or certificate(MIC),
        signer=signing_key("callmanager.pem"),
        digest=digest,
        timestamp=TIMESTAMP,
        iv=iv,
        aes_key=aes_key,
    )


@cache
def recipient_of(bits: int) -> tuple[Certificate, rsa.RSAPrivateKey]:
    key = rsa.generate_private_key(65_537, bits)
    return self_signed(key), key


@pytest.mark.parametrize("digest", DigestAlgorithm)
def test_our_own_encryption_is_read_back(digest: DigestAlgorithm) -> None:
    data = encrypted(digest=digest)
    file = decode_encrypted_file(data)
    assert decrypt_file(file, rsa_key(MIC)) == PLAIN
    assert verify_file(data, certificate("callmanager.pem").public_key)
    assert (file.encryption.digest_algorithm, file.header.digest) == (digest, digest)


@pytest.mark.parametrize("bits", [1024, 3072])
def test_phones_may_have_keys_that_cannot_sign_files(bits: int) -> None:
    """R-CAPF-2: LSCs of 3072 bits exist; only signatures lack a code for them."""
    recipient, key = recipient_of(bits)
    file = decode_encrypted_file(encrypted(recipient=recipient))
    assert file.encryption.key_bits == bits
    assert decrypt_file(file, key) == PLAIN


@pytest.mark.parametrize(("length", "padding"), [(0, 16), (1, 15), (15, 1), (16, 16), (17, 15)])
def test_padding_fills_the_last_block_or_is_a_block_of_its_own(length: int, padding: int) -> None:
    file = decode_encrypted_file(encrypted(b"x" * length))
    assert file.encryption.padding == padding
    assert len(file.ciphertext) == length + padding
    assert decrypt_file(file, rsa_key(MIC)) == b"x" * length


def test_our_file_is_laid_out_like_the_independent_one() -> None:
    ours, theirs = (decode_encrypted_file(data).header for data in (encrypted(), VECTOR))
    assert ours.version == theirs.version == (2, 0)
    assert ours.layout[:8] == theirs.layout[:8] == (3, 7, 12, 14, 15, 16, 26, 27)
    assert ours.header_length == theirs.header_length
    assert ours.file_name == theirs.file_name
    assert len(encrypted()) == len(VECTOR)


def test_the_independent_files_key_and_iv_give_its_own_ciphertext_again() -> None:
    """Our encryption, fed with what the other tool had drawn, comes to the other tool's bytes."""
    file = decode_encrypted_file(VECTOR)
    aes_key = rsa_key(MIC).decrypt(file.encryption.wrapped_key, PKCS1v15())
    ours = decode_encrypted_file(encrypted(iv=file.encryption.iv, aes_key=aes_key))
    assert ours.ciphertext == file.ciphertext
    assert ours.encryption.digest == file.encryption.digest
    assert ours.encryption.padding == file.encryption.padding


def test_the_wrapped_key_is_what_the_library_unwraps() -> None:
    file = decode_encrypted_file(encrypted(aes_key=b"sixteen bytes ok"))
    assert rsa_key(MIC).decrypt(file.encryption.wrapped_key, PKCS1v15()) == b"sixteen bytes ok"


def test_the_same_arguments_give_the_same_bytes() -> None:
    assert encrypted() == encrypted()


def test_another_key_or_iv_or_body_gives_other_bytes() -> None:
    others = {
        encrypted(),
        encrypted(iv=bytes(15) + b"\1"),
        encrypted(aes_key=bytes(16)),
        encrypted(PLAIN + b"\n"),
        encrypted(digest=DigestAlgorithm.SHA1),
    }
    assert len(others) == 5
    wrapped = {decode_encrypted_file(data).encryption.wrapped_key for data in others}
    assert len(wrapped) == 2, "the wrapped key depends on the AES key alone"


@pytest.mark.parametrize("party", ["callmanager.pem", "rogue.pem"])
@pytest.mark.parametrize("data", [VECTOR, encrypted()], ids=["independent", "ours"])
def test_another_key_does_not_decrypt(party: str, data: bytes) -> None:
    with pytest.raises(WireError, match=r"encrypted for another key|wrong key or changed file"):
        decrypt_file(decode_encrypted_file(data), rsa_key(party))


def test_a_key_of_another_size_does_not_decrypt() -> None:
    _, key = recipient_of(1024)
    with pytest.raises(WireError, match=r"^encrypted for a key of 2048 bits; this one has 1024$"):
        decrypt_file(decode_encrypted_file(VECTOR), key)


@pytest.mark.parametrize("position", [0, 400, 815])
def test_a_changed_ciphertext_does_not_decrypt(position: int) -> None:
    file = decode_encrypted_file(VECTOR)
    changed = bytearray(file.ciphertext)
    changed[position] ^= 1
    with pytest.raises(WireError, match="the digest of the plain file is another"):
        decrypt_file(dataclasses.replace(file, ciphertext=bytes(changed)), rsa_key(MIC))


def test_files_are_not_encrypted_for_keys_that_an_aes_key_does_not_fit_into() -> None:
    key = rsa_key_of(0xC969C82B12A6796A48A1, 0xCBE51B89F5A452C2E317)
    with pytest.raises(WireError, match=r"^a key of 160 bits cannot wrap an AES key$"):
        encrypted(recipient=self_signed(key, issuer_key=rsa_key("rogue.pem")))


def test_files_are_not_encrypted_for_ec_keys() -> None:
    with pytest.raises(WireError, match=r"has an EC key; files are encrypted for RSA keys only$"):
        encrypted(recipient=certificate("callmanager-ecdsa.pem"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"aes_key": bytes(32)}, "AES key of 32 bytes, not 16"),
        ({"aes_key": b""}, "AES key of 0 bytes, not 16"),
        ({"iv": bytes(12)}, "IV of 12 bytes, not 16"),
    ],
)
def test_keys_of_other_sizes_are_refused(arguments: dict[str, bytes], message: str) -> None:
    with pytest.raises(WireError, match=f"^{message}$"):
        encrypted(iv=arguments.get("iv", bytes(16)), aes_key=arguments.get("aes_key", bytes(16)))


@pytest.mark.parametrize("length", [0, 1, 15, 17, 831])
def test_ciphertext_that_is_not_whole_blocks_is_refused(length: int) -> None:
    header = VECTOR[:856]
    with pytest.raises(WireError, match=f"^ciphertext of {length} bytes is not whole blocks of 16$"):
        decode_encrypted_file(header + bytes(length))


@pytest.mark.parametrize("version", [(1, 0), (1, 2), (2, 1)])
def test_other_versions_are_no_encrypted_files(version: tuple[int, int]) -> None:
    with pytest.raises(WireError, match=r"^file version {}\.{} is not that of an encrypted file".format(*version)):
        decode_encrypted_file(plain_header(version) + bytes(16))


def test_an_encrypted_file_says_how() -> None:
    with pytest.raises(WireError, match=r"^encrypted file without encryption elements$"):
        decode_encrypted_file(plain_header((2, 0)) + bytes(16))


def test_an_encrypted_file_over_the_limit_is_refused() -> None:
    with pytest.raises(WireError, match=f"^encrypted file of {MAX_FILE_SIZE + 1} bytes is over the limit"):
        decode_encrypted_file(bytes(MAX_FILE_SIZE + 1))


def test_the_certificate_hash_is_md5_in_lower_case() -> None:
    """As the independent tool wrote it into the stub."""
    assert certificate_hash(certificate(MIC)) == "51a7cd950fb026acad7ce034e3a70423"


@moderately
@given(raw_bytes(300), raw_bytes(16, 16), raw_bytes(16, 16), st.sampled_from(DigestAlgorithm))
def test_any_file_is_read_back_as_it_was_encrypted(
    body: bytes, iv: bytes, aes_key: bytes, digest: DigestAlgorithm
) -> None:
    data = encrypted(body, iv=iv, aes_key=aes_key, digest=digest)
    file = decode_encrypted_file(data)
    assert decrypt_file(file, rsa_key(MIC)) == body
    assert encode_encrypted_file(file) == data


@moderately
@given(st.sampled_from([0, 470, 800, 856]).flatmap(lambda first: mutations(VECTOR, first)))
def test_a_damaged_vector_does_not_decrypt_or_is_a_wire_error(data: bytes) -> None:
    """A change of the header alone may leave the body readable; then the signature is what fails."""
    try:
        file = decode_encrypted_file(data)
        plain = decrypt_file(file, rsa_key(MIC))
    except WireError:
        return
    assert isinstance(file, EncryptedFile)
    assert encode_encrypted_file(file) == data
    assert plain == PLAIN
    assert verify_file(data, certificate("callmanager.pem").public_key) is (data == VECTOR)
