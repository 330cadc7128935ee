"""Certificates as an administrator manages them: made anew, requested, uploaded, trusted, deleted (R-CRT-2 to 6).

Each operation is one transaction: own certificate, key and every trust store that it belongs into change together or
not at all. Services use what they loaded at their start until they start anew.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, or_, select

from cluster import changes, schema
from cluster.issuing import Issued, request, self_sign
from cluster.keys import load_key
from cluster.management.acceptance import StaleRequest, check_strength, matching
from cluster.management.chain import MAX_PATH, build_chain, check_validity
from cluster.management.fields import CertificateFields, check_key, owner_of, settle
from cluster.management.uploads import read_upload
from cluster.purposes import PURPOSES, TRUST_STORES, Purpose
from cluster.snapshot import name_key
from wire.certificates import Certificate
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cluster.audit import Actor
    from cluster.changes import Transaction
    from cluster.snapshot import ClusterSnapshot, OwnCertificate, PendingRequest
    from cluster.store import ClusterStore

NO_REQUEST = "The file /usr/local/platform/.security/{unit}/keys/{unit}.csr does not exist"
"""UCM's words."""
_TRUSTED = "Trust Certificate"
_DIGEST = re.compile(r"[0-9A-Fa-f]{8,64}")


async def regenerate(
    store: ClusterStore,
    node: str,
    purpose: Purpose,
    actor: Actor,
    fields: CertificateFields | None = None,
    seen: bytes | None = None,
) -> OwnCertificate:
    """Replaces a certificate and its key by new self-signed ones, a CA's included (R-CRT-5).

    Args:
        store: the cluster.
        node: whose.
        purpose: which.
        actor: who does it.
        fields: wishes; None for UCM's own choices.
        seen: SHA-256 of the certificate that the operator decided on; when it is another by now, somebody else was
            faster, and nothing is done.

    Raises:
        Refusal: a field breaks a rule, no such certificate, or it was changed meanwhile.
        OperatorError: the database refuses.
    """
    snapshot = store.snapshot
    owner = owner_of(snapshot, node, purpose)
    spec = settle(snapshot, node, purpose, fields or CertificateFields(), for_request=False)
    issued = await asyncio.to_thread(self_sign, snapshot.definition, spec, store.now())

    async def change(transaction: Transaction) -> bool:
        _check_seen(transaction.state, owner.name, purpose, seen)
        check_key(transaction.state, spec)  # the mode may be another since the key was begun
        await changes.put_own(transaction, [issued])
        return True

    await store.apply(f"{purpose.value} of {owner.name}: regenerated", change, actor)
    return store.snapshot.require(owner.name, purpose)


async def make_request(
    store: ClusterStore, node: str, purpose: Purpose, actor: Actor, fields: CertificateFields | None = None
) -> PendingRequest:
    """Makes a key and a signing request; the purpose's previous ones are gone with it (R-CRT-4).

    Raises:
        Refusal: a field breaks a rule, or the purpose has no CA-signed certificates.
        OperatorError: the database refuses.
    """
    snapshot, wishes = store.snapshot, fields or CertificateFields()
    owner = owner_of(snapshot, node, purpose)
    if purpose is Purpose.ITL_RECOVERY:
        raise Refusal(400, "ITLRecovery is always self-signed; regenerate it instead")
    spec = settle(snapshot, node, purpose, wishes, for_request=True)
    der, key = await asyncio.to_thread(request, snapshot.definition, spec)

    async def change(transaction: Transaction) -> bool:
        check_key(transaction.state, spec)
        await _drop_request(transaction, owner.name, purpose)
        row = {
            "node": owner.name,
            "purpose": purpose.value,
            "der": der,
            "private_key": changes.key_pem(key),
            "multi_server": int(wishes.multi_server),
            "created_at": transaction.now.isoformat(),
        }
        await transaction.connection.execute(insert(schema.certificate_request).values(**row))
        return True

    await store.apply(f"{purpose.value} of {owner.name}: signing request made", change, actor)
    return store.snapshot.requests[owner.name, purpose]


