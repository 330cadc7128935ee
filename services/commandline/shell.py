"""One session of the command line over SSH: a shell with UCM's banner and prompt, or a single command (exec)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import asyncssh

from cluster.audit import Actor
from services.commandline.channel import ChannelConsole, IdleTooLong, Interrupted
from services.commandline.context import CommandContext, InputEnded
from services.commandline.interpreter import Outcome, complete, execute, explain
from services.commandline.texts import Ours, Ucm

if TYPE_CHECKING:
    from base.trace import Trace
    from cluster.store import ClusterStore
    from services.commandline.channel import ChannelLimits
    from services.commandline.transfers import FileServers

log = logging.getLogger("ucmsim.commandline")

ASSUME_YES = "UCMSIM_ASSUME_YES"
"""Environment variable of a client: ``1`` answers every confirmation."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


@dataclass(frozen=True, slots=True)
class Office:
    """What the sessions of a node share.

    Attributes:
        idle_minutes: that a session begins with.
    """

    node: str
    store: ClusterStore
    servers: FileServers
    limits: ChannelLimits
    idle_minutes: float
    trace: Trace


class Roll(Protocol):
    """Where sessions sign in and out."""

    def opened(self, session: ShellSession) -> None:
        """A session begins."""
        ...

    def closed(self, session: ShellSession) -> None:
        """It has ended, and so has whatever its commands began."""
        ...


