"""One laboratory for all tests that only look, with a TFTP directory."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.conftest import lab_config
from tests.shared_lab import SharedLab

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def shared_lab(
    tmp_path_factory: pytest.TempPathFactory, state_templates: Callable[[str], Awaitable[Path]]
) -> Iterator[SharedLab]:
    folder = tmp_path_factory.mktemp("shared")
    directory = folder / "tftp"
    (directory / "Desktops").mkdir(parents=True)
    (directory / "Ringlist.xml").write_bytes(b"<CiscoIPPhoneRingList/>")
    (directory / "Desktops" / "logo.png").write_bytes(b"\x89PNG")
    (directory / "firmware.loads").write_bytes(bytes(range(256)) * 2_000)

    async def template() -> Path:
        return await state_templates("12.5")

    shutil.copytree(asyncio.run(template()), folder / "state")
    with SharedLab(lab_config(more=f"tftp_directory: {directory}"), folder / "state") as lab:
        yield lab
