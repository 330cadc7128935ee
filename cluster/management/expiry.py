"""Certificates that have expired or soon will, by the cluster's clock (R-CRT-9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from cluster.snapshot import ClusterSnapshot
    from wire.certificates import Certificate

WARNING_DAYS = 30
"""Days ahead of an expiry at which it is told of (ours)."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """One certificate that needs attention.

    Attributes:
        node: whose.
        unit: UCM's name of the purpose.
        days_left: negative when expired.
    """

    node: str
    unit: str
    certificate: Certificate
    days_left: int

    def __str__(self) -> str:
        until = f"{self.certificate.not_after:%Y-%m-%d}"
        if self.days_left < 0:
            return f"{self.unit} of {self.node} expired on {until}: regenerate it"
        return f"{self.unit} of {self.node} expires on {until}, in {self.days_left} day(s): regenerate it before"


def expiring(snapshot: ClusterSnapshot, now: datetime, within_days: int = WARNING_DAYS) -> list[Expiry]:
    """Own certificates in use that end within `within_days`, soonest first.

    Those that a node kept when it left the cluster, or of purposes that the present release lacks, do not count.
    """
    nodes = {node.name for node in snapshot.definition.nodes}
    found = [
        Expiry(own.node, own.purpose.value, own.certificate, (own.certificate.not_after - now).days)
        for own in snapshot.own.values()
        if own.node in nodes and snapshot.own_certificate(own.node, own.purpose) is own
    ]
    soon = [item for item in found if item.days_left < within_days]
    return sorted(soon, key=lambda item: (item.days_left, item.node, item.unit))
