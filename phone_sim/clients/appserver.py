"""The application server of a cluster, as the phone's directory and services keys use it.

Over HTTPS the server is judged before anything is sent: see `phone_sim.clients.http`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from phone_sim.clients.http import HttpLimits, get
from wire.errors import OperatorError, WireError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from base.trace import Trace
    from phone_sim.clients.http import Tls

_DEFAULT_PORT = {"http": 80, "https": 443}
_LIMITS = HttpLimits(max_size=256 * 1024)


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One line of a menu."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Menu:
    """A ``CiscoIPPhoneMenu``."""

    title: str
    prompt: str
    items: tuple[MenuItem, ...]


def parse_menu(data: bytes) -> Menu:
    """Reads a ``CiscoIPPhoneMenu``.

    Raises:
        WireError: not XML, with a DTD or entities, or another document.
    """
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise WireError(f"phone menu is not XML that a phone reads: {error!r}") from error
    if root.tag != "CiscoIPPhoneMenu":
        raise WireError(f"phone menu expected, {root.tag[:80]} found")
    items = tuple(MenuItem(_text(item, "Name"), _text(item, "URL")) for item in root.findall("MenuItem"))
    return Menu(_text(root, "Title"), _text(root, "Prompt"), items)


def _text(element: Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


async def open_menu(url: str, tls: Tls, *, trace: Trace, limits: HttpLimits = _LIMITS) -> Menu:
    """Fetches a menu; `tls` is used for an ``https`` URL, and a plain ``http`` one is judged by nobody.

    Raises:
        OperatorError: the URL is not one.
        FetchError: as `phone_sim.clients.http.get`.
        WireError: the answer is no menu.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORT[parts.scheme]
    except (ValueError, KeyError) as error:
        raise OperatorError(f"{url!r} is no URL that a phone can open") from error
    if not parts.hostname:
        raise OperatorError(f"{url!r} names no host")
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    secure = tls if parts.scheme == "https" else None
    return parse_menu(await get(parts.hostname, port, path, trace=trace, tls=secure, limits=limits))