async def delete_request(store: ClusterStore, node: str, purpose: Purpose, actor: Actor) -> None:
    """Drops a pending signing request and its key.

    Raises:
        Refusal: 404, there is none.
        OperatorError: the database refuses.
    """
    owner = owner_of(store.snapshot, node, purpose)

    async def change(transaction: Transaction) -> bool:
        if not await _drop_request(transaction, owner.name, purpose):
            raise Refusal(404, NO_REQUEST.format(unit=purpose.value))
        return True

    await store.apply(f"{purpose.value} of {owner.name}: signing request deleted", change, actor)


async def upload_own(
    store: ClusterStore, node: str, purpose: Purpose, data: bytes, actor: Actor, seen: bytes | None = None
) -> OwnCertificate:
    """Installs what a CA made of the pending request; its chain has to be in the trust store before.

    Args:
        store: the cluster.
        node: where the request was made.
        purpose: for what.
        data: PEM, DER or PKCS#7; the certificate may come with its chain.
        actor: who does it.
        seen: see `regenerate`.

    Raises:
        StaleRequest: no request is pending, or it has another key.
        Refusal: other names than were asked for, a broken chain, outside its validity, too weak.
        OperatorError: the database refuses.
    """
    owner = owner_of(store.snapshot, node, purpose)
    uploaded = read_upload(data)

    async def change(transaction: Transaction) -> bool:
        state = transaction.state
        _check_seen(state, owner.name, purpose, seen)
        pending = state.requests.get((owner.name, purpose))
        if pending is None:
            raise StaleRequest(NO_REQUEST.format(unit=purpose.value))
        leaf = matching(uploaded, pending)
        check_validity(leaf, transaction.now)
        check_strength(state, leaf)
        issuers = await _issuers(transaction, PURPOSES[purpose].stores[0], leaf)
        chain = build_chain(leaf, issuers, transaction.now)
        nodes = [item.name for item in state.definition.nodes] if pending.multi_server else [owner.name]
        key = load_key(pending.key_pem, f"the signing request for {purpose.value} of {owner.name}")
        await changes.put_own(transaction, [Issued(name, purpose, leaf, key, chain) for name in nodes])
        await _drop_request(transaction, owner.name, purpose)
        return True

    await store.apply(f"{purpose.value} of {owner.name}: CA-signed certificate installed", change, actor)
    return store.snapshot.require(owner.name, purpose)


async def upload_trust(
    store: ClusterStore, trust_store: str | Sequence[str], data: bytes, actor: Actor, description: str = ""
) -> list[Certificate]:
    """Puts certificates into one or several trust stores of every node, all of them or none.

    A store holds one certificate of each common name: a later one replaces, an older one is refused. One that is there
    already stays as it is; when that is so of all, there was nothing to upload, which is refused (ours).

    Raises:
        Refusal: no such store, no certificates, expired, too weak, older than what is there, or all already there.
        OperatorError: the database refuses.
    """
    stores = tuple(dict.fromkeys([trust_store] if isinstance(trust_store, str) else trust_store))
    for name in stores:
        check_store(name)
    uploaded = read_upload(data)
    names = ", ".join(certificate.subject.common_name or str(certificate.subject) for certificate in uploaded)

    async def change(transaction: Transaction) -> bool:
        added = 0
        for certificate in uploaded:
            check_validity(certificate, transaction.now)
            check_strength(transaction.state, certificate)
            for name in stores:
                if await _is_new(transaction, name, certificate):
                    await changes.replace_trust(transaction, name, certificate, description or _TRUSTED)
                    added += 1
        if not added:
            raise Refusal(409, f"{' and '.join(stores)} already holds {names}")
        return True

    await store.apply(f"{', '.join(stores)}: uploaded {names}", change, actor)
    return uploaded


