"""SIGKILL in the middle of certificate management: all old or all new, never a certificate without its key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cluster.purposes import Purpose
from cluster.trustlists import build_itl, itl_signer
from tests.cluster.material import sql
from wire.certificates import Certificate
from wire.signing import verify_file

if TYPE_CHECKING:
    from cluster.snapshot import ClusterSnapshot
    from tests.cluster.conftest import StateMaker, StoreMaker

PROGRAM = """
import asyncio, os, shutil, signal, sys
from itertools import count
from pathlib import Path
from sqlalchemy import event
from cluster.audit import SYSTEM
from cluster.management.certificates import make_request, regenerate
from cluster.purposes import Purpose
from cluster.store import ClusterStore

WORK = {"regenerate": regenerate, "request": make_request}[sys.argv[1]]

async def work(path, step):
    store, steps = await ClusterStore.open(path), count(1)
    def here(*details):
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)
    for moment in ("before_cursor_execute", "commit"):
        event.listen(store._engine.sync_engine, moment, here)
    await WORK(store, "alpha-pub", Purpose.CALLMANAGER_ECDSA, SYSTEM)
    await store.close()

for step in map(int, sys.argv[3:]):
    copy = Path(sys.argv[2]).with_name(f"step-{step}") / "cluster.sqlite"
    copy.parent.mkdir()
    shutil.copy(sys.argv[2], copy)
    child = os.fork()
    if child == 0:
        asyncio.run(work(copy, step))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.WIFSIGNALED(status), copy, flush=True)
"""
STEPS = [*range(1, 60, 4), 1_000]
KEY = ("alpha-pub", Purpose.CALLMANAGER_ECDSA)


def killed_at(what: str, path: Path) -> list[tuple[bool, Path]]:
    """For each step: whether the work came that far, and so was killed, and the database that it left."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, what, path, *map(str, STEPS)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    lines = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert len(lines) == len(STEPS), done.stderr
    return [(killed == "True", Path(database)) for killed, database in lines]


def whole(snapshot: ClusterSnapshot) -> Certificate:
    """The certificate, with all that has to go with it."""
    own = snapshot.own[KEY]
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert own.private_key.public_key().public_bytes(*form) == own.certificate.public_key.public_bytes(*form)
    namesakes = [
        digest
        for digest, entry in snapshot.trusted.items()
        if "CallManager-trust" in entry.stores and Certificate.from_der(entry.der).subject == own.certificate.subject
    ]
    assert namesakes == [own.certificate.sha256]
    itl = build_itl(snapshot, "alpha-pub")
    assert own.certificate.der in itl
    assert verify_file(itl, itl_signer(snapshot, "alpha-pub").certificate.public_key)
    return own.certificate


@pytest.mark.parametrize("what", ["regenerate", "request"])
async def test_killed_at_any_step(what: str, database: StateMaker, open_store: StoreMaker) -> None:
    path = await database()
    store = await open_store(path)
    old = whole(store.snapshot)
    await store.close()
    outcomes: list[tuple[bool, bool]] = []
    for killed, left in killed_at(what, path):
        assert sql(left, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        store = await open_store(left)
        changed = store.snapshot.revision == 2
        outcomes.append((killed, changed))
        assert (whole(store.snapshot) != old) is (changed and what == "regenerate")
        assert (KEY in store.snapshot.requests) is (changed and what == "request")
        await store.close()
    assert (True, False) in outcomes, "killed before its commit"
    assert outcomes[-1] == (False, True), "not killed at all"
    assert outcomes == sorted(outcomes, key=lambda outcome: outcome[1]), "once committed, it stays"