class ShellSession(asyncssh.SSHServerSession[str]):
    """Serves one channel.

    Args:
        office: shared.
        roll: told of begin and end.
        user: who logged in.
        source: address of the client.
    """

    def __init__(self, office: Office, roll: Roll, user: str, source: str) -> None:
        self._office = office
        self._roll = roll
        self._actor = Actor(user, f"ssh {source}")
        self._trace = office.trace.bind(session=f"{user}@{source}")
        self._command: str | None = None
        self._channel: asyncssh.SSHServerChannel[str] | None = None
        self._console: ChannelConsole | None = None
        self._context: CommandContext | None = None
        self._running: asyncio.Task[Outcome] | None = None
        self.task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ what asyncssh calls

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        """See `asyncssh.SSHServerSession`."""
        self._channel = chan

    def pty_requested(
        self,
        term_type: str,
        term_size: tuple[int, int, int, int],  # noqa: ARG002 - the channel keeps it
        term_modes: object,  # noqa: ARG002
    ) -> bool:
        """A terminal without a name could not be edited on: refused, which clients take for no terminal."""
        return bool(term_type)

    def shell_requested(self) -> bool:
        """See `asyncssh.SSHServerSession`."""
        return True

    def exec_requested(self, command: str) -> bool:
        """See `asyncssh.SSHServerSession`."""
        self._command = command
        return True

    def session_started(self) -> None:
        """See `asyncssh.SSHServerSession`."""
        channel, office = self._channel, self._office
        assert channel is not None  # noqa: S101 - made before it starts
        editing = bool(channel.get_terminal_type())
        console = ChannelConsole(
            channel, editing=editing, idle_s=lambda: context.settings.idle_minutes * 60, limits=office.limits
        )
        context = CommandContext(office.node, office.store, self._actor, console, office.servers)
        context.settings.idle_minutes = office.idle_minutes
        context.assume_yes = channel.get_environment().get(ASSUME_YES) == "1"
        self._console, self._context = console, context
        if editing:
            editor = console.editor
            editor.register_key("?", self._explain)
            editor.register_key("\t", self._complete)
        self._roll.opened(self)
        self.task = asyncio.create_task(self._serve(console, context))
        self.task.add_done_callback(lambda _task: self._roll.closed(self))

    def data_received(self, data: str, datatype: int | None) -> None:  # noqa: ARG002
        """See `asyncssh.SSHServerSession`."""
        if self._console is not None and self._console.feed(data):
            self._interrupt()

    def eof_received(self) -> bool:
        """The answer to what was asked may still go out."""
        if self._console is not None:
            self._console.end()
        return True

    def soft_eof_received(self) -> None:
        """Ctrl-D."""
        if self._console is not None:
            self._console.end_once()

    def break_received(self, msec: int) -> bool:  # noqa: ARG002
        """Ctrl-C."""
        self._interrupt()
        return True

    def signal_received(self, signal: str) -> None:
        """``INT`` is a Ctrl-C."""
        if signal == "INT":
            self._interrupt()

    def pause_writing(self) -> None:
        """See `asyncssh.SSHServerSession`."""
        if self._console is not None:
            self._console.writable(now=False)

    def resume_writing(self) -> None:
        """See `asyncssh.SSHServerSession`."""
        if self._console is not None:
            self._console.writable(now=True)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client is gone; what its command began is finished all the same, see `CommandContext.finish`."""
        if self.task is not None:
            self.task.cancel()

    # ------------------------------------------------------------------ keys

    def _interrupt(self) -> None:
        console = self._console
        if console is None:
            return
        console.forget()
        if self._running is not None:
            self._running.cancel()
        else:
            console.interrupt()

    def _explain(self, line: str, position: int) -> bool | tuple[str, int]:
        """The key ``?`` at the prompt."""
        console, context = self._console, self._context
        if console is None or context is None or not console.at_prompt:
            return True
        try:
            text = explain(context, line[:position])
        except Exception:
            log.exception("no help for a line")
            return True
        if text is None:
            return True
        console.show_help(f"{line[:position]}?", text)
        return line, position

    def _complete(self, line: str, position: int) -> bool | tuple[str, int]:
        """The key tab at the prompt."""
        console, context = self._console, self._context
        if console is None or context is None or not console.at_prompt:
            return False
        try:
            begun, fitting = complete(context, line[:position])
        except Exception:
            log.exception("no completion for a line")
            return False
        if begun == line[:position] and not fitting:
            return False
        if begun == line[:position]:
            console.show_help(begun, "\n".join(f"   {word}" for word in fitting))
        return begun + line[position:], len(begun)

    # ------------------------------------------------------------------ the session

    async def _serve(self, console: ChannelConsole, context: CommandContext) -> None:
        try:
            if self._command is None:
                await self._shell(console, context)
                status = 0
            else:
                status = await self._execute(context, self._command)
            await self._leave(status)
        except Exception:
            log.exception("a session of the command line failed")
            await self._leave(Outcome.REFUSED.value)
        finally:
            await context.settle()

    async def _leave(self, status: int) -> None:
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.exit(status)

    async def _shell(self, console: ChannelConsole, context: CommandContext) -> None:
        await console.write(f"{Ucm.STARTING}\n\n{Ucm.WELCOME}\n\n{Ucm.MACHINE}\n\n")
        while not context.ended:
            try:
                line = await console.read_command()
            except Interrupted:
                await console.write("\n")
            except IdleTooLong:
                await console.write(f"\n{Ours.CLOSING_IDLE.format(minutes=context.settings.idle_minutes)}\n")
                return
            except InputEnded:
                await console.write("\n")
                return
            else:
                await self._execute(context, line)

    async def _execute(self, context: CommandContext, line: str) -> int:
        """Runs a line so that a Ctrl-C ends the command and not the session."""
        self._running = asyncio.create_task(execute(context, line))
        try:
            outcome = await self._running
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            await context.console.write("^C\n")
            return INTERRUPTED
        finally:
            self._running = None
        known = outcome is not Outcome.USAGE  # a line that is no command could be a password in the wrong place
        self._trace.emit("command", line=_without_blanks(line) if known else "", outcome=outcome.name)
        return outcome.value

    async def close(self, message: str) -> None:
        """Ends the session from the server's side."""
        if self._console is not None:
            with contextlib.suppress(OSError):
                await asyncio.wait_for(self._console.write(f"\n{message}\n"), 0.5)
        await self._leave(0)
        if self.task is not None:
            self.task.cancel()


def _without_blanks(line: str) -> str:
    return " ".join(line.split())[:200]
