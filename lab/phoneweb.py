"""Serves a phone's own web pages while it runs, and takes what servers push to it.

Off unless somebody asks for it, as on real phones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

import typer
from aiohttp import web

from phone_sim.pushing import MAX_BODY
from phone_sim.webpages import WebFacts, page
from services.body import BodyLimits, read_body
from services.http import HttpLimits, HttpListener
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from phone_sim.pushing import PushDesk

LIMITS = HttpLimits(connections=32, idle_s=5.0, answer_s=30.0, header_size=4_096)
EXECUTE = "/CGI/Execute"
_BODY = BodyLimits(size=MAX_BODY)
_REALM = 'Basic realm="user"'
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}
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
        desk: takes pushes; without one there is nothing to push to.
        allowed: whether the configuration lets the phone have web pages.
    """

    def __init__(
        self,
        where: tuple[str, int],
        facts: Callable[[], WebFacts],
        trace: Trace,
        *,
        desk: PushDesk | None = None,
        allowed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._facts, self._desk, self._allowed = facts, desk, allowed
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
        if not self._allowed():
            return web.Response(status=403, text="Web access is disabled by the phone's configuration.")
        if request.path == EXECUTE and self._desk is not None:
            return await self._execute(request, self._desk)
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        found = page(request.path_qs, self._facts())
        if found is None:
            return web.Response(status=404, text="Not Found")
        content_type, body = found
        return web.Response(body=body, content_type=content_type, headers=_HEADERS)

    @staticmethod
    async def _execute(request: web.Request, desk: PushDesk) -> web.Response:
        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "POST"})
        try:
            body = await read_body(request, _BODY)
        except Refusal as refusal:
            return web.Response(status=refusal.code, text=str(refusal), headers={"Connection": "close"})
        pushed = await desk.push(request.headers.get("Authorization", ""), body)
        headers = {"WWW-Authenticate": _REALM} if pushed.status == 401 else {}
        return web.Response(status=pushed.status, body=pushed.body, content_type="text/xml", headers=headers)
