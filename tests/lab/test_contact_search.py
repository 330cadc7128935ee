"""Contact search (R-UDS-1, R-UDS-2): the cluster's pages, and phones that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.audit import SYSTEM
from cluster.management.contactsearch import set_contact_search
from cluster.parameters import CONTACT_SEARCH_URL
from phone_sim.flash import MemoryFlash
from phone_sim.models import model
from phone_sim.phone import Phone
from phone_sim.servers import TftpServer
from tests.lab.command import run, ucmsim
from tests.lab.test_phone_command import boot
from tests.mobility import PASSWORD, PIN, RECEPTION, add_people
from tests.services.wires import Answer, any_server, get, send
from tests.shared_lab import PUB, SUB
from wire.basicauth import encode_basic
from wire.uds import Contacts, decode_contacts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Lab
    from tests.shared_lab import SharedLab

PATH = "/cucm-uds/users"


@pytest.fixture
async def people(lab: Lab) -> Lab:
    await add_people(lab.store)
    return lab


async def search(lab: Lab, query: str = "", node: str = PUB) -> Contacts:
    answer = await get(lab.ports(node).secure_web, f"{PATH}{query}", any_server())
    assert (answer.status, answer.header("Content-Type")) == (200, "application/xml")
    return decode_contacts(answer.body)


async def ask(lab: Lab, authorization: str = "", node: str = PUB) -> Answer:
    port = lab.ports(node).secure_search
    credentials = f"Authorization: {authorization}\r\n" if authorization else ""
    request = f"GET {PATH}?name=a HTTP/1.1\r\nHost: x\r\n{credentials}Connection: close\r\n\r\n"
    return Answer.parse(await send(port, request.encode(), any_server()))


async def enable(lab: Lab, node: str = PUB, *, enabled: bool = True) -> None:
    await set_contact_search(lab.store, node, SYSTEM, enabled=enabled)


@pytest.mark.parametrize("node", [PUB, SUB])
async def test_a_search_on_8443_is_open(people: Lab, node: str) -> None:
    found = await search(people, "?name=alice", node)
    base = f"https://127.0.0.1:{people.ports(node).secure_web}/cucm-uds"
    (alice,) = found.contacts
    assert (found.version, found.uri, found.start, found.requested, found.total) == ("12.5", f"{base}/users", 0, 64, 1)
    assert (alice.uri, alice.user_name, alice.first_name, alice.last_name, alice.phone_number) == (
        f"{base}/user/alice",
        "alice",
        "Alice",
        "Nowak",
        "3001",
    )
    assert PIN.encode() not in (await get(people.ports(node).secure_web, PATH, any_server())).body


@pytest.mark.parametrize(
    ("query", "found", "total"),
    [
        ("", ["alice", "bob", "carol", "dave"], 4),
        ("?name=NOW", ["alice"], 1),
        ("?last=now", ["alice"], 1),
        ("?last=ow", [], 0),
        ("?first=al&last=n", ["alice"], 1),
        ("?name=zz", [], 0),
        ("?max=2", ["alice", "bob"], 4),
        ("?max=2&start=3", ["dave"], 4),
        ("?max=0", [], 4),
        ("?start=99999", [], 4),
        ("?max=x&start=-1", ["alice", "bob", "carol", "dave"], 4),
        ("?max=99999999", ["alice", "bob", "carol", "dave"], 4),
        ("?name=%ff%00", [], 0),
    ],
)
async def test_what_a_search_finds(people: Lab, query: str, found: list[str], total: int) -> None:
    contacts = await search(people, query)
    assert ([contact.user_name for contact in contacts.contacts], contacts.total) == (found, total)


async def test_it_is_not_on_plain_http_nor_for_writing(people: Lab) -> None:
    assert (await get(people.ports().web, PATH)).status == 404
    assert (await get(people.ports().secure_web, PATH, any_server(), method="PUT")).status == 405


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (encode_basic("alice", PASSWORD), 200),
        (encode_basic("ALICE", PASSWORD), 200),
        (encode_basic("alice", PIN), 401),
        (encode_basic("bob", ""), 401),
        (encode_basic("nobody", PASSWORD), 401),
        ("Basic x", 401),
        ("", 401),
    ],
)
async def test_9443_wants_the_password_of_a_user_once_that_is_enabled(
    people: Lab, authorization: str, status: int
) -> None:
    assert (await ask(people, authorization)).status == 404
    await enable(people)
    answer = await ask(people, authorization)
    assert answer.status == status
    if status == 401:
        assert answer.header("WWW-Authenticate").startswith("Basic realm=")
    assert (await ask(people, authorization, SUB)).status == 404  # each node for itself
    await enable(people, enabled=False)
    assert (await ask(people, authorization)).status == 404
    assert PASSWORD not in str(people.sink.events)


async def booted(lab: Lab) -> Phone:
    ports = lab.ports()
    phone = Phone(
        RECEPTION, model("8865"), [TftpServer("127.0.0.1", ports.tftp, ports.http, ports.https)], MemoryFlash()
    )
    await phone.boot()
    return phone


async def test_a_phone_finds_everybody_whatever_the_size_of_a_page(lab: Lab) -> None:
    await add_people(lab.store, users=[{"id": f"user{number}"} for number in range(150)])
    report = await (await booted(lab)).search_contacts("user")
    assert report.found is not None
    assert [contact.user_name for contact in report.found] == [f"user{number}" for number in range(150)]


async def test_a_phone_logs_in_where_it_is_asked_to_and_nowhere_else(people: Lab) -> None:
    """R-UDS-1: phones learn the other port by their configuration, with the next reset."""
    phone = await booted(people)
    assert (await phone.search_contacts("alice", ("alice", "wrong"))).found is not None  # nobody asked for it
    await enable(people)
    url = f"https://127.0.0.1:{people.ports().secure_search}{PATH}"
    await people.store.set_parameter(CONTACT_SEARCH_URL, url)
    await phone.boot()
    without, wrong = await phone.search_contacts(""), await phone.search_contacts("", ("alice", "wrong"))
    assert (without.found, without.failure, without.exit_code) == (None, "the server wants a log-in", 1)
    assert (wrong.found, wrong.failure, wrong.login_wanted) == (None, "the server refuses the log-in", True)
    right = await phone.search_contacts("now", ("alice", PASSWORD))
    assert right.found is not None
    assert [contact.user_name for contact in right.found] == ["alice"]
    await enable(people, enabled=False)
    off = await phone.search_contacts("", ("alice", PASSWORD))
    assert (off.found, off.exit_code) == (None, 1)  # until the URL is set back by hand


async def test_without_tvs_nothing_is_asked(people: Lab) -> None:
    phone = await booted(people)
    for node in people.laboratory.nodes.values():
        await node.supervisor.stop("Cisco Trust Verification Service")
    report = await phone.search_contacts("alice", ("alice", PASSWORD))
    assert (report.found, report.reachable) == (None, True)
    assert phone.settings.status_messages[-1].text == "Host Not Found"
    assert not [event for event in people.sink.events if event.step == "contact_search"]


def test_the_command_shows_people_and_asks_for_the_password(running: SharedLab, tmp_path: Path) -> None:
    store = running._laboratory.clusters["alpha"].store
    running.call(lambda: add_people(store))
    flash = tmp_path / "flash"
    assert boot(running, "--flash", flash).code == 0
    done = ucmsim("phone", "contacts", "--flash", flash, "--name", "now")
    assert (done.code, done.out.split()) == (0, ["alice", "Alice", "Nowak", "3001"])
    url = f"https://127.0.0.1:{running.ports().secure_search}{PATH}"
    running.call(lambda: set_contact_search(store, PUB, SYSTEM, enabled=True))
    running.call(lambda: store.set_parameter(CONTACT_SEARCH_URL, url))
    assert boot(running, "--flash", flash).code == 0
    refused = ucmsim("phone", "contacts", "--flash", flash, "--json")
    assert (refused.code, refused.json["login_wanted"]) == (1, True)
    asked = run("phone", "contacts", "--flash", flash, "--user", "alice", "--lang", "ja", input=f"{PASSWORD}\n")
    assert (asked.code, "Alice Nowak" in asked.out, PASSWORD in asked.out + asked.err) == (0, True, False)
