"""TLS contexts of both ends, shaken hands in memory: which certificate is shown, which versions, and where keys go."""

from __future__ import annotations

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from base.identity import Identity
from base.tls import client_context, server_context
from wire.certificates import Certificate, PrivateKey

TLS1, TLS11, TLS12, TLS13 = (
    ssl.TLSVersion.TLSv1,
    ssl.TLSVersion.TLSv1_1,
    ssl.TLSVersion.TLSv1_2,
    ssl.TLSVersion.TLSv1_3,
)


def issue(name: str, key: PrivateKey, issuer: str = "", issuer_key: PrivateKey | None = None) -> Certificate:
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer or name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=3_650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(issuer_key or key, hashes.SHA256())
    )
    return Certificate.from_der(made.public_bytes(Encoding.DER))


@cache
def rsa_identity() -> Identity:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return Identity(issue("rsa", key), key)


@cache
def ec_identity() -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    return Identity(issue("ec", key), key)


@cache
def chained_identity() -> Identity:
    root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    return Identity(issue("leaf", key, "root", root), key, (issue("root", root),))


def shaken(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends after the handshake."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    waiting = set(ends)
    for _ in range(20):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.discard(end)
            except ssl.SSLWantReadError:
                continue
        if not waiting:
            return ends
    raise AssertionError("the handshake does not end")


def shown(client: ssl.SSLContext, server: ssl.SSLContext) -> str:
    """Common name of the certificate that the server showed."""
    der = shaken(client, server)[0].getpeercert(binary_form=True)
    assert der is not None
    return Certificate.from_der(der).subject.common_name


@pytest.fixture(autouse=True)
def old_versions_are_wanted() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.mark.parametrize(
    ("ciphers", "name"),
    [("ECDHE-ECDSA-AES256-GCM-SHA384", "ec"), ("ECDHE-RSA-AES256-GCM-SHA384", "rsa"), ("AES256-GCM-SHA384", "rsa")],
)
def test_the_client_s_suites_decide_which_certificate_it_sees(ciphers: str, name: str) -> None:
    """R-DL-1: one listener, an RSA and an EC certificate."""
    server = server_context([rsa_identity(), ec_identity()], ciphers="DEFAULT")
    assert shown(client_context(maximum=TLS12, ciphers=ciphers), server) == name


def test_a_client_takes_any_server_and_checks_no_name() -> None:
    """Judging comes after the handshake, with a clock and a reason."""
    assert shown(client_context(), server_context([rsa_identity()])) == "rsa"


def test_a_chain_is_sent_with_its_certificate() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=chained_identity().chain[0].pem)
    client, _ = shaken(context, server_context([chained_identity()]))
    assert client.version() == "TLSv1.3"


def test_a_client_shows_its_certificate_when_it_is_asked() -> None:
    """R-DL-2."""
    server = server_context([rsa_identity()])
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cadata=ec_identity().certificate.pem)
    _, end = shaken(client_context(ec_identity()), server)
    assert end.getpeercert(binary_form=True) == ec_identity().certificate.der


@pytest.mark.parametrize(
    ("server_minimum", "client_range", "version"),
    [
        (TLS12, (TLS12, TLS13), "TLSv1.3"),
        (TLS12, (TLS12, TLS12), "TLSv1.2"),
        (TLS1, (TLS1, TLS1), "TLSv1"),
        (TLS1, (TLS11, TLS11), "TLSv1.1"),
        (TLS1, (TLS12, TLS12), "TLSv1.2"),
        (TLS12, (TLS1, TLS1), None),
        (TLS12, (TLS1, TLS11), None),
        (TLS13, (TLS12, TLS12), None),
    ],
)
def test_versions_are_those_that_both_ends_take(
    server_minimum: ssl.TLSVersion, client_range: tuple[ssl.TLSVersion, ssl.TLSVersion], version: str | None
) -> None:
    """Phones of the 7900 series know TLS 1.0 and no more."""
    server = server_context([rsa_identity()], minimum=server_minimum)
    client = client_context(minimum=client_range[0], maximum=client_range[1])
    if version is None:
        with pytest.raises(ssl.SSLError):
            shaken(client, server)
    else:
        assert shaken(client, server)[0].version() == version


@cache
def weak_identity(kind: str) -> Identity:
    if kind == "short key":
        key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - what is tested
        return Identity(issue("weak", key), key)
    return Identity(certificate_signed_with_sha1(rsa_identity()), rsa_identity().private_key)


def certificate_signed_with_sha1(identity: Identity) -> Certificate:
    """The same with its signature made anew: the library signs no certificate with SHA-1 by itself."""
    key = identity.private_key
    assert isinstance(key, rsa.RSAPrivateKey)
    sha256, sha1 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    body = identity.certificate.x509.tbs_certificate_bytes.replace(sha256, sha1)
    signature = key.sign(body, PKCS1v15(), hashes.SHA1())  # noqa: S303 - what is tested
    algorithm = bytes.fromhex("300d06092a864886f70d0101050500")
    content = body + algorithm + b"\x03\x82" + (len(signature) + 1).to_bytes(2, "big") + b"\0" + signature
    return Certificate.from_der(b"\x30\x82" + len(content).to_bytes(2, "big") + content)


@pytest.mark.parametrize("kind", ["short key", "SHA-1 signature"])
@pytest.mark.parametrize("level", [1, 2])
def test_a_certificate_that_is_weak_by_today_s_measure_is_shown_and_taken_all_the_same(kind: str, level: int) -> None:
    """UCM 8.6 made RSA keys of 1024 bits, and phones have such certificates."""
    identity = weak_identity(kind)
    server = server_context([identity], ciphers=f"DEFAULT:@SECLEVEL={level}")
    assert (
        shown(client_context(ciphers=f"DEFAULT:@SECLEVEL={level}"), server) == identity.certificate.subject.common_name
    )
    shaken(client_context(identity, ciphers=f"DEFAULT:@SECLEVEL={level}"), server)


def test_a_strong_certificate_keeps_the_library_s_own_level() -> None:
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).security_level
    assert server_context([rsa_identity(), chained_identity()]).security_level == own
    assert client_context(ec_identity()).security_level == own


def test_unknown_ciphers_are_refused_when_the_context_is_made() -> None:
    with pytest.raises(ssl.SSLError):
        server_context([rsa_identity()], ciphers="NO-SUCH-SUITE")


def test_a_key_passes_no_file_and_leaves_no_descriptor_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(3):
        server_context([rsa_identity(), ec_identity()])
    assert len(list(descriptors.iterdir())) == before
    assert list(tmp_path.iterdir()) == []


def test_an_identity_shows_no_key() -> None:
    text = repr(rsa_identity())
    numbers = rsa_identity().private_key.private_numbers()
    assert isinstance(numbers, rsa.RSAPrivateNumbers)
    assert "PRIVATE" not in text
    assert str(numbers.d) not in text
