"""Extension Mobility and authentication as pages of Cisco Tomcat, byte by byte as a phone asks for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from cluster.audit import SYSTEM
from cluster.management.extensionmobility import log_in
from services.commandline.logins import LoginLimits
from services.tomcat.people import People
from tests.mobility import CELLAR, PASSWORD, PIN, RECEPTION, WORKSHOP, add_people
from tests.services.wires import any_server, get
from wire.ipphone import Input, InputItem, Menu, PhoneObject, SoftKey, TextPage, decode

if TYPE_CHECKING:
    from tests.conftest import Lab

PATH = "/emapp/EMAppServlet"


@pytest.fixture
async def people(lab: Lab) -> Lab:
    await add_people(lab.store)
    return lab


async def page(lab: Lab, node: str = "alpha-pub", path: str = PATH, **query: str) -> PhoneObject:
    answer = await get(lab.ports(node).secure_web, f"{path}?{urlencode(query)}", any_server())
    assert (answer.status, answer.header("Content-Type")) == (200, "text/xml; charset=utf-8")
    return decode(answer.body)


async def said(lab: Lab, **query: str) -> str:
    shown = await page(lab, **query)
    assert isinstance(shown, TextPage)
    return shown.text


def numbers(lab: Lab, device: str) -> list[str]:
    return [line.number for line in lab.store.snapshot.devices[device].lines]


async def test_the_services_menu_leads_to_it_in_the_scheme_in_which_it_was_asked_for(people: Lab) -> None:
    for listener, scheme in (("secure_web", "https"), ("web", "http")):
        port = getattr(people.ports(), listener)
        context = any_server() if scheme == "https" else None
        menu = decode((await get(port, "/ccmcip/getservicesmenu.jsp", context)).body)
        assert isinstance(menu, Menu)
        assert menu.items[1].url == f"{scheme}://127.0.0.1:{port}{PATH}?device=#DEVICENAME#"


@pytest.mark.parametrize("node", ["alpha-pub", "alpha-sub1"])
async def test_a_phone_that_nobody_uses_is_asked_who_signs_on(people: Lab, node: str) -> None:
    url = f"https://127.0.0.1:{people.ports(node).secure_web}{PATH}?device={RECEPTION}"
    assert await page(people, node, device=RECEPTION.lower()) == Input(
        "Login", "Please sign on", url, (InputItem("User ID", "userid", "A"), InputItem("PIN", "seq", "NP"))
    )


async def test_a_right_pin_logs_in_and_the_next_page_asks_whether_to_log_out(people: Lab) -> None:
    assert await said(people, device=RECEPTION, userid="Alice", seq=PIN) == "Login successful"
    assert numbers(people, RECEPTION) == ["3001", "3002"]
    url = f"https://127.0.0.1:{people.ports().secure_web}{PATH}?device={RECEPTION}&doLogout=true"
    assert await page(people, device=RECEPTION) == TextPage(
        "Logout",
        "",
        "Do you want to log out alice?",
        (SoftKey("Yes", url, 1), SoftKey("No", "SoftKey:Exit", 2)),
    )
    assert await said(people, device=RECEPTION, doLogout="true") == "Logout successful"
    assert numbers(people, RECEPTION) == ["2001"]
    newest = (await people.store.audit(1))[0]
    assert (newest.who, newest.origin) == ("alice", "extension mobility 127.0.0.1")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, "Login is unavailable(207)"),
        ({"device": "SEP1"}, "Login is unavailable(207)"),
        ({"device": "SEP00AABBCCDDEE"}, "Device does not exist(11)"),
        ({"device": CELLAR}, "Dev. logon disabled(22)"),
        ({"device": CELLAR, "userid": "alice", "seq": PIN}, "Dev. logon disabled(22)"),
        ({"device": RECEPTION, "userid": "alice", "seq": "1"}, "Please try to login again(201)"),
        ({"device": RECEPTION, "userid": "nobody", "seq": PIN}, "Please try to login again(201)"),
        ({"device": RECEPTION, "userid": "x" * 129, "seq": PIN}, "Please try to login again(201)"),
        ({"device": RECEPTION, "userid": "alice"}, "Please try to login again(202)"),
        ({"device": RECEPTION, "seq": PIN}, "Please try to login again(202)"),
        ({"device": RECEPTION, "userid": " ", "seq": PIN}, "Please try to login again(202)"),
        ({"device": RECEPTION, "userid": "carol", "seq": "22222"}, "Dev. profile not found(12)"),
        ({"device": WORKSHOP, "userid": "alice", "seq": PIN}, "User logged in elsewhere(25)"),
        ({"device": RECEPTION, "doLogout": "true"}, "No user logged in(19)"),
    ],
)
async def test_what_is_refused_is_told_with_a_number(people: Lab, query: dict[str, str], text: str) -> None:
    if query.get("device") == WORKSHOP:
        await log_in(people.store, RECEPTION, "alice", SYSTEM)
    before = people.store.snapshot
    assert await said(people, **query) == text
    assert people.store.snapshot is before


async def test_looking_whether_the_page_is_there_logs_nobody_in(people: Lab) -> None:
    target = f"{PATH}?device={RECEPTION}&userid=alice&seq={PIN}"
    assert (await get(people.ports().web, target, method="HEAD")).status == 200
    assert (await get(people.ports().web, target, method="POST")).status == 405
    assert numbers(people, RECEPTION) == ["2001"]


async def test_a_refused_change_is_told_and_no_pin_is_traced(people: Lab) -> None:
    await said(people, device=RECEPTION, userid="alice", seq="99999")
    await said(people, device=RECEPTION, userid="alice", seq=PIN)
    traced = str(people.sink.events)
    assert "mobility_login" in traced
    assert PIN not in traced
    assert "99999" not in traced


async def test_guessing_one_users_pin_is_slow_and_others_do_not_wait_for_it(people: Lab) -> None:
    """Attempts are counted by user, from whichever phone they come."""
    limits = LoginLimits(first_delay_s=30, longest_delay_s=30, waiting=2)
    judge = People(lambda: people.store.snapshot, limits)
    guesses = [asyncio.create_task(judge.has_pin("alice", str(guess))) for guess in range(4)]
    done, pending = await asyncio.wait(guesses, timeout=0.05)
    assert [task.result() for task in done] == [False, False]  # more than may wait
    assert len(pending) == 2
    async with asyncio.timeout(5):
        assert await judge.has_pin("bob", "11111")
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


@pytest.mark.parametrize(
    ("user", "password", "device", "answer"),
    [
        ("alice", PASSWORD, RECEPTION, b"AUTHORIZED"),
        ("ALICE", PASSWORD, RECEPTION.lower(), b"AUTHORIZED"),
        ("alice", PASSWORD, WORKSHOP, b"UN-AUTHORIZED"),
        ("alice", PIN, RECEPTION, b"UN-AUTHORIZED"),
        ("bob", "", RECEPTION, b"UN-AUTHORIZED"),
        ("nobody", PASSWORD, RECEPTION, b"UN-AUTHORIZED"),
        ("alice", PASSWORD, "SEP00AABBCCDDEE", b"UN-AUTHORIZED"),
        ("alice", PASSWORD, "", b"UN-AUTHORIZED"),
    ],
)
async def test_who_may_push_to_a_phone(people: Lab, user: str, password: str, device: str, answer: bytes) -> None:
    query = f"UserID={quote(user)}&Password={quote(password)}&devicename={device}"
    found = await get(people.ports().secure_web, f"/ccmcip/authenticate.jsp?{query}", any_server())
    assert (found.status, found.header("Content-Type"), found.body) == (200, "text/plain; charset=utf-8", answer)
    assert PASSWORD not in str(people.sink.events)


async def test_the_directory_has_phones_and_people_once_whoever_is_logged_in(people: Lab) -> None:
    async def listed() -> list[str]:
        answer = await get(people.ports().web, "/ccmcip/xmldirectorylist.jsp")
        return [entry.telephone for entry in decode(answer.body).entries]  # type: ignore[union-attr]

    before = await listed()
    assert before == ["2001", "2002", "2003", "3001", "4001", "5001"]
    await log_in(people.store, RECEPTION, "alice", SYSTEM)
    assert await listed() == before
