"""Stores on installed state that is copied, not made, for each test."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cluster.store import ClusterStore
from lab.laboratory import database_path

if TYPE_CHECKING:
    from base.clock import Clock
    from base.trace import Trace

StoreMaker = Callable[..., Awaitable[ClusterStore]]
StateMaker = Callable[..., Awaitable[Path]]


@pytest.fixture
async def database(tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]) -> StateMaker:
    """Makes database files with an installed two-node cluster of a release."""

    async def make(release: str = "12.5") -> Path:
        folder = tmp_path / release
        if not folder.exists():
            shutil.copytree(await state_templates(release), folder)
        return database_path(folder, "alpha")

    return make


@pytest.fixture
async def open_store(database: StateMaker) -> AsyncIterator[StoreMaker]:
    """Opens stores; on a copy of an installed cluster when no path is given. Closes them at the end."""
    async with AsyncExitStack() as stack:

        async def make(
            path: Path | None = None, *, release: str = "12.5", clock: Clock | None = None, trace: Trace | None = None
        ) -> ClusterStore:
            store = await ClusterStore.open(path or await database(release), clock=clock, trace=trace)
            stack.push_async_callback(store.close)
            return store

        yield make


@pytest.fixture
async def store(open_store: StoreMaker) -> ClusterStore:
    """An installed two-node cluster of release 12.5."""
    return await open_store()
