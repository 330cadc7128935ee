"""Cisco CallManager: SIP on UDP and TCP 5060 and on TLS 5061, with one registrar behind them."""

from __future__ import annotations

import hashlib
import secrets
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING

from base.tls import ask_for_certificate, server_context
from cluster.ciphers import TLS_CIPHER_CHOICES
from cluster.management.autoregistration import register_device
from cluster.management.phones import concerns
from cluster.parameters import PHONE_RESET, RESET_AUTOMATICALLY, TLS_CIPHERS
from cluster.phonefiles import version_stamp
from cluster.purposes import Purpose
from cluster.trustlists import build_itl
from services.callmanager.board import RegistrationBoard
from services.callmanager.daemon import DatagramListener, StreamListener
from services.callmanager.exchange import Exchange
from services.callmanager.registrar import Registrar
from services.composite import CompositeService
from services.service import Health
from wire.ciscosip import ServiceControl
from wire.trustlist import ITL_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from cluster.definition import Device
    from cluster.endpoints import Ports
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore
    from services.callmanager.exchange import SipLimits
    from services.callmanager.registrations import Registration
    from services.composite import Part
    from wire.certificates import Certificate


class CiscoCallManager(CompositeService):
    """Registers phones and gives them orders.

    Its CallManager certificates are bound at `start` (R-CRT-6), and registrations end with it. Orders of the cluster
    are given to the phones that are registered here. When an ITL of the cluster changes, they are reset unless the
    administrator wants to do that by hand; before release 10.5 a rollback is announced by hand in any case (R-RBK-1).

    Args:
        node: name.
        address: that phones know the node by.
        host: to bind.
        ports: gives the node's ports.
        store: the cluster.
    """

    name = "Cisco CallManager"

    def __init__(
        self,
        node: str,
        address: str,
        host: str,
        ports: Callable[[], Ports],
        store: ClusterStore,
        *,
        trace: Trace,
        limits: SipLimits | None = None,
    ) -> None:
        super().__init__()
        self._node, self._address, self._host = node, address, host
        self._ports, self._store = ports, store
        self._trace = trace.bind(service=self.name)
        self._limits = limits
        self._exchange: Exchange | None = None
        self._board: RegistrationBoard | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._seen: ClusterSnapshot | None = None
        self._context: ssl.SSLContext | None = None
        self._asked_for: set[Certificate] = set()
        self._itls_of = 0
        self._digests: frozenset[bytes] = frozenset()

    @property
    def registrar(self) -> Registrar:
        """Who is registered; a new and empty one after each start."""
        assert self._exchange is not None  # noqa: S101 - asked of a running service only
        return self._exchange.registrar

    async def start(self) -> None:
        """See `services.service.Service`."""
        if self.health() is not Health.STOPPED:
            return
        await super().start()
        self._seen = self._store.snapshot
        self._unsubscribe = self._store.subscribe(self._follow)
        self._board = RegistrationBoard(self._store, self._node, self.registrar, self._itls)

    async def stop(self, grace_s: float) -> None:
        """See `services.service.Service`."""
        self._unsubscribe()
        self._unsubscribe = lambda: None
        await super().stop(grace_s)
        if self._exchange is not None:
            self._exchange.close()
        board, self._board = self._board, None
        if board is not None:
            await board.close()

    def make_parts(self) -> list[Part]:
        """See `services.composite.CompositeService`."""
        ports = self._ports()
        sip = ports.sip or _free_pair(self._host)
        registrar = Registrar(
            self._node, self._address, lambda: self._store.snapshot, lambda: secrets.randbelow(1 << 31), self._changed
        )
        exchange = self._exchange = Exchange(
            registrar, self._store.now, self._trace, self._limits, stamp=self._stamp, enrol=self._enrol
        )
        return [
            DatagramListener(exchange, self._host, sip),
            StreamListener(exchange, self._host, sip),
            StreamListener(exchange, self._host, ports.secured_sip, self._make_context()),
        ]

    def _make_context(self) -> ssl.SSLContext:
        """TLS 1.2 with the suites of the enterprise parameter; the client's order decides, and with it the certificate.

        Phones are asked for a certificate. OpenSSL's security level is off, as LSCs may be short and MICs old.
        """
        snapshot = self._store.snapshot
        own = [
            snapshot.own_certificate(self._node, purpose)
            for purpose in (Purpose.CALLMANAGER, Purpose.CALLMANAGER_ECDSA)
        ]
        ciphers = ":".join((*TLS_CIPHER_CHOICES[snapshot.parameter(TLS_CIPHERS)], "@SECLEVEL=0"))
        context = server_context(
            [item.identity for item in own if item is not None], maximum=ssl.TLSVersion.TLSv1_2, ciphers=ciphers
        )
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        self._context, self._asked_for = context, set()
        self._ask_for_certificates(snapshot)
        return context

    def _ask_for_certificates(self, snapshot: ClusterSnapshot) -> None:
        """Those that CAPF or a CA of CAPF-trust signed; a phone without one is refused when it registers.

        Authorities are added at once, never taken away: what a certificate is good for, the registrar decides.
        """
        fresh = [authority for authority in snapshot.phone_authorities if authority not in self._asked_for]
        if fresh and self._context is not None:
            ask_for_certificate(self._context, fresh)
            self._asked_for.update(fresh)

    def _changed(self, what: str, registration: Registration) -> None:
        if what == "renewed":
            return
        if self._board is not None:
            self._board.changed()
        if what not in {"moved", "reported its trust lists"}:
            self._trace.emit(
                "registration",
                device=registration.device,
                what=what,
                lines=list(registration.lines),
                peer=f"{registration.source.address}:{registration.source.port}",
                transport=registration.source.transport,
            )

    # ------------------------------------------------------------------ orders

    def _follow(self, snapshot: ClusterSnapshot) -> None:
        """Carries out what is new in a snapshot."""
        before, self._seen = self._seen, snapshot
        if before is None:
            return
        if snapshot.trusted is not before.trusted or snapshot.own != before.own:
            self._ask_for_certificates(snapshot)
        for order in snapshot.phone_orders:
            if order.revision > before.revision:
                self._order(order.action, partial(concerns, order.target))
        if snapshot.logins is not before.logins:
            self._trace.emit("phones_restarted", reason="EMLoginLogout")
            self._order("restart", lambda device: snapshot.logins.get(device.name) != before.logins.get(device.name))
        if _itl_contents(before) != _itl_contents(snapshot):
            if self._board is not None:
                self._board.changed()
            if _resets_phones(before, snapshot):
                self._trace.emit("phones_reset", reason="the ITL changed")
                self._order("reset", lambda _device: True)

    def _order(self, action: str, wanted: Callable[[Device], bool]) -> None:
        snapshot, exchange = self._store.snapshot, self._exchange
        assert exchange is not None  # noqa: S101 - orders are followed by a running service only
        for registration in self.registrar.registrations:
            device = snapshot.devices.get(registration.device)
            if device is not None and wanted(device):
                control = ServiceControl(action, registration.call_id, config_version=version_stamp(snapshot, device))
                exchange.order(device.name, control)

    def _stamp(self, name: str) -> str:
        snapshot = self._store.snapshot
        device = snapshot.devices.get(name)
        return version_stamp(snapshot, device) if device is not None else ""

    async def _enrol(self, device: str, type_number: str) -> None:
        await register_device(self._store, device, type_number)

    def _itls(self) -> frozenset[bytes]:
        """Computed once for each revision: it takes a signature for each TFTP server."""
        snapshot = self._store.snapshot
        if self._itls_of != snapshot.revision:
            self._itls_of = snapshot.revision
            nodes = [node.name for node in snapshot.definition.nodes if "tftp" in node.services]
            lists = (build_itl(snapshot, name) for name in nodes)
            self._digests = frozenset(hashlib.sha1(itl, usedforsecurity=False).digest() for itl in lists)
        return self._digests


def _itl_contents(snapshot: ClusterSnapshot) -> dict[str, str]:
    return {node: stamp.content for (node, file), stamp in snapshot.stamps.items() if file == ITL_FILE}


def _resets_phones(before: ClusterSnapshot, now: ClusterSnapshot) -> bool:
    if before.rollback is not now.rollback and not now.release.rollback_resets:
        return False
    return now.parameter(PHONE_RESET) == RESET_AUTOMATICALLY


def _free_pair(host: str) -> int:
    """A port that is free for TCP and UDP alike, as SIP has one number for both; 0 when none was found."""
    for _ in range(20):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            try:
                udp.bind((host, 0))
                tcp.bind(udp.getsockname())
            except OSError:
                continue
            return int(udp.getsockname()[1])
    return 0
