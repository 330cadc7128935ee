"""What a tokenless CTL contains and who signs it, by release (R-CTL-1).

A published 10.5 file has: SAST and CCM+TFTP of the publisher's CallManager, CAPF, CCM+TFTP of each subscriber. From
12.0 on ITLRecovery is the signer and has a SAST record before it. In a non-secure cluster the CCM+TFTP records keep
host name and function only. Whether CallManager-ECDSA certificates are in a CTL is not published; here they are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.parameters import FILE_SIGNATURE, read_digest
from cluster.purposes import Purpose
from cluster.trustlists import signer_version
from wire.signing import SigningKey
from wire.trustlist import CTL_FILE, Function, TrustRecord, sign_trust_list

if TYPE_CHECKING:
    from datetime import datetime

    from cluster.snapshot import ClusterSnapshot
    from cluster.trustlists import Signer


def ctl_signer(snapshot: ClusterSnapshot) -> Signer:
    """ITLRecovery from release 12 on, the publisher's CallManager before."""
    purpose = Purpose.ITL_RECOVERY if snapshot.release.recovery_signs else Purpose.CALLMANAGER
    return snapshot.require(snapshot.definition.publisher.name, purpose)


def ctl_records(snapshot: ClusterSnapshot, *, mixed: bool) -> tuple[TrustRecord, ...]:
    """The records, for mixed mode or for a cluster that has left it."""
    publisher = snapshot.definition.publisher.name
    others = [node.name for node in snapshot.definition.nodes if node.name != publisher]
    callmanager = snapshot.require(publisher, Purpose.CALLMANAGER).certificate
    records: list[TrustRecord] = []
    recovery = snapshot.own_certificate(publisher, Purpose.ITL_RECOVERY)
    if snapshot.release.recovery_signs and recovery is not None:
        records.append(TrustRecord.for_certificate(recovery.certificate, Function.SAST, publisher))
    records.append(TrustRecord.for_certificate(callmanager, Function.SAST, publisher))
    records.append(_server(snapshot, publisher, mixed=mixed))
    capf = snapshot.own_certificate(publisher, Purpose.CAPF)
    if capf is not None:
        records.append(TrustRecord.for_certificate(capf.certificate, Function.CAPF, publisher))
    records += [_server(snapshot, name, mixed=mixed) for name in others]
    return tuple(records)


def _server(snapshot: ClusterSnapshot, node: str, *, mixed: bool) -> TrustRecord:
    if not mixed:
        return TrustRecord.blank(node, Function.CCM_TFTP)
    return TrustRecord.for_certificate(snapshot.require(node, Purpose.CALLMANAGER).certificate, Function.CCM_TFTP, node)


def build_ctl(snapshot: ClusterSnapshot, signer: Signer, now: datetime, *, mixed: bool) -> bytes:
    """A CTL file as of now.

    Args:
        snapshot: the cluster.
        signer: `ctl_signer`, or the publisher's CallManager for a reset.
        now: goes into the header.
        mixed: whether CCM+TFTP records hold certificates.

    Raises:
        WireError: the signer's key has a size for which files have no code.
    """
    return sign_trust_list(
        ctl_records(snapshot, mixed=mixed),
        file_name=CTL_FILE,
        signer=SigningKey.of(signer.certificate, signer.private_key),
        digest=read_digest(snapshot.parameter(FILE_SIGNATURE)),
        timestamp=int(now.timestamp()),
        signer_version=signer_version(snapshot),
    )


def ctl_of(snapshot: ClusterSnapshot, node: str) -> bytes | None:
    """The CTL file that a node serves; None when it has none."""
    stored = snapshot.files.get((node, CTL_FILE))
    return None if stored is None else stored.data
