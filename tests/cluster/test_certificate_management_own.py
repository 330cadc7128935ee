"""A node's own certificates: made anew, requested, signed by somebody else (R-CRT-4, R-CRT-5, R-CRT-6)."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from base.clock import ManualClock
from cluster import changes
from cluster.audit import Actor
from cluster.management.acceptance import StaleRequest
from cluster.management.certificates import (
    delete_request,
    make_request,
    regenerate,
    upload_own,
    upload_trust,
)
from cluster.management.chain import is_self_signed, signed_by
from cluster.management.fields import CertificateFields
from cluster.parameters import FIPS_MODE
from cluster.purposes import PURPOSES, TRUST_STORES, Purpose
from cluster.trustlists import build_itl, itl_signer
from tests.cluster.material import NODES, WHEN, sql
from tests.openssl_ca import openssl
from wire.certificates import Certificate
from wire.errors import Refusal
from wire.signing import verify_file

if TYPE_CHECKING:
    from cluster.changes import Transaction
    from cluster.snapshot import ClusterSnapshot, OwnCertificate
    from cluster.store import ClusterStore
    from tests.cluster.conftest import StateMaker, StoreMaker
    from tests.openssl_ca import OpensslCa

PUB, SUB = NODES
ADMIN, OTHER_ADMIN = Actor("admin", "rest 192.0.2.7"), Actor("admin", "ssh 192.0.2.8")
EC = Purpose.TOMCAT_ECDSA
"""Its keys are made in no time."""
NO_REQUEST = "The file /usr/local/platform/.security/tomcat-ECDSA/keys/tomcat-ECDSA.csr does not exist"
OTHER_KEY = "CSR public key and certificate public key do not match"


def held(snapshot: ClusterSnapshot, trust_store: str, common_name: str) -> list[Certificate]:
    """What a trust store holds of a name."""
    found = [Certificate.from_der(entry.der) for entry in snapshot.trusted.values() if trust_store in entry.stores]
    return [certificate for certificate in found if certificate.subject.common_name == common_name]


def fits(own: OwnCertificate) -> bool:
    """The stored key is the certificate's."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return own.private_key.public_key().public_bytes(*form) == own.certificate.public_key.public_bytes(*form)


async def requested(store: ClusterStore, purpose: Purpose = EC, node: str = PUB, **fields: Any) -> bytes:
    return (await make_request(store, node, purpose, ADMIN, CertificateFields(**fields))).der


async def installed(store: ClusterStore, authority: OpensslCa, purpose: Purpose = EC) -> OwnCertificate:
    """A CA-signed certificate, the way an administrator gets it."""
    with contextlib.suppress(Refusal):
        await upload_trust(store, PURPOSES[purpose].stores[0], authority.chain_pem, ADMIN)
    leaf = authority.sign(await requested(store, purpose))
    return await upload_own(store, PUB, purpose, leaf.pem.encode(), ADMIN)


async def refusal(store: ClusterStore, data: bytes, *, purpose: Purpose = EC, node: str = PUB) -> Refusal:
    """Of an upload; it changes nothing."""
    before = store.snapshot
    with pytest.raises(Refusal) as caught:
        await upload_own(store, node, purpose, data, ADMIN)
    assert store.snapshot is before
    return caught.value


# ---------------------------------------------------------------- made anew


@pytest.mark.parametrize("purpose", list(Purpose))
async def test_a_new_certificate_takes_the_old_ones_place_everywhere(purpose: Purpose, store: ClusterStore) -> None:
    """R-CRT-6: certificate, key and each trust store that it belongs into."""
    old = store.snapshot.require(PUB, purpose)
    new = await regenerate(store, PUB, purpose, ADMIN)
    assert new is store.snapshot.require(PUB, purpose)
    assert is_self_signed(new.certificate)
    assert fits(new)
    assert new.certificate.serial != old.certificate.serial
    assert not new.chain
    name = new.certificate.subject.common_name
    for trust_store in TRUST_STORES:
        expected = [new.certificate] if trust_store in PURPOSES[purpose].stores else []
        assert [item for item in held(store.snapshot, trust_store, name) if item == new.certificate] == expected
        if expected:
            assert held(store.snapshot, trust_store, name) == expected


