"""The lock that says which process runs a node."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from cluster.claims import NodeClaim, is_claimed
from wire.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys, time
from pathlib import Path
from cluster.claims import NodeClaim
NodeClaim(Path(sys.argv[1]), "node").take()
print("taken", flush=True)
time.sleep(600)
"""


def test_node_is_claimed_from_take_to_release(tmp_path: Path) -> None:
    assert not is_claimed(tmp_path, "node")
    with NodeClaim(tmp_path, "node"):
        assert is_claimed(tmp_path, "node")
        assert not is_claimed(tmp_path, "other")
    assert not is_claimed(tmp_path, "node")


def test_second_claim_on_a_node_names_the_process_that_has_it(tmp_path: Path) -> None:
    with NodeClaim(tmp_path, "node"), pytest.raises(OperatorError, match=r"node already runs .*\(process \d+\)"):
        NodeClaim(tmp_path, "node").take()
    NodeClaim(tmp_path, "node").take()


def test_killed_process_claims_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"taken\n"
        assert is_claimed(tmp_path, "node")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert not is_claimed(tmp_path, "node")


def test_looking_whether_a_node_runs_never_keeps_it_from_starting(tmp_path: Path) -> None:
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            is_claimed(tmp_path, "node")

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(300):
            with NodeClaim(tmp_path, "node"):
                assert is_claimed(tmp_path, "node")
    finally:
        done.set()
        for looker in lookers:
            looker.join()


def test_folder_that_takes_no_lock_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"cannot make .*node\.lock"):
        NodeClaim(tmp_path / "missing", "node").take()
    assert not is_claimed(tmp_path / "missing", "node")
