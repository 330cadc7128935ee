"""Which signatures count: a leaf, its CAs, and each reason for which a chain is refused (R-CRT-4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from cluster.issuing import default_spec, request
from cluster.management.chain import MAX_PATH, build_chain, check_validity, extension, is_self_signed, signed_by
from cluster.purposes import Purpose
from tests.cluster.material import definition, stranger
from tests.openssl_ca import OpensslCa
from wire.certificates import Certificate
from wire.errors import Refusal

VECTORS = Path(__file__).parents[1] / "vectors"
NOW = datetime.now(UTC)
CLUSTER = definition()
CSR, KEY = request(CLUSTER, default_spec(CLUSTER, CLUSTER.publisher, Purpose.TOMCAT_ECDSA, key_length=2048))
ISSUING = "/CN=Issuing/O=Example"


def rsa_key() -> rsa.RSAPrivateKey:
    key = load_pem_private_key((VECTORS / "callmanager.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def refusal(leaf: Certificate, *trusted: Certificate, now: datetime = NOW) -> str:
    with pytest.raises(Refusal) as caught:
        build_chain(leaf, trusted, now)
    assert caught.value.code == 400
    return str(caught.value)


# ---------------------------------------------------------------- good chains


def test_a_chain_goes_from_the_nearest_ca_to_the_root_whatever_the_stores_order(authority: OpensslCa) -> None:
    leaf = authority.sign(CSR)
    for trusted in (authority.chain, authority.chain[::-1]):
        assert build_chain(leaf, [stranger(), *trusted, stranger()], NOW) == authority.chain
    assert authority.trusts(leaf), "openssl thinks so, too"


def test_a_root_may_sign_at_once(authority: OpensslCa) -> None:
    root = authority.above
    assert root is not None
    assert build_chain(root.sign(CSR), root.chain, NOW) == root.chain


def test_a_self_signed_certificate_has_no_chain(authority: OpensslCa) -> None:
    assert build_chain(authority.chain[-1], [], NOW) == ()


@pytest.mark.parametrize(("key", "digest"), [("rsa:2048", "sha256"), ("rsa:2048", "sha1"), ("ec", "sha512")])
def test_algorithms_that_count(key: str, digest: str, tmp_path: Path) -> None:
    """SHA-1 is old, not wrong: UCM's age has CAs that use it."""
    ca = OpensslCa.make(tmp_path / "ca", key=key, digest=digest)
    assert build_chain(ca.sign(CSR, digest=digest), ca.chain, NOW) == ca.chain


def test_a_ca_that_was_renewed_with_its_key_is_found_beside_the_expired_one(tmp_path: Path) -> None:
    root = OpensslCa.make(tmp_path / "root")
    old = OpensslCa.make(tmp_path / "old", ISSUING, under=root, end=NOW - timedelta(hours=1), begin=NOW - timedelta(2))
    new = root.sign((old.folder / "ca.csr").read_bytes(), extensions="basicConstraints = CA:TRUE")
    leaf = old.sign(CSR)
    assert build_chain(leaf, [old.certificate, new, root.certificate], NOW) == (new, root.certificate)


# ---------------------------------------------------------------- refusals, each with its reason


def test_no_ca_in_the_store(authority: OpensslCa) -> None:
    """UCM's words."""
    leaf = authority.sign(CSR)
    reason = "CA certificate is not available in the trust-store: CN=Example Issuing CA;O=Example"
    assert refusal(leaf) == reason
    assert refusal(leaf, stranger(), leaf, authority.chain[-1]) == reason


def test_an_intermediate_without_its_root(authority: OpensslCa) -> None:
    leaf = authority.sign(CSR)
    assert refusal(leaf, authority.certificate) == (
        "CA certificate is not available in the trust-store: CN=Example Root CA;O=Example"
    )


def test_another_ca_of_the_same_name(authority: OpensslCa, tmp_path: Path) -> None:
    impostor = OpensslCa.make(tmp_path / "impostor", "/CN=Example Issuing CA/O=Example")
    assert refusal(impostor.sign(CSR), *authority.chain).endswith(
        "does not verify with its CA CN=Example Issuing CA;O=Example"
    )


