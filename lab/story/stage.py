"""What scenes act on: a running cluster of two nodes, one phone with its flash, and a stranger with keys of his own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.adversary import ImpostorWebServer, LyingFileServer, NoFiles, Stranger
from phone_sim.clients.http import get
from phone_sim.flash import MemoryFlash
from phone_sim.models import model
from phone_sim.phone import Phone
from phone_sim.servers import TftpServer

if TYPE_CHECKING:
    from base.clock import Clock
    from base.trace import Trace
    from cluster.snapshot import ClusterSnapshot
    from lab.laboratory import Laboratory
    from services.node import Node

MAC, MODEL = "001122334455", "8865"


class Stage:
    """The cast of the demonstration.

    Args:
        laboratory: running, with one cluster of at least two nodes that knows the phone.
        trace: takes the phone's and the attackers' steps.
        clock: the phone's.
    """

    def __init__(self, laboratory: Laboratory, trace: Trace, clock: Clock | None = None) -> None:
        self._laboratory = laboratory
        self._trace = trace
        self._clock = clock
        self.flash = MemoryFlash()
        self.stranger = Stranger()
        self._cluster = next(iter(laboratory.clusters.values()))

    @property
    def snapshot(self) -> ClusterSnapshot:
        """The cluster as it is."""
        return self._cluster.store.snapshot

    @property
    def publisher(self) -> Node:
        """The first node."""
        return self._cluster.nodes[self.snapshot.definition.publisher.name]

    @property
    def subscriber(self) -> Node:
        """The first of the others."""
        return next(node for node in self._cluster.nodes.values() if node is not self.publisher)

    def phone(self, server: TftpServer) -> Phone:
        """The phone, told by DHCP to use this TFTP server; its flash is the same in every scene."""
        return Phone(MAC, model(MODEL), [server], self.flash, clock=self._clock, trace=self._trace)

    def phone_at(self, node: Node) -> Phone:
        """The phone with a node of the cluster as TFTP server."""
        return self.phone(self.server(node))

    def server(self, node: Node) -> TftpServer:
        """A node as a phone knows it."""
        ports = self._laboratory.endpoints.of(node.definition.name)
        return TftpServer(node.definition.address, ports.tftp, ports.http, ports.https)

    def directory_url(self, node: Node) -> str:
        """The directory on a node's Tomcat."""
        ports = self._laboratory.endpoints.of(node.definition.name)
        return f"https://{node.definition.address}:{ports.secure_web}/ccmcip/xmldirectory.jsp"

    def lying_server(self, lies: dict[str, bytes]) -> LyingFileServer:
        """A file server before the publisher: it has the lies only, for all else the phone falls back to TFTP."""
        host = self.publisher.definition.bind or self.publisher.definition.address
        return LyingFileServer(NoFiles(), lies, host=host, trace=self._trace)

    async def true_file(self, name: str) -> bytes:
        """What the publisher serves under a name, as anybody on the network can have it."""
        server = self.server(self.publisher)
        return await get(server.host, server.http_port, name, trace=self._trace.bind(where="attacker"))

    def through(self, liar: LyingFileServer) -> TftpServer:
        """What DHCP tells the phone when the liar has its way."""
        truth = self.server(self.publisher)
        return TftpServer(truth.host, truth.tftp_port, liar.port, truth.https_port)

    def impostor(self) -> ImpostorWebServer:
        """A web server with the stranger's certificate."""
        return ImpostorWebServer(self.stranger, trace=self._trace)
