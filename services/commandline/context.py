"""All that a command sees: the node, the cluster's store, who acts, and the person or script at the other end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from services.commandline.texts import Ours
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from cluster.audit import Actor
    from cluster.definition import NodeDefinition
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore
    from services.commandline.transfers import FileServers

T = TypeVar("T")

MAX_LINE = 4_096
"""Characters of a line."""
HIGHEST_LEVEL = 4
DEFAULT_IDLE_MINUTES = 30
"""Both are UCM's."""
_TAB = 8


class InputEnded(Exception):  # noqa: N818 - an event, not a failure
    """Whoever was asked will say no more: end of a script, a closed connection, Ctrl-D."""


class Declined(Exception):  # noqa: N818 - an answer
    """A confirmation was answered with no."""


class Console(Protocol):
    """The other end: an SSH session, a terminal, a test."""

    @property
    def page(self) -> tuple[int, int] | None:
        """Columns and rows of the screen; None when output is not shown in pages there."""
        ...

    async def read_line(self, prompt: str, *, secret: bool = False) -> str:
        """One line without its end; what is typed is not shown when `secret`.

        Raises:
            InputEnded: there will be none.
        """
        ...

    async def read_key(self, prompt: str) -> str:
        """One key; the prompt is taken away again.

        Raises:
            InputEnded: there will be none.
        """
        ...

    async def write(self, text: str) -> None:
        """Shows text; waits while the other end does not take it."""
        ...


@dataclass(slots=True)
class SessionSettings:
    """What an operator switches for the session.

    Attributes:
        pagination: long output is shown in pages.
        idle_minutes: after which the session is closed.
    """

    pagination: bool = True
    idle_minutes: float = DEFAULT_IDLE_MINUTES


@dataclass(slots=True)
class CommandContext:
    """One session of the command line.

    Attributes:
        node: name of the node whose command line it is.
        store: its cluster.
        actor: who acts, for the audit trail.
        console: whom it talks to.
        servers: SFTP servers elsewhere.
        level: privilege level of the account, 0 to 4.
        assume_yes: confirmations are answered without asking.
        settings: of this session.
        ended: the session is over.
    """

    node: str
    store: ClusterStore
    actor: Actor
    console: Console
    servers: FileServers
    level: int = HIGHEST_LEVEL
    assume_yes: bool = False
    settings: SessionSettings = field(default_factory=SessionSettings)
    ended: bool = False
    _rows: int = 0
    _discarding: bool = False
    _operations: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def snapshot(self) -> ClusterSnapshot:
        """The cluster at this moment."""
        return self.store.snapshot

    @property
    def definition(self) -> NodeDefinition:
        """The node."""
        found = self.snapshot.definition.node(self.node)
        assert found is not None, f"{self.node} is no node"  # noqa: S101 - whoever made the context looked
        return found

    # ------------------------------------------------------------------ talking

    def begin(self) -> None:
        """A command begins: its first page is empty."""
        self._rows, self._discarding = 0, False

    async def write(self, text: str = "") -> None:
        """Shows lines, a page at a time where that is wanted; after a ``q`` the command's further output is dropped.

        Control characters are shown as escapes: what is printed comes from certificates of others, too.
        """
        page = self.console.page if self.settings.pagination else None
        lines = [_shown(line) for line in text.split("\n")]
        if page is None:
            await self.console.write("\n".join(lines) + "\n")
            return
        for line in lines:
            await self._make_room(line, *page)
            if self._discarding:
                return
            await self.console.write(line + "\n")

    async def ask(self, prompt: str, *, secret: bool = False) -> str:
        """Asks for a line.

        Raises:
            InputEnded: there is nobody to answer.
            Refusal: the line is too long.
        """
        self.begin()
        line = await self.console.read_line(prompt, secret=secret)
        if len(line) > MAX_LINE:
            raise Refusal(413, Ours.LINE_TOO_LONG.format(limit=MAX_LINE))
        return line

    async def confirm(self, prompt: str, *yes: str) -> None:
        """Goes on when the answer is one of `yes`, in any case.

        Raises:
            Declined: it is anything else.
            InputEnded: there is nobody to answer.
        """
        if self.assume_yes:
            await self.console.write(f"{prompt}{yes[0]}\n")
        elif (await self.ask(prompt)).strip().lower() not in yes:
            raise Declined

    async def _make_room(self, line: str, columns: int, rows: int) -> None:
        needed = max(1, -(-len(line.expandtabs(_TAB)) // columns))
        if self._rows and self._rows + needed > rows - 1 and not self._discarding:
            await self._turn_page(rows)
        self._rows += needed

    async def _turn_page(self, rows: int) -> None:
        """Waits for one of the three keys."""
        while True:
            key = await self.console.read_key(Ours.MORE)
            if key in {"\r", "\n"}:
                self._rows = rows - 2
                return
            if key == " ":
                self._rows = 0
                return
            if key in {"q", "Q"}:
                self._discarding = True
                return

    # ------------------------------------------------------------------ operations

    async def finish(self, operation: Coroutine[Any, Any, T]) -> T:
        """Runs an operation to its end, though the command be interrupted or the connection lost meanwhile."""
        task = asyncio.create_task(operation)
        self._operations.add(task)
        task.add_done_callback(self._operations.discard)
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Waits for the operations that interrupted commands left behind."""
        await asyncio.gather(*self._operations, return_exceptions=True)


def _shown(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(mark if mark.isprintable() or mark == "\t" else repr(mark)[1:-1] for mark in line)
