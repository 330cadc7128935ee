"""A fresh cluster owns a certificate for every purpose of R-CRT-1, laid out as UCM's are (R-SBD-1)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from base.clock import ManualClock
from cluster.issuing import common_name, issue, issue_all
from cluster.purposes import PURPOSES, TRUST_STORES, Purpose
from cluster.releases import RELEASES as RELEASE_TABLE
from tests.cluster.material import RELEASES, WHEN, changed, definition
from wire.trustlist import Function

if TYPE_CHECKING:
    from cluster.snapshot import OwnCertificate
    from cluster.store import ClusterStore
    from tests.cluster.conftest import StoreMaker

EVERYWHERE = {Purpose.CALLMANAGER, Purpose.TVS, Purpose.TOMCAT, Purpose.IPSEC}
ELLIPTIC = {Purpose.CALLMANAGER_ECDSA, Purpose.TOMCAT_ECDSA}
# Release 10.0 brought ITLRecovery, 11.0 the EC certificates. CAPF and ITLRecovery exist once, on the publisher.
OWNED = {
    "8.6": (EVERYWHERE | {Purpose.CAPF}, EVERYWHERE),
    "10.5": (EVERYWHERE | {Purpose.CAPF, Purpose.ITL_RECOVERY}, EVERYWHERE),
    "11.5": (EVERYWHERE | ELLIPTIC | {Purpose.CAPF, Purpose.ITL_RECOVERY}, EVERYWHERE | ELLIPTIC),
    "12.5": (EVERYWHERE | ELLIPTIC | {Purpose.CAPF, Purpose.ITL_RECOVERY}, EVERYWHERE | ELLIPTIC),
    "14": (EVERYWHERE | ELLIPTIC | {Purpose.CAPF, Purpose.ITL_RECOVERY}, EVERYWHERE | ELLIPTIC),
}
COMMON_NAMES = {
    Purpose.CALLMANAGER: "{node}",
    Purpose.CALLMANAGER_ECDSA: "{node}-EC",
    Purpose.TVS: "{node}",
    Purpose.CAPF: "CAPF-[0-9a-f]{{8}}",
    Purpose.TOMCAT: "{node}",
    Purpose.TOMCAT_ECDSA: "{node}-EC",
    Purpose.IPSEC: "{node}",
    Purpose.ITL_RECOVERY: "ITLRECOVERY_{node}",
}


async def owned(open_store: StoreMaker, release: str) -> list[OwnCertificate]:
    return list((await open_store(release=release)).snapshot.own.values())


@pytest.mark.parametrize("release", RELEASES)
async def test_each_node_owns_what_its_release_knows(release: str, open_store: StoreMaker) -> None:
    own = await owned(open_store, release)
    publisher, subscriber = OWNED[release]
    assert {item.purpose for item in own if item.node == "alpha-pub"} == publisher
    assert {item.purpose for item in own if item.node == "alpha-sub1"} == subscriber


@pytest.mark.parametrize("release", RELEASES)
async def test_keys_are_of_the_type_and_length_of_the_release(release: str, open_store: StoreMaker) -> None:
    bits = {"8.6": 1024}.get(release, 2048)
    for item in await owned(open_store, release):
        public = item.certificate.public_key
        if item.purpose in ELLIPTIC:
            assert isinstance(public, ec.EllipticCurvePublicKey)
            assert public.curve.name == "secp384r1"
            expected_hash = "sha384"
        else:
            assert isinstance(public, rsa.RSAPublicKey)
            assert public.key_size == bits
            expected_hash = "sha256"
        found_hash = item.certificate.x509.signature_hash_algorithm
        assert found_hash is not None
        assert found_hash.name == expected_hash
        assert item.private_key.public_key() == public


@pytest.mark.parametrize("release", RELEASES)
async def test_names_are_those_that_ucm_gives(release: str, open_store: StoreMaker) -> None:
    """R-CRT-3: an EC certificate has a common name of its own and the full name as SAN."""
    for item in await owned(open_store, release):
        name = item.certificate.x509.subject
        assert name == item.certificate.x509.issuer
        assert [attribute.oid for attribute in name] == [
            NameOID.COMMON_NAME,
            NameOID.ORGANIZATIONAL_UNIT_NAME,
            NameOID.ORGANIZATION_NAME,
            NameOID.LOCALITY_NAME,
            NameOID.STATE_OR_PROVINCE_NAME,
            NameOID.COUNTRY_NAME,
        ]
        pattern = COMMON_NAMES[item.purpose].format(node=item.node)
        assert re.fullmatch(pattern, item.certificate.subject.common_name)
        names = item.certificate.x509.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [f"{item.node}.lab.example"]


@pytest.mark.parametrize("release", RELEASES)
async def test_serial_numbers_have_sixteen_bytes_and_are_all_different(release: str, open_store: StoreMaker) -> None:
    own = await owned(open_store, release)
    assert {len(item.certificate.serial_bytes) for item in own} == {16}
    assert len({item.certificate.serial for item in own}) == len(own)


@pytest.mark.parametrize(("release", "years"), [("10.5", 5), ("11.5", 5), ("12.5", 20), ("14", 20)], ids=str)
async def test_certificates_are_valid_five_years_and_itlrecovery_longer(
    release: str, years: int, open_store: StoreMaker
) -> None:
    """R-REC-1."""
    for item in await owned(open_store, release):
        expected = years if item.purpose is Purpose.ITL_RECOVERY else 5
        begin, end = item.certificate.not_before, item.certificate.not_after
        assert end == begin.replace(year=begin.year + expected)
        assert begin == item.installed_at.replace(microsecond=0)


async def test_usages_are_those_of_signing_requests(store: ClusterStore) -> None:
    for item in store.snapshot.own.values():
        extensions = item.certificate.x509.extensions
        usages = set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        key_usage = extensions.get_extension_for_class(x509.KeyUsage).value
        assert ExtendedKeyUsageOID.SERVER_AUTH in usages
        assert (ExtendedKeyUsageOID.CLIENT_AUTH in usages) is (item.purpose is not Purpose.CAPF)
        assert key_usage.digital_signature
        assert key_usage.key_encipherment is (item.purpose is not Purpose.CAPF)


async def test_capf_can_sign_what_phones_will_get(store: ClusterStore) -> None:
    """CA:TRUE, pathlen 0, digitalSignature and keyCertSign are what phones need of CAPF."""
    capf = store.snapshot.require("alpha-pub", Purpose.CAPF).certificate.x509.extensions
    basic = capf.get_extension_for_class(x509.BasicConstraints).value
    assert (basic.ca, basic.path_length) == (True, 0)
    assert capf.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


async def test_every_certificate_is_signed_by_its_own_key(store: ClusterStore) -> None:
    for item in store.snapshot.own.values():
        item.certificate.x509.verify_directly_issued_by(item.certificate.x509)


@pytest.mark.parametrize("purpose", [Purpose.CAPF, Purpose.ITL_RECOVERY])
async def test_a_subscriber_uses_the_one_certificate_that_the_cluster_has(
    purpose: Purpose, store: ClusterStore
) -> None:
    assert store.snapshot.require("alpha-sub1", purpose) is store.snapshot.require("alpha-pub", purpose)


async def test_an_upgrade_adds_what_is_missing_and_keeps_the_rest(open_store: StoreMaker) -> None:
    """R-REC-1: an ITLRecovery that came through an upgrade is valid 5 years."""
    store = await open_store(release="8.6")
    before = store.snapshot
    after = await store.install(changed(before.definition, release="12.5"))
    assert {key: after.own[key].certificate for key in before.own} == {
        key: own.certificate for key, own in before.own.items()
    }
    assert {item.purpose for item in after.own.values() if item.node == "alpha-pub"} == OWNED["12.5"][0]
    recovery = after.require("alpha-pub", Purpose.ITL_RECOVERY).certificate
    assert recovery.not_after == recovery.not_before.replace(year=recovery.not_before.year + 5)


async def test_switching_back_to_an_old_release_hides_what_it_does_not_know(open_store: StoreMaker) -> None:
    """R-DRS-2: the certificates wait for the next switch forward."""
    store = await open_store(release="12.5")
    recovery = store.snapshot.require("alpha-pub", Purpose.ITL_RECOVERY)
    old = await store.install(changed(store.snapshot.definition, release="8.6"))
    assert old.own_certificate("alpha-pub", Purpose.ITL_RECOVERY) is None
    assert old.own_certificate("alpha-pub", Purpose.CALLMANAGER_ECDSA) is None
    again = await store.install(changed(store.snapshot.definition, release="12.5"))
    assert again.require("alpha-pub", Purpose.ITL_RECOVERY) == recovery


async def test_a_new_node_gets_certificates_and_the_others_keep_theirs(store: ClusterStore) -> None:
    before = store.snapshot
    nodes = [*before.definition.model_dump()["nodes"], {"name": "alpha-sub2", "address": "127.0.0.1"}]
    after = await store.install(changed(before.definition, nodes=nodes))
    assert {key[1] for key in after.own if key[0] == "alpha-sub2"} == OWNED["12.5"][1]
    assert all(after.own[key] == own for key, own in before.own.items())
    assert after.revision == before.revision + 1


async def test_the_subject_of_the_configuration_is_in_the_certificates() -> None:
    subject = {"organization": "Firma", "unit": "", "locality": "Kraków", "state": "Małopolskie", "country": "PL"}
    cluster = definition(1, subject=subject)
    issued = issue(cluster, cluster.publisher, Purpose.TOMCAT_ECDSA, key_length=2048, now=WHEN)
    assert str(issued.certificate.subject) == "CN=n0-EC;O=Firma;L=Kraków;ST=Małopolskie;C=PL"


async def test_time_comes_from_the_clock_that_the_store_was_given(open_store: StoreMaker) -> None:
    store = await open_store(release="8.6", clock=ManualClock(WHEN))
    after = await store.install(changed(store.snapshot.definition, release="10.5"))
    recovery = after.require("alpha-pub", Purpose.ITL_RECOVERY)
    assert (recovery.certificate.not_before, recovery.installed_at, after.changed_at) == (WHEN, WHEN, WHEN)


async def test_validity_from_a_leap_day_ends_on_a_day_that_exists() -> None:
    cluster = definition(1)
    leap_day = datetime(2028, 2, 29, 8, 0, 0, 999_999, tzinfo=UTC)
    issued = await issue_all(cluster, [("n0", Purpose.TOMCAT_ECDSA)], leap_day)
    assert issued[0].certificate.not_before == datetime(2028, 2, 29, 8, tzinfo=UTC)
    assert issued[0].certificate.not_after == datetime(2033, 3, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize("purpose", list(Purpose))
def test_common_names_of_long_host_names_fit_into_a_certificate(purpose: Purpose) -> None:
    cluster = definition(1, nodes=[{"name": "n" * 63, "address": "127.0.0.1", "publisher": True}], domain="d" * 60)
    assert len(common_name(cluster, cluster.publisher, purpose)) <= 64


def test_a_long_host_name_can_be_installed() -> None:
    cluster = definition(1, nodes=[{"name": "n" * 63, "address": "127.0.0.1", "publisher": True}])
    issued = issue(cluster, cluster.publisher, Purpose.TOMCAT_ECDSA, key_length=2048, now=WHEN)
    assert issued.certificate.subject.common_name == "n" * 63 + "-"


def test_every_purpose_and_store_of_the_requirements_is_known() -> None:
    """R-CRT-1."""
    assert {purpose.value for purpose in PURPOSES} == {
        "CallManager",
        "CallManager-ECDSA",
        "TVS",
        "CAPF",
        "tomcat",
        "tomcat-ECDSA",
        "ipsec",
        "ITLRecovery",
    }
    wanted = {"CallManager-trust", "tomcat-trust", "CAPF-trust", "TVS-trust", "ipsec-trust"}
    assert wanted | {"Phone-SAST-trust", "Phone-trust"} <= set(TRUST_STORES)
    assert set(RELEASE_TABLE) == set(RELEASES)


def test_no_purpose_and_no_store_lets_tvs_vouch_for_a_tvs_certificate() -> None:
    roles = [role for facts in PURPOSES.values() for role in facts.roles]
    assert Function.TVS not in [*roles, *(role for given in TRUST_STORES.values() for role in given)]
