"""``ucmsim phone services``, ``search``, ``login``, ``logout``, and the same keys of a phone that runs."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, encode_basic_auth

from cluster.audit import SYSTEM
from cluster.management.extensionmobility import log_out
from tests.lab.command import Done, run, ucmsim
from tests.lab.running_phone import RunningPhone
from tests.lab.test_phone_command import boot
from tests.mobility import PASSWORD, PIN, RECEPTION, SERVICES, add_people
from wire.ipphone import Execute, ExecuteItem, PhoneError, Response, decode, encode

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.store import ClusterStore
    from tests.shared_lab import SharedLab


def store_of(lab: SharedLab) -> ClusterStore:
    return lab._laboratory.clusters["alpha"].store


@pytest.fixture
def people(running: SharedLab) -> SharedLab:
    running.call(lambda: add_people(store_of(running)))
    return running


@pytest.fixture
def flash(people: SharedLab, tmp_path: Path) -> Path:
    """The memory of a phone that has booted."""
    folder = tmp_path / "flash"
    assert boot(people, "--flash", folder).code == 0
    return folder


def test_the_menu_and_what_it_leads_to_are_shown(flash: Path) -> None:
    menu = ucmsim("phone", "services", "--flash", flash)
    assert menu.code == 0
    assert re.search(r"1\s+Extension Mobility\s+2\s+Corporate Directory", menu.out)
    form = ucmsim("phone", "services", "--flash", flash, "2")
    assert "Corporate Directory: Enter search criteria" in form.out
    found = ucmsim("phone", "services", "--flash", flash, "2", "nowak", "", "--json").json
    assert (found["kind"], found["page"]["entries"]) == ("directory", [{"name": "Alice Nowak", "telephone": "3001"}])
    assert found["decision"]["reason"] == "server_vouched_by_tvs"


def test_a_search_names_people_and_numbers(flash: Path) -> None:
    done = ucmsim("phone", "search", "--flash", flash, "--name", "alice")
    assert (done.code, "Alice Nowak  3001" in done.out) == (0, True)
    assert "該当なし" in ucmsim("phone", "search", "--flash", flash, "--number", "9", "--lang", "ja").out


def login(flash: Path, *more: object, user: str = "alice") -> Done:
    return ucmsim("phone", "login", "--flash", flash, "--user", user, *more)


def test_a_user_logs_in_and_out(people: SharedLab, flash: Path, tmp_path: Path) -> None:
    secret = tmp_path / "pin"
    secret.write_text(f"{PIN}\n")
    wrong = login(flash, "--pin", "1")
    assert (wrong.code, "Not done: Please try to login again(201)" in wrong.out) == (1, True)
    right = login(flash, "--pin-file", secret)
    assert (right.code, "Done: Login successful" in right.out) == (0, True)
    assert boot(people, "--flash", flash).code == 0
    assert "<name>3001</name>" in (flash / "config.cnf.xml").read_text("utf-8")
    left = ucmsim("phone", "logout", "--flash", flash, "--json").json
    assert (left["done"], left["said"]) == (True, "Logout successful")
    again = ucmsim("phone", "logout", "--flash", flash)
    assert (again.code, "nobody is logged in" in again.out) == (1, True)


def test_the_pin_is_asked_for_when_it_is_not_given(flash: Path) -> None:
    done = run("phone", "login", "--flash", flash, "--user", "alice", input=f"{PIN}\n")
    assert (done.code, "Login successful" in done.out, PIN in done.out + done.err) == (0, True, False)


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["services", "--flash", "{flash}", "9"], 3, "there is no number 9"),
        (["services", "--flash", "{flash}", "x"], 3, "wants the number of an entry"),
        (["login", "--flash", "{flash}", "--user", "a", "--pin", "1", "--pin-file", "x"], 2, "exclude each other"),
        (["login", "--flash", "{flash}", "--user", "a", "--pin-file", "/nowhere"], 3, "cannot read /nowhere"),
        (["login", "--flash", "{flash}"], 2, "--user"),
        (["services", "--flash", "/nowhere"], 3, "/nowhere"),
    ],
)
def test_mistakes_are_one_sentence(flash: Path, arguments: list[str], code: int, why: str) -> None:
    done = ucmsim("phone", *(text.format(flash=flash) for text in arguments))
    assert (done.code, why in " ".join(done.err.split())) == (code, True)
    assert "Traceback" not in done.err


def test_a_cluster_without_the_service_says_that_nobody_can_log_in(people: SharedLab, flash: Path) -> None:
    people.call(lambda: add_people(store_of(people), phone_services=SERVICES[:1]))
    boot(people, "--flash", flash)
    done = login(flash, "--pin", PIN)
    assert (done.code, "offers no Extension Mobility" in done.err) == (3, True)


def test_no_server_is_exit_code_4(flash: Path) -> None:
    """Before the phone booted from another laboratory, its configuration still names this one."""
    config = flash / "config.cnf.xml"
    config.write_text(re.sub(r"(127\.0\.0\.1):\d+/", r"\1:1/", config.read_text("utf-8")), "utf-8")
    done = ucmsim("phone", "search", "--flash", flash, "--lang", "ja")
    assert (done.code, "ホストが見つかりません" in done.out) == (4, True)


# ---------------------------------------------------------------- a phone that runs


def test_keys_open_pages_fill_in_forms_and_log_in(people: SharedLab, tmp_path: Path) -> None:
    with RunningPhone(people, tmp_path) as phone:
        phone.shows("2001  Registered (127.0.0.1)")
        phone.press("v")
        phone.shows("Services: Select a service")
        phone.press("1")
        phone.shows("User ID: type and Enter")
        phone.press("Alice")
        phone.shows("PIN: type and Enter")
        phone.press(PIN)
        phone.shows("Login successful")
        phone.shows("3001  Registered (127.0.0.1)")
        people.call(lambda: log_out(store_of(people), RECEPTION, SYSTEM))
        phone.shows("2001  Registered (127.0.0.1)", 2)
        phone.press("v")
        phone.shows("Services: Select a service", 2)
        phone.press(".")
        phone.shows("Page closed")
        phone.press("1")
        phone.shows("Keys (then Enter)", 2)  # no page is open any more
        assert PIN not in phone.screen
        assert phone.end() == 0


def test_the_screen_speaks_japanese(people: SharedLab, tmp_path: Path) -> None:
    with RunningPhone(people, tmp_path, "--lang", "ja") as phone:
        phone.shows("2001  登録済み (127.0.0.1)")
        phone.shows("ITL installed – ITL をインストールしました")
        phone.press("d")
        phone.shows("番号で選択")
        phone.press("9")
        phone.shows("there is no number 9")
        phone.press("1")
        phone.shows("(入力項目)")
        phone.press(".")
        phone.shows("ページを閉じました")
        phone.press("m")
        phone.shows("– CTL はサーバにありません", 2)
        phone.press("q")
        assert phone.process.wait(60) == 0


async def push(url: str, *items: str, password: str = PASSWORD) -> tuple[int, object]:
    document = encode(Execute(tuple(map(ExecuteItem, items)))).decode()
    headers = {"Authorization": encode_basic_auth("alice", password)}
    async with (
        ClientSession(headers=headers) as client,
        client.post(f"{url}CGI/Execute", data={"XML": document}) as answer,
    ):
        body = await answer.read()
        return answer.status, decode(body) if answer.content_type == "text/xml" else None


def statuses(answer: tuple[int, object]) -> list[int]:
    assert isinstance(answer[1], Response)
    return [item.status for item in answer[1].items]


def test_a_server_opens_services_on_the_phone(people: SharedLab, tmp_path: Path) -> None:
    with RunningPhone(people, tmp_path, "--web", "0") as phone:
        phone.shows("Registered (127.0.0.1)")
        found = re.search(r"Web page: (http://127\.0\.0\.1:[0-9]+/)", phone.screen)
        assert found is not None
        url = found[1]
        directory = f"https://127.0.0.1:{people.ports().secure_web}/ccmcip/xmldirectoryinput.jsp"
        assert statuses(asyncio.run(push(url, "Key:Services", "Key:KeyPad1", directory))) == [0, 0, 0]
        for text in ("Services: Select a service", "Login: Please sign on", "Corporate Directory: Enter search"):
            phone.shows(text)
        mixed = push(url, "Key:Nothing", "https://127.0.0.1:1/", "Key:Settings")
        assert statuses(asyncio.run(mixed)) == [1, 1, 0]
        phone.shows("Cluster security mode")
        assert asyncio.run(push(url, "Key:Directories", password="wrong")) == (200, PhoneError(4))
        assert "Directories: Select" not in phone.screen
        assert statuses(asyncio.run(push(url, "Init:Services", "Key:NavBack", "Key:Soft9"))) == [0, 0, 1]


def test_a_configuration_without_web_access_shuts_the_page(people: SharedLab, tmp_path: Path) -> None:
    definition = people.snapshot.definition.model_dump()
    devices = [{**device, "web_access": False} for device in definition["devices"]]
    people.call(lambda: add_people(store_of(people), devices=devices))

    async def look(url: str) -> int:
        async with ClientSession() as client, client.get(url) as answer:
            return answer.status

    with RunningPhone(people, tmp_path, "--web", "0") as phone:
        phone.shows("Registered (127.0.0.1)")
        found = re.search(r"Web page: (http://127\.0\.0\.1:[0-9]+/)", phone.screen)
        assert found is not None
        assert asyncio.run(look(found[1])) == 403
        assert asyncio.run(push(found[1], "Key:Services"))[0] == 403
