"""An SSH channel as the console of a command line: lines, keys, prompts, flow control.

With a pseudo-terminal asyncssh's line editor echoes, edits and keeps a history; it hands over whole lines, or
single keys while line mode is off. Without one there is no echo, and lines are taken from the stream.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from services.commandline.context import MAX_LINE, InputEnded
from services.commandline.texts import Ucm

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncssh
    from asyncssh.editor import SSHLineEditorChannel

_CTRL_C = "\x03"
_SMALLEST_PAGE = (20, 5)
"""Columns and rows below which nothing is shown in pages."""


class Interrupted(Exception):  # noqa: N818 - an event
    """Ctrl-C at the prompt."""


class IdleTooLong(InputEnded):
    """Nothing was typed for as long as the session may be idle."""


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """Bounds on one session.

    Attributes:
        waiting: characters of lines that wait to be read; reading stops until there is room.
        write_s: how long a client may leave output lying before it is cut off.
    """

    waiting: int = 128 * 1024
    write_s: float = 60.0


class ChannelConsole:
    """Implements `services.commandline.context.Console`.

    Args:
        channel: open; with a line editor around it when `editing`.
        editing: there is a terminal.
        idle_s: asked at each read.
    """

    def __init__(
        self,
        channel: asyncssh.SSHServerChannel[str],
        *,
        editing: bool,
        idle_s: Callable[[], float],
        limits: ChannelLimits,
    ) -> None:
        self._channel = channel
        self._editing = editing
        self._idle_s = idle_s
        self._limits = limits
        self._lines: deque[str | InputEnded | Interrupted] = deque()
        self._waiting = 0
        self._partial = ""
        self._keys: deque[str] | None = None
        self._ended = False
        self._paused = False
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.at_prompt = False

    @property
    def page(self) -> tuple[int, int] | None:
        """See `Console.page`."""
        columns, rows, *_ = self._channel.get_terminal_size()
        if not self._editing or columns < _SMALLEST_PAGE[0] or rows < _SMALLEST_PAGE[1]:
            return None
        return columns, rows

    @property
    def editor(self) -> SSHLineEditorChannel:
        """The line editor; there is one when the console is edited."""
        return cast("SSHLineEditorChannel", self._channel)

    # ------------------------------------------------------------------ what arrives

    def feed(self, data: str) -> bool:
        """Takes what the client sent; True when there was a Ctrl-C in it that the line editor did not see."""
        if self._keys is not None:
            before, interrupt, after = data.partition(_CTRL_C)
            self._keys.extend(after if interrupt else before)
            self._arrived.set()
            return bool(interrupt)
        *lines, rest = (self._partial + data).split("\n")
        for line in lines:
            self._put(line.removesuffix("\r"))
        self._partial = rest[: MAX_LINE + 1]  # longer than a line may be is enough to refuse it
        return False

    def _put(self, line: str | InputEnded | Interrupted) -> None:
        if isinstance(line, str):
            line = line[: MAX_LINE + 1]
            self._waiting += len(line) + 1
        self._lines.append(line)
        self._arrived.set()
        self._balance()

    def end(self) -> None:
        """No more will come."""
        if self._partial:
            self._put(self._partial)
            self._partial = ""
        self._ended = True
        self._arrived.set()

    def end_once(self) -> None:
        """Ctrl-D: an end that one question or prompt takes."""
        self._put(InputEnded())

    def interrupt(self) -> None:
        """Ctrl-C at the prompt, or while nothing runs."""
        if self._editing and self._keys is None:
            self.editor.clear_input()
        self._put(Interrupted())

    def forget(self) -> None:
        """Drops what was typed ahead of a Ctrl-C."""
        self._lines.clear()
        self._waiting = 0
        if self._keys is not None:
            self._keys.clear()
        elif self._editing:
            self.editor.clear_input()
        self._balance()

    def writable(self, *, now: bool) -> None:
        """The client takes output, or leaves it lying; then its input, whose echo would lie there too, has to wait."""
        if now:
            self._writable.set()
        else:
            self._writable.clear()
        self._balance()

    def _balance(self) -> None:
        full = self._waiting > self._limits.waiting or not self._writable.is_set()
        if full and not self._paused:
            self._channel.pause_reading()
        elif self._paused and not full:
            self._channel.resume_reading()
        self._paused = full

    # ------------------------------------------------------------------ reading

    async def read_command(self) -> str:
        """A line at UCM's prompt, which goes out as a carriage return and the prompt.

        Raises:
            InputEnded: there will be none.
            Interrupted: Ctrl-C.
        """
        self._leave_keys()
        if self._editing:
            self._write(lambda: self._channel.writelines(["\r"]))  # past the editor, which would count a column
        self.at_prompt = True
        try:
            return await self._line(Ucm.PROMPT)
        finally:
            self.at_prompt = False

    async def read_line(self, prompt: str, *, secret: bool = False) -> str:
        """See `Console.read_line`."""
        self._leave_keys()
        if not (secret and self._editing):
            return await self._line(prompt)
        self.editor.set_echo(False)
        try:
            return await self._line(prompt)
        finally:
            self.editor.set_echo(True)

    async def _line(self, prompt: str) -> str:
        await self.write(prompt)
        while not self._lines:
            if self._ended:
                raise InputEnded
            await self._more()
        line = self._lines.popleft()
        if not isinstance(line, str):
            raise line
        self._waiting -= len(line) + 1
        self._balance()
        if prompt and not self._editing:
            await self.write("\n")  # nobody echoed the end of the line
        return line

    async def read_key(self, prompt: str) -> str:
        """See `Console.read_key`."""
        if self._keys is None:
            self._keys = deque()
            self.editor.set_line_mode(False)  # what was typed ahead arrives as keys
        self._write(lambda: self._channel.writelines([prompt]))
        while not self._keys:
            if self._ended:
                raise InputEnded
            await self._more()
        self._write(lambda: self._channel.writelines([f"\r{' ' * len(prompt)}\r"]))
        return self._keys.popleft()

    def _leave_keys(self) -> None:
        """Back to lines; keys that nobody asked for become input again."""
        if self._keys is None:
            return
        typed, self._keys = "".join(self._keys), None
        self.editor.set_line_mode(True)
        *lines, rest = typed.replace("\r", "\n").split("\n")
        for line in lines:
            self._put(line)
        if rest:
            self.editor.set_input(rest[:MAX_LINE], min(len(rest), MAX_LINE))

    async def _more(self) -> None:
        self._arrived.clear()
        try:
            async with asyncio.timeout(self._idle_s()):
                await self._arrived.wait()
        except TimeoutError:
            self._ended = True
            raise IdleTooLong from None

    # ------------------------------------------------------------------ writing

    async def write(self, text: str) -> None:
        """See `Console.write`. A channel that is gone takes it; one that takes nothing for long is cut."""
        self._write(lambda: self._channel.write(text))
        if self._writable.is_set():
            return
        try:
            async with asyncio.timeout(self._limits.write_s):
                await self._writable.wait()
        except TimeoutError:
            self._channel.abort()

    def show_help(self, line: str, text: str) -> None:
        """Text below a line that is being typed, and the prompt again; the editor puts the line back."""
        self.editor.clear_input()
        self._write(lambda: self._channel.write(f"{line}\n{text}\n"))
        self._write(lambda: self._channel.writelines(["\r"]))
        self._write(lambda: self._channel.write(Ucm.PROMPT))

    @staticmethod
    def _write(action: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):  # the client is gone, and the session will be told
            action()
