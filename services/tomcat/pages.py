"""The pages that phones open: XML objects of the IP phone services interface, at the paths of a real configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from cluster.endpoints import Endpoints
    from cluster.snapshot import ClusterSnapshot

_PAGE_ENTRIES = 32
"""Entries on one page of the directory, the phone's limit for a directory object."""
_DIRECTORY = "Corporate Directory"
_CORPORATE = "Application:Cisco/CorporateDirectory"


class PhonePages:
    """Answers GET for one node."""

    def __init__(
        self,
        node: str,
        view: Callable[[], ClusterSnapshot],
        endpoints: Callable[[], Endpoints],
        trace: Trace,
    ) -> None:
        self._node = node
        self._view = view
        self._endpoints = endpoints
        self._trace = trace
        self._pages: dict[str, Callable[[web.Request], web.Response]] = {
            "/ccmcip/xmldirectory.jsp": self._directories,
            "/ccmcip/xmldirectoryinput.jsp": self._search,
            "/ccmcip/xmldirectorylist.jsp": self._entries,
            "/ccmcip/getservicesmenu.jsp": self._services,
            "/ccmcip/authenticate.jsp": self._authenticate,
            "/ccmcip/GetTelecasterHelpText.jsp": self._help,
        }

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        page = self._pages.get(request.path)
        if request.method not in {"GET", "HEAD"}:
            response = web.Response(status=405, headers={"Allow": "GET, HEAD"})
        elif page is None:
            response = web.Response(status=404)
        else:
            response = page(request)
        self._trace.emit(
            "page_answered", peer=request.remote, path=request.path[:255], status=response.status, secure=request.secure
        )
        return response

    def _base(self, request: web.Request) -> str:
        """Where further pages are, in the scheme in which this one was asked."""
        node = self._view().definition.node(self._node)
        ports = self._endpoints().of(self._node)
        address = node.address if node is not None else request.host
        return f"https://{address}:{ports.secure_web}" if request.secure else f"http://{address}:{ports.web}"

    def _directories(self, request: web.Request) -> web.Response:
        items = [(_DIRECTORY, f"{self._base(request)}/ccmcip/xmldirectoryinput.jsp")]
        return _menu("Directories", "Select a directory", items)

    def _services(self, request: web.Request) -> web.Response:
        corporate = f"{self._base(request)}/ccmcip/xmldirectoryinput.jsp"
        items = [
            (service.name, corporate if service.url == _CORPORATE else service.url)
            for service in self._view().definition.phone_services
        ]
        return _menu("Services", "Select a service", items)

    def _search(self, request: web.Request) -> web.Response:
        url = f"{self._base(request)}/ccmcip/xmldirectorylist.jsp"
        fields = "".join(
            f"<InputItem><DisplayName>{label}</DisplayName><QueryStringParam>{key}</QueryStringParam>"
            f"<InputFlags>{flags}</InputFlags><DefaultValue></DefaultValue></InputItem>"
            for label, key, flags in (("Name", "l", "A"), ("Number", "n", "T"))
        )
        return _xml(
            "CiscoIPPhoneInput",
            f"<Title>{_DIRECTORY}</Title><Prompt>Enter search criteria</Prompt><URL>{escape(url)}</URL>{fields}",
        )

    def _entries(self, request: web.Request) -> web.Response:
        name, number = request.query.get("l", "").lower(), request.query.get("n", "")
        start = request.query.get("start", "0")
        first = int(start) if start.isdecimal() and len(start) < 8 else 0
        found = [
            (line.label or device.description or device.name, line.number)
            for device in self._view().devices.values()
            for line in device.lines
            if name in (line.label or device.description).lower() and line.number.startswith(number)
        ]
        shown = found[first : first + _PAGE_ENTRIES]
        rows = "".join(
            f"<DirectoryEntry><Name>{escape(who)}</Name><Telephone>{escape(what)}</Telephone></DirectoryEntry>"
            for who, what in shown
        )
        last = first + len(shown)
        prompt = f"Records {min(first + 1, last)} to {last} of {len(found)}"
        response = _xml("CiscoIPPhoneDirectory", f"<Title>{_DIRECTORY}</Title><Prompt>{prompt}</Prompt>{rows}")
        if last < len(found):
            query = urlencode({"l": name, "n": number, "start": last})
            response.headers["Refresh"] = f"0; url={self._base(request)}/ccmcip/xmldirectorylist.jsp?{query}"
        return response

    @staticmethod
    def _authenticate(_request: web.Request) -> web.Response:
        """No user may push content to a phone of this laboratory."""
        return web.Response(text="UN-AUTHORIZED", content_type="text/plain")

    @staticmethod
    def _help(_request: web.Request) -> web.Response:
        return _xml("CiscoIPPhoneText", "<Title>Information</Title><Text>No help for this key.</Text>")


def _menu(title: str, prompt: str, items: list[tuple[str, str]]) -> web.Response:
    rows = "".join(f"<MenuItem><Name>{escape(name)}</Name><URL>{escape(url)}</URL></MenuItem>" for name, url in items)
    return _xml("CiscoIPPhoneMenu", f"<Title>{title}</Title><Prompt>{prompt}</Prompt>{rows}")


def _xml(root: str, content: str) -> web.Response:
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<{root}>{content}</{root}>\n'
    return web.Response(text=text, content_type="text/xml", charset="utf-8")
