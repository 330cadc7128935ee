"""A laboratory in one process: the configured clusters, or one node of them, with their state in a folder."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from base.trace import Trace
from cluster.store import ClusterStore
from cluster.trustlists import size_warning
from lab.claims import NodeClaim
from lab.neighbours import Neighbours, ports_file
from services.node import EndpointBook, Node
from services.tftp.service import TftpOptions
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from base.clock import Clock
    from cluster.endpoints import Endpoints
    from lab.ports import PortPlan
    from services.service import Listener

DATABASE = "cluster.sqlite"


@dataclass(frozen=True, slots=True)
class RunningCluster:
    """One cluster of the laboratory."""

    store: ClusterStore
    nodes: dict[str, Node]


class Laboratory:
    """Clusters that run; use as ``async with``.

    Args:
        plan: configuration and ports.
        state: folder that keeps each cluster's database; made when missing.
        only: the one node to run; all when None.
        say: told what is being done, one sentence at a time.
    """

    def __init__(
        self,
        plan: PortPlan,
        state: Path,
        *,
        only: str | None = None,
        trace: Trace | None = None,
        clock: Clock | None = None,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.plan = plan
        self.state = state
        self._only = only
        self._trace = trace or Trace()
        self._clock = clock
        self._say = say
        self._book = EndpointBook(plan.endpoints.default)
        self._book.endpoints = plan.endpoints
        self.clusters: dict[str, RunningCluster] = {}

    @property
    def nodes(self) -> dict[str, Node]:
        """Node name -> node, of all clusters."""
        return {name: node for cluster in self.clusters.values() for name, node in cluster.nodes.items()}

    @property
    def endpoints(self) -> Endpoints:
        """The ports in use."""
        return self._book.endpoints

    def listeners(self) -> list[tuple[str, str, Listener]]:
        """(node, service, what it bound), in starting order."""
        return [
            (name, service, listener)
            for name, node in self.nodes.items()
            for service, listeners in node.supervisor.listeners().items()
            for listener in listeners
        ]

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _start(self) -> None:
        settings = self.plan.config.lab
        options = TftpOptions(single_port=settings.single_port, port_range=settings.tftp_ports)
        for definition in self.plan.config.clusters:
            chosen = [node for node in definition.nodes if self._only in (None, node.name)]
            if not chosen:
                continue
            store = await ClusterStore.open(
                database_path(self.state, definition.name),
                clock=self._clock,
                trace=self._trace.bind(where=definition.name),
            )
            cluster = RunningCluster(store, {})
            self.clusters[definition.name] = cluster
            if not store.installed:
                self._say(f"installing cluster {definition.name}: making its certificates")
            await store.install(definition)
            store.watch()
            for node_definition in chosen:
                self._say(f"starting {node_definition.name}")
                node = Node(node_definition, store, self._book, self._trace, options)
                await node.start()
                cluster.nodes[node_definition.name] = node
        if not self.clusters:
            known = ", ".join(node.name for cluster in self.plan.config.clusters for node in cluster.nodes)
            raise OperatorError(f"the configuration has no node {self._only!r}; nodes: {known}")

    async def close(self) -> None:
        """Stops nodes in reverse order and closes the stores. Idempotent."""
        for cluster in reversed(list(self.clusters.values())):
            for node in reversed(list(cluster.nodes.values())):
                await node.stop()
            cluster.nodes.clear()
            await cluster.store.close()
        self.clusters.clear()

    def warnings(self) -> list[str]:
        """What the operator should know about the clusters as they are."""
        found = [
            size_warning(cluster.store.snapshot, name) for cluster in self.clusters.values() for name in cluster.nodes
        ]
        return [warning for warning in found if warning is not None]

    def write_ports_file(self) -> Path:
        """Writes what listens where as JSON into the state folder; one file for each process when it runs one node."""
        name = PORTS_FILE if self._only is None else f"ports-{self._only}.json"
        path = self.state / name
        write_atomically(path, json.dumps(self.as_json(), indent=2) + "\n")
        return path

    def as_json(self) -> dict[str, object]:
        """What runs: process id, notes, listeners."""
        return {
            "pid": os.getpid(),
            "notes": list(self.plan.notes),
            "listeners": [
                {"node": node, "service": service, **asdict(listener)} for node, service, listener in self.listeners()
            ],
        }


def database_path(state: Path, cluster: str) -> Path:
    """Where a cluster's state is kept."""
    return state / cluster / DATABASE


def installed_clusters(state: Path) -> list[str]:
    """Names of the clusters that a state folder holds."""
    if not state.is_dir():
        raise OperatorError(f"there is no state folder {state}; 'ucmsim up --state {state}' makes one")
    return sorted(path.parent.name for path in state.glob(f"*/{DATABASE}"))


def write_atomically(path: Path, text: str) -> None:
    """Writes a file so that readers see the old one or the new one, whole.

    Raises:
        OperatorError: it cannot be written.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise OperatorError(f"cannot write {path}: {error.strerror}") from error
