"""One process runs a node: a lock in its cluster's folder that the system releases when the process ends, however it
ends. Two processes with the same node would both be that server, each with ports of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, Self

from wire.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class NodeClaim:
    """The right to run a node on a state folder, held from `take` to `release`.

    Args:
        folder: of the node's cluster, existing.
        node: node name.
    """

    def __init__(self, folder: Path, node: str) -> None:
        self._path = folder / f"{node}.lock"
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
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
