"""SIGKILL at any moment: the next start finds the old revision or the new one, whole."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cluster.trustlists import build_itl, itl_signer
from tests.cluster.material import definition, sql
from tests.cluster.victim import BATCH, STORE
from wire.signing import verify_file

if TYPE_CHECKING:
    from cluster.store import ClusterStore
    from tests.cluster.conftest import StateMaker, StoreMaker

VICTIM = [sys.executable, "-m", "tests.cluster.victim"]


def kill_at(what: str, path: Path, steps: list[int]) -> list[tuple[bool, Path]]:
    """For each step: whether the work came that far, and so was killed, and the database that it left."""
    done = subprocess.run([*VICTIM, what, path, *map(str, steps)], capture_output=True, text=True, check=True)
    lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
    assert [int(step) for step, _, _ in lines] == steps, done.stderr
    return [(killed == "True", Path(database)) for _, killed, database in lines]


def assert_whole(path: Path) -> None:
    assert sql(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert sql(path, "PRAGMA foreign_key_check") == []


def in_store(store: ClusterStore) -> int:
    return sum(STORE in entry.stores for entry in store.snapshot.trusted.values())


async def test_killed_at_any_step_of_a_change_it_is_there_or_not(database: StateMaker, open_store: StoreMaker) -> None:
    path = await database("8.6")
    for shared in path.parent.glob("*-???"):
        shared.unlink()  # closed cleanly: nothing is in them
    outcomes: list[tuple[bool, int]] = []
    for killed, left in kill_at("change", path, [*range(1, 40, 3), 500]):
        store = await open_store(left)
        outcomes.append((killed, store.snapshot.revision))
        assert in_store(store) == BATCH * (store.snapshot.revision - 1)
        assert_whole(left)
        signer = itl_signer(store.snapshot, "alpha-pub").certificate
        assert verify_file(build_itl(store.snapshot, "alpha-pub"), signer.public_key)
        await store.add_trust(STORE, [signer])
        await store.close()
    assert (True, 1) in outcomes, "killed before its commit"
    assert (False, 2) in outcomes, "not killed at all"
    assert sorted(outcomes, key=lambda outcome: outcome[1]) == outcomes, "once committed, it stays"


async def test_killed_at_any_step_of_an_installation_it_is_there_or_not(open_store: StoreMaker, tmp_path: Path) -> None:
    outcomes: list[tuple[bool, bool]] = []
    for killed, left in kill_at("install", tmp_path / "state", [1, 3, 8, 15, 30, 45, 60, 70, 500]):
        store = await open_store(left)
        outcomes.append((killed, store.installed))
        assert_whole(left)
        rows = sql(left, "SELECT count(*) AS own FROM own_certificate")
        assert rows == [{"own": 5 if store.installed else 0}]
        await store.install(definition(1, release="8.6"))
        assert store.snapshot.revision == 1
        signer = itl_signer(store.snapshot, "n0").certificate
        assert verify_file(build_itl(store.snapshot, "n0"), signer.public_key)
        await store.close()
    assert (True, False) in outcomes, "killed before its commit"
    assert outcomes[-1] == (False, True), "not killed at all"


@pytest.mark.parametrize("run", range(4))
async def test_killed_by_another_process_it_keeps_every_change_that_it_confirmed(
    run: int, database: StateMaker, open_store: StoreMaker
) -> None:
    path = await database("8.6")
    wanted = random.Random(run).randint(1, 12)
    with subprocess.Popen([*VICTIM, "changes", path], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        confirmed = [int(victim.stdout.readline()) for _ in range(wanted)]
        victim.kill()
        confirmed += [int(line) for line in victim.stdout]
    assert victim.returncode == -9
    store = await open_store(path)
    assert store.snapshot.revision - confirmed[-1] in {0, 1}
    assert in_store(store) == BATCH * (store.snapshot.revision - 1)
    assert_whole(path)


async def test_a_node_that_follows_outlives_the_death_of_the_one_that_changes(
    database: StateMaker, open_store: StoreMaker
) -> None:
    path = await database("8.6")
    follower = await open_store(path)
    with subprocess.Popen([*VICTIM, "changes", path], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        confirmed = int(victim.stdout.readline())
        victim.kill()
    await follower.refresh()
    assert follower.snapshot.revision >= confirmed
    assert in_store(follower) == BATCH * (follower.snapshot.revision - 1)
    assert await follower.add_trust("tomcat-trust", [itl_signer(follower.snapshot, "alpha-pub").certificate]) in {0, 1}


async def test_copies_of_a_closed_state_are_the_same_cluster(
    database: StateMaker, open_store: StoreMaker, tmp_path: Path
) -> None:
    """A folder that nobody uses can be copied as a backup."""
    path = await database("8.6")
    copy = tmp_path / "copy" / "cluster.sqlite"
    shutil.copytree(path.parent, copy.parent)
    one, other = await open_store(path), await open_store(copy)
    assert build_itl(one.snapshot, "alpha-sub1") == build_itl(other.snapshot, "alpha-sub1")
