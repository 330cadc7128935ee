"""One node of a cluster, running: its services on its address, and the ports that came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cluster.config import Administrator
from cluster.definition import SERVICES
from cluster.endpoints import Endpoints, Ports
from cluster.management.itl import undo_reset
from cluster.management.services import forget_stops
from cluster.models import shipped_models
from cluster.purposes import Purpose
from cluster.servicecatalogue import CATALOGUE
from services.callmanager.service import CiscoCallManager
from services.capf.daemon import CapfDaemon
from services.commandline.ssh import SystemSsh
from services.cti.daemon import CiscoCtiManager
from services.reconciler import Reconciler
from services.service import Health
from services.stateonly import StateOnlyService
from services.statusboard import StatusBoard
from services.supervisor import GRACE_S, Supervisor
from services.tftp.service import CiscoTftp, TftpOptions
from services.tomcat.service import CiscoTomcat
from services.tvs.daemon import TvsDaemon

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        relisted: called after an order changed what listens here.
        administrator: the account of the command line and of the certificate management API.
    """

    def __init__(
        self,
        definition: NodeDefinition,
        store: ClusterStore,
        book: EndpointBook,
        trace: Trace,
        options: TftpOptions | None = None,
        relisted: Callable[[], None] = lambda: None,
        *,
        administrator: Administrator | None = None,
    ) -> None:
        self.definition = definition
        self._store = store
        self._book = book
        self._trace = trace.bind(where=definition.name)
        self._options = options
        self._relisted = relisted
        self._administrator = administrator or Administrator()
        self._board = StatusBoard(store, definition.name)
        self.supervisor = Supervisor(
            self._services(),
            self._trace,
            before_start={CiscoTftp.name: lambda: undo_reset(store, definition.name)},
            changed=self._changed,
        )
        self._reconciler = Reconciler(definition.name, store, self.supervisor, self._board, self._trace)
        self._up = False

    async def start(self) -> None:
        """Starts every activated service, lets phones know the ports, and carries out orders from then on.

        That an operator stopped a service is forgotten, as when a server starts; that one was deactivated is not.

        Raises:
            OperatorError: one cannot start; nothing stays bound.
        """
        await forget_stops(self._store, self.definition.name)
        self._board.open()
        try:
            await self.supervisor.start_all(self._reconciler.prepare())
            self._record_ports()
            await self._board.flush()
        except BaseException:
            await self.supervisor.stop_all(0)
            await self._board.close()
            raise
        self._up = True
        self._reconciler.begin()

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Stops every service."""
        self._up = False
        await self._reconciler.end()
        await self.supervisor.stop_all(grace_s)
        await self._board.close()

    def deactivated(self) -> list[str]:
        """Services that the configuration gives this node and an operator deactivated."""
        node, ordered = self.definition, self._store.snapshot.services
        configured = (SERVICES[short] for short in node.services)
        return [name for name in configured if (state := ordered.get((node.name, name))) and not state.activated]

    def _changed(self, name: str, state: Health, reason: str) -> None:
        self._board.note(name, state, reason)
        if self._up and state in {Health.STARTED, Health.STOPPED}:
            self._record_ports()
            self._relisted()

    def _record_ports(self) -> None:
        groups = self.supervisor.listeners().values()
        bound = {listener.protocol: listener.port for group in groups for listener in group}
        self._book.record(self.definition.name, ports_of(self._book.endpoints.of(self.definition.name), bound))

    def _services(self) -> list[Service]:
        name, host = self.definition.name, self.definition.bind or self.definition.address
        store, book, trace = self._store, self._book, self._trace

        def ports() -> Ports:
            """Asked at each start: a service that restarts keeps the port that the system once gave it."""
            return book.endpoints.of(name)

        def tvs_identity() -> Identity:
            return store.snapshot.require(name, Purpose.TVS).identity

        daemons: list[Service] = [
            TvsDaemon(lambda: store.snapshot, tvs_identity, host, lambda: ports().tvs, trace=trace),
            CiscoTftp(
                name,
                host,
                ports,
                lambda: store.snapshot,
                lambda: book.endpoints,
                shipped_models(),
                trace=trace,
                options=self._options,
            ),
            CiscoTomcat(name, host, ports, store, lambda: book.endpoints, self._administrator, trace=trace),
            CiscoCallManager(name, self.definition.address, host, ports, store, trace=trace),
            CiscoCtiManager(name, host, ports, store, trace=trace),
            *([CapfDaemon(name, store, host, lambda: ports().capf, trace=trace)] if self.definition.publisher else []),
            SystemSsh(name, host, lambda: ports().ssh, store, self._administrator, trace=trace),
        ]
        real = {service.name for service in daemons}
        return [*(StateOnlyService(other) for other in CATALOGUE if other not in real), *daemons]


_PORT_OF_PROTOCOL = {
    "TFTP": "tftp",
    "HTTP": "http",
    "HTTPS (CallManager)": "https",
    "HTTPS (tomcat)": "https_tomcat",
    "TVS": "tvs",
    "HTTP (phone services)": "web",
    "HTTPS (phone services)": "secure_web",
    "HTTPS (administration)": "secure_admin",
    "HTTPS (contact search)": "secure_search",
    "SIP": "sip",
    "SIP over TLS": "secured_sip",
    "CAPF": "capf",
    "SSH": "ssh",
    "CTI": "cti",
    "CTI over TLS": "secure_cti",
}


def ports_of(planned: Ports, bound: Mapping[str, int]) -> Ports:
    """The ports of a node, from what it bound.

    Args:
        planned: those of protocols that are not in `bound`.
        bound: `services.service.Listener.protocol` -> port.
    """
    changes = {_PORT_OF_PROTOCOL[name]: port for name, port in bound.items() if name in _PORT_OF_PROTOCOL}
    return replace(planned, **changes)
