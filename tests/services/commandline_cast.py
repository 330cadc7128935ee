"""The other end of a command line, played by a script or by an SSH client with a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections import deque
from typing import TYPE_CHECKING, Any

import asyncssh

from base.trace import MemorySink, Trace
from cluster.audit import Actor
from cluster.config import Administrator
from cluster.store import ClusterStore
from lab.laboratory import database_path
from services.commandline.context import CommandContext, InputEnded
from services.commandline.interpreter import Outcome, execute
from services.commandline.logins import LoginLimits
from services.commandline.sftp import SftpServers
from services.commandline.ssh import SshLimits, SystemSsh
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from services.commandline.transfers import FileServers

HOST, PUB, SUB = "127.0.0.1", "alpha-pub", "alpha-sub1"
PASSWORD = "ucmsim"
QUICK = LoginLimits(first_delay_s=0.01, longest_delay_s=0.02)
OPERATOR = Actor("operator", "ssh 192.0.2.7")


class ScriptedConsole:
    """Gives answers and keys in order, and keeps all that was shown."""

    def __init__(self, *answers: str, keys: str = "", page: tuple[int, int] | None = None) -> None:
        self.page = page
        self.answers = deque(answers)
        self.keys = deque(keys)
        self.shown = ""
        self.secrets: list[str] = []

    async def read_line(self, prompt: str, *, secret: bool = False) -> str:
        if not self.answers:
            raise InputEnded
        answer = self.answers.popleft()
        if secret:
            self.secrets.append(answer)
        self.shown += prompt + ("" if secret else answer) + "\n"
        return answer

    async def read_key(self, prompt: str) -> str:
        if not self.keys:
            raise InputEnded
        self.shown += f"<{prompt}>\n"
        return self.keys.popleft()

    async def write(self, text: str) -> None:
        self.shown += text


class Desk:
    """A node's command line without SSH."""

    def __init__(self, store: ClusterStore, node: str = PUB, servers: FileServers | None = None) -> None:
        self.store = store
        self.context = CommandContext(node, store, OPERATOR, ScriptedConsole(), servers or SftpServers())
        self.outcome = Outcome.DONE

    async def __call__(self, line: str, *answers: str, keys: str = "", page: tuple[int, int] | None = None) -> str:
        """Runs a line; returns all that was shown."""
        console = ScriptedConsole(*answers, keys=keys, page=page)
        self.context.console = console
        self.outcome = await execute(self.context, line)
        assert not console.answers, f"nobody asked for {list(console.answers)}"
        return console.shown


async def open_copy(
    folder: Path, templates: Callable[[str], Awaitable[Path]], release: str = "12.5", trace: Trace | None = None
) -> ClusterStore:
    """A store on a copy of an installed cluster."""
    if not folder.exists():
        shutil.copytree(await templates(release), folder)
    return await ClusterStore.open(database_path(folder, "alpha"), trace=trace)


class SshNode:
    """System SSH of a node, and clients to it."""

    def __init__(self, store: ClusterStore, node: str = PUB, **limits: Any) -> None:
        self.store = store
        self.sink = MemorySink()
        self.service = SystemSsh(
            node,
            HOST,
            lambda: 0,
            store,
            Administrator(),
            trace=Trace(self.sink),
            limits=SshLimits(**{"logins": QUICK, **limits}),
        )

    @property
    def port(self) -> int:
        (listener,) = self.service.listeners
        return listener.port

    def connect(self, password: str = PASSWORD, user: str = "admin", **options: Any) -> Any:
        return asyncssh.connect(
            HOST,
            self.port,
            username=user,
            password=password,
            known_hosts=None,
            client_keys=None,
            agent_path=None,
            config=None,
            **options,
        )


@contextlib.asynccontextmanager
async def ssh_node(store: ClusterStore, node: str = PUB, **limits: Any) -> AsyncIterator[SshNode]:
    """Runs System SSH of a node."""
    served = SshNode(store, node, **limits)
    await served.service.start()
    try:
        yield served
    finally:
        await served.service.stop(2)


class Terminal:
    """A shell on a pseudo-terminal, as a person or a script sees it."""

    def __init__(self, process: asyncssh.SSHClientProcess[str]) -> None:
        self.process = process
        self._pending = ""

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        connection: asyncssh.SSHClientConnection,
        *,
        size: tuple[int, int] = (200, 1000),
        term: str | None = "vt100",
    ) -> AsyncIterator[Terminal]:
        process = await connection.create_process(term_type=term, term_size=size if term else (0, 0))
        try:
            yield cls(process)
        finally:
            process.close()

    def send(self, text: str) -> None:
        self.process.stdin.write(text)

    async def until(self, pattern: str) -> str:
        """All that arrives up to and with the first match."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = re.search(pattern, self._pending)
                if found:
                    seen, self._pending = self._pending[: found.end()], self._pending[found.end() :]
                    return seen
                chunk = await self.process.stdout.read(65_536)
                assert chunk, f"{pattern!r} never came; the end of what did: {self._pending[-500:]!r}"
                self._pending += chunk

    async def prompt(self) -> str:
        return await self.until(r"\radmin:")

    async def run(self, line: str) -> str:
        """Types a line at the prompt; returns what it printed, without echo and prompt."""
        self.send(f"{line}\n")
        seen = await self.prompt()
        return seen.removesuffix("\radmin:").partition("\r\n")[2].replace("\r\n", "\n")

    async def rest(self) -> str:
        """All that still comes before the end."""
        async with asyncio.timeout(PATIENCE_S):
            while chunk := await self.process.stdout.read(65_536):
                self._pending += chunk
        return self._pending
