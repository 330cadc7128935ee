"""A process that is killed in the middle of its work: ``python -m tests.cluster.victim WHAT DATABASE [STEP ...]``.

``install`` and ``change`` fork a child for each STEP, which dies by SIGKILL at that step of its work on the database: a
statement, a commit about to be made, a commit just made. ``changes`` goes on making changes and says the revision after
each until somebody kills it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

from sqlalchemy import event

from cluster.database import to_its_end
from cluster.store import ClusterStore
from tests.cluster.material import definition, stranger

STORE, BATCH = "userlicensing-trust", 7
"""One change puts so many certificates into this store, which an installation leaves empty."""


async def change(store: ClusterStore) -> None:
    """All of them or none."""
    await store.add_trust(STORE, [stranger(f"c{number}") for number in range(BATCH)])


async def install(store: ClusterStore) -> None:
    """Quick to make: few keys, and short ones."""
    await store.install(definition(1, release="8.6"))


def die_at(store: ClusterStore, step: int) -> None:
    steps = count(1)

    def here(*_details: object) -> None:
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    engine = store._engine.sync_engine
    for moment in ("before_cursor_execute", "commit"):
        event.listen(engine, moment, here)
    event.listen(engine.pool, "reset", here)  # a connection comes back: its commit is done


async def work_and_die(what: str, path: Path, step: int) -> None:
    store = await ClusterStore.open(path)
    die_at(store, step)
    await to_its_end({"install": install, "change": change}[what](store))
    await store.close()


def in_children(what: str, path: Path, steps: list[int]) -> None:
    """Says for each step whether the child died at it."""
    for step in steps:
        copy = path.with_name(f"{path.name}.{step}") / "cluster.sqlite"
        copy.parent.mkdir()
        if path.exists():
            shutil.copy(path, copy)
        child = os.fork()
        if child == 0:
            asyncio.run(work_and_die(what, copy, step))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(step, os.WIFSIGNALED(status), copy, flush=True)


async def changes(path: Path) -> None:
    store = await ClusterStore.open(path)
    while True:
        await change(store)
        print(store.snapshot.revision, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "changes":
        asyncio.run(changes(Path(sys.argv[2])))
    else:
        in_children(sys.argv[1], Path(sys.argv[2]), [int(step) for step in sys.argv[3:]])
