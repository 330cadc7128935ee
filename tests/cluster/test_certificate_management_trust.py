"""Trust stores as administrators fill and empty them (R-CRT-1, R-TVS-3); what TVS makes of it is in `test_trust`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from cluster.audit import Actor
from cluster.management.certificates import delete_trust, make_request, regenerate, upload_own, upload_trust
from cluster.parameters import FIPS_MODE
from cluster.purposes import TRUST_STORES, Purpose
from tests.cluster.material import WHEN
from tests.foreign import foreign
from tests.openssl_ca import openssl
from wire.certificates import Certificate
from wire.errors import Refusal

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.snapshot import OwnCertificate
    from cluster.store import ClusterStore
    from tests.cluster.conftest import StoreMaker
    from tests.openssl_ca import OpensslCa

ADMIN = Actor("admin", "rest 192.0.2.7")
STORE = "Phone-SAST-trust"
YEAR = timedelta(days=365)


def pem(*certificates: Certificate) -> bytes:
    return "".join(item.pem for item in certificates).encode()


def held(store: ClusterStore, trust_store: str = STORE) -> set[Certificate]:
    """What is in a trust store, apart from the cluster's own certificates."""
    entries = [entry for entry in store.snapshot.trusted.values() if not entry.purposes]
    return {Certificate.from_der(entry.der) for entry in entries if trust_store in entry.stores}


async def refusal(store: ClusterStore, data: bytes, *stores: str) -> Refusal:
    """Of an upload; it changes nothing."""
    before = store.snapshot
    with pytest.raises(Refusal) as caught:
        await upload_trust(store, stores or STORE, data, ADMIN)
    assert store.snapshot is before
    return caught.value


# ---------------------------------------------------------------- in


@pytest.mark.parametrize("trust_store", list(TRUST_STORES))
async def test_every_trust_store_takes_certificates(trust_store: str, store: ClusterStore) -> None:
    new = foreign()
    assert await upload_trust(store, trust_store, pem(new), ADMIN) == [new]
    assert store.snapshot.trusted[new.sha256].stores == {trust_store}


async def test_several_stores_take_all_or_nothing(store: ClusterStore) -> None:
    one, other = foreign("one"), foreign("other")
    stores = ["tomcat-trust", "CallManager-trust", "tomcat-trust"]
    await upload_trust(store, stores, pem(one, other), ADMIN)
    assert held(store, "tomcat-trust") == held(store, "CallManager-trust") == {one, other}
    assert store.snapshot.revision == 2
    newer = foreign("one", datetime(2025, 1, 1, tzinfo=UTC))
    await upload_trust(store, "tomcat-trust", pem(newer), ADMIN)
    refused = await refusal(store, pem(foreign("third"), one), "CallManager-trust", "tomcat-trust")
    assert str(refused) == (
        "tomcat-trust holds a newer certificate of one: valid from 2025-01-01, the uploaded one from 2024-01-01"
    )
    assert held(store, "CallManager-trust") == {one, other}


async def test_a_later_certificate_of_the_same_name_replaces_the_earlier(store: ClusterStore) -> None:
    old = foreign(begin=datetime(2024, 1, 1, tzinfo=UTC), unit="a")
    new = foreign(begin=datetime(2025, 1, 1, tzinfo=UTC), unit="b")
    await upload_trust(store, STORE, pem(old, foreign("beside")), ADMIN)
    await upload_trust(store, STORE, pem(new), ADMIN)
    assert new in held(store)
    assert old not in held(store)
    assert len(held(store)) == 2
    refused = await refusal(store, pem(old))
    assert (refused.code, str(refused)) == (
        409,
        f"{STORE} holds a newer certificate of foreign: valid from 2025-01-01, the uploaded one from 2024-01-01",
    )


async def test_the_same_name_in_another_store_is_left_alone(store: ClusterStore) -> None:
    old, new = foreign(), foreign(begin=datetime(2025, 1, 1, tzinfo=UTC))
    await upload_trust(store, "tomcat-trust", pem(old), ADMIN)
    await upload_trust(store, STORE, pem(new), ADMIN)
    assert (held(store, "tomcat-trust"), held(store)) == ({old}, {new})


async def test_roots_without_a_common_name_do_not_replace_each_other(store: ClusterStore) -> None:
    one, other = foreign("", unit="Class 2"), foreign("", unit="Class 3")
    await upload_trust(store, STORE, pem(one, other), ADMIN)
    assert held(store) == {one, other}
    newer = foreign("", datetime(2025, 1, 1, tzinfo=UTC), unit="Class 2")
    await upload_trust(store, STORE, pem(newer), ADMIN)
    assert held(store) == {newer, other}
    assert "newer certificate of OU=Class 2" in str(await refusal(store, pem(one)))


