"""What an ITL contains, who signs it, and when its bytes change (R-ITL-1 ... R-ITL-5, R-ITL-8, R-ITL-9, R-RBK-1)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from cluster.parameters import (
    ADVANCED_ENCRYPTION,
    AUTO_REGISTRATION,
    FILE_SIGNATURE,
    ROLLBACK,
    SECURITY_MODE,
    TVS_TTL,
)
from cluster.purposes import Purpose
from cluster.snapshot import ClusterSnapshot, OwnCertificate, Stamp
from cluster.trustlists import (
    CERTIFICATE_LIMIT,
    build_itl,
    itl_content,
    itl_records,
    itl_signer,
    size_warning,
)
from tests.cluster.material import NODES, RELEASES, WHEN, changed, definition, stranger
from wire.fileheader import DigestAlgorithm
from wire.signing import verify_file
from wire.trustlist import ITL_FILE, MAX_PHONE_FILE_SIZE, Function, TrustList, decode_trust_list

if TYPE_CHECKING:
    from cluster.store import ClusterStore
    from tests.cluster.conftest import StoreMaker

CALLMANAGER, TVS, CAPF = Purpose.CALLMANAGER, Purpose.TVS, Purpose.CAPF
SERVER = [(CALLMANAGER, Function.SAST), (CALLMANAGER, Function.TFTP)]
RECOVERY = [(Purpose.ITL_RECOVERY, Function.SAST)]
ELLIPTIC = [(Purpose.CALLMANAGER_ECDSA, Function.TFTP)]
REST = [(CAPF, Function.CAPF), (TVS, Function.TVS), (TVS, Function.TVS)]
# ITLRecovery is in the ITL from 10.0 on, CallManager-ECDSA from 11.0; from 12.0 on ITLRecovery signs (R-ITL-2, -3)
RECORDS = {
    "8.6": [*SERVER, *REST],
    "10.5": [*RECOVERY, *SERVER, *REST],
    "11.5": [*RECOVERY, *SERVER, *ELLIPTIC, *REST],
    "12.5": [*RECOVERY, *SERVER, *ELLIPTIC, *REST],
    "14": [*RECOVERY, *SERVER, *ELLIPTIC, *REST],
}
SIGNER = {
    "8.6": CALLMANAGER,
    "10.5": CALLMANAGER,
    "11.5": CALLMANAGER,
    "12.5": Purpose.ITL_RECOVERY,
    "14": Purpose.ITL_RECOVERY,
}


def owner_of(snapshot: ClusterSnapshot, der: bytes | None) -> OwnCertificate:
    return next(own for own in snapshot.own.values() if own.certificate.der == der)


def itl(snapshot: ClusterSnapshot, node: str = "alpha-pub") -> TrustList:
    return decode_trust_list(build_itl(snapshot, node))


def both(snapshot: ClusterSnapshot) -> list[bytes]:
    return [build_itl(snapshot, node) for node in NODES]


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("release", RELEASES)
async def test_the_records_are_those_of_the_release(release: str, node: str, open_store: StoreMaker) -> None:
    """R-ITL-2."""
    snapshot = (await open_store(release=release)).snapshot
    found = [
        (owner_of(snapshot, record.certificate).purpose, record.function) for record in itl(snapshot, node).records
    ]
    assert Counter(found) == Counter(RECORDS[release])


@pytest.mark.parametrize("node", NODES)
async def test_the_files_of_a_node_are_vouched_for_by_its_own_callmanager(node: str, store: ClusterStore) -> None:
    """R-ITL-5: each TFTP node's ITL has that node's CallManager, and the TVS of every node."""
    records = itl(store.snapshot, node).records
    owners = {
        (owner_of(store.snapshot, record.certificate).purpose, record.dns_name)
        for record in records
        if record.function in {Function.TFTP, Function.SAST, Function.TVS}
    }
    assert owners == {
        (Purpose.ITL_RECOVERY, "alpha-pub"),
        (CALLMANAGER, node),
        (Purpose.CALLMANAGER_ECDSA, node),
        (TVS, "alpha-pub"),
        (TVS, "alpha-sub1"),
    }


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("release", RELEASES)
async def test_the_signer_is_that_of_the_release_and_the_signature_is_its(
    release: str, node: str, open_store: StoreMaker
) -> None:
    """R-ITL-3."""
    snapshot = (await open_store(release=release)).snapshot
    data = build_itl(snapshot, node)
    trust_list = decode_trust_list(data)
    signer = owner_of(snapshot, trust_list.signer_record.certificate if trust_list.signer_record else None)
    assert (signer.purpose, signer.node) == (SIGNER[release], node if SIGNER[release] is CALLMANAGER else "alpha-pub")
    assert verify_file(data, signer.certificate.public_key)
    strangers = [own for own in snapshot.own.values() if own.certificate.is_rsa and own is not signer]
    assert not any(verify_file(data, own.certificate.public_key) for own in strangers)


@pytest.mark.parametrize(("release", "digest"), [("8.6", "SHA1"), ("12.5", "SHA1"), ("14", "SHA512")])
async def test_the_digest_is_the_default_of_the_release(release: str, digest: str, open_store: StoreMaker) -> None:
    assert itl((await open_store(release=release)).snapshot).header.digest is DigestAlgorithm[digest]


@pytest.mark.parametrize(
    ("release", "version"), [("8.6", None), ("10.5", None), ("11.5", (1, 0)), ("12.5", (1, 0)), ("14", (1, 0))]
)
async def test_the_signer_version_is_that_of_the_release(
    release: str, version: tuple[int, int] | None, open_store: StoreMaker
) -> None:
    assert itl((await open_store(release=release)).snapshot).header.signer_version == version


async def test_the_itls_of_two_nodes_differ(store: ClusterStore) -> None:
    """R-ITL-5."""
    publisher, subscriber = both(store.snapshot)
    assert publisher != subscriber


@pytest.mark.parametrize("release", RELEASES)
async def test_an_itl_names_the_file_and_has_nothing_odd(release: str, open_store: StoreMaker) -> None:
    trust_list = itl((await open_store(release=release)).snapshot)
    assert trust_list.header.file_name == ITL_FILE
    assert trust_list.problems == ()


# ---------------------------------------------------------------- when the bytes change (R-ITL-4)


@pytest.mark.parametrize("release", RELEASES)
async def test_a_restart_leaves_every_byte_as_it_was(release: str, open_store: StoreMaker) -> None:
    store = await open_store(release=release, clock=ManualClock(WHEN))
    before = both(store.snapshot)
    assert both(store.snapshot) == before
    await store.close()
    again = await open_store(release=release, clock=ManualClock(WHEN.replace(year=2035)))
    await again.install(again.snapshot.definition)
    assert both(again.snapshot) == before


@pytest.mark.parametrize(
    ("parameter", "value"), [(AUTO_REGISTRATION, "False"), (TVS_TTL, "600"), ("URL Services", "http://192.0.2.1/")]
)
async def test_a_change_elsewhere_leaves_every_byte_as_it_was(
    parameter: str, value: str, open_store: StoreMaker
) -> None:
    store = await open_store(clock=ManualClock(WHEN))
    before = both(store.snapshot)
    await store.set_parameter(parameter, value)
    await store.add_trust("Phone-SAST-trust", [stranger()])
    devices = [{"mac": "AABBCCDDEEFF", "model": "8865"}]
    await store.install(changed(store.snapshot.definition, devices=devices))
    assert both(store.snapshot) == before


@pytest.mark.parametrize(
    ("parameter", "value"),
    [(ROLLBACK, "True"), (FILE_SIGNATURE, "SHA-512"), (ADVANCED_ENCRYPTION, "True"), (SECURITY_MODE, "1")],
)
async def test_a_change_of_content_gives_new_bytes_with_the_time_of_the_change(
    parameter: str, value: str, open_store: StoreMaker
) -> None:
    """R-ITL-1: without anybody asking for it."""
    store = await open_store(clock=ManualClock(WHEN))
    before = both(store.snapshot)
    await store.set_parameter(parameter, value)
    for node, old in zip(NODES, before, strict=True):
        fresh = itl(store.snapshot, node)
        assert fresh.data != old
        assert fresh.header.timestamp == int(WHEN.timestamp())


async def test_there_and_back_is_two_changes(open_store: StoreMaker) -> None:
    """R-RBK-2: the default ITL is back, with a timestamp of its own."""
    clock = ManualClock(WHEN)
    store = await open_store(clock=clock)
    before = itl(store.snapshot)
    await store.set_parameter(ROLLBACK, "True")
    clock.advance(600)
    await store.set_parameter(ROLLBACK, "False")
    after = itl(store.snapshot)
    assert after.records == before.records
    assert after.header.timestamp == int(WHEN.timestamp()) + 600


async def test_a_new_node_changes_the_itl_of_every_node(store: ClusterStore) -> None:
    """Every TVS of the cluster is in it (R-ITL-2)."""
    before = both(store.snapshot)
    nodes = [*store.snapshot.definition.model_dump()["nodes"], {"name": "alpha-sub2", "address": "127.0.0.1"}]
    await store.install(changed(store.snapshot.definition, nodes=nodes))
    assert all(old != new for old, new in zip(before, both(store.snapshot), strict=True))
    for node in (*NODES, "alpha-sub2"):
        names = [record.dns_name for record in itl(store.snapshot, node).with_function(Function.TVS)]
        assert names[0] == node
        assert sorted(names) == [*NODES, "alpha-sub2"]


async def test_a_node_that_is_gone_is_gone_from_the_itl(store: ClusterStore) -> None:
    nodes = store.snapshot.definition.model_dump()["nodes"][:1]
    await store.install(changed(store.snapshot.definition, nodes=nodes))
    assert {record.dns_name for record in itl(store.snapshot).records} == {"alpha-pub"}


async def test_switching_the_release_back_gives_the_itl_of_the_old_one(open_store: StoreMaker) -> None:
    store = await open_store(release="8.6")
    before = itl(store.snapshot).records
    await store.install(changed(store.snapshot.definition, release="12.5"))
    assert len(itl(store.snapshot).records) == len(RECORDS["12.5"])
    await store.install(changed(store.snapshot.definition, release="8.6"))
    assert itl(store.snapshot).records == before


# ---------------------------------------------------------------- parameters that show in the ITL


@pytest.mark.parametrize("release", RELEASES)
async def test_prepared_for_rollback_the_tvs_and_tftp_sections_are_empty(release: str, open_store: StoreMaker) -> None:
    """R-RBK-1: empty, and signed by the usual signer so that phones accept it."""
    store = await open_store(release=release)
    await store.set_parameter(ROLLBACK, "True")
    trust_list = itl(store.snapshot)
    emptied = {record.function for record in trust_list.records if record.is_blank}
    kept = {record.function for record in trust_list.records if not record.is_blank}
    assert emptied == {Function.TFTP, Function.TVS}
    assert kept == {Function.SAST, Function.CAPF}
    assert len(trust_list.records) == len(RECORDS[release])
    assert verify_file(trust_list.data, itl_signer(store.snapshot, "alpha-pub").certificate.public_key)


async def test_mixed_mode_shows_as_another_function(store: ClusterStore) -> None:
    """R-ITL-2, R-ITL-9: CCM+TFTP instead of TFTP."""
    await store.set_parameter(SECURITY_MODE, "1")
    functions = Counter(record.function for record in itl_records(store.snapshot, "alpha-sub1"))
    assert functions == {Function.SAST: 2, Function.CCM_TFTP: 2, Function.CAPF: 1, Function.TVS: 2}


async def test_advanced_encryption_shows_as_signer_version(store: ClusterStore) -> None:
    await store.set_parameter(ADVANCED_ENCRYPTION, "true")
    assert itl(store.snapshot).header.signer_version == (1, 1)


async def test_a_short_key_can_sign_with_the_long_digest(open_store: StoreMaker) -> None:
    store = await open_store(release="8.6")
    await store.set_parameter(FILE_SIGNATURE, "SHA-512")
    data = build_itl(store.snapshot, "alpha-pub")
    assert verify_file(data, itl_signer(store.snapshot, "alpha-pub").certificate.public_key)


# ---------------------------------------------------------------- too many certificates (R-ITL-8)


def with_nodes(snapshot: ClusterSnapshot, count: int) -> ClusterSnapshot:
    """A cluster of `count` nodes that share one node's certificates, so that no keys have to be made."""
    big = definition(count)
    own = {
        (node.name, key[1]): replace(item, node=node.name)
        for node in big.nodes
        for key, item in snapshot.own.items()
        if key[0] == "alpha-pub"
    }
    grown = replace(snapshot, definition=big, own=own)
    return replace(grown, stamps={("n0", ITL_FILE): Stamp(itl_content(grown, "n0"), 1)})


