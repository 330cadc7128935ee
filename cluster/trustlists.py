"""What a node's ITL contains, who signs it, and its bytes (R-ITL-1 ... R-ITL-5).

The order of records in a real ITL is not published; ours: ITLRecovery, the node's CallManager twice, CallManager-ECDSA,
CAPF, then the TVS certificates with the node's own first. IPADDRESS is left 0.0.0.0: its use is not published either.
CallManager-ECDSA has the function that CallManager has for files (ours).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from cluster.parameters import ADVANCED_ENCRYPTION, FILE_SIGNATURE, read_bool, read_digest
from cluster.purposes import Purpose
from wire.signing import SigningKey
from wire.trustlist import ITL_FILE, MAX_PHONE_FILE_SIZE, Function, TrustRecord, sign_trust_list

if TYPE_CHECKING:
    from cluster.snapshot import ClusterSnapshot
    from wire.certificates import Certificate, PrivateKey

CERTIFICATE_LIMIT = 39
"""Certificates that fit into 64 KiB according to the security guide (R-ITL-8)."""


class Signer(Protocol):
    """Whoever signs a trust list."""

    @property
    def certificate(self) -> Certificate:
        """Names the signer."""
        ...

    @property
    def private_key(self) -> PrivateKey:
        """Its key."""
        ...


def itl_signer(snapshot: ClusterSnapshot, node: str) -> Signer:
    """ITLRecovery from release 12 on, the node's CallManager before (R-ITL-3), unless the ITL was reset."""
    reset = snapshot.itl_resets.get(node)
    if reset is not None:
        return reset
    purpose = Purpose.ITL_RECOVERY if snapshot.release.recovery_signs else Purpose.CALLMANAGER
    return snapshot.require(node, purpose)


def itl_records(snapshot: ClusterSnapshot, node: str) -> tuple[TrustRecord, ...]:
    """The records of a node's ITL.

    A reset ITL (R-REC-4) has those of the node that it was taken from. Its signer is a SAST of that list, or comes
    before it when a key from elsewhere signs, as phones honour the first two SAST records only.

    While the cluster is prepared for rollback, the TVS and TFTP sections are empty: their records keep host name and
    function only. That they stay as blank records is inferred from what a CTL does in non-secure mode.
    """
    reset = snapshot.itl_resets.get(node)
    if reset is None:
        return _usual_records(snapshot, node)
    records = _usual_records(snapshot, reset.base)
    known = {record.certificate for record in records if record.function == Function.SAST}
    if reset.certificate.der in known:
        return records
    return (TrustRecord.for_certificate(reset.certificate, Function.SAST, reset.base), *records)


def _usual_records(snapshot: ClusterSnapshot, node: str) -> tuple[TrustRecord, ...]:
    records: list[TrustRecord] = []

    def add(owner: str, purpose: Purpose, function: Function, *, emptied: bool = False) -> None:
        own = snapshot.own_certificate(owner, purpose)
        if own is None:
            return
        if emptied and snapshot.rollback:
            records.append(TrustRecord.blank(own.node, function))
        else:
            records.append(TrustRecord.for_certificate(own.certificate, function, own.node))

    files = Function.CCM_TFTP if snapshot.mixed_mode else Function.TFTP
    add(node, Purpose.ITL_RECOVERY, Function.SAST)
    add(node, Purpose.CALLMANAGER, Function.SAST)
    add(node, Purpose.CALLMANAGER, files, emptied=True)
    add(node, Purpose.CALLMANAGER_ECDSA, files, emptied=True)
    add(node, Purpose.CAPF, Function.CAPF)
    others = [other.name for other in snapshot.definition.nodes if other.name != node]
    for owner in (node, *others):
        add(owner, Purpose.TVS, Function.TVS, emptied=True)
    return tuple(records)


def itl_content(snapshot: ClusterSnapshot, node: str) -> str:
    """SHA-256 over all that decides the file apart from its timestamp."""
    digest = hashlib.sha256()
    digest.update(itl_signer(snapshot, node).certificate.sha256)
    digest.update(snapshot.parameter(FILE_SIGNATURE).encode())
    digest.update(repr(signer_version(snapshot)).encode())
    for record in itl_records(snapshot, node):
        digest.update(f"{record.function} {record.dns_name} ".encode())
        digest.update(record.certificate or b"-")
    return digest.hexdigest()


def build_itl(snapshot: ClusterSnapshot, node: str) -> bytes:
    """The node's ITL file. The same snapshot content gives the same bytes (R-ITL-4)."""
    signer = itl_signer(snapshot, node)
    return sign_trust_list(
        itl_records(snapshot, node),
        file_name=ITL_FILE,
        signer=SigningKey.of(signer.certificate, signer.private_key),
        digest=read_digest(snapshot.parameter(FILE_SIGNATURE)),
        timestamp=snapshot.stamps[node, ITL_FILE].timestamp,
        signer_version=signer_version(snapshot),
    )


def size_warning(snapshot: ClusterSnapshot, node: str) -> str | None:
    """What the operator is told when phones will not load the ITL; nothing is ever left out of it (R-ITL-8)."""
    size = len(build_itl(snapshot, node))
    if size <= MAX_PHONE_FILE_SIZE:
        return None
    certificates = sum(not record.is_blank for record in itl_records(snapshot, node))
    return (
        f"the ITL of {node} has {certificates} certificates and {size} bytes: phones load at most "
        f"{MAX_PHONE_FILE_SIZE} bytes (about {CERTIFICATE_LIMIT} certificates) and will fail to register"
    )


def signer_version(snapshot: ClusterSnapshot) -> tuple[int, int] | None:
    """Element 28 of trust lists: 1.1 tells phones to fetch their configuration over HTTPS; None before it existed."""
    if not snapshot.release.signer_version:
        return None
    return (1, 1) if read_bool(snapshot.parameter(ADVANCED_ENCRYPTION)) else (1, 0)
