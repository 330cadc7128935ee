"""What an operator may ask of a certificate, and what UCM chooses when nothing is asked (R-CRT-2, R-CRT-3, R-CRT-4)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import immutables
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cluster.issuing import CertificateSpec, request, self_sign
from cluster.management.fields import CertificateFields, owner_of, settle
from cluster.parameters import FIPS_MODE
from cluster.purposes import PURPOSES, Purpose
from cluster.snapshot import ClusterSnapshot
from tests.cluster.material import WHEN, changed, definition
from tests.openssl_ca import openssl
from wire.errors import Refusal

RSA_PURPOSES = [purpose for purpose, facts in PURPOSES.items() if not facts.elliptic]
EC_PURPOSES = [purpose for purpose, facts in PURPOSES.items() if facts.elliptic]
MULTI_SERVER = [purpose for purpose, facts in PURPOSES.items() if facts.multi_server]
PUB = "n0"


def snapshot(
    release: str = "12.5", *, fips: bool = False, count: int = 2, domain: str = "lab.example"
) -> ClusterSnapshot:
    return ClusterSnapshot(
        revision=1,
        changed_at=WHEN,
        configured=1,
        configured_at=WHEN,
        definition=definition(count, release=release, domain=domain),
        overrides={FIPS_MODE: str(fips)},
        own={},
        trusted=immutables.Map(),
        by_issuer_serial=immutables.Map(),
        stamps={},
    )


def settled(
    purpose: Purpose, state: ClusterSnapshot | None = None, *, for_request: bool = False, **wishes: Any
) -> CertificateSpec:
    fields = CertificateFields(**wishes)
    return settle(state or snapshot(), PUB, purpose, fields, for_request=for_request)


def refusal(purpose: Purpose, state: ClusterSnapshot | None = None, *, for_request: bool = False, **wishes: Any) -> str:
    with pytest.raises(Refusal) as caught:
        settled(purpose, state, for_request=for_request, **wishes)
    assert caught.value.code == 400
    return str(caught.value)


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("purpose", "asked", "length", "digest"),
    [
        (Purpose.TOMCAT, {}, 2048, "SHA256"),
        (Purpose.TOMCAT, {"key_length": 1024}, 1024, "SHA256"),
        (Purpose.TOMCAT, {"key_length": 3072}, 3072, "SHA256"),
        (Purpose.TOMCAT, {"key_length": 4096, "digest": "sha512"}, 4096, "SHA512"),
        (Purpose.CALLMANAGER, {"key_length": 4096}, 4096, "SHA256"),
        (Purpose.ITL_RECOVERY, {"key_length": 4096, "digest": "SHA-384"}, 4096, "SHA384"),
        (Purpose.TOMCAT_ECDSA, {}, 384, "SHA384"),
        (Purpose.TOMCAT_ECDSA, {"key_length": 256}, 256, "SHA256"),
        (Purpose.TOMCAT_ECDSA, {"key_length": 256, "digest": "SHA512"}, 256, "SHA512"),
        (Purpose.CALLMANAGER_ECDSA, {"key_length": 384, "digest": "SHA512"}, 384, "SHA512"),
        (Purpose.CALLMANAGER_ECDSA, {"key_length": 521}, 521, "SHA512"),
    ],
)
def test_possible_keys_and_hashes(purpose: Purpose, asked: dict[str, Any], length: int, digest: str) -> None:
    spec = settled(purpose, **asked)
    assert (spec.key_length, spec.digest) == (length, digest)


@pytest.mark.parametrize(
    ("purpose", "asked", "reason"),
    [
        (Purpose.TOMCAT, {"key_length": 512}, "key length 512 is not possible for tomcat; possible: 1024, 2048, 3072"),
        (Purpose.TOMCAT, {"key_length": 384}, "key length 384 is not possible"),
        (Purpose.TOMCAT, {"key_length": 0}, "key length 0 is not possible"),
        (Purpose.TOMCAT_ECDSA, {"key_length": 2048}, "possible: 256, 384, 521"),
        (Purpose.TOMCAT, {"digest": "SHA1"}, "hash algorithm SHA1 is not possible; possible: SHA256, SHA384, SHA512"),
        (Purpose.TOMCAT, {"digest": "md5"}, "hash algorithm MD5 is not possible"),
        (Purpose.TOMCAT_ECDSA, {"digest": "SHA256"}, "SHA256 is weaker than an EC key of 384 bits"),
        (Purpose.TOMCAT_ECDSA, {"key_length": 384, "digest": "sha-256"}, "SHA256 is weaker than an EC key of 384"),
        (Purpose.TOMCAT_ECDSA, {"key_length": 521, "digest": "SHA384"}, "SHA384 is weaker than an EC key of 521 bits"),
        (Purpose.CALLMANAGER, {"key_length": 3072}, "signs files for phones, which have no code for 3072-bit keys"),
        (Purpose.ITL_RECOVERY, {"key_length": 3072}, "signs files for phones"),
        (Purpose.TOMCAT, {"key_type": "ec"}, "tomcat certificates have RSA keys, not ec"),
        (Purpose.TOMCAT_ECDSA, {"key_type": "RSA"}, "tomcat-ECDSA certificates have EC keys, not RSA"),
        (Purpose.TOMCAT, {"key_type": "dsa"}, "tomcat certificates have RSA keys, not dsa"),
    ],
)
def test_impossible_keys_and_hashes(purpose: Purpose, asked: dict[str, Any], reason: str) -> None:
    assert reason in refusal(purpose, **asked)


@pytest.mark.parametrize("purpose", RSA_PURPOSES)
def test_the_key_type_of_a_purpose_may_be_named(purpose: Purpose) -> None:
    assert settled(purpose, key_type="RSA").key_length == settled(purpose, key_type="rsa").key_length == 2048


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"digest": "SHA384"}, "in FIPS mode RSA certificates are signed with SHA256, not SHA384"),
        ({"digest": "SHA512", "key_length": 4096}, "in FIPS mode RSA certificates are signed with SHA256, not SHA512"),
        ({"key_length": 1024}, "in FIPS mode RSA keys have 2048 bits or more, not 1024"),
    ],
)
def test_fips_mode_forbids(asked: dict[str, Any], reason: str) -> None:
    assert reason in refusal(Purpose.TOMCAT, snapshot(fips=True), **asked)


def test_fips_mode_leaves_ec_certificates_as_they_are() -> None:
    spec = settled(Purpose.TOMCAT_ECDSA, snapshot(fips=True), key_length=521)
    assert (spec.key_length, spec.digest) == (521, "SHA512")


@pytest.mark.parametrize(("fips", "length"), [(False, 1024), (True, 2048)])
def test_what_an_old_release_chooses_itself_is_possible_in_fips_mode(*, fips: bool, length: int) -> None:
    assert settled(Purpose.TOMCAT, snapshot("8.6", fips=fips)).key_length == length


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("purpose", "common_name"),
    [
        (Purpose.CALLMANAGER, "n0"),
        (Purpose.CALLMANAGER_ECDSA, "n0-EC"),
        (Purpose.TVS, "n0"),
        (Purpose.TOMCAT, "n0"),
        (Purpose.TOMCAT_ECDSA, "n0-EC"),
        (Purpose.IPSEC, "n0"),
        (Purpose.ITL_RECOVERY, "ITLRECOVERY_n0"),
    ],
)
def test_names_that_ucm_chooses(purpose: Purpose, common_name: str) -> None:
    """R-CRT-3: an EC certificate has the host's full name as alternative name, not as common name."""
    spec = settled(purpose)
    assert (spec.common_name, spec.dns_names) == (common_name, ("n0.lab.example",))


