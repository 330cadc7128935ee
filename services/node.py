"""One node of a cluster, running: its services on its address, and the ports that came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cluster.endpoints import Endpoints, Ports
from cluster.models import shipped_models
from cluster.purposes import Purpose
from services.supervisor import GRACE_S, Supervisor
from services.tftp.service import CiscoTftp, TftpOptions
from services.tomcat.service import CiscoTomcat
from services.tvs.daemon import TvsDaemon

if TYPE_CHECKING:
    from collections.abc import Mapping

    from base.identity import Identity
    from base.trace import Trace
    from cluster.definition import NodeDefinition
    from cluster.store import ClusterStore
    from services.service import Service


class EndpointBook:
    """The ports in use, corrected as nodes bind; shared by the nodes of one process."""

    def __init__(self, default: Ports) -> None:
        self.endpoints = Endpoints(default)

    def record(self, node: str, ports: Ports) -> None:
        """Notes what a node really has."""
        if self.endpoints.of(node) != ports:
            self.endpoints = self.endpoints.with_node(node, ports)


class Node:
    """A running server.

    Args:
        definition: which node.
        store: its cluster's state, installed.
        book: ports; those it gives for this node are bound, 0 meaning any free one.
        trace: bound to the node's name here.
    """

    def __init__(
        self,
        definition: NodeDefinition,
        store: ClusterStore,
        book: EndpointBook,
        trace: Trace,
        options: TftpOptions | None = None,
    ) -> None:
        self.definition = definition
        self._store = store
        self._book = book
        self._trace = trace.bind(where=definition.name)
        self._options = options
        self.supervisor = Supervisor(self._services(), self._trace)

    async def start(self) -> None:
        """Starts every activated service, then lets phones know the ports.

        Raises:
            OperatorError: one cannot start; nothing stays bound.
        """
        await self.supervisor.start_all()
        groups = self.supervisor.listeners().values()
        bound = {listener.protocol: listener.port for group in groups for listener in group}
        self._book.record(self.definition.name, ports_of(self._book.endpoints.of(self.definition.name), bound))

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Stops every service."""
        await self.supervisor.stop_all(grace_s)

    def _services(self) -> list[Service]:
        name, host = self.definition.name, self.definition.bind or self.definition.address
        store, book, trace = self._store, self._book, self._trace

        def ports() -> Ports:
            """Asked at each start: a service that restarts keeps the port that the system once gave it."""
            return book.endpoints.of(name)

        def tvs_identity() -> Identity:
            return store.snapshot.require(name, Purpose.TVS).identity

        made: dict[str, Service] = {
            "tvs": TvsDaemon(lambda: store.snapshot, tvs_identity, host, lambda: ports().tvs, trace=trace),
            "tftp": CiscoTftp(
                name,
                host,
                ports,
                lambda: store.snapshot,
                lambda: book.endpoints,
                shipped_models(),
                trace=trace,
                options=self._options,
            ),
            "tomcat": CiscoTomcat(name, host, ports, lambda: store.snapshot, lambda: book.endpoints, trace=trace),
        }
        return [service for short, service in made.items() if short in self.definition.services]


_PORT_OF_PROTOCOL = {
    "TFTP": "tftp",
    "HTTP": "http",
    "HTTPS (CallManager)": "https",
    "HTTPS (tomcat)": "https_tomcat",
    "TVS": "tvs",
    "HTTP (phone services)": "web",
    "HTTPS (phone services)": "secure_web",
}


def ports_of(planned: Ports, bound: Mapping[str, int]) -> Ports:
    """The ports of a node, from what it bound.

    Args:
        planned: those of protocols that are not in `bound`.
        bound: `services.service.Listener.protocol` -> port.
    """
    changes = {_PORT_OF_PROTOCOL[name]: port for name, port in bound.items() if name in _PORT_OF_PROTOCOL}
    return replace(planned, **changes)
