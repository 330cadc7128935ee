"""Certificates as operators bring them: every format that openssl writes, and everything that is none."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.management.uploads import MAX_UPLOAD, read_upload
from tests.cluster.material import stranger
from tests.openssl_ca import openssl
from wire.errors import Refusal

if TYPE_CHECKING:
    from tests.openssl_ca import OpensslCa

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning", "ignore:Attribute")
VECTORS = Path(__file__).parents[1] / "vectors"
TOMCAT = (VECTORS / "tomcat.pem").read_bytes()


def refusal(data: bytes, code: int = 400) -> str:
    with pytest.raises(Refusal) as caught:
        read_upload(data)
    assert caught.value.code == code
    return str(caught.value)


def is_read_or_refused(data: bytes) -> bool:
    try:
        return bool(read_upload(data))
    except Refusal as refused:
        return refused.code == 400


def pkcs7(*certificates: Path, form: str) -> bytes:
    options = [option for path in certificates for option in ("-certfile", path)]
    return openssl("crl2pkcs7", "-nocrl", *options, "-outform", form)


def test_pem_with_whatever_stands_around_it(authority: OpensslCa) -> None:
    text = b"Bag Attributes\r\n\r\n" + authority.chain_pem.replace(b"\n", b"\r\n") + b"\nthe end"
    assert tuple(read_upload(text)) == authority.chain


def test_der(authority: OpensslCa) -> None:
    assert read_upload(authority.certificate.der) == [authority.certificate]


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_pkcs7_made_by_openssl(form: str, authority: OpensslCa) -> None:
    assert authority.above is not None
    files = [authority.folder / "ca.pem", authority.above.folder / "ca.pem"]
    assert set(read_upload(pkcs7(*files, form=form))) == set(authority.chain)


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_pkcs7_without_certificates(form: str) -> None:
    assert "the upload" in refusal(pkcs7(form=form))


def test_a_key_beside_the_certificate_is_left_alone() -> None:
    """The vectors hold a key and a certificate each."""
    assert b"PRIVATE KEY" in TOMCAT
    (certificate,) = read_upload(TOMCAT)
    assert "PRIVATE" not in certificate.pem


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n",
        b"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n",
        b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        b"0\x00",
        b"0\x80" * 50_000,
        bytes(MAX_UPLOAD),
    ],
)
def test_what_is_no_certificate(data: bytes) -> None:
    assert refusal(data).startswith("the upload is no certificate in PEM, DER or PKCS#7: ")


def test_one_bad_certificate_spoils_the_upload(authority: OpensslCa) -> None:
    assert "no certificate" in refusal(
        authority.pem + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )


def test_a_key_that_no_phone_knows(tmp_path: Path) -> None:
    """Ed25519 is beyond trust lists."""
    key = tmp_path / "key.pem"
    openssl("genpkey", "-algorithm", "ed25519", "-out", key)
    assert "trust lists know RSA and EC only" in refusal(openssl("req", "-x509", "-key", key, "-subj", "/CN=ed"))


def test_ten_megabytes_are_refused_unread() -> None:
    assert refusal(bytes(10_000_000), code=413) == f"an upload of 10000000 bytes is over the limit of {MAX_UPLOAD}"
    assert "over the limit" in refusal(bytes(MAX_UPLOAD + 1), code=413)


def test_too_many_certificates() -> None:
    pem = stranger().pem.encode()
    assert len(read_upload(pem * 64)) == 64
    assert refusal(pem * 65) == "an upload of 65 certificates is over the limit of 64"


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    for upload in (data, b"-----BEGIN CERTIFICATE-----" + data, b"-----BEGIN PKCS7-----" + data):
        assert is_read_or_refused(upload)


def test_every_damage_to_a_pkcs7_file_is_refused_or_read(authority: OpensslCa) -> None:
    whole = pkcs7(authority.folder / "ca.pem", form="DER")
    chance = random.Random(7)
    for _ in range(2_000):
        damaged = bytearray(whole[: chance.randrange(len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(min(len(damaged), chance.randrange(4))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        assert is_read_or_refused(bytes(damaged))
