"""``ucmsim up`` and ``ucmsim node`` as processes of their own: ready, stopped, killed, started again."""

from __future__ import annotations

import json
import random
import re
import resource
import signal
import socket
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.openfiles import raise_open_file_limit
from tests.lab.command import Running, clean_environment, program, run, ucmsim
from tests.services.wires import VECTORS
from tests.waiting import until

PUB, SUB = "alpha-pub", "alpha-sub1"
KNOWN = "001122334455"


def up(tmp_path: Path, *more: object, **options: Any) -> Running:
    return Running(
        *("up", "--any-ports", "--state", tmp_path / "state", *more), ready=tmp_path / "ready.json", **options
    )


def node(tmp_path: Path, name: str) -> Running:
    return Running("node", name, "--any-ports", "--state", tmp_path / "state", ready=tmp_path / f"{name}.json")


def fetch(address: str, name: str) -> bytes:
    from http.client import HTTPConnection

    host, _, port = address.partition(":")
    connection = HTTPConnection(host, int(port), timeout=20)
    connection.request("GET", f"/{name}")
    response = connection.getresponse()
    assert response.status == 200
    try:
        return response.read()
    finally:
        connection.close()


def boot(running: Running, name: str, flash: Path | None = None) -> Any:
    more = ["--flash", flash] if flash else []
    done = ucmsim("phone", "boot", *running.phone_options(name), "--mac", KNOWN, "--json", *more)
    return done.json


def identity(tmp_path: Path) -> dict[tuple[str, str], str]:
    """(node, purpose) -> SHA-256 of the certificate."""
    done = ucmsim("cert", "list", "--state", tmp_path / "state", "--json")
    assert done.code == 0, done.err
    return {(row["where"], row["name"]): row["sha256"] for row in done.json if row["kind"] == "own"}


def test_ready_used_stopped_and_the_same_again(tmp_path: Path) -> None:
    """R-ITL-4, R-SBD-1: what a phone sees outlives the process."""
    with up(tmp_path, "--trace", tmp_path / "trace.jsonl").wait_until_ready() as first:
        itls = {name: fetch(first.address(name, "HTTP"), "ITLFile.tlv") for name in (PUB, SUB)}
        booted = boot(first, PUB, tmp_path / "flash")
        assert (booted["exit_code"], booted["decisions"][0]["reason"]) == (0, "leap_of_faith")
        assert ucmsim("health", first.address(SUB, "HTTP")).code == 0
        ports = json.loads((tmp_path / "state" / "ports.json").read_text())
        assert (ports["listeners"], ports["pid"]) == (first.listeners, first.process.pid)
        before = identity(tmp_path)
        assert first.end(signal.SIGTERM) == 0
    assert not first.ready_file.exists()
    assert not (tmp_path / "state" / "ports.json").exists()
    assert first.output.endswith("… stopping\n")

    with up(tmp_path).wait_until_ready() as second:
        assert {name: fetch(second.address(name, "HTTP"), "ITLFile.tlv") for name in (PUB, SUB)} == itls
        assert identity(tmp_path) == before
        again = boot(second, PUB, tmp_path / "flash")
        assert again["decisions"][0]["reason"] == "unchanged"
        assert second.end(signal.SIGINT) == 0
    assert "installing" not in second.output

    trace = (tmp_path / "trace.jsonl").read_text("utf-8")
    events = [json.loads(line) for line in trace.splitlines()]
    assert {"snapshot_published", "service_started", "file_sent", "service_stopped"} <= {
        item["step"] for item in events
    }
    assert all(set(item) == {"time", "where", "service", "session", "step", "data"} for item in events)
    assert "PRIVATE" not in trace


def test_the_state_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    with up(tmp_path).wait_until_ready():
        for path in (tmp_path / "state").rglob("*"):
            if path.name != "ports.json":
                assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.usefixtures("state")  # installed already
def test_a_second_one_on_the_same_state_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with up(tmp_path).wait_until_ready() as first:
        told = first.ready_file.read_text()
        for arguments in (["up"], ["node", SUB]):
            second = run(*arguments, "--any-ports", "--state", tmp_path / "state")
            assert second.code == 3
            assert re.fullmatch(
                rf"ucmsim: alpha-\w+ already runs from state folder {tmp_path}/state \(process {first.process.pid}\); "
                r"stop that one first, or take another folder with --state\n",
                second.err,
            )
        assert first.ready_file.read_text() == told
        assert (tmp_path / "state" / "ports.json").exists()
        assert boot(first, PUB)["exit_code"] == 0


