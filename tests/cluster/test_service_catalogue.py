"""The catalogue of services: names, order, and what runs on which node when nobody has said anything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cluster.definition import SERVICES
from cluster.servicecatalogue import CAPF, CATALOGUE, TFTP, TOMCAT, TVS, Kind, find_service, wanted_state
from cluster.snapshot import ServiceState
from tests.cluster.material import definition
from wire.errors import Refusal

if TYPE_CHECKING:
    from cluster.store import ClusterStore


def test_list_begins_as_a_live_one_does() -> None:
    names = list(CATALOGUE)
    platform = [name for name, facts in CATALOGUE.items() if facts.kind is Kind.PLATFORM]
    assert platform == names[:5]
    assert platform == [
        "System SSH",
        "Name Service Cache",
        "Entropy Monitoring Daemon",
        "Cisco SCSI Watchdog",
        "Service Manager",
    ]
    assert names[5:7] == ["Cisco AMC Service", "Cisco Audit Event Service"]
    assert names[5:] == sorted(names[5:])


def test_every_service_of_a_configuration_is_in_the_catalogue() -> None:
    assert set(SERVICES.values()) <= set(CATALOGUE)


def test_what_a_service_needs_is_a_feature_service_that_is_no_less_activated() -> None:
    for facts in CATALOGUE.values():
        for need in facts.needs:
            assert CATALOGUE[need].kind is Kind.FEATURE
            assert CATALOGUE[need].activated >= facts.activated


@pytest.mark.parametrize("text", ["Cisco Tftp", "cisco tftp", "CISCO TFTP", " Cisco  Tftp "])
def test_service_is_found_in_any_case_and_spacing(text: str) -> None:
    assert find_service(text).name == "Cisco Tftp"


@pytest.mark.parametrize("text", ["", "Cisco", "tftp", "Cisco Tftp2"])
def test_unknown_service_is_refused_by_name(text: str) -> None:
    with pytest.raises(Refusal, match=f"there is no service '{text}'") as refusal:
        find_service(text)
    assert refusal.value.code == 404


@pytest.mark.parametrize(
    ("node", "name", "activated"),
    [
        ("n0", TFTP, True),
        ("n1", TFTP, False),  # its configuration leaves it out
        ("n1", TVS, True),
        ("n1", TOMCAT, False),
        ("n0", "Cisco DRF Master", True),
        ("n1", "Cisco DRF Master", False),  # publisher only
        ("n0", CAPF, True),
        ("n1", CAPF, False),
        ("n1", "Cisco DRF Local", True),
        ("n0", "Cisco CTIManager", True),
        ("n1", "Cisco CTIManager", False),  # it needs Cisco CallManager
        ("n0", "Name Service Cache", False),  # as on a live node
        ("n0", "Entropy Monitoring Daemon", True),
        ("elsewhere", "Cisco DRF Local", False),
    ],
)
async def test_default_follows_configuration_and_catalogue(
    store: ClusterStore, node: str, name: str, *, activated: bool
) -> None:
    cluster = definition(2)
    nodes = (cluster.nodes[0], cluster.nodes[1].model_copy(update={"services": ("tvs",)}))
    snapshot = replace(store.snapshot, definition=cluster.model_copy(update={"nodes": nodes}))
    assert wanted_state(snapshot, node, name) == ServiceState(activated)


async def test_what_an_operator_said_goes_before_the_default(store: ClusterStore) -> None:
    said = ServiceState(activated=False, starts=3)
    snapshot = replace(store.snapshot, services={("alpha-pub", TFTP): said})
    assert wanted_state(snapshot, "alpha-pub", TFTP) == said
    assert wanted_state(snapshot, "alpha-sub1", TFTP) == ServiceState(activated=True)


@pytest.mark.parametrize(
    ("state", "runs"),
    [
        (ServiceState(activated=True), True),
        (ServiceState(activated=True, stopped=True), False),
        (ServiceState(activated=False), False),
        (ServiceState(activated=False, stopped=True), False),
    ],
)
def test_service_runs_when_activated_and_not_stopped(state: ServiceState, *, runs: bool) -> None:
    assert state.runs is runs
