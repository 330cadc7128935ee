"""TLS of the ports that "TLS Ciphers" and "TLS Minimum Version" govern: SIP lines, SIP trunks and CTI (R-ECC-1).

As a server UCM follows the client's order, and with the suite comes the certificate: an ECDHE-ECDSA suite shows the
CallManager-ECDSA certificate, any other the RSA one (R-ECC-2). As a client it offers the choice's suites in order.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from base.tls import ask_for_certificate, client_context, server_context
from cluster.ciphers import TLS_CIPHER_CHOICES
from cluster.parameters import TLS_CIPHERS
from cluster.purposes import Purpose
from services.tlsversions import least_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cluster.snapshot import ClusterSnapshot
    from wire.certificates import Certificate


class PortTls:
    """The context of one port, bound to the certificates and the choices of this moment (R-CRT-6).

    From "TLS Minimum Version" to TLS 1.2, as the suites of the choices are; below TLS 1.2 only AES128-SHA and NULL-SHA
    of them can be agreed. OpenSSL's security level is off: LSCs may be short and MICs old. Clients are asked for a
    certificate; what one is good for, and what becomes of who shows none, is decided where it is used.

    Args:
        node: whose certificates.
        snapshot: of this moment.
        suites: OpenSSL's names.
        authorities: gives the CAs of client certificates.
    """

    def __init__(
        self,
        node: str,
        snapshot: ClusterSnapshot,
        suites: Iterable[str],
        authorities: Callable[[ClusterSnapshot], Sequence[Certificate]],
    ) -> None:
        purposes = (Purpose.CALLMANAGER, Purpose.CALLMANAGER_ECDSA)
        own = [snapshot.own_certificate(node, purpose) for purpose in purposes]
        self.context = server_context(
            [item.identity for item in own if item is not None],
            minimum=least_version(snapshot),
            maximum=ssl.TLSVersion.TLSv1_2,
            ciphers=":".join((*suites, "@SECLEVEL=0")),
        )
        self.context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        self._authorities = authorities
        self._asked_for: set[Certificate] = set()
        self.follow(snapshot)

    def follow(self, snapshot: ClusterSnapshot) -> None:
        """Adds authorities at once that came meanwhile; none is ever taken away."""
        fresh = [authority for authority in self._authorities(snapshot) if authority not in self._asked_for]
        if fresh:
            ask_for_certificate(self.context, fresh)
            self._asked_for.update(fresh)


def chosen_suites(snapshot: ClusterSnapshot) -> tuple[str, ...]:
    """OpenSSL's names of the suites of "TLS Ciphers", in order."""
    return TLS_CIPHER_CHOICES[snapshot.parameter(TLS_CIPHERS)]


def trunk_client_context(node: str, snapshot: ClusterSnapshot) -> ssl.SSLContext:
    """For the other end of a trunk: offers the choice's suites in order, and shows the CallManager certificate."""
    identity = snapshot.require(node, Purpose.CALLMANAGER).identity
    ciphers = ":".join((*chosen_suites(snapshot), "@SECLEVEL=0"))
    return client_context(identity, minimum=least_version(snapshot), maximum=ssl.TLSVersion.TLSv1_2, ciphers=ciphers)