@pytest.mark.parametrize("purpose", [Purpose.CALLMANAGER, Purpose.TVS, Purpose.CAPF, Purpose.ITL_RECOVERY])
async def test_the_itl_follows_at_once(purpose: Purpose, store: ClusterStore) -> None:
    before = build_itl(store.snapshot, PUB)
    await regenerate(store, PUB, purpose, ADMIN)
    after = build_itl(store.snapshot, PUB)
    assert after != before
    assert verify_file(after, itl_signer(store.snapshot, PUB).certificate.public_key)


async def test_capf_gets_a_new_name_and_the_old_certificate_stays_beside_it(store: ClusterStore) -> None:
    """LSCs that the old one issued stay good until they are issued anew."""
    old = store.snapshot.require(PUB, Purpose.CAPF).certificate
    new = (await regenerate(store, PUB, Purpose.CAPF, ADMIN)).certificate
    assert new.subject.common_name != old.subject.common_name
    for trust_store in ("CAPF-trust", "CallManager-trust"):
        for certificate in (old, new):
            assert held(store.snapshot, trust_store, certificate.subject.common_name) == [certificate]


async def test_only_the_node_that_was_named_gets_a_new_certificate(store: ClusterStore) -> None:
    before = store.snapshot
    await regenerate(store, "ALPHA-SUB1", EC, ADMIN)
    changed = {key for key, own in store.snapshot.own.items() if own is not before.own[key]}
    assert changed == {(SUB, EC)}


async def test_a_ca_signed_certificate_is_overwritten(store: ClusterStore, authority: OpensslCa) -> None:
    """R-CRT-5."""
    assert (await installed(store, authority)).chain == authority.chain
    new = await regenerate(store, PUB, EC, ADMIN)
    assert is_self_signed(new.certificate)
    assert new.chain == ()


async def test_fields_are_kept(store: ClusterStore) -> None:
    fields = CertificateFields("www.example", ("uc.example",), "ec", 256, "sha512")
    certificate = (await regenerate(store, SUB, EC, ADMIN, fields)).certificate
    names = certificate.x509.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert certificate.subject.common_name == "www.example"
    assert names.get_values_for_type(x509.DNSName) == ["alpha-sub1.lab.example", "uc.example"]
    assert certificate.public_key.key_size == 256
    assert certificate.x509.signature_hash_algorithm is not None
    assert certificate.x509.signature_hash_algorithm.name == "sha512"


@pytest.mark.parametrize(("purpose", "years"), [(EC, 5), (Purpose.TVS, 5), (Purpose.ITL_RECOVERY, 20)])
async def test_validity_begins_now_by_the_clusters_clock(purpose: Purpose, years: int, open_store: StoreMaker) -> None:
    store = await open_store(clock=ManualClock(WHEN))
    own = await regenerate(store, PUB, purpose, ADMIN)
    assert own.certificate.not_before == own.installed_at == WHEN
    assert own.certificate.not_after == WHEN.replace(year=WHEN.year + years)


async def test_who_did_it_is_in_the_audit_trail(store: ClusterStore) -> None:
    await regenerate(store, PUB, EC, ADMIN)
    await requested(store)
    await delete_request(store, PUB, EC, OTHER_ADMIN)
    assert [(entry.what, entry.who, entry.origin) for entry in await store.audit(3)] == [
        ("tomcat-ECDSA of alpha-pub: signing request deleted", "admin", "ssh 192.0.2.8"),
        ("tomcat-ECDSA of alpha-pub: signing request made", "admin", "rest 192.0.2.7"),
        ("tomcat-ECDSA of alpha-pub: regenerated", "admin", "rest 192.0.2.7"),
    ]


# ---------------------------------------------------------------- two administrators at once


async def test_of_two_who_saw_the_same_certificate_one_succeeds(database: StateMaker, open_store: StoreMaker) -> None:
    """In one process and in two."""
    path = await database()
    one, other = await open_store(path), await open_store(path)
    for stores in ((one, one), (one, other)):
        await stores[0].refresh()
        seen = stores[0].snapshot.require(PUB, EC).certificate.sha256
        outcomes = await asyncio.gather(
            regenerate(stores[0], PUB, EC, ADMIN, seen=seen),
            regenerate(stores[1], PUB, EC, OTHER_ADMIN, seen=seen),
            return_exceptions=True,
        )
        (refused,) = (outcome for outcome in outcomes if isinstance(outcome, Refusal))
        (new,) = (outcome for outcome in outcomes if not isinstance(outcome, BaseException))
        assert refused.code == 409
        assert str(refused) == (
            "tomcat-ECDSA of alpha-pub was changed by somebody else meanwhile "
            f"(now serial {new.certificate.serial:X}); nothing was done, look again"
        )
        await one.refresh()
        assert one.snapshot.require(PUB, EC).certificate == new.certificate


