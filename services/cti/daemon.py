"""Cisco CTIManager: TCP 2748 and TLS 2749, which CTI applications (TAPI, JTAPI) use. There is no call control.

The TLS port is governed by "TLS Ciphers" (R-ECC-1) and "TLS Minimum Version", shows the CallManager or the
CallManager-ECDSA certificate by the client's suites (R-ECC-2), and has the four ECDHE AES-GCM suites and AES128-SHA at
most (R-ECC-3). Applications are asked for their certificate, which CAPF signs as it does LSCs.

The protocol on these ports (CTIQBE) is not published. What an application sends is counted and not read: the
connection stays open for a moment, so that its whole message can arrive, and is then closed in order (ours).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.callmanager.tls import PortTls, chosen_suites
from services.composite import CompositeService
from services.service import Health
from services.streamserver import Connection, ConnectionLimits, StreamServer
from wire.certificates import Certificate
from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from cluster.endpoints import Ports
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore
    from services.composite import Part


@dataclass(frozen=True, slots=True)
class CtiLimits:
    """Bounds on what clients may do; all ours.

    Attributes:
        connections: at once on each port, handshakes included.
        handshake_s: TLS handshake.
        silence_s: from the connection to its first byte.
        message_s: from the first byte to the end.
        message_size: bytes taken; who sends more is cut off.
    """

    connections: int = 2_500
    handshake_s: float = 5.0
    silence_s: float = 30.0
    message_s: float = 0.5
    message_size: int = 65_536


class _Connection(Connection):
    """One application's connection."""

    def __init__(self, server: StreamServer, trace: Trace, limits: CtiLimits) -> None:
        super().__init__(server)
        self._trace, self._limits = trace, limits
        self._taken = 0

    def opened(self) -> None:
        self._trace = self._trace.bind(session=self.peer)
        self._trace.emit("connected", tls=self.tls, client=_name(self.shown_certificate))
        self.arm(self._limits.silence_s)

    def received(self, data: bytes) -> None:
        if not self._taken:
            self.arm(self._limits.message_s)
        self._taken += len(data)
        if self._taken > self._limits.message_size:
            self._trace.emit("message_too_long", limit=self._limits.message_size)
            self.abort()

    def overdue(self) -> None:
        if self._taken:
            self._trace.emit("not_served", octets=self._taken, reason="this simulator has no call control")
        else:
            self._trace.emit("connection_timed_out")
        self.close()


class CiscoCtiManager(CompositeService):
    """The two ports of a node. The CallManager certificates are bound at `start` (R-CRT-6).

    Args:
        node: name.
        host: address to bind.
        ports: gives the node's ports.
        store: the cluster.
    """

    name = "Cisco CTIManager"

    def __init__(
        self,
        node: str,
        host: str,
        ports: Callable[[], Ports],
        store: ClusterStore,
        *,
        trace: Trace,
        limits: CtiLimits | None = None,
    ) -> None:
        super().__init__()
        self._node, self._host, self._ports, self._store = node, host, ports, store
        self._trace = trace.bind(service=self.name)
        self._limits = limits or CtiLimits()
        self._tls: PortTls | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """See `services.service.Service`."""
        if self.health() is Health.STOPPED:
            await super().start()
            self._unsubscribe = self._store.subscribe(self._follow)

    async def stop(self, grace_s: float) -> None:
        """See `services.service.Service`."""
        self._unsubscribe()
        self._unsubscribe = lambda: None
        await super().stop(grace_s)

    def make_parts(self) -> list[Part]:
        """See `services.composite.CompositeService`."""
        ports, snapshot, limits = self._ports(), self._store.snapshot, self._limits
        tls = self._tls = PortTls(self._node, snapshot, chosen_suites(snapshot), lambda now: now.phone_authorities)
        return [
            StreamServer(
                name,
                self._host,
                port,
                lambda server: _Connection(server, self._trace, limits),
                ConnectionLimits(limits.connections, limits.handshake_s),
                trace=self._trace,
                context=context,
            )
            for name, port, context in (("CTI", ports.cti, None), ("CTI over TLS", ports.secure_cti, tls.context))
        ]

    def _follow(self, snapshot: ClusterSnapshot) -> None:
        if self._tls is not None:
            self._tls.follow(snapshot)


def _name(der: bytes | None) -> str:
    """Whose certificate a client showed, for the trace; empty for none."""
    if der is None:
        return ""
    try:
        return str(Certificate.from_der(der).subject)
    except WireError:
        return "a certificate that cannot be read"
