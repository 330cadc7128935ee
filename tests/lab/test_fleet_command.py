"""``ucmsim fleet run`` against a running laboratory (R-LAB-4)."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from lab.openfiles import raise_open_file_limit, require_open_files
from tests.conftest import lab_config
from tests.lab.command import clean_environment, program, run, ucmsim
from tests.services.wires import HOST
from tests.shared_lab import PUB, SUB, SharedLab
from tests.waiting import PATIENCE_S, until
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, COUNT = "0AFF00000001", 25
RANGE = f"device_ranges: [{{first: {FIRST}, count: {COUNT}, model: 8865, first_number: '007000'}}]"
NAMES = [f"SEP0AFF{number:08X}" for number in range(1, COUNT + 1)]
NOBODY = ("--tftp", f"{HOST}:1", "--http-port", "1", "--https-port", "1")

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def range_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedLab]:
    with SharedLab(lab_config(more=RANGE), tmp_path_factory.mktemp("fleet") / "state") as lab:
        yield lab


def servers(lab: SharedLab) -> list[str]:
    ports = lab.ports(PUB)
    return ["--tftp", f"{HOST}:{ports.tftp}", "--http-port", str(ports.http), "--https-port", str(ports.https)]


def fleet(lab: SharedLab, *more: object, count: int = COUNT) -> list[object]:
    return ["fleet", "run", *servers(lab), "--count", count, "--first-mac", FIRST, *more]


def registered(lab: SharedLab) -> set[str]:
    return {name for node in (PUB, SUB) for name in lab.registered(node)}


def test_all_phones_register_and_the_summary_counts_them(range_lab: SharedLab) -> None:
    done = ucmsim(*fleet(range_lab, "--stay", 0, "--json"))
    found = done.json
    assert done.code == found["exit_code"] == 0
    assert (found["phones"], found["counts"], found["not_registered"]) == (COUNT, {"registered": COUNT}, [])
    assert (found["boots"], found["registrations"]) == (COUNT, COUNT)
    for what in ("boot", "register"):
        spread = found[what]
        assert spread["count"] == COUNT
        assert 0 < spread["p50_ms"] <= spread["p90_ms"] <= spread["p99_ms"] <= spread["p100_ms"]
    assert f"booted {COUNT}, registered {COUNT}, refused 0, failed 0" in done.err
    assert f"Unregistered: {COUNT} of {COUNT}" in done.err
    assert not registered(range_lab)


@pytest.mark.parametrize(
    ("language", "said", "progress"),
    [
        ("en", "3 of 3 phones registered; 3 boots, 3 registrations", "registered 3, refused 0"),
        ("ja", "3 台中 3 台が登録済み (起動 3 回、登録 3 回)", "登録 3、拒否 0"),
    ],
)
def test_a_person_reads_a_table(range_lab: SharedLab, language: str, said: str, progress: str) -> None:
    done = ucmsim(*fleet(range_lab, "--stay", 0, "--lang", language, count=3))
    assert done.code == 0
    assert said in done.out
    assert "p99" in done.out
    assert progress in done.err


def test_phones_that_the_cluster_does_not_know_are_counted_by_reason_and_named(range_lab: SharedLab) -> None:
    strangers = [f"SEP0AFF{COUNT + number:08X}" for number in (1, 2)]
    arguments = fleet(range_lab, "--stay", 0, count=COUNT + 2)
    found = ucmsim(*arguments, "--json")
    assert found.code == found.json["exit_code"] == 1
    assert found.json["counts"] == {"registered": COUNT, "refused": 2}
    (trouble,) = found.json["not_registered"]
    assert (trouble["standing"], trouble["count"], trouble["phones"]) == ("refused", 2, strangers)
    assert "SEP<MAC> is no device of this cluster" in trouble["reason"]
    text = ucmsim(*arguments)
    assert text.code == 1
    assert all(name in text.out for name in strangers)


def test_ctrl_c_unregisters_all_of_them(range_lab: SharedLab, tmp_path: Path) -> None:
    with (tmp_path / "err").open("w+") as err:
        process = subprocess.Popen(
            [*program(), *map(str, fleet(range_lab, "--json"))],
            stdout=subprocess.PIPE,
            stderr=err,
            env=clean_environment(),
            text=True,
        )
        with process:
            try:
                for _ in until(lambda: f"registered {COUNT}," in (tmp_path / "err").read_text("utf-8")):
                    assert process.poll() is None
                assert registered(range_lab) == set(NAMES)
                process.send_signal(signal.SIGINT)
                output, _ = process.communicate(timeout=PATIENCE_S)
            finally:
                process.kill()
    assert process.returncode == 0
    assert json.loads(output)["counts"] == {"registered": COUNT}
    said = (tmp_path / "err").read_text("utf-8")
    assert "Press Ctrl-C" in said
    assert f"Unregistered: {COUNT} of {COUNT}" in said
    assert not registered(range_lab)


def test_shards_are_disjoint_and_together_everything(range_lab: SharedLab, tmp_path: Path) -> None:
    """Each phone of a part has a folder of its own."""
    found: list[set[str]] = []
    for part in (1, 2, 3):
        folder = tmp_path / str(part)
        done = ucmsim(*fleet(range_lab, "--stay", 0, "--shard", f"{part}/3", "--flash", folder, "--json"))
        assert done.code == 0, done.err
        found.append({item.name for item in folder.iterdir()})
        assert done.json["phones"] == len(found[-1])
    assert sorted(map(len, found)) == [8, 8, 9]
    assert sorted(name for names in found for name in names) == NAMES


def test_phones_with_a_folder_remember_their_trust_lists(range_lab: SharedLab, tmp_path: Path) -> None:
    arguments = fleet(range_lab, "--stay", 0, "--flash", tmp_path, "--trace", tmp_path / "trace", count=2)
    reasons = []
    for _ in range(2):
        assert ucmsim(*arguments).code == 0
        events = [json.loads(line) for line in (tmp_path / "trace").read_text("utf-8").splitlines()]
        reasons.append([event["data"]["reason"] for event in events if event["data"].get("what") == "ITL"])
    assert reasons == [["leap_of_faith"] * 2, ["unchanged"] * 2]


def test_without_any_server_it_says_so() -> None:
    done = ucmsim("fleet", "run", *NOBODY, "--count", 3, "--stay", 0, "--json")
    assert done.code == done.json["exit_code"] == 4
    assert done.json["counts"] == {"no TFTP server": 3}
    assert "cannot be reached" in done.json["not_registered"][0]["reason"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--shard", "0/2"), "'0/2' is not I/N"),
        (("--shard", "3/2"), "'3/2' is not I/N"),
        (("--shard", "half"), "'half' is not I/N"),
        (("--shard", "1/9"), "is empty"),
        (("--first-mac", "phone"), "'phone' is no MAC address"),
        (("--first-mac", "FFFFFFFFFFFF"), "go beyond FFFFFFFFFFFF"),
        (("--model", "9999"), "'9999' is not known"),
        (("--rate", "-1"), "'--rate': Input should be greater than or equal to 0"),
        (("--rate", "nan"), "'--rate'"),
        (("--stay", "-1"), "'--stay': Input should be greater than or equal to 0"),
        (("--stay", "nan"), "'--stay'"),
        (("--at-once", "0"), "'--at-once': Input should be greater than or equal to 1"),
    ],
)
def test_what_cannot_be_meant_is_a_mistake_of_usage(more: tuple[str, ...], said: str) -> None:
    done = ucmsim("fleet", "run", *NOBODY, "--count", 2, *more)
    assert done.code == 2
    assert said in " ".join(done.err.replace("│", " ").split())


def test_a_flash_of_another_phone_breaks_one_phone_and_no_other(range_lab: SharedLab, tmp_path: Path) -> None:
    assert ucmsim(*fleet(range_lab, "--stay", 0, "--flash", tmp_path, count=2)).code == 0
    (tmp_path / NAMES[0] / "flash.json").write_text("{}")
    done = ucmsim(*fleet(range_lab, "--stay", 0, "--flash", tmp_path, "--json", count=2))
    assert done.code == 1
    assert done.json["counts"] == {"registered": 1, "broken": 1}
    assert done.json["not_registered"][0]["phones"] == [NAMES[0]]
    assert "is damaged" in done.json["not_registered"][0]["reason"]


def test_too_few_open_files_are_told_before_the_first_phone_boots() -> None:
    low = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))}
    done = run("fleet", "run", *NOBODY, "--count", 200, **low)
    assert done.code == 3
    assert done.err.startswith("ucmsim: 200 phones need 392 open files, and this process may have 256: raise")
    assert "--shard" in done.err


@pytest.mark.parametrize("more", [0, 1])
def test_the_limit_of_open_files_counts_exactly(more: int) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        limit = raise_open_file_limit()
        if more:
            with pytest.raises(OperatorError, match=f"need {limit + 1:,} open files"):
                require_open_files(limit + 1, "they")
        else:
            require_open_files(limit, "they")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
