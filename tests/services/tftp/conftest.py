"""A daemon with a few files, in either mode."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import pytest

from base.trace import MemorySink, Trace
from services.tftp.transfer import Patience
from services.tftp.udp import TftpDaemon, TftpLimits
from tests.waiting import PATIENCE_S
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.services.tftp.client import Address

HASTY = Patience(retransmit_s=0.02, max_retransmit_s=0.04, max_retries=2)
"""For clients that vanish."""


class Files:
    """A source of bytes by name."""

    def __init__(self) -> None:
        self.contents = {"six.bin": bytes(range(256)) * 24, "small.txt": b"one\r\ntwo\n", "empty": b""}
        self.asked: list[tuple[str, str, str]] = []
        self.fails: Exception | None = None

    def read(self, name: str, peer: str, transport: str) -> bytes:
        self.asked.append((name, peer, transport))
        if self.fails is not None:
            raise self.fails
        if name not in self.contents:
            raise Refusal(1, "File not found")
        return self.contents[name]


@dataclass
class Served:
    """A daemon at work."""

    daemon: TftpDaemon
    files: Files
    sink: MemorySink
    address: Address = field(init=False)

    def __post_init__(self) -> None:
        listener = self.daemon.listeners[0]
        self.address = (listener.host, listener.port)

    async def until_idle(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.daemon.wait_idle()


class ServerMaker(Protocol):
    async def __call__(
        self,
        host: str = "127.0.0.1",
        *,
        single_port: bool = False,
        port_range: tuple[int, int] | None = None,
        limits: TftpLimits | None = None,
    ) -> Served: ...


@pytest.fixture
async def serve() -> AsyncIterator[ServerMaker]:
    """Starts daemons; what is still under way when the test ends is dropped."""
    async with AsyncExitStack() as stack:

        async def start(
            host: str = "127.0.0.1",
            *,
            single_port: bool = False,
            port_range: tuple[int, int] | None = None,
            limits: TftpLimits | None = None,
        ) -> Served:
            files, sink = Files(), MemorySink()
            daemon = TftpDaemon(
                files, host, 0, trace=Trace(sink), single_port=single_port, port_range=port_range, limits=limits
            )
            await daemon.start()
            stack.push_async_callback(daemon.stop, 0)
            return Served(daemon, files, sink)

        yield start


@pytest.fixture(params=[False, True], ids=["own ports", "single port"])
def single_port(request: pytest.FixtureRequest) -> bool:
    """Both modes: most promises are the same in either."""
    return bool(request.param)
