"""An SFTP server for what the procedures export and fetch back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from cluster.config import Administrator
from lab.sftpserver import LabSftp, SftpOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True)
class SafePlace:
    """Where an administrator keeps ITLRecovery.p12, and what they answer when they are asked about it."""

    port: int
    account: Administrator
    p12_password: str = "only the two of us"

    @property
    def _dialog(self) -> tuple[str, ...]:
        return (HOST, str(self.port), self.account.name, "yes", self.account.password.get_secret_value(), "")

    @property
    def to_export(self) -> tuple[str, ...]:
        return ("y", *self._dialog, self.p12_password, self.p12_password)

    @property
    def to_fetch(self) -> tuple[str, ...]:
        return (*self._dialog, self.p12_password)


@pytest.fixture
async def safe_place(tmp_path: Path) -> AsyncIterator[SafePlace]:
    folder = tmp_path / "safe"
    folder.mkdir()
    account = Administrator()
    server = LabSftp(SftpOptions(folder, account))
    await server.start(HOST, 0)
    try:
        yield SafePlace(server.port, account)
    finally:
        await server.stop()
