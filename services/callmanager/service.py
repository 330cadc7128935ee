"""Cisco CallManager: SIP on UDP and TCP 5060, on TLS 5061 and on ports of trunks, with one registrar behind them."""

from __future__ import annotations

import hashlib
import secrets
import socket
from functools import partial
from typing import TYPE_CHECKING

from cluster.ciphers import sip_line_suites
from cluster.ctl import ctl_of
from cluster.management.autoregistration import register_device
from cluster.management.phones import concerns
from cluster.parameters import PHONE_RESET, RESET_AUTOMATICALLY, TLS_CIPHERS
from cluster.phonefiles import version_stamp
from cluster.trustlists import build_itl
from services.callmanager.board import RegistrationBoard
from services.callmanager.daemon import DatagramListener, StreamListener
from services.callmanager.exchange import Exchange
from services.callmanager.orderboard import OrderBoard
from services.callmanager.registrar import Registrar
from services.callmanager.registrations import CurrentLists
from services.callmanager.tls import PortTls
from services.callmanager.trunks import NodeTrunks
from services.composite import CompositeService
from services.service import Health
from wire.ciscosip import ServiceControl
from wire.trustlist import ITL_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from cluster.devices import Device
    from cluster.endpoints import Ports
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore
    from services.callmanager.exchange import SipLimits
    from services.callmanager.registrations import Registration
    from services.callmanager.trunkping import PingTimes
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
        ping_times: PingTimes | None = None,
    ) -> None:
        super().__init__()
        self._node, self._address, self._host = node, address, host
        self._ports, self._store = ports, store
        self._trace = trace.bind(service=self.name)
        self._limits = limits
        self._exchange: Exchange | None = None
        self._board: RegistrationBoard | None = None
        self._order_board: OrderBoard | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._seen: ClusterSnapshot | None = None
        self._tls: PortTls | None = None
        self._trunks = NodeTrunks(
            node, address, host, store, lambda: _free_pair(host), trace=self._trace, times=ping_times
        )
        self._lists_of = 0
        self._lists = CurrentLists()

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
        self._board = RegistrationBoard(self._store, self._node, self.registrar, self._current_lists)
        self._order_board = OrderBoard(self._store, self._node)
        assert self._exchange is not None  # noqa: S101 - made with the parts
        self._trunks.start(self._exchange)

    async def stop(self, grace_s: float) -> None:
        """See `services.service.Service`."""
        self._unsubscribe()
        self._unsubscribe = lambda: None
        await self._trunks.stop()
        await super().stop(grace_s)
        if self._exchange is not None:
            self._exchange.close()
        for board in (self._board, self._order_board):
            if board is not None:
                await board.close()
        self._board = self._order_board = None

    def make_parts(self) -> list[Part]:
        """See `services.composite.CompositeService`."""
        ports = self._ports()
        sip = ports.sip or _free_pair(self._host)
        registrar = Registrar(
            self._node, self._address, lambda: self._store.snapshot, lambda: secrets.randbelow(1 << 31), self._changed
        )
        exchange = self._exchange = Exchange(
            registrar,
            self._store.now,
            self._trace,
            self._limits,
            stamp=self._stamp,
            enrol=self._enrol,
            trunks=self._trunks.bind(),
        )
        snapshot = self._store.snapshot
        suites = sip_line_suites(snapshot.parameter(TLS_CIPHERS), mixed_mode=snapshot.mixed_mode)
        tls = self._tls = PortTls(self._node, snapshot, suites, self._authorities)
        return [
            DatagramListener(exchange, self._host, sip),
            StreamListener(exchange, self._host, sip),
            StreamListener(exchange, self._host, ports.secured_sip, tls.context),
            *self._trunks.listeners(exchange, ports.sip),
        ]

    def _authorities(self, snapshot: ClusterSnapshot) -> tuple[Certificate, ...]:
        """CAs of client certificates on 5061: of phones, and of trunks that share it."""
        return (*snapshot.phone_authorities, *self._trunks.authorities_beside_phones(snapshot))

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
            if self._tls is not None:
                self._tls.follow(snapshot)
            self._trunks.follow(snapshot)
        for order in snapshot.phone_orders:
            if order.revision > before.revision:
                self._order(order.action, partial(concerns, order.target), order.revision)
        if snapshot.logins is not before.logins:
            self._trace.emit("phones_restarted", reason="EMLoginLogout")
            self._order("restart", lambda device: snapshot.logins.get(device.name) != before.logins.get(device.name))
        if _itl_contents(before) != _itl_contents(snapshot):
            if self._board is not None:
                self._board.changed()
            if _resets_phones(before, snapshot):
                self._trace.emit("phones_reset", reason="the ITL changed")
                self._order("reset", lambda _device: True)

    def _order(self, action: str, wanted: Callable[[Device], bool], revision: int | None = None) -> None:
        """`revision` is that of an administrator's order, who is told what came of it."""
        snapshot, exchange, board = self._store.snapshot, self._exchange, self._order_board
        assert exchange is not None  # noqa: S101 - orders are followed by a running service only
        for registration in self.registrar.registrations:
            device = snapshot.devices.get(registration.device)
            if device is not None and wanted(device):
                control = ServiceControl(action, registration.call_id, config_version=version_stamp(snapshot, device))
                exchange.order(device.name, control, board.sent(revision, device.name) if board and revision else None)

    def _stamp(self, name: str) -> str:
        snapshot = self._store.snapshot
        device = snapshot.devices.get(name)
        return version_stamp(snapshot, device) if device is not None else ""

    async def _enrol(self, device: str, type_number: str) -> None:
        await register_device(self._store, device, type_number)

    def _current_lists(self) -> CurrentLists:
        """Computed once for each revision: it takes a signature for each TFTP server."""
        snapshot = self._store.snapshot
        if self._lists_of != snapshot.revision:
            self._lists_of = snapshot.revision
            nodes = [node.name for node in snapshot.definition.nodes if "tftp" in node.services]
            ctls = (ctl_of(snapshot, name) for name in nodes)
            self._lists = CurrentLists(
                ctl=frozenset(_sha1(ctl) for ctl in ctls if ctl is not None),
                itl=frozenset(_sha1(build_itl(snapshot, name)) for name in nodes),
            )
        return self._lists


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


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
