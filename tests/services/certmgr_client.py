"""The certificate management API on a port of its own, and a client that says exactly what a test wants said."""

from __future__ import annotations

import base64
import json
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from base.trace import MemorySink, Trace
from cluster.config import Administrator
from cluster.store import ClusterStore
from lab.laboratory import database_path
from services.commandline.logins import Gatekeeper, LoginLimits
from services.http import HttpListener
from services.tomcat.certmgr.application import PREFIX, CertificateManager
from tests.services.wires import HOST, Answer, send

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from base.clock import Clock
    from services.body import BodyLimits
    from services.http import HttpLimits

USER, PASSWORD = "admin", "ucmsim"
QUICK = LoginLimits(first_delay_s=0.001, longest_delay_s=0.002)


def basic(user: str = USER, password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclass(frozen=True)
class Client:
    """Of one node's API, logged in."""

    port: int
    context: ssl.SSLContext | None = None
    login: str | None = field(default_factory=basic)

    async def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """`body` is sent as it is when bytes, else as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {
            "Host": f"{HOST}:{self.port}",
            "Connection": "close",
            **({"Content-Length": str(len(data))} if body is not None else {}),
            **({"Authorization": self.login} if self.login is not None else {}),
            **(headers or {}),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        request = f"{method} {PREFIX}/{path} HTTP/1.1\r\n{lines}\r\n".encode() + data
        return Answer.parse(await send(self.port, request, self.context))

    async def said(self, status: int, method: str, path: str, body: object = None, **headers: str) -> dict[str, Any]:
        """What is answered, which has to be JSON and of that status."""
        answer = await self.call(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
        document = read(answer)
        assert answer.status == status, document
        return document

    async def get(self, path: str) -> dict[str, Any]:
        return await self.said(200, "GET", path)


def read(answer: Answer) -> dict[str, Any]:
    """The JSON object of an answer."""
    assert answer.header("Content-Type") == "application/json; charset=utf-8"
    document = json.loads(answer.body)
    assert isinstance(document, dict)
    return document


@dataclass(frozen=True)
class Api:
    """A running API and what is behind it."""

    store: ClusterStore
    client: Client
    sink: MemorySink


@asynccontextmanager
async def running_api(
    state: Path,
    template: Path,
    *,
    node: str = "alpha-pub",
    clock: Clock | None = None,
    limits: HttpLimits | None = None,
    body: BodyLimits | None = None,
    logins: LoginLimits = QUICK,
) -> AsyncIterator[Api]:
    """One node's API over plain HTTP, on a copy of an installed cluster."""
    if not state.exists():
        shutil.copytree(template, state)
    sink = MemorySink()
    trace = Trace(sink)
    store = await ClusterStore.open(database_path(state, "alpha"), clock=clock)
    manager = CertificateManager(node, store, Gatekeeper(Administrator(), logins), trace=trace, limits=body)
    listener = HttpListener("HTTP", HOST, 0, manager, trace=trace, limits=limits)
    await listener.start()
    try:
        yield Api(store, Client(listener.listeners[0].port), sink)
    finally:
        await listener.stop(0)
        await store.close()
