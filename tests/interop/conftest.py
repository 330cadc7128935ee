"""A laboratory in a thread of its own, so that programs of others can be run against it from anywhere."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.conftest import lab_config
from tests.shared_lab import PUB, SharedLab

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from cluster.purposes import Purpose


@pytest.fixture(scope="session")
def outside_lab(
    tmp_path_factory: pytest.TempPathFactory, state_templates: Callable[[str], Awaitable[Path]]
) -> Iterator[SharedLab]:
    """Who shares it must not change its state."""
    folder = tmp_path_factory.mktemp("outside")

    async def template() -> Path:
        return await state_templates("12.5")

    shutil.copytree(asyncio.run(template()), folder / "state")
    (folder / "tftp").mkdir()
    (folder / "tftp" / "firmware.bin").write_bytes(bytes(range(256)) * 4_000)
    with SharedLab(lab_config(more=f"tftp_directory: {folder / 'tftp'}"), folder / "state") as lab:
        yield lab


@pytest.fixture
def exported(outside_lab: SharedLab, tmp_path: Path) -> Callable[..., Path]:
    """Writes a certificate of the laboratory to a file, PEM."""

    def export(purpose: Purpose, node: str = PUB) -> Path:
        path = tmp_path / f"{node}-{purpose.value}.pem"
        path.write_text(outside_lab.certificate(purpose, node).pem)
        return path

    return export
