"""Cisco Tftp: one service, four listeners, one set of files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cluster.purposes import Purpose
from services.composite import CompositeService
from services.http import HttpLimits, HttpListener
from services.identities import https_context
from services.tftp.clientcertificates import ClientCertificates
from services.tftp.files import PhoneFiles
from services.tftp.http import FileHandler
from services.tftp.udp import TftpDaemon, TftpLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from cluster.endpoints import Endpoints, Ports
    from cluster.models import ServedModels
    from cluster.snapshot import ClusterSnapshot
    from services.composite import Part


@dataclass(frozen=True, slots=True)
class TftpOptions:
    """How the service runs.

    Attributes:
        single_port: TFTP answers from its listening port.
        port_range: ports for transfers, lowest and highest; None for any free one.
    """

    single_port: bool = False
    port_range: tuple[int, int] | None = None
    tftp_limits: TftpLimits = field(default_factory=TftpLimits)
    http_limits: HttpLimits = field(default_factory=HttpLimits)


class CiscoTftp(CompositeService):
    """Serves configuration files and trust lists of one node.

    Certificates are bound at `start` and kept until the next one, whatever the store says meanwhile (R-DL-3).
    """

    name = "Cisco Tftp"

    def __init__(
        self,
        node: str,
        host: str,
        ports: Callable[[], Ports],
        view: Callable[[], ClusterSnapshot],
        endpoints: Callable[[], Endpoints],
        models: ServedModels,
        *,
        trace: Trace,
        options: TftpOptions | None = None,
    ) -> None:
        super().__init__()
        self._node = node
        self._host = host
        self._ports = ports
        self._view = view
        self._endpoints = endpoints
        self._models = models
        self._options = options or TftpOptions()
        self._trace = trace.bind(service=self.name)

    def make_parts(self) -> list[Part]:
        """See `services.composite.CompositeService`."""
        snapshot, options, ports = self._view(), self._options, self._ports()
        signer = snapshot.require(self._node, Purpose.CALLMANAGER)
        files = PhoneFiles(self._node, self._view, self._endpoints, signer, self._models, self._trace)
        plain = FileHandler(files, "http", self._trace)
        secure = FileHandler(files, "https", self._trace, files.showing)

        def https(protocol: str, port: int, *purposes: Purpose) -> HttpListener:
            context = https_context(snapshot, self._node, *purposes)
            return HttpListener(
                protocol,
                self._host,
                port,
                secure,
                trace=self._trace,
                context=context,
                limits=options.http_limits,
                before_handshake=ClientCertificates(context, self._view).refresh,
            )

        return [
            TftpDaemon(
                files,
                self._host,
                ports.tftp,
                trace=self._trace,
                single_port=options.single_port,
                port_range=options.port_range,
                limits=options.tftp_limits,
            ),
            HttpListener("HTTP", self._host, ports.http, plain, trace=self._trace, limits=options.http_limits),
            https("HTTPS (CallManager)", ports.https, Purpose.CALLMANAGER, Purpose.CALLMANAGER_ECDSA),
            https("HTTPS (tomcat)", ports.https_tomcat, Purpose.TOMCAT, Purpose.TOMCAT_ECDSA),
        ]
