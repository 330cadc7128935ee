"""X.509 certificates: their facts, and garbage that pretends to be one."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.material import PARTIES, certificate, certificate_of_length, private_key, self_signed, vector
from tests.wire.strategies import moderately, mutations, raw_bytes, thoroughly
from wire.certificates import MAX_CERTIFICATE_SIZE, Certificate
from wire.digests import DigestAlgorithm, read_digest
from wire.errors import WireError


@pytest.mark.parametrize("party", PARTIES)
def test_a_certificate_is_the_same_from_pem_and_der(party: str) -> None:
    read = certificate(party)
    assert Certificate.from_der(read.der) == read
    assert Certificate.from_pem(read.pem.encode()) == read
    assert len({read, Certificate.from_der(read.der)}) == 1
    assert read != read.der


@pytest.mark.parametrize("party", PARTIES)
def test_the_key_bytes_are_those_that_trust_lists_carry(party: str) -> None:
    """PKCS#1 DER for RSA, the uncompressed point for EC."""
    read = certificate(party)
    if read.is_rsa:
        expected = read.x509.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
        assert len(read.public_key_bytes) == {2048: 270, 4096: 526}[read.public_key.key_size]
    else:
        expected = read.x509.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        assert read.public_key_bytes[0] == 4
    assert read.public_key_bytes == expected
    assert read.public_key == private_key(party).public_key()


@pytest.mark.parametrize(
    ("serial", "written"), [(1, "01"), (0x7F, "7f"), (0x80, "80"), (0xFFFF, "ffff"), (1 << 152, "01" + "00" * 19)]
)
def test_a_serial_number_is_written_without_leading_zeros(serial: int, written: str) -> None:
    read = self_signed(private_key("callmanager-ecdsa.pem"), serial=serial)
    assert read.serial == serial
    assert read.serial_bytes.hex() == written


def test_a_certificate_describes_itself_in_one_line() -> None:
    assert repr(certificate("rogue.pem")) == (
        "<Certificate CN=rogue;O=Evil;OU=Evil serial 558cc54cb0aff0cc29688e979ffc33ad>"
    )


def test_an_oversized_certificate_is_refused_before_it_is_parsed() -> None:
    largest = certificate_of_length(MAX_CERTIFICATE_SIZE)
    assert Certificate.from_der(largest.der) == largest
    with pytest.raises(WireError, match=f"certificate of {MAX_CERTIFICATE_SIZE + 1} bytes is over the limit"):
        certificate_of_length(MAX_CERTIFICATE_SIZE + 1)


def test_a_key_that_trust_lists_have_no_form_for_is_refused() -> None:
    like = certificate("rogue.pem").x509
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ed")])
    der = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, like.not_valid_before_utc, like.not_valid_after_utc)
        .sign(key, None)
        .public_bytes(Encoding.DER)
    )
    with pytest.raises(WireError, match="trust lists know RSA and EC only"):
        Certificate.from_der(der)


def test_every_curve_of_the_guide_is_read() -> None:
    for curve, size in ((ec.SECP256R1(), 65), (ec.SECP384R1(), 97), (ec.SECP521R1(), 133)):
        assert len(self_signed(ec.generate_private_key(curve)).public_key_bytes) == size


def with_validity_from(time: bytes) -> bytes:
    """The rogue certificate with a GeneralizedTime for the begin of its validity."""
    der = certificate("rogue.pem").der
    at = der.index(b"\x17\x0d")
    assert der[at - 2 : at] == b"\x30\x1e"
    changed = der[: at - 1] + b"\x20\x18\x0f" + time + der[at + 15 :]
    for length_at in (2, 6):  # of the certificate, and of what is signed
        length = int.from_bytes(changed[length_at : length_at + 2], "big") + 2
        changed = changed[:length_at] + length.to_bytes(2, "big") + changed[length_at + 2 :]
    return changed


def test_a_validity_that_no_clock_can_show_is_refused_at_once() -> None:
    """Year 0 is valid DER; whoever asked later for the date got a ValueError."""
    assert Certificate.from_der(with_validity_from(b"00010101000000Z")).not_before.year == 1
    with pytest.raises(WireError, match=r"not a readable X\.509 certificate"):
        Certificate.from_der(with_validity_from(b"00000101000000Z"))


@pytest.mark.parametrize(
    "pem", [b"", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", b"\xff\xfe", vector("README.md")]
)
def test_text_without_a_certificate_is_refused(pem: bytes) -> None:
    with pytest.raises(WireError, match="not a "):
        Certificate.from_pem(pem)


def test_a_bundle_holds_its_certificates_in_order() -> None:
    parties = ["rogue.pem", "callmanager-ecdsa.pem", "tvs.pem"]
    bundle = b"# comment\n" + b"".join(certificate(party).pem.encode() + b"# text\n" for party in parties)
    assert Certificate.from_pem_bundle(bundle) == [certificate(party) for party in parties]
    assert Certificate.from_pem_bundle(b"no certificate") == []
    with pytest.raises(WireError, match="not a PEM certificate"):
        Certificate.from_pem_bundle(bundle + b"-----BEGIN CERTIFICATE-----\n")


def test_every_truncation_of_a_certificate_is_refused() -> None:
    for party in ("rogue.pem", "callmanager-ecdsa.pem"):
        der = certificate(party).der
        for length in range(len(der)):
            with pytest.raises(WireError):
                Certificate.from_der(der[:length])


def test_a_certificate_with_a_byte_too_many_is_refused() -> None:
    with pytest.raises(WireError):
        Certificate.from_der(certificate("rogue.pem").der + b"\0")


def facts(read: Certificate) -> tuple[object, ...]:
    dates = (read.not_before.isoformat(), read.not_after.isoformat())
    names = (str(read.subject), str(read.issuer), hash(read.subject), read.subject.common_name)
    keys = (read.public_key, read.is_rsa, read.public_key_bytes, read.signature)
    return (*dates, *names, *keys, read.serial, read.serial_bytes, read.sha1, read.sha256, read.pem, repr(read))


@thoroughly
@given(st.sampled_from(PARTIES).flatmap(lambda party: mutations(certificate(party).der)))
def test_a_damaged_certificate_has_all_its_facts_or_is_a_wire_error(der: bytes) -> None:
    try:
        read = Certificate.from_der(der)
    except WireError:
        return
    assert len(facts(read)) == 16
    assert read.der == der


@moderately
@given(raw_bytes(200))
def test_arbitrary_bytes_are_no_certificate(data: bytes) -> None:
    with pytest.raises(WireError):
        Certificate.from_der(data)
    with pytest.raises(WireError):
        Certificate.from_pem(data)


@pytest.mark.parametrize(("code", "size"), [(1, 20), (2, 32), (3, 64)])
def test_digests_have_their_sizes(code: int, size: int) -> None:
    digest = read_digest("x", code)
    assert digest.size == size
    assert len(digest.digest(b"abc")) == size
    assert digest.hash.digest_size == size


@pytest.mark.parametrize("code", [0, 4, 255])
def test_an_unknown_digest_is_refused(code: int) -> None:
    with pytest.raises(WireError, match=f"x: digest algorithm {code} is not known"):
        read_digest("x", code)


def test_digests_are_the_standard_ones() -> None:
    """FIPS 180-4's example `abc`."""
    assert DigestAlgorithm.SHA1.digest(b"abc").hex() == "a9993e364706816aba3e25717850c26c9cd0d89d"
    assert DigestAlgorithm.SHA512.digest(b"abc").hex().startswith("ddaf35a193617abacc417349ae204131")