async def test_what_is_there_already_stays_as_it_is(store: ClusterStore) -> None:
    """A client that uploads a renewed intermediate with its old root may do so."""
    root, old = foreign("root"), foreign("issuing")
    await upload_trust(store, STORE, pem(old, root), ADMIN)
    refused = await refusal(store, pem(old, root, old))
    assert (refused.code, str(refused)) == (409, f"{STORE} already holds issuing, root, issuing")
    new = foreign("issuing", datetime(2025, 1, 1, tzinfo=UTC))
    await upload_trust(store, STORE, pem(new, root, new), ADMIN)
    assert held(store) == {new, root}


async def test_an_own_certificate_that_is_crowded_out_stays_the_nodes_own(open_store: StoreMaker) -> None:
    """R-CRT-6: it goes out of the trust store, TVS still knows whose it is."""
    store = await open_store(clock=ManualClock(WHEN))
    own = store.snapshot.require("alpha-pub", Purpose.TOMCAT).certificate
    entry = store.snapshot.trusted[own.sha256]
    assert "tomcat-trust" in entry.stores
    await upload_trust(store, "tomcat-trust", pem(foreign("alpha-pub", WHEN)), ADMIN)
    after = store.snapshot.trusted[own.sha256]
    assert "tomcat-trust" not in after.stores
    assert (after.purposes, after.roles) == (entry.purposes, entry.roles)


# ---------------------------------------------------------------- not in


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (WHEN - timedelta(seconds=1), "certificate CN=foreign is not valid before 2030-06-01 12:00 UTC"),
        (WHEN, None),
        (WHEN + YEAR, None),
        (WHEN + YEAR + timedelta(seconds=1), "certificate CN=foreign expired on 2031-06-01 12:00 UTC"),
    ],
)
async def test_validity_by_the_clusters_clock(now: datetime, reason: str | None, open_store: StoreMaker) -> None:
    store = await open_store(clock=ManualClock(now))
    data = pem(foreign(begin=WHEN, end=WHEN + YEAR))
    if reason is None:
        await upload_trust(store, STORE, data, ADMIN)
    else:
        refused = await refusal(store, data)
        assert (refused.code, str(refused)) == (400, reason)


async def test_one_bad_certificate_spoils_the_upload(open_store: StoreMaker) -> None:
    store = await open_store(clock=ManualClock(WHEN))
    expired = foreign("expired", end=WHEN - YEAR)
    assert "CN=expired expired" in str(await refusal(store, pem(foreign(), expired, foreign("third"))))