async def delete_trust(store: ClusterStore, trust_store: str, name: str, actor: Actor) -> Certificate:
    """Takes a certificate out of a trust store of every node.

    Args:
        store: the cluster.
        trust_store: which store.
        name: common name, with or without ``.pem``, or the first 8 digits or more of the SHA-256.
        actor: who does it.

    Raises:
        Refusal: no such store or certificate, or several match.
        OperatorError: the database refuses.
    """
    check_store(trust_store)
    deleted: list[Certificate] = []

    async def change(transaction: Transaction) -> bool:
        certificate = await _named(transaction, trust_store, name)
        deleted.append(certificate)
        return await changes.delete_trust(transaction, trust_store, certificate.sha256)

    await store.apply(f"{trust_store}: deleted {name}", change, actor)
    return deleted[-1]


def check_store(trust_store: str) -> None:
    """Refuses a trust store that does not exist.

    Raises:
        Refusal: 404.
    """
    if trust_store not in TRUST_STORES:
        raise Refusal(404, f"there is no trust store {trust_store!r}; known: {', '.join(TRUST_STORES)}")


def _check_seen(state: ClusterSnapshot, node: str, purpose: Purpose, seen: bytes | None) -> None:
    own = state.own_certificate(node, purpose)
    if seen is not None and own is not None and own.certificate.sha256 != seen:
        raise Refusal(
            409,
            f"{purpose.value} of {node} was changed by somebody else meanwhile (now serial "
            f"{own.certificate.serial:X}); nothing was done, look again",
        )


async def _issuers(transaction: Transaction, trust_store: str, leaf: Certificate) -> list[Certificate]:
    """What a trust store holds of the names between `leaf` and its root; found by index, however large the store."""
    table, found = schema.trust_certificate, list[Certificate]()
    wanted, asked = {name_key(leaf.issuer)}, set[str]()
    for _ in range(MAX_PATH + 1):
        query = select(table.c.der).where(table.c.store == trust_store, table.c.subject_key.in_(wanted - asked))
        fresh = [Certificate.from_der(row.der) for row in await transaction.connection.execute(query)]
        found += fresh
        asked |= wanted
        wanted = {name_key(certificate.issuer) for certificate in fresh}
        if wanted <= asked:
            break
    return found


async def _is_new(transaction: Transaction, trust_store: str, certificate: Certificate) -> bool:
    """False when the store holds this very certificate; refuses one that is older than its namesake there."""
    query = select(schema.trust_certificate.c.der).where(*changes.same_name(trust_store, certificate))
    for row in await transaction.connection.execute(query):
        present = Certificate.from_der(row.der)
        if present == certificate:
            return False
        if certificate.not_before < present.not_before:
            raise Refusal(
                409,
                f"{trust_store} holds a newer certificate of {certificate.subject.common_name or certificate.subject}: "
                f"valid from {present.not_before:%Y-%m-%d}, the uploaded one from {certificate.not_before:%Y-%m-%d}",
            )
    return True


async def _named(transaction: Transaction, trust_store: str, name: str) -> Certificate:
    table, bare = schema.trust_certificate, name.removesuffix(".pem").removesuffix(".der")
    matches = [table.c.common_name == bare]
    if _DIGEST.fullmatch(bare):
        begin = bytes.fromhex(bare.lower()[: len(bare) // 2 * 2])
        matches.append(table.c.sha256.between(begin, begin.ljust(32, b"\xff")))
    query = select(table.c.sha256, table.c.common_name, table.c.der).where(table.c.store == trust_store, or_(*matches))
    found = {
        bytes(row.sha256): row.der
        for row in await transaction.connection.execute(query)
        if row.common_name == bare or bytes(row.sha256).hex().startswith(bare.lower())
    }
    if not found:
        raise Refusal(404, f"{trust_store} holds no certificate {name!r}")
    if len(found) > 1:
        raise Refusal(409, f"{len(found)} certificates of {trust_store} match {name!r}; give digits of a SHA-256")
    return Certificate.from_der(next(iter(found.values())))


async def _drop_request(transaction: Transaction, node: str, purpose: Purpose) -> bool:
    table = schema.certificate_request
    where = (table.c.node == node, table.c.purpose == purpose.value)
    return bool((await transaction.connection.execute(delete(table).where(*where))).rowcount)
