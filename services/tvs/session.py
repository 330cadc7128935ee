"""What TVS answers: a request and a snapshot in, a response out. No socket, no clock.

A certificate is trusted when the cluster owns it, one of its trust stores holds it, or its CTL lists it. What it is
trusted *for* follows from where it was found (`cluster.purposes`). One that is trusted for nothing that a phone asks
about is answered as unknown, TVS certificates among them: no TVS vouches for another one, phones know them from their
ITL.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cluster.snapshot import lookup_key
from wire.names import DistinguishedName
from wire.tvs import QueryRequest, QueryResponse, Status, VerifyRequest, VerifyResponse

if TYPE_CHECKING:
    from cluster.snapshot import ClusterSnapshot, TrustEntry
    from wire.tvs import Request, Response


def answer(request: Request, snapshot: ClusterSnapshot) -> Response:
    """The response to a request (R-TVS-1, R-TVS-4). One look-up in an index, however large the store (R-TVS-2).

    Raises:
        WireError: the issuer of a query is no distinguished name.
    """
    if isinstance(request, VerifyRequest):
        digest = hashlib.sha256(request.certificate).digest()
        entry = _for_phones(snapshot.find_by_digest(digest) or snapshot.ctl_entries.get(digest))
        if entry is None:
            return VerifyResponse(request.session, Status.UNKNOWN)
        return VerifyResponse(request.session, Status.TRUSTED, entry.roles, snapshot.ttl_s)
    entry = _for_phones(_signer(request, snapshot))
    if entry is None:
        return QueryResponse(request.session, Status.UNKNOWN)
    return QueryResponse(request.session, Status.TRUSTED, entry.der, entry.roles, snapshot.ttl_s)


def describe(request: Request) -> str:
    """What is asked, for the trace: the key by which a certificate is looked up."""
    if isinstance(request, QueryRequest):
        return f"{request.serial.hex().upper()}{request.issuer}"
    return f"SHA-256 {hashlib.sha256(request.certificate).hexdigest()}"


def _signer(request: QueryRequest, snapshot: ClusterSnapshot) -> TrustEntry | None:
    issuer, serial = DistinguishedName.parse(request.issuer), int.from_bytes(request.serial, "big")
    found = snapshot.find_by_issuer_serial(issuer, serial)
    return found or snapshot.ctl_entries.get(lookup_key(issuer, serial))


def _for_phones(entry: TrustEntry | None) -> TrustEntry | None:
    return entry if entry is not None and entry.roles else None
