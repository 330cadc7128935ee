"""Fixtures shared by all tests: clusters with real services on ports that the system chose."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from base.trace import MemorySink, Trace
from cluster.config import LabConfig, parse_config
from cluster.endpoints import Endpoints, Ports
from cluster.store import ClusterStore
from lab.laboratory import Laboratory, database_path
from lab.ports import PortPlan
from tests.openssl_ca import OpensslCa

if TYPE_CHECKING:
    from pathlib import Path

IN_CI = os.environ.get("CI") == "true"

CONFIG = """
clusters:
  - name: alpha
    release: "{release}"
    domain: lab.example
    parameters: {parameters}
    nodes:
      - {{name: alpha-pub, publisher: true, address: 127.0.0.1}}
      - {{name: alpha-sub1, address: 127.0.0.1}}
    devices:
      - {{mac: 001122334455, model: 8865, description: Reception, lines: [{{number: 2001, label: Reception}}]}}
      - {{mac: 001122334456, model: 7841, description: Workshop, lines: [{{number: 2002}}]}}
    phone_services:
      - {{name: Corporate Directory, url: "Application:Cisco/CorporateDirectory"}}
    {more}
"""


def lab_config(release: str = "12.5", parameters: str = "{}", more: str = "") -> LabConfig:
    """A two-node cluster on loopback."""
    return parse_config(CONFIG.format(release=release, parameters=parameters, more=more), "test.yaml", {})


@dataclass(frozen=True)
class Lab:
    """A running laboratory and what it traced."""

    laboratory: Laboratory
    sink: MemorySink

    @property
    def store(self) -> ClusterStore:
        return self.laboratory.clusters["alpha"].store

    def ports(self, node: str = "alpha-pub") -> Ports:
        return self.laboratory.endpoints.of(node)


@pytest.fixture(scope="session")
def state_templates(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Awaitable[Path]]:
    """State folders with an installed cluster, one for each release, made once and copied by each test."""
    root = tmp_path_factory.mktemp("templates")

    async def template(release: str) -> Path:
        folder = root / release
        if not folder.exists():
            config = lab_config(release)
            store = await ClusterStore.open(database_path(folder, "alpha"))
            await store.install(config.clusters[0])
            await store.close()
        return folder

    return template


LabMaker = Callable[..., Awaitable[Lab]]


@pytest.fixture
async def make_lab(tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]) -> AsyncIterator[LabMaker]:
    """Starts laboratories; each call may choose release, parameters, and further configuration."""
    async with AsyncExitStack() as stack:

        async def make(release: str = "12.5", parameters: str = "{}", more: str = "", state: Path | None = None) -> Lab:
            folder = state or tmp_path / "state"
            if not folder.exists():
                shutil.copytree(await state_templates(release), folder)
            sink = MemorySink()
            plan = PortPlan(lab_config(release, parameters, more), Endpoints(Ports.any_free()))
            laboratory = Laboratory(plan, folder, trace=Trace(sink))
            await stack.enter_async_context(laboratory)
            return Lab(laboratory, sink)

        yield make


@pytest.fixture
async def lab(make_lab: LabMaker) -> Lab:
    """The ordinary laboratory: two nodes, release 12.5."""
    return await make_lab()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> OpensslCa:
    """An issuing CA under a root, both made by openssl."""
    require_tool("openssl")
    folder = tmp_path_factory.mktemp("authority")
    root = OpensslCa.make(folder / "root")
    return OpensslCa.make(folder / "issuing", "/CN=Example Issuing CA/O=Example", under=root)


def require_tool(name: str) -> str:
    """Path of an independent program; missing it skips locally and fails in CI."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        if IN_CI:
            pytest.fail(f"{name} is not installed; CI has to install it")
        pytest.skip(f"{name} is not installed")
    return found