def test_each_new_capf_certificate_has_a_name_of_its_own() -> None:
    names = {settled(Purpose.CAPF).common_name for _ in range(20)}
    assert len(names) == 20
    assert all(re.fullmatch(r"CAPF-[0-9a-f]{8}", name) for name in names)


@pytest.mark.parametrize("name", ["n0", "N0", "n0.lab.example", "N0.LAB.Example"])
@pytest.mark.parametrize("purpose", EC_PURPOSES)
def test_an_ec_certificate_may_not_be_called_like_its_host(purpose: Purpose, name: str) -> None:
    """R-CRT-3."""
    assert refusal(purpose, common_name=name) == ("an EC certificate needs a common name other than the host name n0")
    assert settled(Purpose.TOMCAT, common_name=name).common_name == name


@pytest.mark.parametrize("name", ["*.lab.example", "a b", "ü", "x" * 65, "a/b", "a\n", "a;CN=b", "\x00"])
def test_impossible_common_names(name: str) -> None:
    assert "1 to 64 letters, digits, hyphens and dots" in refusal(Purpose.TOMCAT, common_name=name)


@pytest.mark.parametrize("name", ["*.lab.example", "", "a..b", "-a", ".", "a.", "ü.example", "a b", "x" * 64, "a\n"])
def test_impossible_alternative_names(name: str) -> None:
    """No wildcards."""
    assert "is no DNS name; wildcards are not possible" in refusal(Purpose.TOMCAT, alt_names=("ok.example", name))


def test_alternative_names_come_beside_the_hosts_own_and_once() -> None:
    spec = settled(Purpose.TOMCAT, alt_names=("uc.example", "n0.lab.example", "uc.example", "lab.example"))
    assert spec.dns_names == ("n0.lab.example", "uc.example", "lab.example")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([f"a{number}.example" for number in range(100)], "101 alternative names are more than 100"),
        ([f"a{number}.{'x' * 60}.{'y' * 60}.example" for number in range(80)], "have more than 8192 characters"),
    ],
)
def test_alternative_names_are_bounded(names: list[str], reason: str) -> None:
    assert reason in refusal(Purpose.TOMCAT, alt_names=tuple(names))


def test_as_many_names_as_are_allowed_give_a_certificate_that_everybody_reads() -> None:
    names = tuple(f"a{number}.{'x' * 60}.example" for number in range(99))
    state = snapshot()
    spec = settled(Purpose.TOMCAT_ECDSA, state, alt_names=names)
    assert len(self_sign(state.definition, spec, WHEN).certificate.der) < 16_384


