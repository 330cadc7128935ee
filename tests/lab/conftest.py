"""State folders and a running laboratory for the commands."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import lab_config
from tests.shared_lab import SharedLab

Templates = Callable[[str], Awaitable[Path]]


def copy_template(templates: Templates, folder: Path, release: str = "12.5") -> Path:
    async def template() -> Path:
        return await templates(release)

    shutil.copytree(asyncio.run(template()), folder)
    return folder


@pytest.fixture
def state(tmp_path: Path, state_templates: Templates) -> Path:
    """A state folder with an installed cluster that does not run."""
    return copy_template(state_templates, tmp_path / "state")


@pytest.fixture(scope="session")
def running_lab(tmp_path_factory: pytest.TempPathFactory, state_templates: Templates) -> Iterator[SharedLab]:
    """A laboratory that runs, for tests that only look."""
    state = copy_template(state_templates, tmp_path_factory.mktemp("running") / "state")
    with SharedLab(lab_config(), state) as lab:
        yield lab


@pytest.fixture
def running(state: Path) -> Iterator[SharedLab]:
    """A laboratory that runs, for tests that change it."""
    with SharedLab(lab_config(), state) as lab:
        yield lab
