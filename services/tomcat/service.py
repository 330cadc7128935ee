"""Cisco Tomcat: an application server for phones to authenticate (R-SBD-4), and for administrators' programs.

Pages are in `services.tomcat.pages`, the API in `services.tomcat.certmgr`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.purposes import Purpose
from services.commandline.logins import Gatekeeper, LoginLimits
from services.composite import CompositeService
from services.http import HttpLimits, HttpListener
from services.identities import https_context
from services.tomcat import uds
from services.tomcat.certmgr.application import CertificateManager
from services.tomcat.pages import PhonePages
from services.tomcat.people import People
from services.tomcat.uds import ContactSearch

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from base.trace import Trace
    from cluster.config import Administrator
    from cluster.endpoints import Endpoints, Ports
    from cluster.store import ClusterStore
    from services.composite import Part


class CiscoTomcat(CompositeService):
    """The phone's menus and the certificate management API. Tomcat's certificates are bound at `start` (R-CRT-6).

    Both are on HTTPS 8443 and 443; the API is not on plain HTTP, where passwords would be read. 9443 is contact search
    with a log-in.

    Args:
        node: which node.
        host: address to bind.
        ports: asked at each start.
        store: the cluster's state.
        endpoints: the ports that phones are told.
        administrator: who may manage certificates.
        limits: of connections.
    """

    name = "Cisco Tomcat"

    def __init__(
        self,
        node: str,
        host: str,
        ports: Callable[[], Ports],
        store: ClusterStore,
        endpoints: Callable[[], Endpoints],
        administrator: Administrator,
        *,
        trace: Trace,
        limits: HttpLimits | None = None,
    ) -> None:
        super().__init__()
        self._node = node
        self._host = host
        self._ports = ports
        self._store = store
        self._limits = limits
        self._trace = trace.bind(service=self.name)
        people = People(lambda: store.snapshot)
        self._pages = PhonePages(node, store, endpoints, people, self._trace)
        self._search = ContactSearch(node, lambda: store.snapshot, endpoints, people, self._trace)
        gatekeeper = Gatekeeper(administrator, LoginLimits())
        self._certificates = CertificateManager(node, store, gatekeeper, trace=self._trace)

    def make_parts(self) -> list[Part]:
        """See `services.composite.CompositeService`."""
        ports = self._ports()
        context = https_context(self._store.snapshot, self._node, Purpose.TOMCAT, Purpose.TOMCAT_ECDSA)
        return [
            HttpListener(protocol, self._host, port, handler, trace=self._trace, context=tls, limits=self._limits)
            for protocol, port, handler, tls in (
                ("HTTPS (phone services)", ports.secure_web, self._secure, context),
                ("HTTP (phone services)", ports.web, self._pages, None),
                ("HTTPS (administration)", ports.secure_admin, self._secure, context),
                ("HTTPS (contact search)", ports.secure_search, self._search.authenticated, context),
            )
        ]

    async def _secure(self, request: web.Request) -> web.StreamResponse:
        if CertificateManager.serves(request.path):
            return await self._certificates(request)
        if request.path == uds.PATH:
            return await self._search.open(request)
        return await self._pages(request)
