"""Vectors, keys, certificates, and a writer of elements that owes nothing to the code under test."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from wire.certificates import Certificate, PrivateKey
from wire.signing import SigningKey

VECTORS = Path(__file__).parents[1] / "vectors"

TRUST_LISTS = {
    "ITLFile.tlv": "itlrecovery.pem",
    "v11/ITLFile.tlv": "itlrecovery.pem",
    "CTLFile.tlv": "callmanager.pem",
    "rogue/ITLFile.tlv": "rogue.pem",
}
"""Vector -> who signed it."""
SIGNED_FILES = {
    "SEP001122334455.cnf.xml.sgn": "callmanager.pem",
    "sha512/SEP001122334455.cnf.xml.sgn": "callmanager.pem",
    "enc/SEP001122334455.cnf.xml.sgn": "callmanager.pem",
}
ENCRYPTED_FILES = {"enc/SEP001122334455.cnf.xml.enc.sgn": "callmanager.pem"}
SIGNERS = TRUST_LISTS | SIGNED_FILES | ENCRYPTED_FILES
PARTIES = sorted(path.name for path in VECTORS.glob("*.pem"))
TIMESTAMP = 1_425_675_367


def vector(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


@cache
def certificate(name: str) -> Certificate:
    return Certificate.from_pem(vector(name))


@cache
def private_key(name: str) -> PrivateKey:
    key = load_pem_private_key(vector(name), None)
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return key


def rsa_key(name: str) -> rsa.RSAPrivateKey:
    key = private_key(name)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@cache
def signing_key(name: str) -> SigningKey:
    return SigningKey.of(certificate(name), private_key(name))


def self_signed(
    key: PrivateKey, *, padding: int = 0, serial: int = 0x4711, issuer_key: PrivateKey | None = None
) -> Certificate:
    """A certificate, larger by `padding` bytes and some for an extension that nobody knows."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
    )
    if padding:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(padding))
        builder = builder.add_extension(unknown, critical=False)
    return Certificate.from_der(builder.sign(issuer_key or key, hashes.SHA256()).public_bytes(Encoding.DER))


def rsa_key_of(p: int, q: int) -> rsa.RSAPrivateKey:
    """A key of given primes: the library makes none of under 1,024 bits."""
    d = pow(65_537, -1, (p - 1) * (q - 1))
    crt = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *crt, rsa.RSAPublicNumbers(65_537, p * q)).private_key()


def certificate_of_length(length: int) -> Certificate:
    """A certificate of exactly so many bytes, 1,200 at least; RSA signatures all have the same length."""
    key = rsa_key("rogue.pem")
    least = self_signed(key, padding=300)
    exact = self_signed(key, padding=300 + length - len(least.der))
    assert len(exact.der) == length
    return exact


def tlv(tag: int, value: bytes) -> bytes:
    return bytes((tag,)) + len(value).to_bytes(2, "big") + value


def nul(text: str) -> bytes:
    return text.encode() + b"\0"


SIGNER_ID = tlv(4, nul("CN=a")) + tlv(5, b"\x11") + tlv(6, nul("CN=b"))
SIGNATURE_INFO = tlv(8, b"\x01") + tlv(9, tlv(10, b"\0") + tlv(11, b"\x01"))
HEADER_ELEMENTS = {
    3: SIGNER_ID,
    7: SIGNATURE_INFO,
    12: bytes(128),
    14: nul("ITLFile.tlv"),
    15: bytes(4),
}
"""A whole header, unsigned: tag -> value, in UCM's order."""
RECORD_ELEMENTS = {
    2: nul("pub"),
    3: nul("CN=pub"),
    4: b"\0\2",
    5: nul("CN=ca"),
    6: b"\x22",
    7: b"key",
    8: b"signature",
    9: b"certificate",
    10: bytes(4),
    11: bytes(20),
    12: b"\1",
}
"""A whole record: tag -> value, in UCM's order. What is in it is of the right types and otherwise nonsense."""


def header_of(*elements: bytes, version: tuple[int, int] = (1, 2), longer: int = 0) -> bytes:
    """A header of elements that are already written; `longer` is what its HEADERLENGTH says too much."""
    rest = b"".join(elements)
    return tlv(1, bytes(version)) + tlv(2, (10 + len(rest) + longer).to_bytes(2, "big")) + rest


def plain_header(version: tuple[int, int] = (1, 2)) -> bytes:
    return header_of(*(tlv(tag, value) for tag, value in HEADER_ELEMENTS.items()), version=version)


def record_of(*elements: bytes, longer: int = 0) -> bytes:
    rest = b"".join(elements)
    return tlv(1, (5 + len(rest) + longer).to_bytes(2, "big")) + rest


def plain_record() -> bytes:
    return record_of(*(tlv(tag, value) for tag, value in RECORD_ELEMENTS.items()))
