"""Trust stores: what they give in TVS, how certificates are found, that size costs nothing (R-TVS-2 ... R-TVS-4)."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from cluster.purposes import TRUST_STORES, Purpose
from cluster.snapshot import ClusterSnapshot, TrustEntry, lookup_key
from tests.cluster.material import sql, sql_many, stranger
from wire.errors import Refusal
from wire.names import DistinguishedName
from wire.trustlist import Function

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cluster.store import ClusterStore
    from tests.cluster.conftest import StateMaker, StoreMaker
    from wire.certificates import Certificate

SAST, CCM_TFTP, TFTP, CAPF, APP = (
    Function.SAST,
    Function.CCM_TFTP,
    Function.TFTP,
    Function.CAPF,
    Function.APP_SERVER,
)
AUTHORITY = ((NameOID.COMMON_NAME, "authority"),)


def found(snapshot: ClusterSnapshot, certificate: Certificate) -> TrustEntry | None:
    """Looked up in both ways, which have to agree."""
    entry = snapshot.find_by_digest(certificate.sha256)
    assert snapshot.find_by_issuer_serial(certificate.issuer, certificate.serial) == entry
    return entry


def roles(snapshot: ClusterSnapshot, certificate: Certificate) -> tuple[int, ...] | None:
    entry = found(snapshot, certificate)
    return None if entry is None else entry.roles


# ---------------------------------------------------------------- roles


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        (Purpose.CALLMANAGER, (SAST, CCM_TFTP)),
        (Purpose.CALLMANAGER_ECDSA, (CCM_TFTP,)),
        (Purpose.TVS, ()),
        (Purpose.CAPF, (CAPF,)),
        (Purpose.TOMCAT, (APP,)),
        (Purpose.TOMCAT_ECDSA, (APP,)),
        (Purpose.IPSEC, ()),
        (Purpose.ITL_RECOVERY, (SAST,)),
    ],
)
async def test_a_node_s_own_certificate_has_the_roles_of_its_purpose(
    purpose: Purpose, expected: tuple[int, ...], store: ClusterStore
) -> None:
    for node in ("alpha-pub", "alpha-sub1"):
        assert roles(store.snapshot, store.snapshot.require(node, purpose).certificate) == expected


@pytest.mark.parametrize("stores", [(name,) for name in TRUST_STORES] + [("CallManager-trust", "Phone-SAST-trust")])
async def test_a_foreign_certificate_has_the_roles_of_its_stores(stores: tuple[str, ...], store: ClusterStore) -> None:
    """A CallManager imported into CallManager-trust and Phone-SAST-trust was seen with {SAST, TFTP}."""
    certificate = stranger()
    for name in stores:
        assert await store.add_trust(name, [certificate]) == 1
    entry = found(store.snapshot, certificate)
    assert entry is not None
    assert entry.stores == set(stores)
    assert entry.roles == tuple(sorted({int(role) for name in stores for role in TRUST_STORES[name]}))


def test_the_roles_seen_for_an_imported_callmanager_are_what_its_two_stores_give() -> None:
    assert {*TRUST_STORES["CallManager-trust"], *TRUST_STORES["Phone-SAST-trust"]} == {SAST, TFTP}


async def test_leaving_one_store_leaves_the_roles_of_the_other(store: ClusterStore) -> None:
    certificate = stranger()
    await store.add_trust("CallManager-trust", [certificate])
    await store.add_trust("Phone-SAST-trust", [certificate])
    await store.delete_trust("CallManager-trust", certificate.sha256)
    assert roles(store.snapshot, certificate) == (SAST,)
    await store.delete_trust("Phone-SAST-trust", certificate.sha256)
    assert found(store.snapshot, certificate) is None


async def test_an_own_certificate_keeps_its_roles_when_it_leaves_a_trust_store(store: ClusterStore) -> None:
    """And gets none from it: the real TVS was seen to answer a cluster's own CallManager with {SAST, CCM+TFTP}."""
    own = store.snapshot.require("alpha-pub", Purpose.CALLMANAGER).certificate
    await store.add_trust("tomcat-trust", [own])
    assert roles(store.snapshot, own) == (SAST, CCM_TFTP)
    await store.delete_trust("tomcat-trust", own.sha256)
    assert roles(store.snapshot, own) == (SAST, CCM_TFTP)
    with pytest.raises(Refusal, match="tomcat-trust holds no certificate"):
        await store.delete_trust("tomcat-trust", own.sha256)


# ---------------------------------------------------------------- adding and deleting


async def test_adding_twice_is_adding_once(store: ClusterStore) -> None:
    certificate = stranger()
    assert await store.add_trust("tomcat-trust", [certificate, certificate]) == 1
    revision = store.snapshot.revision
    assert await store.add_trust("tomcat-trust", [certificate]) == 0
    assert store.snapshot.revision == revision


