"""What an administrator should know about the cluster: trust lists too large for phones, certificates that end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.management.expiry import expiring
from cluster.management.itl import tftp_nodes
from cluster.trustlists import size_warning

if TYPE_CHECKING:
    from datetime import datetime

    from cluster.snapshot import ClusterSnapshot


def warnings_of(snapshot: ClusterSnapshot, now: datetime) -> list[str]:
    """One sentence each (R-ITL-8, R-CRT-9)."""
    sizes = (size_warning(snapshot, node) for node in tftp_nodes(snapshot))
    return [*(size for size in sizes if size is not None), *(str(item) for item in expiring(snapshot, now))]
