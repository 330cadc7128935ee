"""The SIP trunks of one node: their own ports, who takes their requests, and who asks after the other ends.

Which trunks there are is bound at start, as are certificates, "TLS Ciphers" and "TLS Minimum Version"; whom they trust
follows at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.consistency import SECURED_SIP_PORT, SIP_PORT
from services.callmanager.daemon import DatagramListener, StreamListener
from services.callmanager.tls import PortTls, chosen_suites, trunk_client_context
from services.callmanager.trunkdesk import TrunkDesk, judge_far_end
from services.callmanager.trunkkeeper import TrunkKeeper
from services.callmanager.trunkping import Near, PingTimes
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from cluster.siptrunk import SipTrunk
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore
    from services.callmanager.exchange import Exchange
    from services.composite import Part
    from wire.certificates import Certificate

_HIGHEST = 65_535
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - compared, not bound


class NodeTrunks:
    """Those of the CallManager groups that a node is in.

    Args:
        node: its name.
        address: that others know the node by.
        host: to bind.
        store: the cluster.
        free_port: gives a port that is free for TCP and UDP alike.
        times: of the pings.
    """

    def __init__(
        self,
        node: str,
        address: str,
        host: str,
        store: ClusterStore,
        free_port: Callable[[], int],
        *,
        trace: Trace,
        times: PingTimes | None = None,
    ) -> None:
        self._node, self._address, self._host = node, address, host
        self._store, self._free_port, self._trace = store, free_port, trace
        self._times = times or PingTimes()
        self._trunks: tuple[SipTrunk, ...] = ()
        self._ports: dict[int, int] = {}
        self._tls: list[PortTls] = []
        self._keeper: TrunkKeeper | None = None

    def bind(self) -> TrunkDesk | None:
        """Takes up the trunks of this moment; None when there are none."""
        self._trunks = self._store.snapshot.definition.trunks_of(self._node)
        self._tls = []
        return TrunkDesk(self._node, self._trunks, lambda: self._store.snapshot) if self._trunks else None

    def authorities_beside_phones(self, snapshot: ClusterSnapshot) -> tuple[Certificate, ...]:
        """CAs of client certificates on the phones' secure port that are there for trunks."""
        shared = any(trunk.listens_on == SECURED_SIP_PORT for trunk in self._trunks)
        return snapshot.trunk_authorities if shared else ()

    def listeners(self, exchange: Exchange, planned: int) -> list[Part]:
        """The ports that are for trunks alone.

        Args:
            exchange: takes what comes.
            planned: the phones' port that was planned, by which numbers are moved; 0 leaves them to the system.

        Raises:
            OperatorError: a number is moved beyond the highest one.
        """
        parts: list[Part] = []
        for number, encrypted in sorted({(trunk.listens_on, trunk.encrypted) for trunk in self._trunks}):
            if number in {SIP_PORT, SECURED_SIP_PORT}:
                continue
            port = self._ports[number] = self._ports.get(number) or self._moved(number, planned)
            if encrypted:
                snapshot = self._store.snapshot
                tls = PortTls(self._node, snapshot, chosen_suites(snapshot), lambda now: now.trunk_authorities)
                self._tls.append(tls)
                parts.append(StreamListener(exchange, self._host, port, tls.context, trunk_port=number))
            else:
                parts.append(DatagramListener(exchange, self._host, port, trunk_port=number))
                parts.append(StreamListener(exchange, self._host, port, trunk_port=number))
        return parts

    def _moved(self, number: int, planned: int) -> int:
        port = number + planned - SIP_PORT if planned else self._free_port()
        if port > _HIGHEST:
            raise OperatorError(f"port {number} of a SIP trunk is moved to {port}, and {_HIGHEST} is the highest one")
        return port

    def start(self, exchange: Exchange) -> None:
        """Begins to ask after the other ends; the ports are bound."""
        if not self._trunks:
            return
        context = trunk_client_context(self._node, self._store.snapshot)
        host = None if self._host == _EVERYWHERE else self._host
        near = Near(self._address, host, context, self._judge, self._times)
        incoming = {SIP_PORT: exchange.ports["TCP"], SECURED_SIP_PORT: exchange.ports["TLS"], **self._ports}
        self._keeper = TrunkKeeper(self._store, self._node, self._trunks, near, incoming, trace=self._trace)

    async def stop(self) -> None:
        """Asks no more. Idempotent."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await keeper.close()

    def follow(self, snapshot: ClusterSnapshot) -> None:
        """Whom they trust may have changed."""
        for tls in self._tls:
            tls.follow(snapshot)

    def _judge(self, trunk: SipTrunk, certificate: Certificate | None) -> str:
        return judge_far_end(certificate, trunk, self._store.snapshot.trunk_authorities, self._store.now())
