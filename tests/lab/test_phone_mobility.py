"""Phones that stay up, and the people who log in to them: Extension Mobility from key to registration (R-SBD-4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock, SystemClock
from base.trace import MemorySink, Trace
from cluster.audit import SYSTEM
from cluster.management.extensionmobility import log_in as log_in_directly
from cluster.parameters import AUTO_LOGOUT, LOGINS_ALLOWED, MULTIPLE_LOGIN, ROLLBACK, TVS_TTL
from phone_sim.flash import MemoryFlash
from phone_sim.mobility import MobilityReport, log_in, log_out
from phone_sim.models import model
from phone_sim.phone import Phone
from phone_sim.reasons import Reason
from phone_sim.servers import TftpServer
from tests.lab.phone_bench import LivePhone, listed
from tests.mobility import PIN, RECEPTION, WORKSHOP, add_people
from tests.waiting import eventually
from wire.ipphone import Directory, Menu

if TYPE_CHECKING:
    from tests.conftest import Lab, LabMaker

TVS = "Cisco Trust Verification Service"


@pytest.fixture
async def people(lab: Lab) -> Lab:
    await add_people(lab.store)
    return lab


async def has_lines(lab: Lab, device: str, *lines: str) -> None:
    """Waits until a phone is registered with these lines."""

    async def so() -> bool:
        (row,) = await listed(lab, {device: "Match"})
        return row.lines == lines

    await eventually(so, f"{device} with {lines}")


async def sign_on(phone: LivePhone, user: str = "alice", pin: str = PIN) -> MobilityReport:
    return await log_in(phone.phone.browser, user, pin)


async def test_a_user_logs_in_and_the_phone_registers_with_the_users_number_until_the_log_out(people: Lab) -> None:
    async with LivePhone(people) as phone:
        await phone.registered()
        await phone.settled()
        report = await sign_on(phone)
        assert (report.done, report.said, report.exit_code) == (True, "Login successful", 0)
        assert report.last.decision is not None
        assert report.last.decision.reason is Reason.SERVER_VOUCHED_BY_TVS
        await phone.registered(2)
        await has_lines(people, RECEPTION, "3001", "3002")
        assert phone.life.registration is not None
        assert phone.life.registration.number == "3001"
        await phone.settled()
        left = await log_out(phone.phone.browser)
        assert (left.done, left.said) == (True, "Logout successful")
        await phone.registered(3)
        await has_lines(people, RECEPTION, "2001")
        await phone.settled()
        assert phone.orders() == ["check-version", "restart", "check-version", "restart", "check-version"]
        assert len(phone.boots) == 3
        assert PIN not in str(phone.sink.events)


async def test_the_trace_says_why_the_phones_restarted(people: Lab) -> None:
    async with LivePhone(people) as phone:
        await phone.registered()
        await sign_on(phone)
        await phone.registered(2)
    reasons = {event.data["reason"] for event in people.sink.events if event.step == "phones_restarted"}
    assert reasons == {"EMLoginLogout"}


async def test_other_phones_are_not_bothered(people: Lab) -> None:
    async with LivePhone(people) as phone, LivePhone(people, WORKSHOP, "7841") as other:
        await phone.registered()
        await other.registered()
        await other.settled()
        await sign_on(phone)
        await phone.registered(2)
        assert (len(other.boots), other.orders()) == (1, ["check-version"])


async def test_auto_logout_gives_the_first_phone_its_own_number_back(people: Lab) -> None:
    await people.store.set_parameter(MULTIPLE_LOGIN, AUTO_LOGOUT)
    async with LivePhone(people) as first, LivePhone(people, WORKSHOP, "7841") as second:
        await first.registered()
        await second.registered()
        assert (await sign_on(first)).done
        await first.registered(2)
        assert (await sign_on(second)).done
        await second.registered(2)
        await first.registered(3)
        assert first.life.registration is not None
        assert second.life.registration is not None
        assert (first.life.registration.number, second.life.registration.number) == ("2001", "3001")


@pytest.mark.parametrize("allowed", [False, True])
async def test_a_user_on_two_phones(people: Lab, allowed: bool) -> None:  # noqa: FBT001
    if allowed:
        await people.store.set_parameter(MULTIPLE_LOGIN, LOGINS_ALLOWED)
    await log_in_directly(people.store, WORKSHOP, "alice", SYSTEM)
    async with LivePhone(people) as phone:
        await phone.registered()
        report = await sign_on(phone)
        if allowed:
            await phone.registered(2)
            assert report.done
        else:
            assert (report.done, report.said, report.exit_code) == (False, "User logged in elsewhere(25)", 1)
            assert len(phone.boots) == 1


async def test_a_wrong_pin_is_told_and_changes_nothing(people: Lab) -> None:
    async with LivePhone(people) as phone:
        await phone.registered()
        await phone.settled()
        report = await sign_on(phone, pin="1")
        assert (report.done, report.said) == (False, "Please try to login again(201)")
        assert (len(phone.boots), phone.orders()) == (1, ["check-version"])


async def test_a_phone_that_was_away_has_the_users_number_when_it_comes_back(people: Lab) -> None:
    """It missed the order: the version check after its registration tells it."""
    async with LivePhone(people) as phone:
        await phone.registered()
    await log_in_directly(people.store, RECEPTION, "alice", SYSTEM)
    again = LivePhone(people, phone=phone.phone)
    async with again:
        await again.registered()
        await has_lines(people, RECEPTION, "3001", "3002")


async def test_without_tvs_nobody_can_log_in_but_the_phone_registers_all_the_same(people: Lab) -> None:
    for node in people.laboratory.nodes.values():
        await node.supervisor.stop(TVS)
    async with LivePhone(people) as phone:
        await phone.registered()
        report = await sign_on(phone)
        assert (report.done, report.exit_code) == (False, 1)
        assert phone.phone.settings.status_messages[-1].text == "Host Not Found"
        assert phone.phone.settings.status_messages[-1].reason == Reason.TVS_UNREACHABLE.value
        await listed(people, {RECEPTION: "Match"})
        for node in people.laboratory.nodes.values():
            await node.supervisor.start(TVS)
        assert (await sign_on(phone)).done


async def test_prepared_for_rollback_https_services_fail_http_ones_work_and_so_do_registrations(people: Lab) -> None:
    """R-RBK-1"""
    async with LivePhone(people) as phone:
        await phone.registered()
        await people.store.set_parameter(ROLLBACK, "True")
        await phone.registered(2)
        report = await sign_on(phone)
        assert not report.done
        assert report.last.decision is not None
        assert report.last.decision.reason is Reason.TVS_NOT_IN_TRUST_LIST
        await listed(people, {RECEPTION: "Match"})
        plain = f"http://127.0.0.1:{people.ports().web}/emapp/EMAppServlet?device={RECEPTION}&userid=alice&seq={PIN}"
        opened = await phone.phone.browser.open(plain, filled_in=True)
        assert (opened.exit_code, opened.decision) == (0, None)
        await phone.registered(3)


async def test_a_second_log_in_by_another_user_is_refused(people: Lab) -> None:
    async with LivePhone(people) as phone:
        await phone.registered()
        assert (await sign_on(phone, "bob", "11111")).done
        await phone.registered(2)
        report = await sign_on(phone)
        assert (report.done, report.said) == (False, "Do you want to log out bob?")


# ---------------------------------------------------------------- what the keys show


async def test_the_services_key_shows_the_configured_entries_once(people: Lab) -> None:
    async with LivePhone(people) as phone:
        await phone.registered()
        report = await phone.phone.browser.services()
        assert isinstance(report.page, Menu)
        assert [item.name for item in report.page.items] == ["Extension Mobility", "Corporate Directory"]


@pytest.mark.parametrize(
    ("name", "number", "found"),
    [
        ("", "", ["2001", "2002", "2003", "3001", "4001", "5001"]),
        ("nowak", "", ["3001"]),
        ("", "20", ["2001", "2002", "2003"]),
        ("alice", "9", []),
    ],
)
async def test_a_search_finds_people_and_phones(people: Lab, name: str, number: str, found: list[str]) -> None:
    async with LivePhone(people) as phone:
        await phone.registered()
        report = await phone.phone.browser.search(name, number)
    assert isinstance(report.page, Directory)
    assert [entry.telephone for entry in report.page.entries] == found


async def test_a_search_follows_all_pages(lab: Lab) -> None:
    users = [{"id": f"user{number}", "lines": [{"number": str(6000 + number)}]} for number in range(70)]
    await add_people(lab.store, users=users)
    async with LivePhone(lab) as phone:
        await phone.registered()
        report = await phone.phone.browser.search("", "60")
    assert isinstance(report.page, Directory)
    assert [entry.telephone for entry in report.page.entries] == [str(6000 + number) for number in range(70)]


async def test_tvs_is_asked_again_only_when_its_time_to_live_is_over(make_lab: LabMaker) -> None:
    """R-TVS-1, end to end: the TTL is the cluster's parameter, the time the phone's clock."""
    lab = await make_lab()
    await lab.store.set_parameter(TVS_TTL, "600")
    clock, sink = ManualClock(SystemClock().now()), MemorySink()
    ports = lab.ports()
    server = TftpServer("127.0.0.1", ports.tftp, ports.http, ports.https)
    phone = Phone(RECEPTION, model("8865"), [server], MemoryFlash(), clock=clock, trace=Trace(sink))
    await phone.boot()

    async def asked_for_an_opening() -> int:
        sink.events.clear()
        assert (await phone.open_directory()).menu is not None
        return sum(event.step == "tvs_answered" for event in sink.events)

    def seen_by_tvs() -> int:
        return sum(event.data.get("service") == TVS or event.service == TVS for event in lab.sink.events)

    assert await asked_for_an_opening() == 1
    before = seen_by_tvs()
    clock.advance(599)
    assert await asked_for_an_opening() == 0
    assert seen_by_tvs() == before
    clock.advance(2)
    assert await asked_for_an_opening() == 1
    await eventually(lambda: seen_by_tvs() > before)
