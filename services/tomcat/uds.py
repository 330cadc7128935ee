"""User Data Services: contact search at ``/cucm-uds/users`` (R-UDS-2).

Open on 8443. On 9443 it is there once ``utils contactsearchauthentication enable`` was given on the node, and wants the
password of a user; which of the two phones are sent to is the parameter "Secure Contact Search URL", set by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from cluster.management.contactsearch import contact_search_authenticated
from wire.basicauth import decode_basic
from wire.errors import WireError
from wire.uds import MAX_USERS, Contact, Contacts, encode_contacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from base.trace import Trace
    from cluster.endpoints import Endpoints
    from cluster.people import User
    from cluster.snapshot import ClusterSnapshot
    from services.tomcat.people import People

PATH = "/cucm-uds/users"
_REALM = 'Basic realm="Cisco Web Services Realm"'
_PAGE_SIZE = MAX_USERS


class ContactSearch:
    """Answers searches of one node.

    Args:
        node: which.
        view: gives the cluster as it is.
        endpoints: the ports that phones are told.
        people: knows passwords.
    """

    def __init__(
        self,
        node: str,
        view: Callable[[], ClusterSnapshot],
        endpoints: Callable[[], Endpoints],
        people: People,
        trace: Trace,
    ) -> None:
        self._node, self._view, self._endpoints = node, view, endpoints
        self._people, self._trace = people, trace

    async def open(self, request: web.Request) -> web.Response:
        """A search without a log-in."""
        return self._answer(request, self._search(request, self._endpoints().of(self._node).secure_web))

    async def authenticated(self, request: web.Request) -> web.StreamResponse:
        """All of the port where a log-in is wanted."""
        if request.path != PATH or not contact_search_authenticated(self._view(), self._node):
            return self._answer(request, web.Response(status=404))
        if not await self._logged_in(request):
            return self._answer(request, web.Response(status=401, headers={"WWW-Authenticate": _REALM}))
        return self._answer(request, self._search(request, self._endpoints().of(self._node).secure_search))

    async def _logged_in(self, request: web.Request) -> bool:
        try:
            user, password = decode_basic(request.headers.get("Authorization", ""))
        except WireError:
            return False
        return await self._people.has_password(user, password)

    def _answer(self, request: web.Request, response: web.Response) -> web.Response:
        self._trace.emit("contact_search", peer=request.remote, path=request.path[:255], status=response.status)
        return response

    def _search(self, request: web.Request, port: int) -> web.Response:
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        snapshot, query = self._view(), request.query
        users = [user for user in snapshot.definition.users if _matches(user, query)]
        start, most = _number(query, "start", 0), min(_number(query, "max", _PAGE_SIZE), _PAGE_SIZE)
        node = snapshot.definition.node(self._node)
        base = f"https://{node.address if node is not None else self._node}:{port}"
        found = Contacts(
            version=snapshot.definition.release,
            uri=f"{base}{PATH}",
            start=start,
            requested=most,
            total=len(users),
            contacts=tuple(_contact(snapshot, user, base) for user in users[start : start + most]),
        )
        return web.Response(body=encode_contacts(found), content_type="application/xml")


def _matches(user: User, query: Mapping[str, str]) -> bool:
    """``name`` anywhere in id or name, ``first`` and ``last`` at the beginning of theirs; nothing asked matches all."""
    first, last = _names(user)
    name = query.get("name", "").lower()
    return (
        (name in user.id.lower() or name in user.name.lower())
        and first.lower().startswith(query.get("first", "").lower())
        and last.lower().startswith(query.get("last", "").lower())
    )


def _names(user: User) -> tuple[str, str]:
    """First and last name: the last word of the name is the latter."""
    first, _, last = user.name.strip().rpartition(" ")
    return first, last


def _contact(snapshot: ClusterSnapshot, user: User, base: str) -> Contact:
    first, last = _names(user)
    return Contact(
        uri=f"{base}/cucm-uds/user/{user.id}",
        identifier=snapshot.definition.stable_uuid("user", user.id.lower()),
        user_name=user.id,
        first_name=first,
        last_name=last,
        phone_number=user.lines[0].number if user.lines else "",
    )


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else default