def test_ports_that_another_program_has_are_told_in_a_sentence(tmp_path: Path) -> None:
    config = tmp_path / "lab.yaml"
    config.write_text("clusters:\n  - name: alpha\n    nodes: [{name: a, address: 127.0.0.1, publisher: true}]\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        offset = taken.getsockname()[1] - 6970
        if not 0 < offset <= 50_000:
            pytest.skip("the system chose a port below UCM's")
        done = run("up", "--config", config, "--state", tmp_path / "state", "--port-offset", offset)
    assert done.code == 3
    assert re.fullmatch(  # which one, if a neighbour of it is taken as well, is chance
        r"ucmsim: \w+ cannot listen on 127.0.0.1 port \d+: the port is in use; "
        "stop the program that has it, or move all ports with --port-offset",
        done.err.splitlines()[-1],
    )
    assert "Traceback" not in done.err


def test_an_address_that_this_machine_does_not_have_is_told_in_a_sentence(tmp_path: Path) -> None:
    config = tmp_path / "lab.yaml"
    config.write_text("clusters:\n  - name: alpha\n    nodes: [{name: a, address: 192.0.2.1, publisher: true}]\n")
    done = run("up", "--config", config, "--state", tmp_path / "state", "--any-ports")
    assert done.code == 3
    assert "cannot listen on 192.0.2.1 port 0: this machine has no such address" in done.err
    assert "Traceback" not in done.err


def succeeds(*arguments: object) -> bool:
    return ucmsim(*arguments).code == 0


@pytest.mark.usefixtures("state")  # installed already
def test_two_processes_serve_one_cluster(tmp_path: Path) -> None:
    """R-TVS-3, R-ITL-5: nothing is shared but the state folder, in which each finds the other's ports."""
    with node(tmp_path, PUB).wait_until_ready() as publisher, node(tmp_path, SUB).wait_until_ready() as subscriber:
        both = {publisher.address(PUB, "TVS"), subscriber.address(SUB, "TVS")}
        for _ in until(lambda: set(boot(publisher, PUB)["config"]["tvs_servers"]) == both):
            pass
        first = boot(publisher, PUB, tmp_path / "flash")
        moved = boot(subscriber, SUB, tmp_path / "flash")
        assert first["decisions"][0]["reason"] == "leap_of_faith"
        assert [item["reason"] for item in moved["decisions"]] == ["signed_by_itl"] * 7
        assert set(moved["config"]["tvs_servers"]) == both

        rogue, state = VECTORS / "rogue.pem", ("--state", tmp_path / "state")
        assert ucmsim("cert", "add", "tomcat-trust", rogue, *state).code == 0
        for running, name in ((publisher, PUB), (subscriber, SUB)):
            tvs = tmp_path / f"{name}.pem"
            assert ucmsim("cert", "export", "TVS", "--node", name, *state, "--out", tvs).code == 0
            asked = ("tvs", "verify", running.address(name, "TVS"), rogue, "--tvs", tvs)
            for _ in until(partial(succeeds, *asked), f"{name} trusts it"):
                pass

        assert publisher.end() == 0
        assert ucmsim("phone", "directory", "--flash", tmp_path / "flash").code == 4  # it was the publisher's
        assert boot(subscriber, SUB, tmp_path / "flash")["decisions"][0]["reason"] == "unchanged"


@pytest.mark.usefixtures("state")  # installed already
def test_a_killed_laboratory_comes_up_as_it_was(tmp_path: Path) -> None:
    with up(tmp_path).wait_until_ready() as first:
        itl = fetch(first.address(PUB, "HTTP"), "ITLFile.tlv")
        before = identity(tmp_path)
        first.process.kill()
        first.process.wait(20)
    assert first.ready_file.exists()  # nobody was left to remove it
    with up(tmp_path) as second:
        for _ in until(lambda: "starting alpha-pub" in second.output):
            pass
        second.wait_until_ready()
        assert json.loads(second.ready_file.read_text())["pid"] == second.process.pid
        assert fetch(second.address(PUB, "HTTP"), "ITLFile.tlv") == itl
        assert identity(tmp_path) == before


def test_killed_at_any_moment_of_its_first_start_it_comes_up_consistent(tmp_path: Path) -> None:
    """Whatever was written before is kept; nothing is ever half there."""
    moments = random.Random(7)
    kept: dict[tuple[str, str], str] = {}
    for _ in range(6):
        process = subprocess.Popen(
            [*program(), "up", "--any-ports", "--state", str(tmp_path / "state")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moments.uniform(0.3, 1.6))  # any moment will do: that is what is tested
        process.kill()
        process.wait(20)
        done = ucmsim("cert", "list", "--state", tmp_path / "state", "--json")
        found = identity(tmp_path) if done.code == 0 else {}
        assert "Traceback" not in done.err
        assert not kept or found == kept
        kept = found
    with up(tmp_path).wait_until_ready() as last:
        assert not kept or identity(tmp_path) == kept
        for name in (PUB, SUB):
            booted = boot(last, name)
            assert (booted["exit_code"], booted["config_source"]) == (0, "server")


def test_a_stop_during_the_start_ends_it(tmp_path: Path) -> None:
    with up(tmp_path) as starting:
        for _ in until(lambda: "installing" in starting.output):
            pass
        assert starting.end(signal.SIGTERM) == 0
    assert not starting.ready_file.exists()
    assert re.search(r"… (stopped before everything was up|stopping)\n$", starting.output)


@pytest.mark.usefixtures("state")  # installed already
def test_many_sockets_are_allowed_whatever_the_shell_says(tmp_path: Path) -> None:
    """A flood of silent connections must not use up a soft limit that was meant for ``select``."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))}
    with up(tmp_path, **low).wait_until_ready() as running:
        limits = Path(f"/proc/{running.process.pid}/limits").read_text()
        (soft_now, hard_now) = re.findall(r"Max open files +(\S+) +(\S+)", limits)[0]
        assert soft_now == hard_now
        host, _, port = running.address(PUB, "HTTPS (CallManager)").partition(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(400)]
        assert fetch(running.address(PUB, "HTTP"), "ITLFile.tlv")
        for item in silent:
            item.close()


def test_the_limit_of_open_files_in_force_is_told() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert raise_open_file_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_settings_come_from_the_environment_too(tmp_path: Path) -> None:
    environment = clean_environment(UCMSIM_CLUSTERS__ALPHA__RELEASE="8.6")
    with up(tmp_path, env=environment).wait_until_ready() as running:
        assert boot(running, PUB)["exit_code"] == 0
    assert (PUB, "ITLRecovery") not in identity(tmp_path)
