"""Warnings ahead of an expiry, by the cluster's clock (R-CRT-9)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from cluster.audit import SYSTEM
from cluster.management.certificates import regenerate
from cluster.management.expiry import WARNING_DAYS, expiring
from cluster.purposes import Purpose
from tests.cluster.material import WHEN, changed

if TYPE_CHECKING:
    from cluster.store import ClusterStore
    from tests.cluster.conftest import StoreMaker

PUB, SUB = "alpha-pub", "alpha-sub1"


@pytest.mark.parametrize(
    ("left", "days", "text"),
    [
        (timedelta(days=30), None, ""),
        (timedelta(days=30, seconds=-1), 29, "tomcat-ECDSA of alpha-sub1 expires on {until}, in 29 day(s)"),
        (timedelta(seconds=1), 0, "tomcat-ECDSA of alpha-sub1 expires on {until}, in 0 day(s): regenerate it before"),
        (timedelta(0), 0, "tomcat-ECDSA of alpha-sub1 expires on {until}"),
        (timedelta(seconds=-1), -1, "tomcat-ECDSA of alpha-sub1 expired on {until}: regenerate it"),
        (timedelta(days=-400), -400, "tomcat-ECDSA of alpha-sub1 expired on {until}: regenerate it"),
    ],
)
async def test_days_that_are_left(left: timedelta, days: int | None, text: str, store: ClusterStore) -> None:
    """Other certificates of the cluster are a moment older or younger, so only one is looked at."""
    certificate = store.snapshot.require(SUB, Purpose.TOMCAT_ECDSA).certificate
    found = [item for item in expiring(store.snapshot, certificate.not_after - left) if item.certificate == certificate]
    assert [item.days_left for item in found] == ([] if days is None else [days])
    for item in found:
        assert text.format(until=f"{certificate.not_after:%Y-%m-%d}") in str(item)


async def test_nothing_is_said_of_a_new_cluster_and_all_is_said_of_an_old_one(open_store: StoreMaker) -> None:
    clock = ManualClock(WHEN)
    store = await open_store(clock=clock)
    assert expiring(store.snapshot, store.snapshot.changed_at) == []
    clock.advance(365.25 * 86_400 * 20)
    found = expiring(store.snapshot, store.now())
    assert {(item.node, item.unit) for item in found} == {
        (node, purpose.value) for node, purpose in store.snapshot.own if purpose is not Purpose.ITL_RECOVERY
    } | {(PUB, "ITLRecovery")}
    assert found == sorted(found, key=lambda item: item.days_left)
    assert expiring(store.snapshot, store.snapshot.changed_at, within_days=WARNING_DAYS * 100)


async def test_a_new_certificate_ends_the_warning(open_store: StoreMaker) -> None:
    clock = ManualClock(WHEN)
    store = await open_store(clock=clock)
    clock.advance(5 * 366 * 86_400)
    assert (SUB, "TVS") in {(item.node, item.unit) for item in expiring(store.snapshot, store.now())}
    await regenerate(store, SUB, Purpose.TVS, SYSTEM)
    assert (SUB, "TVS") not in {(item.node, item.unit) for item in expiring(store.snapshot, store.now())}


async def test_certificates_that_are_no_longer_in_use_do_not_count(open_store: StoreMaker) -> None:
    """A node that left keeps its certificates in the database; an older release does not know the EC ones."""
    clock = ManualClock(WHEN)
    store = await open_store(clock=clock)
    definition = store.snapshot.definition
    await store.install(changed(definition, release="10.5", nodes=[definition.nodes[0].model_dump()]))
    clock.advance(30 * 366 * 86_400)
    found = {(item.node, item.unit) for item in expiring(store.snapshot, store.now())}
    assert found == {(PUB, unit) for unit in ("CallManager", "TVS", "CAPF", "tomcat", "ipsec", "ITLRecovery")}