@pytest.mark.parametrize(
    ("authority_extensions", "reason"),
    [
        ("basicConstraints = CA:FALSE", "CN=Issuing;O=Example is no CA: its certificate may not sign others"),
        ("nsComment = none", "CN=Issuing;O=Example is no CA"),
        (
            "basicConstraints = CA:TRUE\nkeyUsage = digitalSignature",
            "the key usage of CN=Issuing;O=Example does not allow it to sign certificates",
        ),
    ],
)
def test_a_ca_that_is_none(authority_extensions: str, reason: str, tmp_path: Path) -> None:
    root = OpensslCa.make(tmp_path / "root")
    ca = OpensslCa.make(tmp_path / "ca", ISSUING, under=root, authority=authority_extensions)
    leaf = ca.sign(CSR)
    assert reason in refusal(leaf, *ca.chain)
    assert not ca.trusts(leaf), "openssl thinks so, too"


def test_more_cas_than_the_root_allows(tmp_path: Path) -> None:
    strict = "basicConstraints = critical, CA:TRUE, pathlen:0\nkeyUsage = keyCertSign"
    root = OpensslCa.make(tmp_path / "root", authority=strict)
    ca = OpensslCa.make(tmp_path / "ca", ISSUING, under=root)
    leaf = ca.sign(CSR)
    assert refusal(leaf, *ca.chain) == "CN=Example Root CA;O=Example allows 0 CA(s) below itself, not 1"
    assert not ca.trusts(leaf)
    assert build_chain(root.sign(CSR), root.chain, NOW) == root.chain


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (datetime(2031, 1, 2, tzinfo=UTC), "certificate CN=Issuing;O=Example expired on 2031-01-01 00:00 UTC"),
        (datetime(2029, 12, 31, tzinfo=UTC), "certificate CN=Issuing;O=Example is not valid before 2030-01-01 00:00"),
    ],
)
def test_a_ca_outside_its_validity_by_the_clusters_clock(now: datetime, reason: str, tmp_path: Path) -> None:
    begin, end = datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    root = OpensslCa.make(
        tmp_path / "root", begin=datetime(2020, 1, 1, tzinfo=UTC), end=datetime(2040, 1, 1, tzinfo=UTC)
    )
    ca = OpensslCa.make(tmp_path / "ca", ISSUING, under=root, begin=begin, end=end)
    leaf = ca.sign(CSR, begin=begin, end=end)
    assert reason in refusal(leaf, *ca.chain, now=now)
    assert build_chain(leaf, ca.chain, datetime(2030, 6, 1, tzinfo=UTC)) == ca.chain


def test_cas_that_sign_each_other_lead_nowhere(tmp_path: Path) -> None:
    one, other = OpensslCa.make(tmp_path / "one", "/CN=One"), OpensslCa.make(tmp_path / "other", "/CN=Other")
    ca = "basicConstraints = CA:TRUE"
    one_by_other = other.sign((one.folder / "ca.csr").read_bytes(), extensions=ca)
    other_by_one = one.sign((other.folder / "ca.csr").read_bytes(), extensions=ca)
    leaf = one.sign(CSR)
    assert f"is longer than {MAX_PATH} certificates" in refusal(leaf, one_by_other, other_by_one)


def test_a_pss_signature_does_not_count() -> None:
    """Phones of the field read PKCS #1 v1.5 only (ours)."""
    key, name = rsa_key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pss")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
    )
    pss = builder.sign(key, hashes.SHA256(), rsa_padding=padding.PSS(padding.MGF1(hashes.SHA256()), 32))
    certificate = Certificate.from_der(pss.public_bytes(Encoding.DER))
    assert not signed_by(certificate, certificate)
    assert not is_self_signed(certificate)


# ---------------------------------------------------------------- single certificates


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(-1, "is not valid before 2024-01-01 00:00 UTC"), (1825 * 86_400 + 1, "expired on 2028-12-30 00:00 UTC")],
)
def test_validity_begins_and_ends_to_the_second(seconds: int, reason: str) -> None:
    certificate = stranger()
    begin = certificate.not_before
    for inside in (begin, certificate.not_after):
        check_validity(certificate, inside)
    with pytest.raises(Refusal, match=reason):
        check_validity(certificate, begin + timedelta(seconds=seconds))


def test_extensions_that_cannot_be_read_are_refused_not_raised(authority: OpensslCa) -> None:
    """A certificate with the same extension twice is readable DER."""
    key_usage, key_identifier = b"\x06\x03\x55\x1d\x0f", b"\x06\x03\x55\x1d\x0e"
    der = authority.certificate.der
    assert key_usage in der
    doubled = Certificate.from_der(der.replace(key_usage, key_identifier))
    with pytest.raises(Refusal, match="the extensions of CN=Example Issuing CA;O=Example cannot be read"):
        extension(doubled, x509.BasicConstraints)
    assert extension(authority.certificate, x509.SubjectAlternativeName) is None