@pytest.mark.parametrize(
    ("options", "fips", "reason"),
    [
        (("rsa:768", "-sha256"), False, "768 bits; the least is 1024"),
        (("rsa:1024", "-sha256"), False, None),
        (("rsa:1024", "-sha256"), True, "the RSA key of CN=weak has 1024 bits; the least in FIPS mode is 2048"),
        (("ec", "-pkeyopt", "ec_paramgen_curve:P-224"), False, "the EC key of CN=weak has 224 bits; the least is 256"),
        (("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), True, None),
        (("rsa:1024", "-sha1"), False, None),
        (("rsa:1024", "-md5"), False, "certificate CN=weak is signed with MD5"),
    ],
)
async def test_weak_keys_and_signatures(
    options: tuple[str, ...], reason: str | None, store: ClusterStore, tmp_path: Path, *, fips: bool
) -> None:
    await store.set_parameter(FIPS_MODE, str(fips))
    name = ("-subj", "/CN=weak", "-nodes", "-keyout", tmp_path / "key.pem")
    data = openssl("req", "-x509", "-newkey", *options, *name)
    if reason is None:
        await upload_trust(store, STORE, data, ADMIN)
        assert [item.subject.common_name for item in held(store)] == ["weak"]
    else:
        refused = await refusal(store, data)
        assert refused.code == 400
        assert reason in str(refused)


@pytest.mark.parametrize(
    ("data", "stores", "code"),
    [
        (b"", (STORE,), 400),
        (b"garbage", (STORE,), 400),
        (bytes(10_000_000), (STORE,), 413),
        (pem(foreign()), ("Tomcat-trust",), 404),
        (pem(foreign()), (STORE, "nothing-trust"), 404),
    ],
)
async def test_no_certificates_or_no_such_store(
    data: bytes, stores: tuple[str, ...], code: int, store: ClusterStore
) -> None:
    assert (await refusal(store, data, *stores)).code == code


# ---------------------------------------------------------------- out


@pytest.mark.parametrize(
    "how", ["name", "name.pem", "name.der", "digest", "DIGEST", "8 digits", "9 digits", "digest.pem"]
)
async def test_a_certificate_goes_by_its_name_or_its_digest(how: str, store: ClusterStore) -> None:
    one, other = foreign("one"), foreign("other")
    await upload_trust(store, [STORE, "tomcat-trust"], pem(one, other), ADMIN)
    digest = one.sha256.hex()
    name = {
        "name": "one",
        "name.pem": "one.pem",
        "name.der": "one.der",
        "digest": digest,
        "DIGEST": digest.upper(),
        "8 digits": digest[:8],
        "9 digits": digest[:9],
        "digest.pem": f"{digest[:16]}.pem",
    }[how]
    assert await delete_trust(store, STORE, name, ADMIN) == one
    assert held(store) == {other}
    assert held(store, "tomcat-trust") == {one, other}


@pytest.mark.parametrize("name", ["", "two", "one ", "on", "ONE", ".pem", "0" * 7, "0" * 64, "f" * 65, "%", "' OR 1=1"])
async def test_names_that_nothing_has(name: str, store: ClusterStore) -> None:
    await upload_trust(store, STORE, pem(foreign("one")), ADMIN)
    before = store.snapshot
    with pytest.raises(Refusal, match="Phone-SAST-trust holds no certificate") as caught:
        await delete_trust(store, STORE, name, ADMIN)
    assert caught.value.code == 404
    assert store.snapshot is before


async def test_a_name_that_is_not_unique_wants_digits(store: ClusterStore) -> None:
    """Bulk import puts certificates in as they come."""
    one, other = foreign(), foreign()
    await store.add_trust(STORE, [one, other])
    with pytest.raises(Refusal, match="2 certificates of Phone-SAST-trust match 'foreign'; give digits") as caught:
        await delete_trust(store, STORE, "foreign", ADMIN)
    assert caught.value.code == 409
    await delete_trust(store, STORE, one.sha256.hex()[:12], ADMIN)
    assert held(store) == {other}


async def test_a_common_name_of_hexadecimal_digits_is_a_name_all_the_same(store: ClusterStore) -> None:
    odd = foreign("deadbeefcafe")
    await upload_trust(store, STORE, pem(odd, foreign("other")), ADMIN)
    assert await delete_trust(store, STORE, "deadbeefcafe", ADMIN) == odd


async def test_no_such_store(store: ClusterStore) -> None:
    with pytest.raises(Refusal, match="there is no trust store 'tomcat'; known: CallManager-trust") as caught:
        await delete_trust(store, "tomcat", "x", ADMIN)
    assert caught.value.code == 404


async def test_an_own_certificate_may_leave_a_store_and_comes_back_with_the_next(store: ClusterStore) -> None:
    own = store.snapshot.require("alpha-pub", Purpose.TOMCAT_ECDSA).certificate
    assert await delete_trust(store, "tomcat-trust", "alpha-pub-EC", ADMIN) == own
    assert store.snapshot.require("alpha-pub", Purpose.TOMCAT_ECDSA).certificate == own
    new = (await regenerate(store, "alpha-pub", Purpose.TOMCAT_ECDSA, ADMIN)).certificate
    assert "tomcat-trust" in store.snapshot.trusted[new.sha256].stores


async def test_a_ca_that_is_deleted_signs_no_further_certificates(store: ClusterStore, authority: OpensslCa) -> None:
    """What it signed before stays in use."""

    async def signed() -> OwnCertificate:
        der = (await make_request(store, "alpha-pub", Purpose.TOMCAT_ECDSA, ADMIN)).der
        return await upload_own(store, "alpha-pub", Purpose.TOMCAT_ECDSA, authority.sign(der).pem.encode(), ADMIN)

    await upload_trust(store, "tomcat-trust", authority.chain_pem, ADMIN)
    own = await signed()
    await delete_trust(store, "tomcat-trust", "Example Root CA", ADMIN)
    with pytest.raises(Refusal, match="CA certificate is not available in the trust-store: CN=Example Root"):
        await signed()
    assert store.snapshot.require("alpha-pub", Purpose.TOMCAT_ECDSA) is own


async def test_the_audit_trail_says_what_came_and_went(store: ClusterStore) -> None:
    await upload_trust(store, [STORE, "tomcat-trust"], pem(foreign("one"), foreign("", unit="two")), ADMIN)
    await delete_trust(store, STORE, "one.pem", ADMIN)
    assert [(entry.what, entry.origin) for entry in await store.audit(2)] == [
        (f"{STORE}: deleted one.pem", "rest 192.0.2.7"),
        (f"{STORE}, tomcat-trust: uploaded one, OU=two", "rest 192.0.2.7"),
    ]
