"""Recovery of the ITL: ``utils itl reset``, and ITLRecovery's key pair for safe keeping (R-REC-3, R-REC-4).

From release 12 on ITLRecovery is the usual signer, so ``localkey`` signs with the publisher's CallManager for the time
being. In 10.0 to 11.5 CallManager is the usual signer and ``localkey`` signs with ITLRecovery. ``remotekey`` signs with
a pair that was exported before. The reset ITL is the publisher's, copied to every TFTP node; a start of Cisco Tftp ends
it on that node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from sqlalchemy import delete, insert

from cluster import changes, schema
from cluster.audit import SYSTEM
from cluster.purposes import Purpose
from cluster.servicecatalogue import wanted_state
from wire.certificates import Certificate
from wire.errors import Refusal, WireError
from wire.signing import SigningKey

if TYPE_CHECKING:
    from cluster.audit import Actor
    from cluster.changes import Transaction
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore
    from wire.certificates import PrivateKey

RECOVERY_FILE = "ITLRecovery.p12"
MAX_P12_SIZE = 64 * 1024


def tftp_nodes(snapshot: ClusterSnapshot) -> list[str]:
    """Nodes on which Cisco Tftp is activated, publisher first."""
    nodes = sorted(snapshot.definition.nodes, key=lambda node: not node.publisher)
    return [node.name for node in nodes if wanted_state(snapshot, node.name, "Cisco Tftp").activated]


async def reset_localkey(store: ClusterStore, actor: Actor) -> list[str]:
    """Signs the ITL with the key that phones know beside the usual signer's; returns the TFTP nodes that serve it.

    Raises:
        Refusal: the release has no ITLRecovery, its key is shorter than CallManager's, or no node serves TFTP.
        OperatorError: the database refuses.
    """
    snapshot = store.snapshot
    publisher = snapshot.definition.publisher.name
    recovery = snapshot.own_certificate(publisher, Purpose.ITL_RECOVERY)
    if recovery is None:
        raise Refusal(409, f"release {snapshot.release.name} has no ITLRecovery certificate, so no ITL can be reset")
    callmanager = snapshot.require(publisher, Purpose.CALLMANAGER)
    if recovery.certificate.public_key.key_size < callmanager.certificate.public_key.key_size:
        raise Refusal(
            409,
            f"ITLRecovery has {recovery.certificate.public_key.key_size} bits and CallManager "
            f"{callmanager.certificate.public_key.key_size}: regenerate ITLRecovery first",
        )
    signer = callmanager if snapshot.release.recovery_signs else recovery
    return await _reset(store, signer.certificate, signer.private_key, "ITL reset with the local key", actor)


async def reset_remotekey(store: ClusterStore, p12: bytes, password: str, actor: Actor) -> list[str]:
    """Signs the ITL with an exported recovery key; returns the TFTP nodes that serve it.

    Raises:
        Refusal: the file is no PKCS#12 of a certificate and its key, the password is wrong, or the key cannot sign.
        OperatorError: the database refuses.
    """
    if store.snapshot.own_certificate(store.snapshot.definition.publisher.name, Purpose.ITL_RECOVERY) is None:
        raise Refusal(409, f"release {store.snapshot.release.name} has no ITLRecovery certificate")
    certificate, key = _open(p12, password)
    return await _reset(store, certificate, key, "ITL reset with a remote key", actor)


async def undo_reset(store: ClusterStore, node: str, actor: Actor = SYSTEM) -> bool:
    """What a start of Cisco Tftp does to a reset ITL of its node; False when there was none.

    Raises:
        OperatorError: the database refuses.
    """
    if node not in store.snapshot.itl_resets:
        return False
    table = schema.itl_reset

    async def change(transaction: Transaction) -> bool:
        return bool((await transaction.connection.execute(delete(table).where(table.c.node == node))).rowcount)

    await store.apply(f"ITL of {node}: signed by its usual signer again", change, actor)
    return True


async def export_recovery(store: ClusterStore, password: str, actor: Actor) -> bytes:
    """ITLRecovery with its private key as PKCS#12; that it left the cluster is in the audit trail.

    Raises:
        Refusal: no password, or the release has no ITLRecovery.
        OperatorError: the database refuses the note.
    """
    if not password:
        raise Refusal(400, f"{RECOVERY_FILE} needs a password: it holds a private key")
    own = store.snapshot.own_certificate(store.snapshot.definition.publisher.name, Purpose.ITL_RECOVERY)
    if own is None:
        raise Refusal(404, f"release {store.snapshot.release.name} has no ITLRecovery certificate")

    async def note(_transaction: Transaction) -> bool:
        return True

    await store.apply(f"{RECOVERY_FILE} exported", note, actor)
    encryption = BestAvailableEncryption(password.encode())
    return pkcs12.serialize_key_and_certificates(
        b"ITLRecovery", own.private_key, own.certificate.x509, None, encryption
    )


def _open(p12: bytes, password: str) -> tuple[Certificate, PrivateKey]:
    if len(p12) > MAX_P12_SIZE:
        raise Refusal(413, f"a PKCS#12 file of {len(p12)} bytes is over the limit of {MAX_P12_SIZE}")
    try:
        key, certificate, _ = pkcs12.load_key_and_certificates(p12, password.encode())
    except (ValueError, TypeError):
        raise Refusal(400, "the file is no PKCS#12, or the password is wrong") from None
    if not isinstance(key, rsa.RSAPrivateKey) or certificate is None:
        raise Refusal(400, "the PKCS#12 file does not hold a certificate with its RSA key")
    return Certificate.from_der(certificate.public_bytes(Encoding.DER)), key


async def _reset(store: ClusterStore, certificate: Certificate, key: PrivateKey, what: str, actor: Actor) -> list[str]:
    try:
        SigningKey.of(certificate, key)
    except WireError as error:
        raise Refusal(409, f"the ITL cannot be signed: {error}") from error
    nodes: list[str] = []

    async def change(transaction: Transaction) -> bool:
        nodes[:] = tftp_nodes(transaction.state)
        if not nodes:
            raise Refusal(409, "no node of the cluster has Cisco Tftp activated")
        await transaction.connection.execute(delete(schema.itl_reset))
        publisher = transaction.state.definition.publisher.name
        row = {"base": publisher, "der": certificate.der, "private_key": changes.key_pem(key)}
        await transaction.connection.execute(insert(schema.itl_reset), [{"node": node, **row} for node in nodes])
        return True

    await store.apply(what, change, actor)
    return nodes
