"""The supervisor and the reconciler of a node, over services that break when told to and keep a diary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from base.trace import MemorySink, Trace
from cluster.audit import Actor
from cluster.claims import NodeClaim
from cluster.management.services import Order, carry_out, forget_stops
from cluster.servicecatalogue import TFTP, TOMCAT, TVS, Health
from cluster.servicestatus import read_observed
from cluster.store import ClusterStore
from lab.laboratory import database_path
from services.reconciler import Reconciler
from services.service import Listener
from services.statusboard import StatusBoard
from services.supervisor import Supervisor
from wire.errors import OperatorError, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

NODE = "alpha-pub"
OPERATOR = Actor("admin", "admin command")


class Toaster:
    """A service that starts and stops at a word, unless `broken` says what goes wrong at its start."""

    def __init__(self, name: str, diary: list[str]) -> None:
        self.name = name
        self.broken: BaseException | None = None
        self._diary = diary
        self._health = Health.STOPPED

    @property
    def listeners(self) -> tuple[Listener, ...]:
        return (Listener("TOAST", "tcp", "127.0.0.1", 7),) if self._health is Health.STARTED else ()

    def health(self) -> Health:
        return self._health

    async def start(self) -> None:
        if self.broken is not None:
            raise self.broken
        self._health = Health.STARTED
        self._diary.append(f"{self.name} up")

    async def stop(self, grace_s: float) -> None:  # noqa: ARG002 - toast does not wait
        self._health = Health.STOPPED
        self._diary.append(f"{self.name} down")


class Kitchen:
    """A supervisor with three toasters: what was done to them, and what it told of that."""

    def __init__(self, *, before_start: dict[str, Callable[[], Awaitable[object]]] | None = None) -> None:
        self.diary: list[str] = []
        self.told: list[tuple[str, Health, str]] = []
        self.sink = MemorySink()
        self.toasters = {name: Toaster(name, self.diary) for name in (TVS, TFTP, TOMCAT)}
        self.supervisor = Supervisor(
            list(self.toasters.values()),
            Trace(self.sink),
            before_start=before_start,
            changed=lambda *what: self.told.append(what),
        )


async def test_services_start_in_order_and_stop_in_reverse() -> None:
    kitchen = Kitchen()
    await kitchen.supervisor.start_all()
    await kitchen.supervisor.stop_all()
    await kitchen.supervisor.stop_all()
    names = [TVS, TFTP, TOMCAT]
    assert kitchen.diary == [f"{name} up" for name in names] + [f"{name} down" for name in reversed(names)]


async def test_chosen_services_start_alone() -> None:
    kitchen = Kitchen()
    await kitchen.supervisor.start_all([TFTP])
    assert kitchen.diary == [f"{TFTP} up"]
    assert kitchen.supervisor.health(TFTP) is Health.STARTED
    assert kitchen.supervisor.health(TVS) is Health.STOPPED


async def test_one_that_cannot_start_stops_those_before_it() -> None:
    kitchen = Kitchen()
    kitchen.toasters[TOMCAT].broken = OperatorError("no bread")
    with pytest.raises(OperatorError, match="no bread"):
        await kitchen.supervisor.start_all()
    assert kitchen.diary == [f"{TVS} up", f"{TFTP} up", f"{TFTP} down", f"{TVS} down"]
    assert (TOMCAT, Health.STOPPED, "no bread") in kitchen.told


async def test_service_on_its_way_to_a_new_start_is_never_told_to_be_stopped() -> None:
    kitchen = Kitchen()
    await kitchen.supervisor.start_all([TFTP])
    kitchen.told.clear()
    await kitchen.supervisor.restart(TFTP)
    assert [state for _, state, _ in kitchen.told] == [Health.STOPPING, Health.STARTING, Health.STARTED]


async def test_starting_what_runs_and_stopping_what_is_stopped_does_nothing() -> None:
    kitchen = Kitchen()
    await kitchen.supervisor.start_all([TFTP])
    await kitchen.supervisor.start(TFTP)
    await kitchen.supervisor.stop(TVS)
    assert kitchen.diary == [f"{TFTP} up"]


async def test_what_has_to_be_done_before_a_start_is_done_before_each() -> None:
    async def butter() -> None:
        kitchen.diary.append("butter")

    kitchen = Kitchen(before_start={TFTP: butter})
    await kitchen.supervisor.start_all()
    await kitchen.supervisor.restart(TFTP)
    await kitchen.supervisor.restart(TVS)
    assert kitchen.diary.count("butter") == 2
    assert kitchen.diary.index("butter") == kitchen.diary.index(f"{TFTP} up") - 1


async def test_service_does_not_start_when_that_fails() -> None:
    async def butter() -> None:
        raise OperatorError("no butter")

    kitchen = Kitchen(before_start={TFTP: butter})
    with pytest.raises(OperatorError, match="no butter"):
        await kitchen.supervisor.start(TFTP)
    assert kitchen.diary == []
    assert kitchen.told[-1] == (TFTP, Health.STOPPED, "no butter")


@pytest.mark.parametrize("what", ["start", "stop", "restart"])
async def test_service_that_is_not_there_is_refused(what: str) -> None:
    with pytest.raises(Refusal, match="no service 'Cisco Toaster' on this node"):
        await getattr(Kitchen().supervisor, what)("Cisco Toaster")


# ------------------------------------------------------------------ the reconciler


@pytest.fixture
async def store(tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]) -> AsyncIterator[ClusterStore]:
    """A copy of an installed cluster, on which the node is claimed."""
    path = database_path(tmp_path / "state", "alpha")
    path.parent.mkdir(parents=True)
    path.write_bytes(database_path(await state_templates("12.5"), "alpha").read_bytes())
    store = await ClusterStore.open(path)
    with NodeClaim(path.parent, NODE):
        yield store
    await store.close()


class Housekeeping:
    """A kitchen that follows the store, as a node does."""

    def __init__(self, store: ClusterStore) -> None:
        self.kitchen = Kitchen()
        self.board = StatusBoard(store, NODE)
        self.supervisor = Supervisor(
            list(self.kitchen.toasters.values()), Trace(self.kitchen.sink), changed=self.board.note
        )
        self.reconciler = Reconciler(NODE, store, self.supervisor, self.board, Trace(self.kitchen.sink))
        self._store = store

    async def start(self) -> None:
        self.board.open()
        await self.supervisor.start_all(self.reconciler.prepare())
        self.reconciler.begin()

    async def end(self) -> None:
        await self.reconciler.end()
        await self.board.close()

    async def order(self, what: Order, name: str = TFTP) -> str:
        """The last line that an operator reads."""
        return [status.line async for status in carry_out(self._store, NODE, name, what, OPERATOR, 30)][-1]


@pytest.fixture
async def house(store: ClusterStore) -> AsyncIterator[Housekeeping]:
    house = Housekeeping(store)
    yield house
    await house.end()


async def test_orders_reach_the_service(house: Housekeeping) -> None:
    await house.start()
    house.kitchen.diary.clear()
    await house.order(Order.RESTART)
    await house.order(Order.STOP)
    await house.order(Order.START)
    await house.order(Order.START)
    await house.order(Order.DEACTIVATE)
    assert [entry.removeprefix(f"{TFTP} ") for entry in house.kitchen.diary] == ["down", "up", "down", "up", "down"]


async def test_what_was_ordered_before_the_start_is_not_carried_out_once_more(
    house: Housekeeping, store: ClusterStore
) -> None:
    await house.start()
    await house.order(Order.RESTART)
    await house.end()
    later = Housekeeping(store)
    await later.start()
    await later.end()
    assert later.kitchen.diary == [f"{name} up" for name in (TVS, TFTP, TOMCAT)]


async def test_what_was_ordered_during_the_start_is_carried_out_after_it(
    house: Housekeeping, store: ClusterStore
) -> None:
    house.board.open()
    names = house.reconciler.prepare()
    async for _ in carry_out(store, NODE, TFTP, Order.DEACTIVATE, OPERATOR, 30):
        pass
    await house.supervisor.start_all(names)
    house.reconciler.begin()
    assert await house.order(Order.DEACTIVATE) == "Cisco Tftp[STOPPED]  Service Not Activated"
    assert house.kitchen.diary[-1] == f"{TFTP} down"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OperatorError("no bread"), "no bread"),
        (ZeroDivisionError("crumbs"), "crumbs"),  # a bug in one service is no reason for the others to stop
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
async def test_service_that_fails_stays_down_with_a_reason_until_the_next_order(
    house: Housekeeping, error: BaseException, reason: str
) -> None:
    await house.start()
    toaster = house.kitchen.toasters[TFTP]
    toaster.broken = error
    assert await house.order(Order.RESTART) == f"Cisco Tftp[STOPPED]  {reason}"
    assert await house.order(Order.RESTART, TVS) == f"{TVS}[STARTED]"
    toaster.broken = None
    assert await house.order(Order.START) == "Cisco Tftp[STARTED]"


async def test_failed_service_that_is_stopped_has_no_reason_but_the_operators(house: Housekeeping) -> None:
    await house.start()
    house.kitchen.toasters[TFTP].broken = OperatorError("no bread")
    await house.order(Order.RESTART)
    assert await house.order(Order.STOP) == "Cisco Tftp[STOPPED]  Commanded Out of Service"


async def test_what_a_test_stops_behind_the_reconcilers_back_stays_stopped(
    house: Housekeeping, store: ClusterStore
) -> None:
    await house.start()
    await house.supervisor.stop(TFTP)
    await house.order(Order.RESTART, TVS)
    assert house.supervisor.health(TFTP) is Health.STOPPED
    assert await house.order(Order.START) == "Cisco Tftp[STARTED]"


async def test_no_order_is_carried_out_after_the_end(house: Housekeeping, store: ClusterStore) -> None:
    await house.start()
    await house.end()
    house.kitchen.diary.clear()
    await store.set_parameter("Auto-registration", "False")
    await forget_stops(store, NODE)
    assert house.kitchen.diary == []


async def test_status_in_the_database_is_what_the_service_does(house: Housekeeping, store: ClusterStore) -> None:
    await house.start()
    await house.order(Order.STOP)
    await house.end()
    observed = await store.look(lambda connection: read_observed(connection, NODE))
    assert {name: item.state for name, item in observed.items()} == {
        TVS: Health.STARTED,
        TFTP: Health.STOPPED,
        TOMCAT: Health.STARTED,
    }
