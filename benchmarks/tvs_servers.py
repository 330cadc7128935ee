"""The servers that the TVS benchmark compares, each a process of its own: KIND FOLDER.

``ours`` serves the store in FOLDER. ``bare`` shows the same certificate in the same TLS context and says nothing: it is
what Python can do at most when each question has a connection of its own. ``echo`` answers whatever it is sent
with a prepared answer: what remains when the question need not be understood.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from base.tls import server_context
from base.trace import Trace
from benchmarks.machine import announce, commands, rss_kib
from cluster.purposes import Purpose
from cluster.store import ClusterStore
from lab.laboratory import DATABASE
from services.tvs.daemon import CIPHERS, TvsDaemon
from wire.tvs import Status, VerifyResponse, encode

if TYPE_CHECKING:
    from base.identity import Identity

HOST = "127.0.0.1"
_BACKLOG = 1_024  # as the daemon's
_ANSWER = encode(VerifyResponse(1, Status.TRUSTED, (0, 2), 86_400))


class _Bare(asyncio.Protocol):
    """Nothing after the handshake; the client closes."""


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, _data: bytes) -> None:
        self._transport.write(_ANSWER)


async def _serve_ours(path: Path) -> None:
    before_kib, begun = rss_kib(), time.process_time()
    store = await ClusterStore.open(path)
    opened_cpu_s, held_kib = time.process_time() - begun, rss_kib() - before_kib
    store.watch()
    publisher = store.snapshot.definition.publisher.name
    daemon = TvsDaemon(
        lambda: store.snapshot,
        lambda: store.snapshot.require(publisher, Purpose.TVS).identity,
        HOST,
        lambda: 0,
        trace=Trace(),
    )
    await daemon.start()
    announce(port=daemon.listeners[0].port, opened_cpu_s=opened_cpu_s, held_kib=held_kib)
    async for _ in commands():
        pass
    await daemon.stop(0)
    await store.close()


async def _identity(path: Path) -> Identity:
    store = await ClusterStore.open(path)
    snapshot = store.snapshot
    await store.close()
    return snapshot.require(snapshot.definition.publisher.name, Purpose.TVS).identity


async def _serve_bare(path: Path, protocol: type[asyncio.Protocol]) -> None:
    context = server_context([await _identity(path)], minimum=ssl.TLSVersion.TLSv1, ciphers=CIPHERS)
    server = await asyncio.get_running_loop().create_server(
        protocol, HOST, 0, ssl=context, backlog=_BACKLOG, ssl_handshake_timeout=5.0, ssl_shutdown_timeout=1.0
    )
    announce(port=server.sockets[0].getsockname()[1])
    async for _ in commands():
        pass
    server.close()


def main() -> None:
    """See the module."""
    kind, path = sys.argv[1], Path(sys.argv[2]) / DATABASE
    if kind == "ours":
        asyncio.run(_serve_ours(path))
    else:
        asyncio.run(_serve_bare(path, {"bare": _Bare, "echo": _Echo}[kind]))


if __name__ == "__main__":
    main()