async def test_adding_none_changes_nothing(store: ClusterStore) -> None:
    revision = store.snapshot.revision
    assert await store.add_trust("tomcat-trust", []) == 0
    assert store.snapshot.revision == revision


async def test_more_certificates_than_fit_into_a_statement_are_added_at_once(store: ClusterStore) -> None:
    certificates = [stranger(f"c{number}") for number in range(1_203)]
    revision = store.snapshot.revision
    assert await store.add_trust("tomcat-trust", certificates) == 1_203
    assert store.snapshot.revision == revision + 1
    assert all(roles(store.snapshot, certificate) == (APP,) for certificate in certificates)


@pytest.mark.parametrize("name", ["", "tomcat", "TOMCAT-TRUST", "nowhere-trust"])
async def test_an_unknown_store_is_refused_with_the_known_ones(name: str, store: ClusterStore) -> None:
    with pytest.raises(Refusal, match=r"there is no trust store .*; known: CallManager-trust, ") as caught:
        await store.add_trust(name, [stranger()])
    assert caught.value.code == 404
    with pytest.raises(Refusal, match="there is no trust store"):
        await store.delete_trust(name, b"x" * 32)


async def test_deleting_what_is_not_there_is_refused_and_changes_nothing(store: ClusterStore) -> None:
    certificate = stranger()
    await store.add_trust("tomcat-trust", [certificate])
    before = store.snapshot
    with pytest.raises(Refusal, match=f"CAPF-trust holds no certificate with SHA-256 {certificate.sha256.hex()}"):
        await store.delete_trust("CAPF-trust", certificate.sha256)
    assert store.snapshot is before


# ---------------------------------------------------------------- finding


async def test_two_certificates_of_one_issuer_and_serial_are_both_kept(store: ClusterStore) -> None:
    first, second = (stranger("twin", issuer=AUTHORITY, serial=7) for _ in range(2))
    await store.add_trust("tomcat-trust", [first, second])
    expected, other = sorted((first, second), key=lambda certificate: certificate.sha256)
    entry = store.snapshot.find_by_issuer_serial(first.issuer, 7)
    assert entry is not None
    assert entry.der == expected.der
    await store.delete_trust("tomcat-trust", expected.sha256)
    assert found(store.snapshot, other) is not None
    assert store.snapshot.find_by_digest(expected.sha256) is None


async def test_of_two_with_one_issuer_and_serial_the_one_that_phones_may_trust_is_found(store: ClusterStore) -> None:
    for _ in range(4):  # whichever has the lower digest
        serial = random.getrandbits(64)
        useless, useful = (stranger("twin", issuer=AUTHORITY, serial=serial) for _ in range(2))
        await store.add_trust("ipsec-trust", [useless])
        await store.add_trust("Phone-SAST-trust", [useful])
        assert found(store.snapshot, useful) is not None


async def test_nobody_takes_the_place_of_an_own_certificate(store: ClusterStore) -> None:
    own = store.snapshot.require("alpha-pub", Purpose.ITL_RECOVERY).certificate
    issuer = tuple((attribute.oid, str(attribute.value)) for attribute in own.x509.issuer)
    twins = [stranger("twin", issuer=issuer, serial=own.serial) for _ in range(4)]
    await store.add_trust("Phone-SAST-trust", twins)
    assert found(store.snapshot, own) is not None


async def test_a_certificate_is_found_however_its_issuer_is_written(store: ClusterStore) -> None:
    """R-TVS-4: servers and phones disagree on order and separator."""
    issuer = ((NameOID.COUNTRY_NAME, "PL"), (NameOID.ORGANIZATION_NAME, "Lab"), (NameOID.COMMON_NAME, "authority"))
    certificate = stranger(issuer=issuer, serial=0xAB)
    await store.add_trust("tomcat-trust", [certificate])
    for text in ("CN=authority;O=Lab;C=PL", "C=PL,O=Lab,CN=authority", "cn=authority;o=Lab;c=PL"):
        assert store.snapshot.find_by_issuer_serial(DistinguishedName.parse(text), 0xAB) is not None
    for text, serial in (("CN=authority;O=Lab;C=PL", 0xAC), ("CN=Authority;O=Lab;C=PL", 0xAB), ("CN=authority", 0xAB)):
        assert store.snapshot.find_by_issuer_serial(DistinguishedName.parse(text), serial) is None


PARTS = st.lists(st.tuples(st.sampled_from(["CN", "O", "OU"]), st.text(";=,\\\0ab ", max_size=8)), max_size=3)


@given(PARTS, PARTS)
def test_two_names_have_one_key_only_when_they_are_equal(
    first: list[tuple[str, str]], second: list[tuple[str, str]]
) -> None:
    one, other = DistinguishedName(tuple(first)), DistinguishedName(tuple(second))
    assert (lookup_key(one, 1) == lookup_key(other, 1)) is (one == other)


