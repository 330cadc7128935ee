"""How long the phone waits, and how it proves who it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from phone_sim.clients.capf import CapfTimes
from phone_sim.clients.http import HttpLimits


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Bounds of the phone's clients. Real phones' values are not known; these are this project's.

    Attributes:
        http: for HTTP and HTTPS downloads.
        tftp_s: for one TFTP transfer.
        tvs_connect_s: for the connection and handshake with one TVS server.
        capf: for a CAPF session.
    """

    http: HttpLimits = field(default_factory=HttpLimits)
    tftp_s: float = 5.0
    tvs_connect_s: float = 5.0
    capf: CapfTimes = field(default_factory=CapfTimes)
