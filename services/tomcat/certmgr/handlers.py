"""What the API does: one method for each route, through `cluster.management`. Knows neither HTTP nor passwords."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select

from cluster import schema
from cluster.management.acceptance import StaleRequest
from cluster.management.certificates import (
    NO_REQUEST,
    delete_request,
    delete_trust,
    make_request,
    regenerate,
    upload_own,
    upload_trust,
)
from cluster.management.fields import find_node, owner_of
from cluster.purposes import PURPOSES, TRUST_STORES, Purpose
from services.tomcat.certmgr import messages
from services.tomcat.certmgr.messages import CertificateRequest, CertificateUpload, Document
from services.tomcat.certmgr.names import purpose_of, service_of, store_of
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from base.trace import Json
    from cluster.audit import Actor
    from cluster.snapshot import OwnCertificate
    from cluster.store import ClusterStore

STALE = 500
"""Reported for a signing request that is used up or replaced."""

_TrustRow = tuple[str, bytes, bytes]
_PORTION = 500


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        query: first value of each query parameter.
        body: as it came.
        actor: who is logged in.
        seen: SHA-256 of the own certificate that the client decided on, from ``If-Match``.
    """

    query: Mapping[str, str]
    body: bytes
    actor: Actor
    seen: bytes | None = None

    def required(self, name: str) -> str:
        """A query parameter.

        Raises:
            Refusal: 400, it is missing or empty.
        """
        value = self.query.get(name, "")
        if not value:
            raise Refusal(400, f"the query parameter '{name}' is missing")
        return value


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered.

    Attributes:
        status: HTTP status.
        document: the body.
        headers: beside the usual ones.
    """

    status: int
    document: Document
    headers: Mapping[str, str] = field(default_factory=dict)


class Handlers:
    """The API of one node.

    Every method raises `wire.errors.Refusal` with the status to answer, or `wire.errors.OperatorError` when the
    database is not there.
    """

    def __init__(self, node: str, store: ClusterStore) -> None:
        self._node = node
        self._store = store

    # ------------------------------------------------------------------ signing requests

    async def get_request(self, call: Call) -> Reply:
        """The pending request of a service."""
        purpose = self._owned(call.required("service"))
        pending = self._store.snapshot.requests.get((self._node, purpose))
        if pending is None:
            raise Refusal(404, NO_REQUEST.format(unit=purpose.value))
        return Reply(200, messages.request(pending))

    async def make_request(self, call: Call) -> Reply:
        """A new one."""
        asked = messages.decode(CertificateRequest, call.body)
        purpose = self._owned(asked.service)
        pending = await make_request(self._store, self._node, purpose, call.actor, asked.fields)
        return Reply(200, messages.request(pending))

    async def delete_request(self, call: Call) -> Reply:
        """Drops it."""
        purpose = self._owned(call.required("service"))
        await delete_request(self._store, self._node, purpose, call.actor)
        return Reply(200, {"service": purpose.value})

    # ------------------------------------------------------------------ own certificates

    async def get_identity(self, call: Call) -> Reply:
        """One own certificate, or all of this node."""
        if not call.query.get("service"):
            return Reply(200, {"certificates": [messages.certificate(own) for own in self._own()]})
        purpose = self._owned(call.required("service"))
        return _certificate(200, self._store.snapshot.require(self._node, purpose))

    async def upload_identity(self, call: Call) -> Reply:
        """What a CA made of the pending request."""
        upload = messages.decode(CertificateUpload, call.body)
        if len(upload.service) != 1:
            raise Refusal(400, "an own certificate is uploaded for one service")
        purpose = self._owned(upload.service[0])
        try:
            own = await upload_own(self._store, self._node, purpose, upload.pem, call.actor, call.seen)
        except StaleRequest as stale:
            raise Refusal(STALE, str(stale)) from stale
        return _certificate(201, own)

    async def regenerate(self, call: Call) -> Reply:
        """A new self-signed certificate."""
        asked = messages.decode(CertificateRequest, call.body)
        purpose = self._owned(asked.service)
        return _certificate(
            201, await regenerate(self._store, self._node, purpose, call.actor, asked.fields, call.seen)
        )

    # ------------------------------------------------------------------ trust stores

    async def get_trust(self, call: Call) -> Reply:
        """One trust store, or all."""
        service = call.query.get("service")
        if not service:
            rows = await self._trusted(list(TRUST_STORES))
            stores: list[Json] = [await asyncio.to_thread(_trust_store, store, rows[store]) for store in TRUST_STORES]
            return Reply(200, {"stores": stores})
        store = store_of(service)
        rows = await self._trusted([store])
        return Reply(200, await asyncio.to_thread(_trust_store, store, rows[store]))

    async def upload_trust(self, call: Call) -> Reply:
        """Certificates into one or several stores, all or none."""
        upload = messages.decode(CertificateUpload, call.body)
        stores = list(dict.fromkeys(store_of(service) for service in upload.service))
        uploaded = await upload_trust(self._store, stores, upload.pem, call.actor, upload.description or "")
        rows = [(item.subject.common_name, item.sha256, item.der) for item in uploaded]
        services: list[Json] = [service_of(store) for store in stores]
        return Reply(201, {"service": services, "certificates": messages.trusted(rows)})

    async def delete_trust(self, call: Call) -> Reply:
        """One certificate out of a store."""
        store = store_of(call.required("service"))
        name = call.query.get("sha256") or call.required("filename")
        gone = await delete_trust(self._store, store, name, call.actor)
        return Reply(200, {"service": service_of(store), "filename": name, "sha256": gone.sha256.hex()})

    # ------------------------------------------------------------------ all of it

    async def snapshot(self, _call: Call) -> Reply:
        """Own certificates, requests and trust stores."""
        trust = await self._trusted(list(TRUST_STORES))
        state = self._store.snapshot
        requests = {purpose: item for (node, purpose), item in state.requests.items() if node == self._node}
        server = state.definition.fqdn(find_node(state, self._node))
        document = await asyncio.to_thread(messages.server_snapshot, server, self._own(), requests, trust)
        return Reply(200, document)

    async def options(self, _call: Call) -> Reply:
        """What may be asked for here."""
        return Reply(200, messages.options(self._store.snapshot.release, [own.purpose for own in self._own()]))

    # ------------------------------------------------------------------

    def _owned(self, service: str) -> Purpose:
        purpose = purpose_of(service)
        owner_of(self._store.snapshot, self._node, purpose)
        return purpose

    def _own(self) -> list[OwnCertificate]:
        """This node's, in UCM's order."""
        state = self._store.snapshot
        found = [state.own_certificate(self._node, purpose) for purpose in PURPOSES]
        return [own for own in found if own is not None and own.node == self._node]

    async def _trusted(self, stores: Sequence[str]) -> dict[str, list[_TrustRow]]:
        """From the database: no snapshot says which name a certificate goes by in a store.

        A store may hold a hundred thousand: they are read in portions, between which others get their turn.
        """
        table = schema.trust_certificate
        query = (
            select(table.c.store, table.c.common_name, table.c.sha256, table.c.der)
            .where(table.c.store.in_(stores))
            .order_by(table.c.common_name, table.c.sha256)
        )

        async def read(connection: AsyncConnection) -> dict[str, list[_TrustRow]]:
            found: dict[str, list[_TrustRow]] = {store: [] for store in stores}
            async for portion in (await connection.stream(query)).partitions(_PORTION):
                for row in portion:
                    found[row.store].append((row.common_name, bytes(row.sha256), bytes(row.der)))
            return found

        return await self._store.look(read)


def _certificate(status: int, own: OwnCertificate) -> Reply:
    return Reply(status, messages.certificate(own), {"ETag": f'"{own.certificate.sha256.hex()}"'})


def _trust_store(store: str, rows: Sequence[_TrustRow]) -> Document:
    return {"service": service_of(store), "certificates": messages.trusted(rows)}