async def test_without_a_look_before_the_last_one_wins_whole(store: ClusterStore) -> None:
    await asyncio.gather(*(regenerate(store, PUB, EC, ADMIN) for _ in range(3)))
    own = store.snapshot.require(PUB, EC)
    assert store.snapshot.revision == 4
    assert fits(own)
    assert held(store.snapshot, "tomcat-trust", "alpha-pub-EC") == [own.certificate]


async def test_an_upload_over_somebody_elses_new_certificate_is_refused(
    store: ClusterStore, authority: OpensslCa
) -> None:
    await upload_trust(store, "tomcat-trust", authority.chain_pem, ADMIN)
    seen = store.snapshot.require(PUB, EC).certificate.sha256
    leaf = authority.sign(await requested(store)).pem.encode()
    new = (await regenerate(store, PUB, EC, OTHER_ADMIN)).certificate
    with pytest.raises(Refusal, match="changed by somebody else") as caught:
        await upload_own(store, PUB, EC, leaf, ADMIN, seen=seen)
    assert caught.value.code == 409
    assert (await upload_own(store, PUB, EC, leaf, ADMIN, seen=new.sha256)).chain == authority.chain


@pytest.mark.parametrize("operation", [regenerate, make_request])
async def test_fips_mode_that_comes_while_the_key_is_made_counts(operation: object, store: ClusterStore) -> None:
    assert callable(operation)
    go = asyncio.Event()

    async def fips(transaction: Transaction) -> bool:
        await go.wait()
        return await changes.set_parameter(transaction, FIPS_MODE, "True")

    switching = asyncio.create_task(store.apply("FIPS mode", fips))
    working = asyncio.create_task(operation(store, PUB, Purpose.TVS, ADMIN, CertificateFields(key_length=1024)))
    await asyncio.sleep(0)
    go.set()
    await switching
    with pytest.raises(Refusal, match="in FIPS mode RSA keys have 2048 bits or more"):
        await working
    assert store.snapshot.revision == 2


# ---------------------------------------------------------------- signing requests


async def test_openssl_verifies_a_request_and_its_key_is_kept(store: ClusterStore) -> None:
    der = await requested(store, common_name="www.example", alt_names=("uc.example",))
    printed = openssl("req", "-inform", "DER", "-verify", "-noout", "-text", data=der).decode()
    assert "CN = www.example" in printed
    assert "DNS:alpha-pub.lab.example, DNS:uc.example" in printed
    assert store.snapshot.requests[PUB, EC].der == der
    assert store.snapshot.require(PUB, EC).certificate.subject.common_name == "alpha-pub-EC", "nothing is in use yet"


async def test_a_new_request_replaces_the_old_one_and_its_key(store: ClusterStore, authority: OpensslCa) -> None:
    """R-CRT-4."""
    await upload_trust(store, "tomcat-trust", authority.chain_pem, ADMIN)
    old, new = await requested(store), await requested(store)
    assert list(store.snapshot.requests) == [(PUB, EC)]
    refused = await refusal(store, authority.sign(old).pem.encode())
    assert isinstance(refused, StaleRequest)
    assert (refused.code, str(refused)) == (409, OTHER_KEY)
    leaf = authority.sign(new)
    own = await upload_own(store, PUB, EC, leaf.pem.encode(), ADMIN)
    assert own.certificate == leaf
    assert fits(own)


async def test_each_purpose_and_node_has_its_own_request(store: ClusterStore) -> None:
    for node, purpose in ((PUB, EC), (SUB, EC), (PUB, Purpose.CALLMANAGER_ECDSA)):
        await requested(store, purpose, node)
    assert len(store.snapshot.requests) == 3
    await delete_request(store, PUB, EC, ADMIN)
    assert set(store.snapshot.requests) == {(SUB, EC), (PUB, Purpose.CALLMANAGER_ECDSA)}
    with pytest.raises(Refusal, match=NO_REQUEST) as caught:
        await delete_request(store, PUB, EC, ADMIN)
    assert caught.value.code == 404


async def test_a_request_outlives_the_process_and_a_regeneration(
    store: ClusterStore, open_store: StoreMaker, authority: OpensslCa
) -> None:
    await upload_trust(store, "tomcat-trust", authority.chain_pem, ADMIN)
    der = await requested(store)
    await regenerate(store, PUB, EC, ADMIN)
    await store.close()
    again = await open_store(Path(store._where))
    leaf = authority.sign(der)
    assert fits(await upload_own(again, PUB, EC, leaf.pem.encode(), ADMIN))


