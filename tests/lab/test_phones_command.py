"""``ucmsim phones`` and ``ucmsim phone run``: what an administrator and somebody beside it see (R-PHN-4, R-PHN-5)."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from cluster.management.phones import RegisteredPhone, note_registrations
from cluster.store import ClusterStore
from lab.laboratory import database_path
from tests.conftest import lab_config
from tests.lab.command import ucmsim
from tests.lab.running_phone import RunningPhone
from tests.shared_lab import PUB, SharedLab
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from pathlib import Path

DEVICE = "SEP001122334455"


def phones(state: Path) -> dict[str, dict[str, Any]]:
    done = ucmsim("phones", "list", "--state", state, "--json")
    assert done.code == 0, done.err
    return {row["device"]: row for row in done.json}


def wait_for(state: Path, status: str) -> dict[str, Any]:
    for _ in until(lambda: phones(state)[DEVICE]["status"] == status):
        pass
    return phones(state)[DEVICE]


def test_a_phone_runs_is_reset_from_the_server_and_unregisters_when_it_ends(
    running: SharedLab, state: Path, tmp_path: Path
) -> None:
    with RunningPhone(running, tmp_path) as phone:
        phone.shows("Registered (127.0.0.1)")
        row = wait_for(state, "Registered")
        assert (row["node"], row["transport"], row["lines"], row["itl"]) == (PUB, "TCP", ["2001"], "Match")
        table = ucmsim("phones", "list", "--state", state)
        assert "Registered" in table.out
        assert "Unregistered" in table.out  # the other device
        done = ucmsim("phones", "reset", "--to", "all", "--state", state)
        assert (done.code, done.out + done.err) == (
            0,
            "reset: 1 of 1 registered phone(s) answered; 1 of 2 device(s) not registered\n",
        )
        phone.shows("boot 2: ")
        phone.shows("Registered (127.0.0.1)", 2)
        assert phone.end() == 0
        assert phone.screen.rstrip().endswith("Unregistered")
    assert wait_for(state, "Unregistered")["itl"] == ""


def test_an_order_is_followed_until_the_phone_is_back(running: SharedLab, state: Path, tmp_path: Path) -> None:
    with RunningPhone(running, tmp_path) as phone:
        phone.shows("Registered (127.0.0.1)")
        wait_for(state, "Registered")
        done = ucmsim("phones", "restart", "--to", DEVICE, "--state", state, "--wait", PATIENCE_S, "--json")
        assert (done.code, done.err) == (0, "")
        assert done.json == {
            "action": "restart",
            "target": DEVICE,
            "devices": 1,
            "registered": 1,
            "answered": [DEVICE],
            "refused": [],
            "unanswered": [],
            "back": [DEVICE],
            "missing": [],
        }
        phone.shows("Registered (127.0.0.1)", 2)
        assert phone.end() == 0


def test_a_phone_that_does_not_come_back_is_named(running: SharedLab, state: Path, tmp_path: Path) -> None:
    with RunningPhone(running, tmp_path) as phone:
        phone.shows("Registered (127.0.0.1)")
        wait_for(state, "Registered")
        done = ucmsim("phones", "check-version", "--to", DEVICE, "--state", state)  # it has that version and stays
        assert (done.code, done.out) == (0, "check-version: 1 of 1 registered phone(s) answered\n")
        os.kill(phone.process.pid, signal.SIGSTOP)
        try:
            done = ucmsim("phones", "reset", "--to", DEVICE, "--state", state)
        finally:
            os.kill(phone.process.pid, signal.SIGCONT)
        assert (done.code, done.out) == (
            1,
            f"reset: 0 of 1 registered phone(s) answered; {DEVICE} did not answer\n",
        )
        assert phone.end() == 0


def test_keys_are_pressed_beside_the_phone(running: SharedLab, tmp_path: Path) -> None:
    with RunningPhone(running, tmp_path, "--flash", str(tmp_path / "flash")) as phone:
        phone.shows("Registered (127.0.0.1)")
        phone.press("D")
        phone.shows("Corporate Directory")
        phone.press("s")
        phone.shows("ITL")
        phone.press("?" * 3_000)
        phone.shows("Keys (then Enter)", 2)
        phone.press("r")
        phone.shows("Registered (127.0.0.1)", 2)
        phone.press("e")
        phone.shows("Registered (127.0.0.1)", 3)
        assert "boot 3: " in phone.screen
        phone.press("q")
        assert phone.process.wait(PATIENCE_S) == 0
        assert "Traceback" not in phone.screen


def test_each_list_the_lsc_and_everything_are_erased_by_key(running: SharedLab, tmp_path: Path) -> None:
    """R-PHN-4; the phone restarts after each."""
    with RunningPhone(running, tmp_path, "--lang", "ja") as phone:
        phone.shows("登録済み (127.0.0.1)")
        phone.press("s")
        phone.shows("ITL ファイル: インストール済み")
        for boots, (key, message, installed) in enumerate(
            (
                ("ec", "Erasing CTL file", 1),
                ("el", "Erasing LSC", 1),
                ("ei", "Erasing ITL file", 2),
                ("factory", "Factory reset", 3),
            ),
            start=2,
        ):
            phone.press(key)
            phone.shows(f"起動 {boots} 回目: 起動完了")
            phone.shows("登録済み (127.0.0.1)", boots)
            assert phone.screen.count(message) == 1
            assert phone.screen.count("leap_of_faith") == installed
        phone.press("q")
        assert phone.process.wait(PATIENCE_S) == 0
        assert "Traceback" not in phone.screen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_phone_runs_without_a_keyboard(running: SharedLab, tmp_path: Path, number: signal.Signals) -> None:
    with RunningPhone(running, tmp_path, keyboard=False) as phone:
        phone.shows("Registered (127.0.0.1)")
        assert phone.end(number) == 0
        assert phone.screen.rstrip().endswith("Unregistered")
        assert "Traceback" not in phone.screen


def test_a_phone_whose_server_is_away_tries_again_until_it_ends(running: SharedLab, tmp_path: Path) -> None:
    with RunningPhone(running, tmp_path, "--lang", "ja") as phone:
        phone.shows("登録済み (127.0.0.1)")
        supervisors = [node.supervisor for node in running._laboratory.nodes.values()]
        for supervisor in supervisors:
            running.call(lambda supervisor=supervisor: supervisor.stop("Cisco CallManager"))  # type: ignore[misc]
        phone.shows("Registering with 127.0.0.1", 3)
        running.call(lambda: supervisors[1].start("Cisco CallManager"))
        phone.shows("登録済み (127.0.0.1)", 2)
        assert phone.end() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("reset",), 2, "--to"),
        (("reset", "--to", "nobody"), 1, "'nobody' is no target"),
        (("restart", "--to", "SEP0123456789AB"), 1, "no device of the cluster"),
        (("apply-config", "--to", "model:9"), 1, "no device of the cluster"),
        (("check-version", "--to", "pool:Nowhere"), 1, "no device of the cluster"),
    ],
)
def test_an_order_to_nobody_says_so(state: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = ucmsim("phones", *arguments, "--state", state)
    assert done.code == code, done.err
    assert said in done.err.replace("\n", " ")


@pytest.mark.parametrize("action", ["reset", "restart", "apply-config", "check-version"])
def test_an_order_may_be_given_while_nothing_runs(state: Path, action: str) -> None:
    done = ucmsim("phones", action, "--to", DEVICE, "--state", state)
    assert done.code == 0
    assert "so nobody gets the order" in done.err
    entries = ucmsim("audit", "--state", state, "--json")
    assert entries.json[0]["what"] == f"phones: {action} {DEVICE}"


def test_what_a_killed_process_left_is_not_listed(state: Path) -> None:
    left = RegisteredPhone(
        PUB, DEVICE, "192.0.2.7", "UDP", ("2001",), "Not Installed", "Match", "2026-03-09T18:32:46+00:00"
    )

    async def leave() -> None:
        store = await ClusterStore.open(database_path(state, "alpha"))
        await note_registrations(store, PUB, [left])
        await store.close()

    asyncio.run(leave())
    assert phones(state)[DEVICE]["status"] == "Unregistered", "its node does not run"
    with SharedLab(lab_config(), state):
        wait_for(state, "Unregistered")
