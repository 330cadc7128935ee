"""Certificates as an administrator manages them: made anew, requested, uploaded, trusted, deleted (R-CRT-2 to 6).

Each operation is one transaction: own certificate, key and every trust store that it belongs into change together or
not at all. Services use what they loaded at their start until they start anew.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import delete, insert, select

from cluster import changes, schema
from cluster.issuing import Issued, request, self_sign
from cluster.keys import load_key
from cluster.management.chain import build_chain, check_validity
from cluster.management.fields import CertificateFields, owner_of, settle
from cluster.management.uploads import read_upload
from cluster.parameters import FIPS_MODE, read_bool
from cluster.purposes import PURPOSES, TRUST_STORES, Purpose
from wire.certificates import Certificate
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cluster.audit import Actor
    from cluster.changes import Transaction
    from cluster.snapshot import ClusterSnapshot, OwnCertificate, PendingRequest
    from cluster.store import ClusterStore

_NO_REQUEST = "The file /usr/local/platform/.security/{unit}/keys/{unit}.csr does not exist"
_OTHER_KEY = "CSR public key and certificate public key do not match"
_OTHER_NAMES = "CSR SAN and certificate SAN does not match"
"""The three are UCM's words."""
_MIN_RSA, _FIPS_MIN_RSA = 1024, 2048
_SIGNED, _TRUSTED = "Signed Certificate", "Trust Certificate"


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
        Refusal: no request is pending, another key or names, a broken chain, outside its validity, too weak.
        OperatorError: the database refuses.
    """
    owner = owner_of(store.snapshot, node, purpose)
    uploaded = read_upload(data)

    async def change(transaction: Transaction) -> bool:
        state = transaction.state
        _check_seen(state, owner.name, purpose, seen)
        pending = state.requests.get((owner.name, purpose))
        if pending is None:
            raise Refusal(409, _NO_REQUEST.format(unit=purpose.value))
        leaf = _matching(uploaded, pending)
        check_validity(leaf, transaction.now)
        _check_strength(state, leaf)
        chain = build_chain(leaf, await _trusted(transaction, PURPOSES[purpose].stores[0]), transaction.now)
        nodes = [item.name for item in state.definition.nodes] if pending.multi_server else [owner.name]
        key = load_key(pending.key_pem, f"the signing request for {purpose.value} of {owner.name}")
        await changes.put_own(transaction, [Issued(name, purpose, leaf, key, chain) for name in nodes])
        await _drop_request(transaction, owner.name, purpose)
        return True

    await store.apply(f"{purpose.value} of {owner.name}: CA-signed certificate installed", change, actor)
    return store.snapshot.require(owner.name, purpose)


async def upload_trust(
    store: ClusterStore, trust_store: str, data: bytes, actor: Actor, description: str = ""
) -> list[Certificate]:
    """Puts certificates into a trust store of every node, all of them or none.

    A store holds one certificate of each common name: a later one replaces, an older one is refused.

    Raises:
        Refusal: no such store, no certificates, expired, too weak, older than what is there, or already there.
        OperatorError: the database refuses.
    """
    check_store(trust_store)
    uploaded = read_upload(data)

    async def change(transaction: Transaction) -> bool:
        for certificate in uploaded:
            check_validity(certificate, transaction.now)
            _check_strength(transaction.state, certificate)
            await _check_newer(transaction, trust_store, certificate)
            await changes.replace_trust(transaction, trust_store, certificate, description or _TRUSTED)
        return True

    names = ", ".join(certificate.subject.common_name or str(certificate.subject) for certificate in uploaded)
    await store.apply(f"{trust_store}: uploaded {names}", change, actor)
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


def _matching(uploaded: Iterable[Certificate], pending: PendingRequest) -> Certificate:
    """The uploaded certificate that answers the request."""
    csr = x509.load_der_x509_csr(pending.der)
    wanted = csr.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for certificate in uploaded:
        key = certificate.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if key == wanted:
            if _dns_names(certificate.x509.extensions) != _dns_names(csr.extensions):
                raise Refusal(400, _OTHER_NAMES)
            return certificate
    raise Refusal(400, _OTHER_KEY)


def _dns_names(extensions: x509.Extensions) -> frozenset[str]:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))


def _check_strength(state: ClusterSnapshot, certificate: Certificate) -> None:
    minimum = _FIPS_MIN_RSA if read_bool(state.parameter(FIPS_MODE)) else _MIN_RSA
    key = certificate.public_key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < minimum:
        raise Refusal(400, f"the RSA key of {certificate.subject} has {key.key_size} bits; the least is {minimum}")


async def _trusted(transaction: Transaction, trust_store: str) -> list[Certificate]:
    """A store's certificates that could be CAs: those of subjects that are not a node's own."""
    table = schema.trust_certificate
    query = select(table.c.der).where(table.c.store == trust_store, table.c.description != changes.OWN_DESCRIPTION)
    return [Certificate.from_der(row.der) for row in await transaction.connection.execute(query)]


async def _check_newer(transaction: Transaction, trust_store: str, certificate: Certificate) -> None:
    table = schema.trust_certificate
    where = (table.c.store == trust_store, table.c.common_name == certificate.subject.common_name)
    for row in await transaction.connection.execute(select(table.c.der).where(*where)):
        present = Certificate.from_der(row.der)
        if present == certificate:
            raise Refusal(409, f"{trust_store} already holds {certificate.subject}, serial {certificate.serial:X}")
        if certificate.not_before < present.not_before:
            raise Refusal(
                409,
                f"{trust_store} holds a newer certificate of {certificate.subject.common_name}: valid from "
                f"{present.not_before:%Y-%m-%d}, the uploaded one from {certificate.not_before:%Y-%m-%d}",
            )


async def _named(transaction: Transaction, trust_store: str, name: str) -> Certificate:
    table, bare = schema.trust_certificate, name.removesuffix(".pem").removesuffix(".der")
    rows = await transaction.connection.execute(
        select(table.c.sha256, table.c.common_name, table.c.der).where(table.c.store == trust_store)
    )
    digits = bare.lower()
    found = [
        row.der
        for row in rows
        if row.common_name == bare or (len(digits) >= 8 and bytes(row.sha256).hex().startswith(digits))
    ]
    if not found:
        raise Refusal(404, f"{trust_store} holds no certificate {name!r}")
    if len(found) > 1:
        raise Refusal(409, f"{len(found)} certificates of {trust_store} match {name!r}; give digits of a SHA-256")
    return Certificate.from_der(found[0])


async def _drop_request(transaction: Transaction, node: str, purpose: Purpose) -> None:
    table = schema.certificate_request
    await transaction.connection.execute(delete(table).where(table.c.node == node, table.c.purpose == purpose.value))
