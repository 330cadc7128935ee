"""TLS contexts of HTTPS listeners, from the certificates that a node owns at this moment."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from base.tls import server_context

if TYPE_CHECKING:
    from cluster.purposes import Purpose
    from cluster.snapshot import ClusterSnapshot

CIPHERS = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:"
    "ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES128-SHA:"
    "AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-SHA256:AES128-SHA256:AES256-SHA:AES128-SHA"
)
"""The suites that UCM publishes for its HTTPS ports, for TLS 1.2 and below, with their AES-128 partners. The order is
ours: EC first, as R-DL-4 wants it; the published default has RSA first.
"""


def https_context(snapshot: ClusterSnapshot, node: str, *purposes: Purpose) -> ssl.SSLContext:
    """A context with the certificates of `purposes` that the release has.

    With RSA and EC together the client's suites decide which one it sees (R-DL-1). Old releases still accept TLS 1.0.
    """
    own = [snapshot.own_certificate(node, purpose) for purpose in purposes]
    minimum = ssl.TLSVersion.TLSv1 if snapshot.release.legacy_tls else ssl.TLSVersion.TLSv1_2
    return server_context([item.identity for item in own if item is not None], minimum=minimum, ciphers=CIPHERS)