async def test_itlrecovery_is_never_signed_by_a_ca(store: ClusterStore) -> None:
    with pytest.raises(Refusal, match="ITLRecovery is always self-signed"):
        await requested(store, Purpose.ITL_RECOVERY)


async def test_a_capf_request_has_a_new_name_and_may_sign(store: ClusterStore) -> None:
    old = store.snapshot.require(PUB, Purpose.CAPF).certificate.subject.common_name
    printed = openssl("req", "-inform", "DER", "-noout", "-text", data=await requested(store, Purpose.CAPF)).decode()
    assert "Certificate Sign" in printed
    assert old not in printed
    assert "CN = CAPF-" in printed


# ---------------------------------------------------------------- signed by a CA


@pytest.mark.parametrize("form", ["PEM", "PEM with its chain", "DER", "PKCS#7 in PEM", "PKCS#7 in DER"])
async def test_what_a_ca_made_is_installed_with_its_chain(
    form: str, store: ClusterStore, authority: OpensslCa, tmp_path: Path
) -> None:
    await upload_trust(store, "tomcat-trust", authority.chain_pem, ADMIN)
    leaf = authority.sign(await requested(store))
    file = tmp_path / "leaf.pem"
    file.write_text(leaf.pem)
    bundle = ("crl2pkcs7", "-nocrl", "-certfile", file, "-certfile", authority.folder / "ca.pem", "-outform")
    data = {
        "PEM": leaf.pem.encode(),
        "PEM with its chain": leaf.pem.encode() + authority.chain_pem,
        "DER": leaf.der,
        "PKCS#7 in PEM": openssl(*bundle, "PEM"),
        "PKCS#7 in DER": openssl(*bundle, "DER"),
    }[form]
    own = await upload_own(store, PUB, EC, data, ADMIN)
    assert (own.certificate, own.chain) == (leaf, authority.chain)
    assert fits(own)
    assert authority.trusts(own.certificate)
    assert held(store.snapshot, "tomcat-trust", "alpha-pub-EC") == [leaf], "in place of the self-signed one"
    assert (await refusal(store, data)).args == (NO_REQUEST,), "the request is used up"


async def test_a_signed_certificate_and_its_chain_outlive_the_process(
    store: ClusterStore, open_store: StoreMaker, authority: OpensslCa
) -> None:
    own = await installed(store, authority)
    await store.close()
    again = (await open_store(Path(store._where))).snapshot.require(PUB, EC)
    assert (again.certificate, again.key_pem, again.chain) == (own.certificate, own.key_pem, own.chain)


@pytest.mark.parametrize("purpose", [EC, Purpose.TOMCAT])
async def test_a_multi_server_certificate_is_every_nodes(
    purpose: Purpose, store: ClusterStore, authority: OpensslCa
) -> None:
    await upload_trust(store, "tomcat-trust", authority.chain_pem, ADMIN)
    leaf = authority.sign(await requested(store, purpose, SUB, multi_server=True))
    assert leaf.subject.common_name == (
        "alpha-sub1-EC-ms.lab.example" if purpose is EC else "alpha-sub1-ms.lab.example"
    )
    await upload_own(store, SUB, purpose, leaf.pem.encode(), ADMIN)
    for node in NODES:
        own = store.snapshot.require(node, purpose)
        assert own.certificate == leaf
        assert fits(own)
    assert not store.snapshot.requests
    assert held(store.snapshot, "tomcat-trust", leaf.subject.common_name) == [leaf]


async def test_a_capf_certificate_of_a_ca_goes_into_both_its_stores(store: ClusterStore, authority: OpensslCa) -> None:
    own = await installed(store, authority, Purpose.CAPF)
    for trust_store in ("CAPF-trust", "CallManager-trust"):
        assert held(store.snapshot, trust_store, own.certificate.subject.common_name) == [own.certificate]


# ---------------------------------------------------------------- uploads that are refused


async def test_without_a_request(store: ClusterStore, authority: OpensslCa) -> None:
    """UCM's words."""
    refused = await refusal(store, authority.pem)
    assert isinstance(refused, StaleRequest)
    assert str(refused) == NO_REQUEST


