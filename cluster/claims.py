"""One process runs a node: a lock in its cluster's folder that the system releases when the process ends, however it
ends. Two processes with the same node would both be that server, each with ports of its own.

Whoever wants to know whether a node runs looks at the lock, too (`is_claimed`), so the answer holds after ``kill -9``.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING, Self

from wire.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_LOOKS = 100
"""How often a lock is tried that no node has, only someone who looks whether one does; a look takes microseconds."""


class NodeClaim:
    """The right to run a node on a state folder, held from `take` to `release`.

    Args:
        folder: of the node's cluster, existing.
        node: node name.
    """

    def __init__(self, folder: Path, node: str) -> None:
        self._path = _lock_path(folder, node)
        self._node = node
        self._descriptor: int | None = None

    def take(self) -> None:
        """Claims the node.

        Raises:
            OperatorError: another process runs it, or the lock cannot be made.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OperatorError(f"cannot make {self._path}: {error.strerror}") from error
        try:
            _lock(descriptor)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        except BlockingIOError as error:
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            by = f" (process {owner})" if owner else ""
            raise OperatorError(
                f"{self._node} already runs from state folder {self._path.parent.parent}{by}; "
                "stop that one first, or take another folder with --state"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise OperatorError(f"cannot lock {self._path}: {error.strerror}") from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Gives the node up; the file stays, as another process may be waiting at it. Idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


def is_claimed(folder: Path, node: str) -> bool:
    """True while a process, this one included, runs the node from this folder."""
    try:
        descriptor = os.open(_lock_path(folder, node), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _lock_path(folder: Path, node: str) -> Path:
    return folder / f"{node}.lock"


def _lock(descriptor: int) -> None:
    """Locks the file for good; raises BlockingIOError when a node has it.

    `is_claimed` holds a shared lock for a moment, which nobody may take for a running node: beside it another shared
    lock can be had, beside a node's none.
    """
    for _ in range(_LOOKS):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(0.001)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