def certificates_in(snapshot: ClusterSnapshot) -> int:
    return sum(not record.is_blank for record in itl_records(snapshot, "n0"))


async def test_the_operator_is_warned_as_soon_as_phones_cannot_load_the_itl(store: ClusterStore) -> None:
    """The limit is the size; with UCM's certificates that is at 39 of them."""
    for count in range(30, 40):
        snapshot = with_nodes(store.snapshot, count)
        data, warning = build_itl(snapshot, "n0"), size_warning(snapshot, "n0")
        assert (warning is not None) is (len(data) > MAX_PHONE_FILE_SIZE)
        assert (warning is not None) is (certificates_in(snapshot) > CERTIFICATE_LIMIT)


async def test_the_warning_says_how_much_it_is_and_what_will_happen(store: ClusterStore) -> None:
    snapshot = with_nodes(store.snapshot, 60)
    assert size_warning(snapshot, "n0") == (
        f"the ITL of n0 has {certificates_in(snapshot)} certificates and {len(build_itl(snapshot, 'n0'))} bytes: "
        "phones load at most 65536 bytes (about 39 certificates) and will fail to register"
    )


async def test_nothing_is_left_out_of_an_itl_that_is_too_large(store: ClusterStore) -> None:
    snapshot = with_nodes(store.snapshot, 60)
    trust_list = itl(snapshot, "n0")
    assert len(trust_list.with_function(Function.TVS)) == 60
    assert verify_file(trust_list.data, itl_signer(snapshot, "n0").certificate.public_key)


async def test_an_ordinary_cluster_gets_no_warning(store: ClusterStore) -> None:
    assert [size_warning(store.snapshot, node) for node in NODES] == [None, None]
