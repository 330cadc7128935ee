"""The least TLS version of the ports that "TLS Minimum Version" governs: SIP, CTI and TVS."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from cluster.parameters import TLS_MIN_VERSION

if TYPE_CHECKING:
    from cluster.snapshot import ClusterSnapshot

_VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2}


def least_version(snapshot: ClusterSnapshot) -> ssl.TLSVersion:
    """What the parameter says at this moment."""
    return _VERSIONS[snapshot.parameter(TLS_MIN_VERSION)]
