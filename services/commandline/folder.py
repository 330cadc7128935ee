"""The TFTP folder as the command line sees it: trust lists, the recovery key, and the laboratory's own files.

Configuration files of phones are not in it: UCM keeps them in memory, too.
"""

from __future__ import annotations

import asyncio
import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.management.itl import RECOVERY_FILE
from cluster.purposes import Purpose
from cluster.servicecatalogue import TFTP, wanted_state
from cluster.trustlists import build_itl
from wire.errors import OperatorError
from wire.trustlist import ITL_FILE

if TYPE_CHECKING:
    from cluster.snapshot import ClusterSnapshot

MAX_FILES = 10_000
"""Names of the laboratory's folder that are looked at."""
MAX_SIZE = 16 * 1024 * 1024
"""Bytes of one file."""


class Folder:
    """What one node has.

    Args:
        snapshot: the cluster.
        node: which node.
    """

    def __init__(self, snapshot: ClusterSnapshot, node: str) -> None:
        self._snapshot = snapshot
        self._node = node
        directory = snapshot.definition.tftp_directory
        self._lab = Path(directory) if directory is not None else None

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted({*self._generated(), *self._stored(), *self._lab_names()})

    def matching(self, pattern: str) -> list[str]:
        """Names that fit a pattern of ``*`` and ``?``, in any case."""
        return [name for name in self.names() if fnmatch.fnmatchcase(name.lower(), pattern.lower())]

    def find(self, name: str) -> str | None:
        """The name as it is written here; None when there is no such file."""
        return next((known for known in self.names() if known.lower() == name.lower()), None)

    def is_stored(self, name: str) -> bool:
        """A command made it, and it stays until one deletes it."""
        return name in self._stored()

    def is_generated(self, name: str) -> bool:
        """It follows from the cluster's state."""
        return name in self._generated()

    async def read(self, name: str) -> bytes | None:
        """The file; None when there is none, or it is the recovery key, which is made when it is fetched.

        Raises:
            OperatorError: it is too large or cannot be read.
        """
        found = self.find(name)
        if found is None or found == RECOVERY_FILE:
            return None
        if found == ITL_FILE:
            return await asyncio.to_thread(build_itl, self._snapshot, self._node)
        if self.is_stored(found):
            return self._snapshot.files[self._node, found].data
        return await asyncio.to_thread(self._load, found)

    def _generated(self) -> list[str]:
        found = [ITL_FILE] if wanted_state(self._snapshot, self._node, TFTP).activated else []
        recovery = self._snapshot.own_certificate(self._node, Purpose.ITL_RECOVERY)
        return [*found, RECOVERY_FILE] if recovery is not None and recovery.node == self._node else found

    def _stored(self) -> list[str]:
        return [name for node, name in self._snapshot.files if node == self._node]

    def _lab_names(self) -> list[str]:
        """Files below the laboratory's folder; links that lead out of it do not count."""
        if self._lab is None:
            return []
        root, found = self._lab.resolve(), []
        for number, path in enumerate(self._lab.rglob("*")):
            if number >= MAX_FILES:
                break
            if path.is_file() and path.resolve().is_relative_to(root):
                found.append(path.relative_to(self._lab).as_posix())
        return found

    def _load(self, name: str) -> bytes:
        assert self._lab is not None  # noqa: S101 - a name came from there
        try:
            with (self._lab / name).open("rb") as file:
                data = file.read(MAX_SIZE + 1)
        except OSError as error:
            raise OperatorError(f"{name} cannot be read: {error.strerror}") from error
        if len(data) > MAX_SIZE:
            raise OperatorError(f"{name} is larger than {MAX_SIZE} bytes")
        return data
