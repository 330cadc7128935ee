"""A laboratory in one process: the configured clusters, or one node of them, with their state in a folder."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from base.trace import Trace
from cluster.claims import NodeClaim
from cluster.management.warnings import warnings_of
from cluster.servicestatus import forget_observed
from cluster.store import ClusterStore
from lab.manufacturing import ManufacturingCa, trust_manufacturer
from lab.neighbours import Neighbours, ports_file
from services.node import EndpointBook, Node
from services.tftp.service import TftpOptions
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from base.clock import Clock
    from cluster.definition import ClusterDefinition, NodeDefinition
    from cluster.endpoints import Endpoints
    from lab.ports import PortPlan
    from services.service import Listener

log = logging.getLogger("ucmsim.lab")

DATABASE = "cluster.sqlite"


@dataclass(frozen=True, slots=True)
class RunningCluster:
    """One cluster of the laboratory: those of its nodes that run in this process."""

    store: ClusterStore
    nodes: dict[str, Node] = field(default_factory=dict)


class Laboratory:
    """Clusters that run; use as ``async with``.

    Args:
        plan: configuration and ports.
        state: folder that keeps each cluster's database; made when missing. A node runs in one process for each folder.
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
        self._claims = contextlib.ExitStack()
        self._ports_written = False
        self._warned: set[str] = set()
        self._neighbours: asyncio.Task[None] | None = None
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
        for definition in self.plan.config.clusters:
            chosen = [node for node in definition.nodes if self._only in (None, node.name)]
            if chosen:
                await self._start_cluster(definition, chosen)
        if not self.clusters:
            known = ", ".join(node.name for cluster in self.plan.config.clusters for node in cluster.nodes)
            raise OperatorError(f"the configuration has no node {self._only!r}; nodes: {known}")
        await self._watch_neighbours()
        self._warned = set(self.warnings())
        for cluster in self.clusters.values():
            cluster.store.subscribe(lambda _snapshot: self._tell_new_warnings())

    async def _start_cluster(self, definition: ClusterDefinition, chosen: list[NodeDefinition]) -> None:
        settings = self.plan.config.lab
        options = TftpOptions(single_port=settings.single_port, port_range=settings.tftp_ports)
        path = database_path(self.state, definition.name)
        store = await ClusterStore.open(path, clock=self._clock, trace=self._trace.bind(where=definition.name))
        cluster = self.clusters[definition.name] = RunningCluster(store)
        for node_definition in chosen:
            self._claims.enter_context(NodeClaim(path.parent, node_definition.name))
        await forget_observed(store, [node_definition.name for node_definition in chosen])
        if not store.installed:
            self._say(f"installing cluster {definition.name}: making its certificates")
        await store.install(definition)
        manufacturer = ManufacturingCa.existing(self.state)
        if manufacturer is not None:
            await trust_manufacturer(store, manufacturer)
        store.watch()
        for node_definition in chosen:
            self._say(f"starting {node_definition.name}")
            node = Node(
                node_definition,
                store,
                self._book,
                self._trace,
                options,
                self._relisted,
                administrator=settings.administrator,
            )
            await node.start()
            cluster.nodes[node_definition.name] = node

    async def _watch_neighbours(self) -> None:
        """Nodes of these clusters that run elsewhere, on ports that nobody fixed."""
        others = [
            node.name
            for definition in self.plan.config.clusters
            for node in definition.nodes
            if definition.name in self.clusters
            and node.name not in self.nodes
            and not self.endpoints.of(node.name).http
        ]
        if others:
            neighbours = Neighbours(self.state, others, self._book)
            neighbours.look()
            self._neighbours = asyncio.create_task(neighbours.watch())

    async def close(self) -> None:
        """Stops the nodes, all at once, and closes the stores. Idempotent."""
        watching, self._neighbours = self._neighbours, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        try:
            await asyncio.gather(*(node.stop() for node in self.nodes.values()))
        finally:
            for cluster in self.clusters.values():
                await cluster.store.close()
            self.clusters.clear()
            self._claims.close()

    def warnings(self) -> list[str]:
        """What the operator should know about the clusters as they are."""
        found: list[str] = []
        for cluster in self.clusters.values():
            found += warnings_of(cluster.store.snapshot, cluster.store.now())
            for name, node in cluster.nodes.items():
                found += [f"{service} is deactivated on {name}" for service in node.deactivated()]
        return found

    def _tell_new_warnings(self) -> None:
        """After a change: what was not true before it."""
        present = set(self.warnings())
        for warning in sorted(present - self._warned):
            self._say(f"warning: {warning}")
        self._warned = present

    def write_ports_file(self) -> Path:
        """Writes what listens where as JSON into the state folder; one file for each process when it runs one node."""
        path = ports_file(self.state, self._only)
        write_atomically(path, json.dumps(self.as_json(), indent=2) + "\n")
        self._ports_written = True
        return path

    def _relisted(self) -> None:
        if self._ports_written:
            try:
                self.write_ports_file()
            except OperatorError as error:
                log.warning("%s", error)

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
    """Names of the clusters that a state folder holds.

    Raises:
        OperatorError: there is no such folder, or it cannot be read.
    """
    try:
        return sorted(folder.name for folder in state.iterdir() if (folder / DATABASE).exists())
    except FileNotFoundError as error:
        raise OperatorError(f"there is no state folder {state}; 'ucmsim up --state {state}' makes one") from error
    except NotADirectoryError as error:
        raise OperatorError(f"{state} is no folder; --state names the one that 'ucmsim up' made") from error
    except OSError as error:
        raise OperatorError(f"cannot read state folder {state}: {error.strerror}") from error


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
