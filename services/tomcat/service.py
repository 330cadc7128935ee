"""Cisco Tomcat: an application server for phones to authenticate (R-SBD-4). Pages are in `services.tomcat.pages`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.purposes import Purpose
from services.composite import CompositeService
from services.http import HttpLimits, HttpListener
from services.identities import https_context
from services.tomcat.pages import PhonePages

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from cluster.endpoints import Endpoints, Ports
    from cluster.snapshot import ClusterSnapshot
    from services.composite import Part


class CiscoTomcat(CompositeService):
    """The phone's directory and service menus. Its tomcat certificates are bound at `start` (R-CRT-6)."""

    name = "Cisco Tomcat"

    def __init__(
        self,
        node: str,
        host: str,
        ports: Callable[[], Ports],
        view: Callable[[], ClusterSnapshot],
        endpoints: Callable[[], Endpoints],
        *,
        trace: Trace,
        limits: HttpLimits | None = None,
    ) -> None:
        super().__init__()
        self._node = node
        self._host = host
        self._ports = ports
        self._view = view
        self._endpoints = endpoints
        self._limits = limits
        self._trace = trace.bind(service=self.name)

    def make_parts(self) -> list[Part]:
        """See `services.composite.CompositeService`."""
        ports = self._ports()
        context = https_context(self._view(), self._node, Purpose.TOMCAT, Purpose.TOMCAT_ECDSA)
        pages = PhonePages(self._node, self._view, self._endpoints, self._trace)
        return [
            HttpListener(protocol, self._host, port, pages, trace=self._trace, context=tls, limits=self._limits)
            for protocol, port, tls in (
                ("HTTPS (phone services)", ports.secure_web, context),
                ("HTTP (phone services)", ports.web, None),
            )
        ]
