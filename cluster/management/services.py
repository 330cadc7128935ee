"""Orders to the services of a node, and what became of them (R-CLI-1, R-CLI-2).

An order changes what the cluster wants, in the store; the node's process, whichever it is, sees that and carries it out
(`services.reconciler`), and says how it goes. So any process on the same database can give an order and watch it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert

from cluster import schema
from cluster.management.fields import find_node
from cluster.servicecatalogue import CATALOGUE, Health, Kind, find_service, wanted_state
from cluster.servicestatus import Observed, read_observed
from wire.errors import OperatorError, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cluster.audit import Actor
    from cluster.changes import Transaction
    from cluster.definition import NodeDefinition
    from cluster.servicecatalogue import ServiceFacts
    from cluster.snapshot import ClusterSnapshot, ServiceState
    from cluster.store import ClusterStore

NOT_ACTIVATED = "Service Not Activated"
COMMANDED_OUT = "Commanded Out of Service"
"""Both are UCM's words."""
NODE_DOWN = "node is not running"
_LOOK_S = 0.05
_COMMANDS = frozenset({"ssh", "admin"})
"""First words of an actor's origin that mean the command line."""
_RING = tuple(Health)
_RESTING = frozenset({Health.STARTED, Health.STOPPED})


class Order(Enum):
    """What an operator may ask; the value is the word of ``utils service``."""

    ACTIVATE = "activate"
    DEACTIVATE = "deactivate"
    START = "start"
    STOP = "stop"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service at one moment.

    Attributes:
        name: UCM's.
        kind: decides how the list prints it.
        state: see `cluster.servicecatalogue.Health`.
        reason: of a stopped one: `NOT_ACTIVATED`, `COMMANDED_OUT`, `NODE_DOWN` or why it did not start; else empty.
        starts: how many orders to start were carried out; tells one that started anew from one that never stopped.
    """

    name: str
    kind: Kind
    state: Health
    reason: str = ""
    starts: int = 0

    @property
    def line(self) -> str:
        """As the service list prints it.

        ``Name Service Cache [STOPPED] Service Not Activated``,
        ``Cisco Intercluster Lookup Service[STOPPED]  Commanded Out of Service``
        """
        platform = self.kind is Kind.PLATFORM
        shown = f"{self.name}{' ' if platform else ''}[{self.state.value}]"
        return f"{shown}{' ' if platform else '  '}{self.reason}" if self.reason else shown


async def give_order(store: ClusterStore, node: str, name: str, order: Order, actor: Actor) -> None:
    """Changes what is wanted of a service; returns before that is carried out, see `follow`.

    What is so already stays as it is, without a new revision: starting what runs, stopping what is stopped.

    Args:
        store: the cluster.
        node: whose service.
        name: UCM's name, in any case.
        order: what.
        actor: who.

    Raises:
        Refusal: no such node or service, or the order breaks a rule.
        OperatorError: the database refuses.
    """
    facts = find_service(name)
    server = find_node(store.snapshot, node)

    async def change(transaction: Transaction) -> bool:
        _check(transaction.state, find_node(transaction.state, node), facts, order, actor)
        if order not in _KEPT and not store.runs(server.name):
            raise Refusal(409, f"{server.name} does not run: nobody is there to {order.value} {facts.name}")
        before = wanted_state(transaction.state, server.name, facts.name)
        observed = (await read_observed(transaction.connection, server.name)).get(facts.name)
        after = _ordered(order, before, observed)
        if after == before:
            return False
        await _put(transaction, server.name, facts.name, after)
        return True

    await store.apply(f"{facts.name} on {server.name}: {order.value}", change, actor)


async def service_statuses(store: ClusterStore, node: str) -> list[ServiceStatus]:
    """Every service of a node, in the order of UCM's list.

    Raises:
        Refusal: no such node.
        OperatorError: the database cannot be read.
    """
    server = find_node(store.snapshot, node)
    looks = await _look(store, server.name)
    return [looks[name].status for name in CATALOGUE]


async def follow(
    store: ClusterStore, node: str, name: str, timeout_s: float, since: ServiceStatus | None = None
) -> AsyncGenerator[ServiceStatus, None]:
    """Each change of a service's state until all orders given so far are carried out; the last one is how it ended.

    A state that passed between two looks is told all the same: services go through them in one order.

    Args:
        store: the cluster.
        node: whose service.
        name: UCM's name, in any case.
        timeout_s: how long to wait at most.
        since: the status before the order; when None, what passed before the first look is not told.

    Raises:
        Refusal: no such node or service.
        OperatorError: it takes longer, or the database cannot be read.
    """
    facts, server = find_service(name), find_node(store.snapshot, node)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    before, told = since, False
    while True:
        look = (await _look(store, server.name))[facts.name]
        if before is None and not look.done and look.status.state in _RESTING:
            before = look.status
        passed = [look.status] if before is None else _passed(before, look)
        if look.done and not told and not passed:
            passed = [look.status]
        for status in passed:
            told = True
            yield status
        before = look.status
        if look.done:
            return
        if loop.time() >= deadline:
            raise OperatorError(
                f"{facts.name} on {server.name} is still {look.status.state.value} after {timeout_s:g} s"
            )
        await asyncio.sleep(_LOOK_S)


async def carry_out(
    store: ClusterStore, node: str, name: str, order: Order, actor: Actor, timeout_s: float
) -> AsyncGenerator[ServiceStatus, None]:
    """`give_order` and `follow` in one, which tells every state in between.

    Raises:
        Refusal: see `give_order`; comes with the first step.
        OperatorError: it takes longer, or the database fails.
    """
    facts = find_service(name)
    before = (await _look(store, find_node(store.snapshot, node).name))[facts.name].status
    await give_order(store, node, name, order, actor)
    async for status in follow(store, node, name, timeout_s, since=before):
        yield status


# ------------------------------------------------------------------ orders

_KEPT = frozenset({Order.ACTIVATE, Order.DEACTIVATE})
"""Orders that wait for a node that does not run."""


def _check(snapshot: ClusterSnapshot, server: NodeDefinition, facts: ServiceFacts, order: Order, actor: Actor) -> None:
    name, wanted = facts.name, wanted_state(snapshot, server.name, facts.name)
    if order in _KEPT and facts.kind is Kind.NETWORK:
        raise Refusal(409, f"{name} is a network service: it cannot be activated or deactivated, only stopped")
    if facts.essential and order in {Order.STOP, Order.DEACTIVATE}:
        raise Refusal(409, f"{name} cannot be switched off: without it nobody could switch it on again")
    if facts.only_by_command and order in {Order.STOP, Order.DEACTIVATE} and not _by_command_line(actor):
        raise Refusal(409, f"{name} can be switched off with the command line alone")
    if facts.publisher_only and not server.publisher and order is not Order.STOP:
        raise Refusal(409, f"{name} runs on the publisher only, which is {snapshot.definition.publisher.name}")
    if order in {Order.START, Order.RESTART} and not wanted.activated:
        raise Refusal(409, f"{name} on {server.name} cannot be started: {NOT_ACTIVATED}")
    if order is Order.ACTIVATE:
        missing = [need for need in facts.needs if not wanted_state(snapshot, server.name, need).activated]
        if missing:
            raise Refusal(409, f"{name} needs {' and '.join(missing)}: activate that first")
    if order is Order.DEACTIVATE:
        relying = [
            other.name
            for other in CATALOGUE.values()
            if name in other.needs and wanted_state(snapshot, server.name, other.name).activated
        ]
        if relying:
            raise Refusal(409, f"{' and '.join(relying)} needs {name}: deactivate that first")


def _by_command_line(actor: Actor) -> bool:
    return actor.origin.split(" ")[0] in _COMMANDS


def _ordered(order: Order, before: ServiceState, observed: Observed | None) -> ServiceState:
    """What is wanted after an order; `before` itself when that is so already."""
    if order is Order.DEACTIVATE:
        return replace(before, activated=False, stopped=False)
    if order is Order.STOP:
        return replace(before, stopped=before.activated)
    if order is Order.ACTIVATE:
        return before if before.activated else replace(before, activated=True, stopped=False, starts=before.starts + 1)
    if order is Order.START and not before.stopped and not _failed(before, observed):
        return before
    return replace(before, stopped=False, starts=before.starts + 1)


def _failed(wanted: ServiceState, observed: Observed | None) -> bool:
    """True when the last order to start was carried out, and the service is down all the same."""
    return observed is not None and observed.state is Health.STOPPED and observed.starts >= wanted.starts


async def _put(transaction: Transaction, node: str, name: str, state: ServiceState) -> None:
    table = schema.service_state
    await transaction.connection.execute(delete(table).where(table.c.node == node, table.c.name == name))
    row = {"activated": int(state.activated), "stopped": int(state.stopped), "starts": state.starts}
    await transaction.connection.execute(insert(table).values(node=node, name=name, **row))


# ------------------------------------------------------------------ what became of them


@dataclass(frozen=True, slots=True)
class _Look:
    """A service at one moment.

    Attributes:
        status: for people.
        done: all orders given so far are carried out, or never will be.
        failed: it was to start and did not.
    """

    status: ServiceStatus
    done: bool
    failed: bool


async def _look(store: ClusterStore, node: str) -> dict[str, _Look]:
    running = store.runs(node)
    observed = await store.look(lambda connection: read_observed(connection, node))
    await store.refresh()
    snapshot = store.snapshot
    return {
        facts.name: _judged(facts, wanted_state(snapshot, node, facts.name), observed.get(facts.name), running=running)
        for facts in CATALOGUE.values()
    }


def _judged(facts: ServiceFacts, wanted: ServiceState, observed: Observed | None, *, running: bool) -> _Look:
    seen = observed if running and observed is not None else Observed(Health.STOPPED)
    reason = seen.detail
    if not wanted.activated:
        reason = NOT_ACTIVATED
    elif not running:
        reason = NODE_DOWN
    elif wanted.stopped:
        reason = COMMANDED_OUT
    shown = reason if seen.state is Health.STOPPED else ""
    status = ServiceStatus(facts.name, facts.kind, seen.state, shown, seen.starts)
    if wanted.runs:
        reached = observed is not None and seen.state in _RESTING and seen.starts >= wanted.starts
    else:
        reached = seen.state is Health.STOPPED
    failed = running and wanted.runs and reached and seen.state is Health.STOPPED
    return _Look(status, reached or not running, failed)


def _passed(before: ServiceStatus, look: _Look) -> list[ServiceStatus]:
    """The states from the one after `before` to that of `look`, in their order."""
    now = look.status
    anew = before.starts != now.starts
    if look.failed and (anew or before.state is not Health.STOPPED):
        states = [*_walk(before.state, Health.STARTING, around=False), Health.STOPPED]
    else:
        states = _walk(before.state, now.state, around=anew)
    told = [state for state in states[:-1] if state is not Health.STOPPED]
    return [*(replace(now, state=state, reason="") for state in told), *([now] if states else [])]


def _walk(begin: Health, end: Health, *, around: bool) -> list[Health]:
    """The states after `begin` up to `end`; when they are the same, none, or once around."""
    if begin is end and not around:
        return []
    states: list[Health] = []
    position = _RING.index(begin)
    while not states or states[-1] is not end:
        position = (position + 1) % len(_RING)
        states.append(_RING[position])
    return states


# ------------------------------------------------------------------ at a node's start


async def forget_stops(store: ClusterStore, node: str) -> None:
    """What a server's start does: services that an operator stopped run again; deactivated ones stay off (ours).

    Raises:
        OperatorError: the database refuses.
    """

    async def change(transaction: Transaction) -> bool:
        stopped = {
            name: state
            for (owner, name), state in transaction.state.services.items()
            if owner == node and state.stopped
        }
        for name, state in stopped.items():
            await _put(transaction, node, name, replace(state, stopped=False))
        return bool(stopped)

    await store.apply(f"{node} started: its stopped services run again", change)