def test_a_name_with_separators_in_it_is_not_another_name() -> None:
    one, other = DistinguishedName((("CN", "a;O=b"),)), DistinguishedName((("CN", "a"), ("O", "b")))
    assert lookup_key(one, 1) != lookup_key(other, 1)


# ---------------------------------------------------------------- the index that is kept and the one that is built anew


def contents(snapshot: ClusterSnapshot) -> dict[str, object]:
    """All of it, with the order of equals left out: it depends on who came first and does not count."""
    held = {item.name: getattr(snapshot, item.name) for item in fields(snapshot)}
    held["by_issuer_serial"] = {key: sorted(digests) for key, digests in snapshot.by_issuer_serial.items()}
    return held


@pytest.mark.parametrize("seed", range(4))
async def test_following_changes_gives_what_reading_everything_gives(
    seed: int, database: StateMaker, open_store: StoreMaker
) -> None:
    """One process changes, one follows, one starts afterwards: all three hold the same."""
    choose = random.Random(seed)
    path = await database()
    writer, follower = await open_store(path), await open_store(path)
    own = [item.certificate for item in writer.snapshot.own.values()][:3]
    twins = [stranger(f"twin{serial}", issuer=AUTHORITY, serial=serial) for serial in (1, 1, 1, 2, 2)]
    pool, names = [*own, *twins, stranger(), stranger()], choose.sample(sorted(TRUST_STORES), 3)
    for _ in range(30):
        name, certificate = choose.choice(names), choose.choice(pool)
        entry = writer.snapshot.find_by_digest(certificate.sha256)
        if entry is not None and name in entry.stores:
            await writer.delete_trust(name, certificate.sha256)
        else:
            await writer.add_trust(name, [*choose.sample(pool, choose.randint(0, 2)), certificate])
        if choose.random() < 0.4:
            await follower.refresh()
    await follower.refresh()
    latecomer = await open_store(path)
    assert contents(writer.snapshot) == contents(follower.snapshot) == contents(latecomer.snapshot)


# ---------------------------------------------------------------- size costs nothing, R-TVS-2


@contextmanager
def counted(store: ClusterStore) -> Iterator[list[str]]:
    """The statements that a store sends meanwhile."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    engine = store._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def work_for_one(store: ClusterStore, certificate: Certificate) -> Sequence[str]:
    with counted(store) as statements:
        await store.add_trust("tomcat-trust", [certificate])
        await store.delete_trust("tomcat-trust", certificate.sha256)
    return statements


async def fill(path: Path, count: int) -> None:
    """Rows as many certificates would leave them, written without making the certificates."""
    like = sql(path, "SELECT * FROM trust_certificate WHERE store = 'tomcat-trust' LIMIT 1")[0]
    rows = [
        {
            **like,
            "der": b"",
            "sha256": b"%032d" % number,
            "lookup_key": f"{number:X} CN=c{number}",
            "common_name": f"c{number}",
        }
        for number in range(count)
    ]
    columns = ", ".join(like)
    values = ", ".join(f":{name}" for name in like)
    sql_many(path, f"INSERT INTO trust_certificate ({columns}) VALUES ({values})", rows)


async def test_a_certificate_costs_the_same_among_a_hundred_thousand(
    database: StateMaker, open_store: StoreMaker
) -> None:
    path = await database()
    few = await open_store(path)
    among_few = await work_for_one(few, stranger())
    await few.close()
    await fill(path, 100_000)
    many = await open_store(path)
    assert len(many.snapshot.trusted) > 100_000
    among_many = await work_for_one(many, stranger())
    assert among_many == among_few
    assert len(among_many) < 100
    assert not [
        statement for statement in among_many if "FROM trust_certificate" in statement and "WHERE" not in statement
    ]
    before, certificate = many.snapshot, stranger()
    await many.add_trust("CAPF-trust", [certificate])
    assert all(many.snapshot.trusted[digest] is before.trusted[digest] for digest in list(before.trusted)[:1_000])
    entry = many.snapshot.find_by_issuer_serial(DistinguishedName.parse("CN=c77777"), 77_777)
    assert entry is not None
    assert entry.roles == (APP,)
    assert found(many.snapshot, certificate) is not None


async def test_one_that_follows_reads_what_was_touched_and_no_more(
    database: StateMaker, open_store: StoreMaker
) -> None:
    path = await database()
    writer, follower = await open_store(path), await open_store(path)
    await writer.add_trust("tomcat-trust", [stranger(f"c{number}") for number in range(50)])
    await follower.refresh()
    await writer.add_trust("tomcat-trust", [stranger()])
    before = follower.snapshot
    with counted(follower) as statements:
        assert await follower.refresh()
    reads = [statement for statement in statements if "FROM trust_certificate" in statement]
    assert len(reads) == 1
    assert "sha256 IN" in reads[0]
    assert all(follower.snapshot.trusted[digest] is entry for digest, entry in before.trusted.items())
