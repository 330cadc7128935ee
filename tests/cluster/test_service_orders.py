"""Orders to services and their statuses, with a node that the test plays: it holds the claim and says how it goes."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, aclosing
from typing import TYPE_CHECKING

import pytest

from cluster.audit import Actor
from cluster.claims import NodeClaim
from cluster.management.services import (
    COMMANDED_OUT,
    NODE_DOWN,
    NOT_ACTIVATED,
    Order,
    ServiceStatus,
    carry_out,
    follow,
    forget_stops,
    give_order,
    service_statuses,
)
from cluster.servicecatalogue import CAPF, CATALOGUE, TFTP, TOMCAT, TVS, Health, Kind
from cluster.servicestatus import Observed, forget_observed, note_observed
from cluster.snapshot import ServiceState
from wire.errors import OperatorError, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cluster.store import ClusterStore
    from tests.cluster.conftest import StateMaker, StoreMaker

PUB, SUB = "alpha-pub", "alpha-sub1"
OPERATOR = Actor("admin", "ssh 192.0.2.7")
CTI, ENTROPY, SSH = "Cisco CTIManager", "Entropy Monitoring Daemon", "System SSH"
STARTED, STARTING, STOPPED, STOPPING = Health.STARTED, Health.STARTING, Health.STOPPED, Health.STOPPING


@pytest.fixture
def claims(store: ClusterStore, tmp_path: Path) -> Iterator[ExitStack]:
    """Both nodes run, as far as anybody can tell."""
    with ExitStack() as stack:
        for node in (PUB, SUB):
            stack.enter_context(NodeClaim(tmp_path / "12.5" / "alpha", node))
        yield stack


async def status(store: ClusterStore, name: str, node: str = PUB) -> ServiceStatus:
    return next(item for item in await service_statuses(store, node) if item.name == name)


async def state(store: ClusterStore, name: str, node: str = PUB) -> ServiceState | None:
    return store.snapshot.services.get((node, name))


# ------------------------------------------------------------------ the list


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (ServiceStatus(SSH, Kind.PLATFORM, STARTED), "System SSH [STARTED]"),
        (
            ServiceStatus("Name Service Cache", Kind.PLATFORM, STOPPED, NOT_ACTIVATED),
            "Name Service Cache [STOPPED] Service Not Activated",
        ),
        (ServiceStatus("Cisco AMC Service", Kind.NETWORK, STARTED), "Cisco AMC Service[STARTED]"),
        (
            ServiceStatus("Cisco Intercluster Lookup Service", Kind.NETWORK, STOPPED, COMMANDED_OUT),
            "Cisco Intercluster Lookup Service[STOPPED]  Commanded Out of Service",
        ),
    ],
)
def test_line_of_the_list_is_as_seen_on_live_nodes(item: ServiceStatus, line: str) -> None:
    assert item.line == line


async def test_list_has_every_service_in_its_order(store: ClusterStore, claims: ExitStack) -> None:
    assert [item.name for item in await service_statuses(store, PUB)] == list(CATALOGUE)


@pytest.mark.parametrize(
    ("wanted", "observed", "expected"),
    [
        (None, Observed(STARTED), (STARTED, "")),
        (None, Observed(STARTING, detail="left over"), (STARTING, "")),
        (None, Observed(STOPPED, detail="the port is in use"), (STOPPED, "the port is in use")),
        (None, None, (STOPPED, "")),  # the node is coming up
        (Order.STOP, Observed(STARTED), (STARTED, "")),  # not yet carried out
        (Order.STOP, Observed(STOPPED), (STOPPED, COMMANDED_OUT)),
        (Order.DEACTIVATE, Observed(STOPPED), (STOPPED, NOT_ACTIVATED)),
        (Order.DEACTIVATE, None, (STOPPED, NOT_ACTIVATED)),
    ],
)
async def test_status_is_what_the_node_says_with_the_operators_reason(
    store: ClusterStore,
    claims: ExitStack,
    wanted: Order | None,
    observed: Observed | None,
    expected: tuple[Health, str],
) -> None:
    if wanted is not None:
        await give_order(store, PUB, TFTP, wanted, OPERATOR)
    if observed is not None:
        await note_observed(store, PUB, {TFTP: observed})
    found = await status(store, TFTP)
    assert (found.state, found.reason) == expected


async def test_what_a_dead_node_last_said_counts_for_nothing(store: ClusterStore, claims: ExitStack) -> None:
    await note_observed(store, PUB, {name: Observed(STARTED) for name in CATALOGUE})
    claims.close()
    statuses = await service_statuses(store, PUB)
    assert {item.state for item in statuses} == {STOPPED}
    assert {item.reason for item in statuses} == {NODE_DOWN, NOT_ACTIVATED}


async def test_node_forgets_what_its_earlier_processes_said(store: ClusterStore, claims: ExitStack) -> None:
    for node in (PUB, SUB):
        await note_observed(store, node, {TFTP: Observed(STARTED)})
    await forget_observed(store, [PUB])
    assert (await status(store, TFTP, PUB)).state is STOPPED
    assert (await status(store, TFTP, SUB)).state is STARTED


async def test_notes_of_a_node_make_no_revision(store: ClusterStore, claims: ExitStack) -> None:
    before = store.snapshot.revision
    await note_observed(store, PUB, {TFTP: Observed(STARTED)})
    await store.refresh()
    assert store.snapshot.revision == before


async def test_unknown_node_has_no_list(store: ClusterStore) -> None:
    with pytest.raises(Refusal, match="no node 'beta'"):
        await service_statuses(store, "beta")


# ------------------------------------------------------------------ orders


@pytest.mark.parametrize(
    ("before", "observed", "order", "after"),
    [
        (None, STARTED, Order.RESTART, ServiceState(True, starts=1)),
        (None, STARTED, Order.STOP, ServiceState(True, stopped=True)),
        (None, STARTED, Order.DEACTIVATE, ServiceState(False)),
        (Order.STOP, STOPPED, Order.START, ServiceState(True, starts=1)),
        (Order.STOP, STOPPED, Order.RESTART, ServiceState(True, starts=1)),
        (Order.STOP, STOPPED, Order.DEACTIVATE, ServiceState(False)),
        (Order.DEACTIVATE, STOPPED, Order.ACTIVATE, ServiceState(True, starts=1)),
        (None, STOPPED, Order.START, ServiceState(True, starts=1)),  # it had failed to start
        (Order.RESTART, STOPPED, Order.START, ServiceState(True, starts=1)),  # not carried out yet: one is enough
        # nothing to do
        (None, STARTED, Order.START, None),
        (None, STARTING, Order.START, None),
        (None, STOPPING, Order.START, None),  # a restart is on its way
        (None, STARTED, Order.ACTIVATE, None),
        (Order.STOP, STOPPED, Order.STOP, ServiceState(True, stopped=True)),
        (Order.STOP, STOPPED, Order.ACTIVATE, ServiceState(True, stopped=True)),
        (Order.DEACTIVATE, STOPPED, Order.STOP, ServiceState(False)),
        (Order.DEACTIVATE, STOPPED, Order.DEACTIVATE, ServiceState(False)),
    ],
)
async def test_order_changes_what_is_wanted(
    store: ClusterStore,
    claims: ExitStack,
    before: Order | None,
    observed: Health,
    order: Order,
    after: ServiceState | None,
) -> None:
    if before is not None:
        await give_order(store, PUB, TFTP, before, OPERATOR)
    await note_observed(store, PUB, {TFTP: Observed(observed)})
    revision, had = store.snapshot.revision, await state(store, TFTP)
    await give_order(store, PUB, TFTP, order, OPERATOR)
    assert await state(store, TFTP) == after
    assert store.snapshot.revision - revision == (had != after)  # what is so already is no change


async def test_order_is_for_one_node_alone(store: ClusterStore, claims: ExitStack) -> None:
    await give_order(store, SUB, TFTP, Order.DEACTIVATE, OPERATOR)
    assert await state(store, TFTP, PUB) is None
    assert await state(store, TFTP, SUB) == ServiceState(activated=False)


async def test_names_count_in_any_case(store: ClusterStore, claims: ExitStack) -> None:
    await give_order(store, "ALPHA-PUB", "cisco tftp", Order.STOP, OPERATOR)
    assert await state(store, TFTP) == ServiceState(activated=True, stopped=True)


async def test_audit_says_who_ordered_what(store: ClusterStore, claims: ExitStack) -> None:
    await give_order(store, PUB, "cisco tftp", Order.RESTART, OPERATOR)
    entry = (await store.audit(1))[0]
    assert (entry.what, entry.who, entry.origin) == ("Cisco Tftp on alpha-pub: restart", "admin", "ssh 192.0.2.7")


@pytest.mark.parametrize(
    ("node", "name", "order", "code", "words"),
    [
        (PUB, "Cisco Toaster", Order.STOP, 404, "no service 'Cisco Toaster'"),
        ("beta", TFTP, Order.STOP, 404, "no node 'beta'"),
        (PUB, TVS, Order.DEACTIVATE, 409, f"{TVS} is a network service"),
        (PUB, TVS, Order.ACTIVATE, 409, f"{TVS} is a network service"),
        (PUB, TOMCAT, Order.DEACTIVATE, 409, "network service"),
        (PUB, "Cisco DRF Local", Order.DEACTIVATE, 409, "network service"),
        (PUB, "Name Service Cache", Order.START, 409, NOT_ACTIVATED),
        (PUB, "Name Service Cache", Order.RESTART, 409, NOT_ACTIVATED),
        (PUB, SSH, Order.STOP, 409, "System SSH cannot be switched off"),
        (PUB, SSH, Order.DEACTIVATE, 409, "cannot be switched off"),
        (PUB, "Service Manager", Order.STOP, 409, "cannot be switched off"),
        (SUB, "Cisco DRF Master", Order.START, 409, "on the publisher only, which is alpha-pub"),  # R-CLI-3
        (SUB, "Cisco DRF Master", Order.RESTART, 409, "on the publisher only"),
        (SUB, CAPF, Order.ACTIVATE, 409, "on the publisher only"),
        (PUB, "Cisco CallManager", Order.DEACTIVATE, 409, f"{CTI} needs Cisco CallManager: deactivate that first"),
    ],
)
async def test_order_that_breaks_a_rule_is_refused(
    store: ClusterStore, claims: ExitStack, node: str, name: str, order: Order, code: int, words: str
) -> None:
    revision = store.snapshot.revision
    with pytest.raises(Refusal, match=words) as refusal:
        await give_order(store, node, name, order, OPERATOR)
    assert refusal.value.code == code
    assert store.snapshot.revision == revision


async def test_what_a_service_needs_is_activated_before_it_and_deactivated_after_it(
    store: ClusterStore, claims: ExitStack
) -> None:
    await give_order(store, PUB, CTI, Order.DEACTIVATE, OPERATOR)
    await give_order(store, PUB, "Cisco CallManager", Order.DEACTIVATE, OPERATOR)
    with pytest.raises(Refusal, match=f"{CTI} needs Cisco CallManager: activate that first"):
        await give_order(store, PUB, CTI, Order.ACTIVATE, OPERATOR)
    await give_order(store, PUB, "Cisco CallManager", Order.ACTIVATE, OPERATOR)
    await give_order(store, PUB, CTI, Order.ACTIVATE, OPERATOR)
    assert (await state(store, CTI) or ServiceState(False)).runs


@pytest.mark.parametrize("order", [Order.STOP, Order.DEACTIVATE])
@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("ssh 192.0.2.7", True), ("admin command", True), ("rest 192.0.2.7", False), ("sshd", False), ("", False)],
)
async def test_entropy_daemon_goes_off_by_command_line_only(
    store: ClusterStore, claims: ExitStack, order: Order, origin: str, *, allowed: bool
) -> None:
    """R-CLI-2."""
    actor = Actor("admin", origin)
    if not allowed:
        with pytest.raises(Refusal, match="command line alone"):
            await give_order(store, PUB, ENTROPY, order, actor)
    else:
        await give_order(store, PUB, ENTROPY, order, actor)
    assert (await state(store, ENTROPY) is None) is not allowed
    await give_order(store, PUB, ENTROPY, Order.ACTIVATE, actor)
    await give_order(store, PUB, ENTROPY, Order.RESTART, actor)
    assert (await state(store, ENTROPY) or ServiceState(False)).runs


@pytest.mark.parametrize("order", [Order.START, Order.STOP, Order.RESTART])
async def test_node_that_does_not_run_takes_no_such_order(store: ClusterStore, order: Order) -> None:
    with pytest.raises(Refusal, match="alpha-pub does not run"):
        await give_order(store, PUB, TFTP, order, OPERATOR)
    assert await state(store, TFTP) is None


async def test_activation_waits_for_a_node_that_does_not_run(store: ClusterStore) -> None:
    await give_order(store, PUB, TFTP, Order.DEACTIVATE, OPERATOR)
    assert (await status(store, TFTP)).reason == NOT_ACTIVATED
    await give_order(store, PUB, TFTP, Order.ACTIVATE, OPERATOR)
    assert (await status(store, TFTP)).reason == NODE_DOWN


async def test_start_of_a_node_forgets_stops_of_its_own_and_no_deactivation(
    store: ClusterStore, claims: ExitStack
) -> None:
    await give_order(store, PUB, TFTP, Order.DEACTIVATE, OPERATOR)
    await give_order(store, PUB, TVS, Order.STOP, OPERATOR)
    await give_order(store, SUB, TVS, Order.STOP, OPERATOR)
    await forget_stops(store, PUB)
    assert await state(store, TFTP, PUB) == ServiceState(activated=False)
    assert await state(store, TVS, PUB) == ServiceState(activated=True)
    assert await state(store, TVS, SUB) == ServiceState(activated=True, stopped=True)
    revision = store.snapshot.revision
    await forget_stops(store, PUB)
    assert store.snapshot.revision == revision


async def test_orders_of_two_processes_at_once_are_both_kept(
    store: ClusterStore, claims: ExitStack, open_store: StoreMaker, database: StateMaker
) -> None:
    other = await open_store(await database())
    orders = [give_order(of, PUB, TFTP, Order.RESTART, OPERATOR) for of in (store, other, store, other, store, other)]
    await asyncio.gather(*orders)
    await store.refresh()
    assert await state(store, TFTP) == ServiceState(activated=True, starts=6)


# ------------------------------------------------------------------ what becomes of them


def at(health: Health, starts: int = 0) -> ServiceStatus:
    return ServiceStatus(TFTP, Kind.FEATURE, health, starts=starts)


IN_USE = "the port is in use"


@pytest.mark.parametrize(
    ("order", "since", "seen", "told", "reason"),
    [
        # all of it went by before the first look
        (Order.RESTART, at(STARTED), Observed(STARTED, 1), [STOPPING, STARTING, STARTED], ""),
        (Order.RESTART, at(STOPPED), Observed(STARTED, 1), [STARTING, STARTED], ""),
        (Order.RESTART, at(STARTED), Observed(STOPPED, 1, IN_USE), [STOPPING, STARTING, STOPPED], IN_USE),
        (Order.RESTART, at(STOPPED), Observed(STOPPED, 1, IN_USE), [STARTING, STOPPED], IN_USE),
        (Order.RESTART, at(STARTING, 1), Observed(STOPPED, 1, IN_USE), [STOPPED], IN_USE),
        (Order.STOP, at(STARTED), Observed(STOPPED), [STOPPING, STOPPED], COMMANDED_OUT),
        (Order.STOP, at(STOPPING), Observed(STOPPED), [STOPPED], COMMANDED_OUT),
        (Order.STOP, at(STOPPED), Observed(STOPPED), [STOPPED], COMMANDED_OUT),
        (Order.DEACTIVATE, at(STARTED), Observed(STOPPED), [STOPPING, STOPPED], NOT_ACTIVATED),
        # nobody knows what was before
        (Order.RESTART, None, Observed(STARTED, 1), [STARTED], ""),
        (Order.STOP, None, Observed(STOPPED), [STOPPED], COMMANDED_OUT),
    ],
)
async def test_states_that_passed_unseen_are_told(
    store: ClusterStore,
    claims: ExitStack,
    order: Order,
    since: ServiceStatus | None,
    seen: Observed,
    told: list[Health],
    reason: str,
) -> None:
    await give_order(store, PUB, TFTP, order, OPERATOR)
    await note_observed(store, PUB, {TFTP: seen})
    found = [item async for item in follow(store, PUB, TFTP, 5, since)]
    assert [item.state for item in found] == told
    assert [item.reason for item in found] == [*[""] * (len(told) - 1), reason]


async def test_states_are_told_as_they_come(store: ClusterStore, claims: ExitStack) -> None:
    await note_observed(store, PUB, {TFTP: Observed(STARTED)})
    await give_order(store, PUB, TFTP, Order.RESTART, OPERATOR)
    await note_observed(store, PUB, {TFTP: Observed(STOPPING, 1)})
    async with aclosing(follow(store, PUB, TFTP, 5)) as told:
        assert (await anext(told)).state is STOPPING
        await note_observed(store, PUB, {TFTP: Observed(STARTING, 1)})
        assert (await anext(told)).state is STARTING
        await note_observed(store, PUB, {TFTP: Observed(STARTED, 1)})
        assert (await anext(told)).state is STARTED
        with pytest.raises(StopAsyncIteration):
            await anext(told)


async def test_order_that_nobody_carries_out_is_waited_for_no_longer_than_asked(
    store: ClusterStore, claims: ExitStack
) -> None:
    await note_observed(store, PUB, {TFTP: Observed(STARTED)})
    with pytest.raises(OperatorError, match=r"Cisco Tftp on alpha-pub is still STARTED after 0\.1 s"):
        async for _ in carry_out(store, PUB, TFTP, Order.STOP, OPERATOR, 0.1):
            pass


async def test_following_ends_with_the_node(store: ClusterStore, claims: ExitStack) -> None:
    await note_observed(store, PUB, {TFTP: Observed(STARTED)})
    await give_order(store, PUB, TFTP, Order.RESTART, OPERATOR)
    claims.close()
    assert [item.line async for item in follow(store, PUB, TFTP, 5)] == ["Cisco Tftp[STOPPED]  node is not running"]


async def test_refused_order_is_not_followed(store: ClusterStore, claims: ExitStack) -> None:
    with pytest.raises(Refusal, match="network service"):
        async for _ in carry_out(store, PUB, TVS, Order.DEACTIVATE, OPERATOR, 5):
            pass


async def test_list_of_a_database_that_went_away_fails_in_one_sentence(
    store: ClusterStore, claims: ExitStack, database: StateMaker
) -> None:
    path = await database()
    path.rename(path.with_suffix(".away"))
    with pytest.raises(OperatorError, match="cannot read the state database"):
        await service_statuses(store, PUB)
