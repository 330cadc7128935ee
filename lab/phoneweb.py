"""Serves a phone's own web pages while it runs; off unless somebody asks for it, as on real phones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

import typer
from aiohttp import web

from phone_sim.webpages import WebFacts, page
from services.http import HttpLimits, HttpListener

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace

LIMITS = HttpLimits(connections=32, idle_s=5.0, answer_s=30.0, header_size=4_096)
_WHERE = re.compile(r"(?:(?P<host>[^:\s]+):)?(?P<port>[0-9]{1,5})")


def web_address(text: str) -> tuple[str, int]:
    """``[HOST:]PORT``; the port may be 0 for any free one.

    Raises:
        typer.BadParameter: neither.
    """
    match = _WHERE.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise typer.BadParameter(f"{text!r} is not PORT or HOST:PORT")
    return match["host"] or "127.0.0.1", int(match["port"])


class PhoneWeb:
    """The pages of one phone; use as ``async with``.

    Args:
        where: host and port to bind.
        facts: gives what is true now.
    """

    def __init__(self, where: tuple[str, int], facts: Callable[[], WebFacts], trace: Trace) -> None:
        self._facts = facts
        self._listener = HttpListener("HTTP", *where, self._answer, trace=trace.bind(service="Web"), limits=LIMITS)

    @property
    def url(self) -> str:
        """Where it is, while it is."""
        (bound,) = self._listener.listeners
        return f"http://{bound.host}:{bound.port}/"

    async def __aenter__(self) -> Self:
        """Binds.

        Raises:
            OperatorError: the address cannot be bound.
        """
        await self._listener.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._listener.stop(1.0)

    async def _answer(self, request: web.Request) -> web.Response:
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        found = page(request.path, self._facts())
        if found is None:
            return web.Response(status=404, text="Not Found")
        content_type, body = found
        return web.Response(body=body, content_type=content_type, headers={"X-Content-Type-Options": "nosniff"})
