"""Fleets beside a laboratory in the same process: orders, a server that goes away, bounds, and memory (R-LAB-4)."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from cluster.management.phones import registered_phones
from phone_sim.fleet import UNDER_WAY, Fleet, FleetLimits, Standing, macs_from
from phone_sim.fleetflash import fleet_flash
from phone_sim.fleetreport import FleetReport
from phone_sim.models import model
from phone_sim.phone import Phone
from phone_sim.servers import TftpServer
from tests.lab.phone_bench import order
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.conftest import Lab, LabMaker

FIRST, COUNT = "0AFF00000001", 12
RANGE = "device_ranges: [{{first: 0AFF00000001, count: {count}, model: 8865, first_number: '7000'}}]"
CALLMANAGER = "Cisco CallManager"
MEMORY_BAR = 30 * 1024

pytestmark = pytest.mark.timeout(180)


def phones_of(lab: Lab) -> Callable[[str], Phone]:
    ports, flash, chosen = lab.ports(), fleet_flash(), model("8865")
    server = TftpServer("127.0.0.1", ports.tftp, ports.http, ports.https)
    return lambda mac: Phone(mac, chosen, [server], flash())


@asynccontextmanager
async def running(fleet: Fleet) -> AsyncIterator[Fleet]:
    task = asyncio.create_task(fleet.run())
    try:
        await asyncio.wait_for(fleet.settled.wait(), 100)
        yield fleet
    finally:
        fleet.stop()
        await task


def standings(fleet: Fleet) -> dict[Standing, int]:
    return FleetReport.of(fleet).counts


async def listed(lab: Lab, count: int) -> None:
    """Waits until so many phones are registered."""

    async def so() -> bool:
        return len(await registered_phones(lab.store)) == count

    await eventually(so, f"{count} phones registered")


@pytest.fixture
async def fleet(make_lab: LabMaker) -> AsyncIterator[tuple[Lab, Fleet]]:
    lab = await make_lab(more=RANGE.format(count=COUNT))
    async with running(Fleet(macs_from(FIRST, COUNT), phones_of(lab), FleetLimits(retry_s=0.1))) as fleet:
        yield lab, fleet


async def test_an_order_boots_the_whole_fleet_again(fleet: tuple[Lab, Fleet]) -> None:
    lab, phones = fleet
    assert standings(phones) == {Standing.REGISTERED: COUNT}
    assert await order(lab, "reset", "model:8865") == COUNT + 1
    await eventually(lambda: phones.registrations == 2 * COUNT)
    assert (phones.boots, standings(phones)) == (2 * COUNT, {Standing.REGISTERED: COUNT})
    assert phones.unregistered == 0, "who restarts has not left"
    await listed(lab, COUNT)


async def test_when_the_callmanagers_die_all_phones_are_counted_as_unanswered_and_come_back(
    fleet: tuple[Lab, Fleet],
) -> None:
    lab, phones = fleet
    supervisors = [node.supervisor for node in lab.laboratory.nodes.values()]
    for supervisor in supervisors:
        await supervisor.stop(CALLMANAGER)
    await eventually(lambda: standings(phones) == {Standing.UNANSWERED: COUNT})
    report = FleetReport.of(phones)
    assert report.exit_code == 4
    assert {trouble.standing for trouble in report.troubles} == {Standing.UNANSWERED}
    assert sum(len(trouble.phones) for trouble in report.troubles) == COUNT
    assert all("cannot be reached" in trouble.reason for trouble in report.troubles)
    await supervisors[1].start(CALLMANAGER)
    await eventually(lambda: standings(phones) == {Standing.REGISTERED: COUNT})
    assert FleetReport.of(phones).exit_code == 0
    assert phones.boots == COUNT, "a lost server is no reason to boot"


async def test_a_phone_that_the_first_callmanager_refuses_is_not_counted_before_the_second_was_asked(
    make_lab: LabMaker,
) -> None:
    lab = await make_lab(more=RANGE.format(count=COUNT))
    await lab.laboratory.nodes["alpha-pub"].supervisor.stop(CALLMANAGER)
    fleet = Fleet(macs_from(FIRST, COUNT), phones_of(lab))
    async with running(fleet):
        assert standings(fleet) == {Standing.REGISTERED: COUNT}


async def test_phones_without_a_line_have_nothing_to_register_and_are_counted_so(make_lab: LabMaker) -> None:
    lab = await make_lab(more="device_ranges: [{first: 0AFF00000001, count: 2, model: 8865}]")
    async with running(Fleet(macs_from(FIRST, 2), phones_of(lab))) as fleet:
        report = FleetReport.of(fleet)
    assert (report.counts, report.exit_code) == ({Standing.UNCONFIGURED: 2}, 1)
    assert [trouble.reason for trouble in report.troubles] == ["the configuration has no line or no CallManager"]


async def test_no_more_phones_boot_at_once_than_allowed_not_even_after_an_order(make_lab: LabMaker) -> None:
    lab = await make_lab(more=RANGE.format(count=COUNT))
    booting, most = 0, 0
    make = phones_of(lab)

    def counted(mac: str) -> Phone:
        phone = make(mac)
        boot = phone.boot

        async def count() -> object:
            nonlocal booting, most
            booting += 1
            most = max(most, booting)
            try:
                return await boot()
            finally:
                booting -= 1

        phone.boot = count  # type: ignore[assignment, method-assign]
        return phone

    async with running(Fleet(macs_from(FIRST, COUNT), counted, FleetLimits(boots_at_once=3))) as fleet:
        assert most == 3
        await order(lab, "reset")
        await eventually(lambda: fleet.registrations == 2 * COUNT)
        assert most == 3


async def test_phones_are_switched_on_no_faster_than_the_rate(make_lab: LabMaker) -> None:
    lab = await make_lab(more=RANGE.format(count=COUNT))
    begun = time.monotonic()
    async with running(Fleet(macs_from(FIRST, 6), phones_of(lab), FleetLimits(rate_per_s=20))):
        assert time.monotonic() - begun >= 5 / 20


async def test_stopping_before_all_are_up_leaves_nobody_registered(make_lab: LabMaker) -> None:
    lab = await make_lab(more=RANGE.format(count=COUNT))
    fleet = Fleet(macs_from(FIRST, COUNT), phones_of(lab), FleetLimits(boots_at_once=1))
    reports: list[FleetReport] = []
    task = asyncio.create_task(fleet.run(leaving=lambda: reports.append(FleetReport.of(fleet))))
    await eventually(lambda: fleet.registrations > 0)
    fleet.stop()
    await task
    (report,) = reports
    assert report.exit_code == 1
    assert {trouble.standing for trouble in report.troubles} <= UNDER_WAY
    assert fleet.unregistered == report.registered > 0
    await listed(lab, 0)


async def test_a_mistake_of_ours_ends_the_fleet_and_is_not_hidden() -> None:
    def fails(mac: str) -> Phone:
        raise ZeroDivisionError(mac)

    fleet = Fleet(macs_from(FIRST, 2), fails)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(fleet.run(), 10)


async def test_an_idle_phone_of_a_fleet_takes_less_than_30_kib_of_python_memory(make_lab: LabMaker) -> None:
    """Counted by the allocator, for phones after the first few: with real sockets, without the services' own memory."""
    first, count = 20, 120
    lab = await make_lab(more=RANGE.format(count=first + count))
    make, macs = phones_of(lab), macs_from(FIRST, first + count)
    async with running(Fleet(macs[:first], make)):
        tracemalloc.start()
        try:
            before = of_phones()
            async with running(Fleet(macs[first:], make)) as fleet:
                assert standings(fleet) == {Standing.REGISTERED: count}
                each = (of_phones() - before) / count
        finally:
            tracemalloc.stop()
    assert 2 * 1024 < each < MEMORY_BAR


def of_phones() -> int:
    """Bytes that are in use, without what was allocated by services and cluster, signing among it."""
    gc.collect()
    rooms = ("services", "cluster", "aiosqlite", "sqlalchemy", "base")
    patterns = (*(f"*/{room}/*" for room in rooms), "*/wire/signing.py", "*/aiohttp/web_*.py")
    theirs = [tracemalloc.Filter(False, pattern) for pattern in patterns]
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(theirs).traces)
