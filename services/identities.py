"""TLS contexts of HTTPS listeners, from the certificates that a node owns at this moment."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from base.tls import server_context

if TYPE_CHECKING:
    from cluster.purposes import Purpose
    from cluster.snapshot import ClusterSnapshot


def https_context(snapshot: ClusterSnapshot, node: str, *purposes: Purpose) -> ssl.SSLContext:
    """A context with the certificates of `purposes` that the release has.

    With RSA and EC together the client's suites decide which one it sees (R-DL-1). Old releases still accept TLS 1.0.
    """
    own = [snapshot.own_certificate(node, purpose) for purpose in purposes]
    minimum = ssl.TLSVersion.TLSv1 if snapshot.release.legacy_tls else ssl.TLSVersion.TLSv1_2
    return server_context([item.identity for item in own if item is not None], minimum=minimum)
