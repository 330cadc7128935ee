"""The application servers of a cluster, as the phone's directories and services keys use them.

Over HTTPS the server is judged before anything is sent: see `phone_sim.clients.http`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from phone_sim.clients.http import HttpLimits, fetch
from wire.basicauth import encode_basic
from wire.errors import OperatorError
from wire.ipphone import decode

if TYPE_CHECKING:
    from base.trace import Trace
    from phone_sim.clients.http import HttpAnswer, Tls
    from wire.ipphone import PhoneObject

_DEFAULT_PORT = {"http": 80, "https": 443}
_MAX_SIZE = 256 * 1024
_REFRESH = re.compile(r"\s*\d+\s*;\s*url\s*=\s*(\S+)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a server showed.

    Attributes:
        content: the object.
        next_url: where it goes on, by the header ``Refresh``; empty when it is all.
    """

    content: PhoneObject
    next_url: str = ""


async def open_object(url: str, tls: Tls, *, trace: Trace, limits: HttpLimits | None = None) -> Opened:
    """Fetches an XML object; `tls` is used for an ``https`` URL, and a plain ``http`` one is judged by nobody.

    Raises:
        OperatorError: the URL is not one.
        FetchError: as `phone_sim.clients.http.fetch`.
        WireError: the answer is no object for phones.
    """
    answer = await ask(url, tls, trace=trace, limits=limits)
    found = _REFRESH.fullmatch(answer.refresh)
    return Opened(decode(answer.body), found[1] if found else "")


async def ask(
    url: str,
    tls: Tls,
    *,
    trace: Trace,
    limits: HttpLimits | None = None,
    login: tuple[str, str] | None = None,
    wanted: frozenset[int] = frozenset({200}),
) -> HttpAnswer:
    """Fetches anything of at most 256 KiB.

    Args:
        url: ``http`` or ``https``.
        tls: for the latter.
        trace: as for `fetch`.
        limits: time, of the answer's size what is less.
        login: user and password, sent as HTTP Basic.
        wanted: statuses that are no failure.

    Raises:
        OperatorError: the URL is not one.
        FetchError: as `phone_sim.clients.http.fetch`.
        WireError: the login cannot be sent.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORT[parts.scheme]
    except (ValueError, KeyError) as error:
        raise OperatorError(f"{without_query(url)!r} is no URL that a phone can open") from error
    if not parts.hostname:
        raise OperatorError(f"{without_query(url)!r} names no host")
    limits = limits or HttpLimits()
    return await fetch(
        parts.hostname,
        port,
        f"{parts.path}?{parts.query}" if parts.query else parts.path,
        trace=trace,
        tls=tls if parts.scheme == "https" else None,
        limits=HttpLimits(limits.connect_s, limits.transfer_s, min(limits.max_size, _MAX_SIZE)),
        authorization=encode_basic(*login) if login is not None else "",
        wanted=wanted,
    )


def without_query(url: str) -> str:
    """What may be shown and traced of a URL: what people filled in stands behind the ``?``."""
    return url.partition("?")[0]