async def test_with_another_key(store: ClusterStore, authority: OpensslCa) -> None:
    """UCM's words; a request of another node or purpose is another key as well."""
    await upload_trust(store, "tomcat-trust", authority.chain_pem, ADMIN)
    await requested(store)
    for other in (await requested(store, node=SUB), await requested(store, Purpose.CALLMANAGER_ECDSA)):
        assert str(await refusal(store, authority.sign(other).pem.encode())) == OTHER_KEY


@pytest.mark.parametrize(
    ("copied", "extensions"),
    [("none", ""), ("none", "subjectAltName = DNS:other.example"), ("none", "2.5.29.17 = DER:30")],
)
async def test_with_other_names(copied: str, extensions: str, store: ClusterStore, authority: OpensslCa) -> None:
    """UCM's words; CAs drop alternative names unless told otherwise."""
    await upload_trust(store, "tomcat-trust", authority.chain_pem, ADMIN)
    leaf = authority.sign(await requested(store), copied=copied, extensions=extensions)
    refused = await refusal(store, leaf.pem.encode())
    assert refused.code == 400
    assert (
        "cannot be read" in str(refused)
        if "DER" in extensions
        else str(refused) == ("CSR SAN and certificate SAN does not match")
    )


async def test_before_its_ca(store: ClusterStore, authority: OpensslCa) -> None:
    """The chain in the upload does not help: it has to be in the trust store, in the purpose's own."""
    leaf = authority.sign(await requested(store))
    await upload_trust(store, "CallManager-trust", authority.chain_pem, ADMIN)
    data = leaf.pem.encode() + authority.chain_pem
    refused = await refusal(store, data)
    assert (refused.code, str(refused)) == (
        400,
        "CA certificate is not available in the trust-store: CN=Example Issuing CA;O=Example",
    )
    await upload_trust(store, "tomcat-trust", authority.pem, ADMIN)
    assert "CN=Example Root CA" in str(await refusal(store, data))
    await upload_trust(store, "tomcat-trust", authority.chain_pem, ADMIN)
    await upload_own(store, PUB, EC, data, ADMIN)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (WHEN - timedelta(days=1), "is not valid before 2030-06-01 12:00 UTC"),
        (WHEN + timedelta(days=11), "expired on 2030-06-11 12:00 UTC"),
    ],
)
async def test_outside_its_validity_by_the_clusters_clock(
    now: datetime, reason: str, open_store: StoreMaker, authority: OpensslCa
) -> None:
    clock = ManualClock(datetime(2030, 1, 1, tzinfo=UTC))
    store = await open_store(clock=clock)
    leaf = authority.sign(await requested(store), begin=WHEN, end=WHEN + timedelta(days=10))
    clock.advance((now - clock.now()).total_seconds())
    assert reason in str(await refusal(store, leaf.pem.encode()))


async def test_with_a_key_that_is_too_short_by_now(store: ClusterStore, authority: OpensslCa) -> None:
    await upload_trust(store, "TVS-trust", authority.chain_pem, ADMIN)
    leaf = authority.sign(await requested(store, Purpose.TVS, key_length=1024))
    await store.set_parameter(FIPS_MODE, "True")
    refused = await refusal(store, leaf.pem.encode(), purpose=Purpose.TVS)
    assert "has 1024 bits; the least in FIPS mode is 2048" in str(refused)
    await store.set_parameter(FIPS_MODE, "False")
    own = await upload_own(store, PUB, Purpose.TVS, leaf.pem.encode(), ADMIN)
    assert signed_by(own.certificate, authority.certificate)


@pytest.mark.parametrize(("data", "code"), [(b"", 400), (b"garbage", 400), (bytes(10_000_000), 413)])
async def test_what_is_no_certificate(data: bytes, code: int, store: ClusterStore) -> None:
    await requested(store)
    assert (await refusal(store, data)).code == code


async def test_on_a_node_that_does_not_own_it(store: ClusterStore, authority: OpensslCa) -> None:
    assert (await refusal(store, authority.pem, purpose=Purpose.CAPF, node=SUB)).code == 404


async def test_a_refused_upload_leaves_nothing_in_the_database(store: ClusterStore, authority: OpensslCa) -> None:
    await requested(store)
    path = Path(store._where)
    before = [sql(path, f"SELECT * FROM {table}") for table in ("own_certificate", "trust_certificate", "revision")]
    await refusal(store, authority.pem)
    assert before == [
        sql(path, f"SELECT * FROM {table}") for table in ("own_certificate", "trust_certificate", "revision")
    ]
