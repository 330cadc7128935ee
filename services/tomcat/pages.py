"""The pages that phones open: XML objects of the IP phone services interface, at the paths of a real configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aiohttp import web

from services.tomcat import emapp
from services.tomcat.emapp import ExtensionMobility
from wire.ipphone import (
    MAX_ENTRIES,
    MAX_MENU_ITEMS,
    Directory,
    DirectoryEntry,
    Input,
    InputItem,
    Menu,
    MenuItem,
    PhoneObject,
    TextPage,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from base.trace import Trace
    from cluster.endpoints import Endpoints
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore
    from services.tomcat.people import People

_DIRECTORY = "Corporate Directory"
_CORPORATE = "Application:Cisco/CorporateDirectory"


class PhonePages:
    """Answers GET for one node.

    Args:
        node: which.
        store: the cluster.
        endpoints: the ports that phones are told.
        people: knows the users.
    """

    def __init__(
        self, node: str, store: ClusterStore, endpoints: Callable[[], Endpoints], people: People, trace: Trace
    ) -> None:
        self._node, self._store, self._endpoints = node, store, endpoints
        self._people, self._trace = people, trace
        self._mobility = ExtensionMobility(store, people, trace)
        self._pages: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {
            "/ccmcip/xmldirectory.jsp": self._directories,
            "/ccmcip/xmldirectoryinput.jsp": self._search,
            "/ccmcip/xmldirectorylist.jsp": self._entries,
            "/ccmcip/getservicesmenu.jsp": self._services,
            "/ccmcip/authenticate.jsp": self._authenticate,
            "/ccmcip/GetTelecasterHelpText.jsp": self._help,
            emapp.PATH: self._extension_mobility,
        }

    @property
    def _view(self) -> ClusterSnapshot:
        return self._store.snapshot

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        page = self._pages.get(request.path)
        if request.method not in {"GET", "HEAD"}:
            response = web.Response(status=405, headers={"Allow": "GET, HEAD"})
        elif page is None:
            response = web.Response(status=404)
        else:
            response = await page(request)
        self._trace.emit(
            "page_answered", peer=request.remote, path=request.path[:255], status=response.status, secure=request.secure
        )
        return response

    def _base(self, request: web.Request) -> str:
        """Where further pages are, in the scheme in which this one was asked."""
        node = self._view.definition.node(self._node)
        ports = self._endpoints().of(self._node)
        address = node.address if node is not None else request.host
        return f"https://{address}:{ports.secure_web}" if request.secure else f"http://{address}:{ports.web}"

    async def _directories(self, request: web.Request) -> web.Response:
        items = (MenuItem(_DIRECTORY, f"{self._base(request)}/ccmcip/xmldirectoryinput.jsp"),)
        return _xml(Menu("Directories", "Select a directory", items))

    async def _services(self, request: web.Request) -> web.Response:
        base = self._base(request)
        items = tuple(
            MenuItem(service.name, _absolute(service.url, base))
            for service in self._view.definition.phone_services[:MAX_MENU_ITEMS]
        )
        return _xml(Menu("Services", "Select a service", items))

    async def _search(self, request: web.Request) -> web.Response:
        url = f"{self._base(request)}/ccmcip/xmldirectorylist.jsp"
        fields = (InputItem("Name", "l", "A"), InputItem("Number", "n", "T"))
        return _xml(Input(_DIRECTORY, "Enter search criteria", url, fields))

    async def _entries(self, request: web.Request) -> web.Response:
        name, number = request.query.get("l", "").lower(), request.query.get("n", "")
        start = request.query.get("start", "0")
        first = int(start) if start.isdecimal() and len(start) < 8 else 0
        found = [
            entry
            for entry in _people_and_phones(self._view)
            if name in entry.name.lower() and entry.telephone.startswith(number)
        ]
        shown = tuple(found[first : first + MAX_ENTRIES])
        last = first + len(shown)
        prompt = f"Records {min(first + 1, last)} to {last} of {len(found)}"
        response = _xml(Directory(_DIRECTORY, prompt, shown))
        if last < len(found):
            query = urlencode({"l": name, "n": number, "start": last})
            response.headers["Refresh"] = f"0; url={self._base(request)}/ccmcip/xmldirectorylist.jsp?{query}"
        return response

    async def _authenticate(self, request: web.Request) -> web.Response:
        """Whether a user may push content to a phone; phones ask with what the pusher gave them."""
        user, password, device = (request.query.get(name, "") for name in ("UserID", "Password", "devicename"))
        allowed = bool(user and password) and await self._people.may_push(user, password, device.upper())
        return web.Response(text="AUTHORIZED" if allowed else "UN-AUTHORIZED", content_type="text/plain")

    async def _extension_mobility(self, request: web.Request) -> web.Response:
        if request.method == "HEAD":
            return web.Response(content_type="text/xml", charset="utf-8")  # looking must not log anybody in
        page = await self._mobility.answer(request.query, self._base(request), request.remote or "")
        return _xml(page)

    @staticmethod
    async def _help(_request: web.Request) -> web.Response:
        return _xml(TextPage("Information", "", "No help for this key."))


def _absolute(url: str, base: str) -> str:
    if url == _CORPORATE:
        return f"{base}/ccmcip/xmldirectoryinput.jsp"
    return f"{base}{url}" if url.startswith("/") else url


def _people_and_phones(snapshot: ClusterSnapshot) -> list[DirectoryEntry]:
    """Every line of a phone's own, then every user with the first number of the profile; no entry twice."""
    phones = [
        DirectoryEntry(line.label or device.description or device.name, line.number)
        for device in snapshot.configured_devices.values()
        for line in device.lines
    ]
    users = [DirectoryEntry(user.shown_name, user.lines[0].number) for user in snapshot.definition.users if user.lines]
    return list(dict.fromkeys([*phones, *users]))


def _xml(item: PhoneObject) -> web.Response:
    return web.Response(body=encode(item), content_type="text/xml", charset="utf-8")