# ---------------------------------------------------------------- one certificate for every node


@pytest.mark.parametrize("purpose", MULTI_SERVER)
@pytest.mark.parametrize(("domain", "suffix"), [("lab.example", ".lab.example"), ("", "")])
def test_multi_server_names(purpose: Purpose, domain: str, suffix: str) -> None:
    """R-CRT-4: ``<host>-ms.<domain>``, ``<host>-EC-ms.<domain>``; every node is an alternative name."""
    spec = settled(purpose, snapshot(count=3, domain=domain), for_request=True, multi_server=True, alt_names=("uc.x",))
    host = "n0-EC-ms" if PURPOSES[purpose].elliptic else "n0-ms"
    assert spec.common_name == f"{host}{suffix}"
    assert spec.dns_names == (f"n0{suffix}", f"n1{suffix}", f"n2{suffix}", "uc.x")


def test_a_long_domain_does_not_make_multi_server_impossible() -> None:
    state = snapshot(domain=".".join(["department"] * 8))
    assert len(settled(Purpose.TOMCAT, state, for_request=True, multi_server=True).common_name) == 64


@pytest.mark.parametrize("purpose", [purpose for purpose in PURPOSES if purpose not in MULTI_SERVER])
def test_some_purposes_have_no_multi_server_certificates(purpose: Purpose) -> None:
    assert "certificates cannot be multi-server" in refusal(purpose, for_request=True, multi_server=True)


def test_a_multi_server_certificate_is_never_self_signed() -> None:
    assert "make a signing request" in refusal(Purpose.TOMCAT, multi_server=True)


# ---------------------------------------------------------------- whose


@pytest.mark.parametrize(
    ("node", "purpose", "release", "reason"),
    [
        ("n9", Purpose.TOMCAT, "12.5", "there is no node 'n9' in cluster alpha"),
        ("n1", Purpose.CAPF, "12.5", "CAPF is managed on the publisher, n0"),
        ("n1", Purpose.ITL_RECOVERY, "12.5", "ITLRecovery is managed on the publisher, n0"),
        ("n0", Purpose.ITL_RECOVERY, "8.6", "release 8.6 has no ITLRecovery certificate"),
        ("n0", Purpose.TOMCAT_ECDSA, "10.5", "release 10.5 has no tomcat-ECDSA certificate"),
    ],
)
def test_certificates_that_are_not_there(node: str, purpose: Purpose, release: str, reason: str) -> None:
    with pytest.raises(Refusal, match=reason) as caught:
        owner_of(snapshot(release), node, purpose)
    assert caught.value.code == 404


def test_a_node_is_found_in_any_case() -> None:
    assert owner_of(snapshot(), "N1", Purpose.TOMCAT).name == "n1"


# ---------------------------------------------------------------- what comes of it


@pytest.mark.parametrize(
    ("purpose", "asked"),
    [
        (Purpose.TOMCAT, {"digest": "SHA384", "common_name": "www.example"}),
        (Purpose.TOMCAT_ECDSA, {"key_length": 256}),
        (Purpose.TOMCAT_ECDSA, {"key_length": 384}),
        (Purpose.CALLMANAGER_ECDSA, {"key_length": 521, "alt_names": ("uc.example",)}),
        (Purpose.CAPF, {}),
    ],
)
def test_requests_and_certificates_are_what_was_asked_for(purpose: Purpose, asked: dict[str, Any]) -> None:
    """openssl has the last word on the request."""
    state = snapshot()
    spec = settled(purpose, state, **asked)
    issued = self_sign(state.definition, spec, WHEN)
    assert issued.certificate.subject.common_name == spec.common_name
    key = issued.private_key
    assert isinstance(key, ec.EllipticCurvePrivateKey if PURPOSES[purpose].elliptic else rsa.RSAPrivateKey)
    assert key.key_size == spec.key_length

    der, _ = request(state.definition, spec)
    printed = openssl("req", "-inform", "DER", "-verify", "-noout", "-text", data=der).decode()
    assert f"CN = {spec.common_name}" in printed
    assert f"Public-Key: ({spec.key_length} bit)" in printed
    assert ", ".join(f"DNS:{name}" for name in spec.dns_names) in printed
    assert spec.digest.lower() in printed.split("Signature Algorithm: ")[1].split("\n")[0].lower()
    csr = x509.load_der_x509_csr(der)
    usages = csr.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == set(PURPOSES[purpose].usages)
    assert csr.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign is (purpose is Purpose.CAPF)


def test_the_subject_below_the_name_is_the_clusters() -> None:
    state = replace(snapshot(), definition=changed(definition(), subject={"organization": "Ex", "country": "JP"}))
    der, _ = request(state.definition, settled(Purpose.TOMCAT_ECDSA, state))
    assert b"O = Ex, " in openssl("req", "-inform", "DER", "-noout", "-subject", data=der)
