"""Asks HTTPS clients for a certificate while there is a phone that has to show its LSC (R-DL-2).

Python's ssl module cannot ask for a certificate without judging it: as long as clients are asked, one that shows a
certificate of an unknown CA fails in the handshake, and a phone then falls back to HTTP. So nobody is asked before a
device with an encrypted configuration has an EC LSC. A client without a certificate is served in any case.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from base.tls import ask_for_certificate
from services.identities import CIPHERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.snapshot import ClusterSnapshot
    from wire.certificates import Certificate


class ClientCertificates:
    """Keeps the context of a listener in line with the snapshot; `refresh` before each handshake."""

    def __init__(self, context: ssl.SSLContext, view: Callable[[], ClusterSnapshot]) -> None:
        self._context = context
        self._view = view
        self._seen: ClusterSnapshot | None = None
        self._known: set[Certificate] = set()

    def refresh(self) -> None:
        """Instant unless the cluster changed."""
        snapshot = self._view()
        if snapshot is self._seen:
            return
        if any_shows_lsc(snapshot):
            self._ask(snapshot)
        else:
            self._context.verify_mode = ssl.CERT_NONE
        self._seen = snapshot

    def _ask(self, snapshot: ClusterSnapshot) -> None:
        """Authorities are added, never taken away: what a certificate is good for, the files decide."""
        fresh = [authority for authority in snapshot.phone_authorities if authority not in self._known]
        ask_for_certificate(self._context, fresh)
        self._known.update(fresh)
        self._context.set_ciphers(f"{CIPHERS}:@SECLEVEL=0")  # LSCs may be short, and MICs signed with SHA-1


def any_shows_lsc(snapshot: ClusterSnapshot) -> bool:
    """Some device has an encrypted configuration and an EC LSC."""
    return any(
        security.shows_lsc_on_https and (device := snapshot.devices.get(name)) is not None and device.encrypted_config
        for name, security in snapshot.phone_security.items()
    )
