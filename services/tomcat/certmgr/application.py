"""The API over HTTP: who may call, which route it is, and every error as JSON."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from cluster.audit import Actor
from services.body import BodyLimits, read_body
from services.tomcat.certmgr import messages
from services.tomcat.certmgr.handlers import Call, Handlers, Reply
from wire.basicauth import decode_basic
from wire.errors import OperatorError, Refusal, WireError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from base.trace import Trace
    from cluster.store import ClusterStore
    from services.commandline.logins import Gatekeeper

    Handler = Callable[[Call], Awaitable[Reply]]

log = logging.getLogger("ucmsim.certmgr")

PREFIX = "/platformcom/api/v1/certmgr/config"
REALM = "CMPlatform Realm"
_CLOSING = frozenset({400, 408, 413, 415})
"""Answers after which part of the body may still be on its way."""
_DIGEST = re.compile(r'(?:W/)?"?(?P<hex>[0-9A-Fa-f]{64})"?')


class CertificateManager:
    """The API of one node.

    Args:
        node: which node.
        store: its cluster.
        gatekeeper: who judges passwords.
        limits: of request bodies.
    """

    def __init__(
        self, node: str, store: ClusterStore, gatekeeper: Gatekeeper, *, trace: Trace, limits: BodyLimits | None = None
    ) -> None:
        self._gatekeeper = gatekeeper
        self._trace = trace
        self._limits = limits or BodyLimits()
        self._routes = _routes(Handlers(node, store))

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path belongs to the API."""
        return path == PREFIX or path.startswith(f"{PREFIX}/")

    async def __call__(self, request: web.Request) -> web.Response:
        """One request; whatever happens is answered in JSON."""
        peer = request.remote or ""
        user = await self._user(request, peer)
        if user is None:
            reply = Reply(401, messages.refusal("log in with HTTP Basic as an administrator"), _CHALLENGE)
        else:
            reply = await self._answer(request, Actor(user, f"rest {peer}"))
        self._trace.emit(
            "certmgr_answered",
            peer=peer,
            method=request.method[:16],
            path=request.path[len(PREFIX) :][:255],
            status=reply.status,
            user=user or "",
        )
        return await _response(request, reply)

    async def _user(self, request: web.Request, peer: str) -> str | None:
        """Who is logged in; None when nobody is."""
        credentials = _credentials(request.headers.get(hdrs.AUTHORIZATION, ""))
        if credentials is None or not await self._gatekeeper.admits(peer, *credentials):
            return None
        return credentials[0]

    async def _answer(self, request: web.Request, actor: Actor) -> Reply:
        try:
            return await self._call(request, actor)
        except Refusal as refusal:
            return Reply(refusal.code, messages.refusal(str(refusal)), _allowed(refusal))
        except OperatorError as error:
            return Reply(503, messages.refusal(str(error)))
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return Reply(500, messages.refusal("this failed inside ucmsim; its log says how"))

    async def _call(self, request: web.Request, actor: Actor) -> Reply:
        methods = self._routes.get(request.path[len(PREFIX) :].strip("/"))
        if methods is None:
            raise Refusal(404, f"there is no {request.path[:255]!r}; there are: {', '.join(self._routes)}")
        handler = methods.get(hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method)
        if handler is None:
            raise _WrongMethod(request.method, [*methods, *([hdrs.METH_HEAD] if hdrs.METH_GET in methods else [])])
        body = await read_body(request, self._limits) if request.method == hdrs.METH_POST else b""
        return await handler(Call(request.query, body, actor, _seen(request.headers.get(hdrs.IF_MATCH))))


class _WrongMethod(Refusal):
    """A route that exists, asked in a way that does not."""

    def __init__(self, method: str, allowed: list[str]) -> None:
        super().__init__(405, f"{method[:16]} is not possible here; possible: {', '.join(allowed)}")
        self.allowed = allowed


_CHALLENGE: dict[str, str] = {hdrs.WWW_AUTHENTICATE: f'Basic realm="{REALM}"'}


def _routes(handlers: Handlers) -> dict[str, dict[str, Handler]]:
    """Path below the prefix -> method -> handler; the table is told in the package's docstring."""
    request: dict[str, Handler] = {
        "GET": handlers.get_request,
        "POST": handlers.make_request,
        "DELETE": handlers.delete_request,
    }
    identity: dict[str, Handler] = {"GET": handlers.get_identity, "POST": handlers.upload_identity}
    trust: dict[str, Handler] = {
        "GET": handlers.get_trust,
        "POST": handlers.upload_trust,
        "DELETE": handlers.delete_trust,
    }
    return {
        "csr": request,
        "identity/certificate": identity,
        "identity/certificates": identity,
        "identity/selfsigned": {"POST": handlers.regenerate},
        "trust/certificate": trust,
        "trust/certificates": trust,
        "snapshot/server": {"GET": handlers.snapshot},
        "snapshot/options": {"GET": handlers.options},
        "options": {"GET": handlers.options},
    }


def _credentials(header: str) -> tuple[str, str] | None:
    """User and password of HTTP Basic; None when there are none."""
    try:
        return decode_basic(header)
    except WireError:
        return None


def _seen(header: str | None) -> bytes | None:
    if header is None or header.strip() == "*":
        return None
    found = _DIGEST.fullmatch(header.strip())
    if found is None:
        raise Refusal(400, "If-Match is not the ETag of an own certificate")
    return bytes.fromhex(found["hex"])


def _allowed(refusal: Refusal) -> dict[str, str]:
    return {hdrs.ALLOW: ", ".join(refusal.allowed)} if isinstance(refusal, _WrongMethod) else {}


async def _response(request: web.Request, reply: Reply) -> web.Response:
    """JSON, without a reason phrase as the product's Tomcat sends it."""
    response = web.Response(
        status=reply.status,
        reason="",
        text=await asyncio.to_thread(messages.encode, reply.document),
        content_type="application/json",
        charset="utf-8",
        headers={hdrs.CACHE_CONTROL: "no-store", **reply.headers},
    )
    if reply.status in _CLOSING and not request.content.is_eof():
        response.force_close()
    return response
