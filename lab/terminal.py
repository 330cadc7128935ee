"""This terminal as the console of a node's command line, for ``ucmsim admin``.

Nothing else happens in the process while a person thinks, so reading simply blocks. Ctrl-C at a question cancels the
command that asked.
"""

from __future__ import annotations

import asyncio
import getpass
import shutil
import signal
import sys
import termios
import tty
from typing import TYPE_CHECKING

from services.commandline.context import InputEnded

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_SMALLEST_PAGE = (20, 5)


class TerminalConsole:
    """Implements `services.commandline.context.Console`.

    Args:
        paged: long output is shown in pages when both ends are a terminal.
        kept: takes the output instead of stdout.
    """

    def __init__(self, *, paged: bool = False, kept: list[str] | None = None) -> None:
        self._paged = paged and sys.stdin.isatty() and sys.stdout.isatty()
        self._kept = kept

    @property
    def page(self) -> tuple[int, int] | None:
        """See `Console.page`."""
        columns, rows = shutil.get_terminal_size()
        if not self._paged or columns < _SMALLEST_PAGE[0] or rows < _SMALLEST_PAGE[1]:
            return None
        return columns, rows

    async def read_line(self, prompt: str, *, secret: bool = False) -> str:
        """See `Console.read_line`."""
        return _interruptible(lambda: _line(prompt, secret=secret))

    async def read_key(self, prompt: str) -> str:
        """See `Console.read_key`."""
        key = _interruptible(lambda: _key(prompt))
        sys.stdout.write(f"\r{' ' * len(prompt)}\r")
        return key

    async def write(self, text: str) -> None:
        """See `Console.write`."""
        if self._kept is not None:
            self._kept.append(text)
            return
        sys.stdout.write(text)
        sys.stdout.flush()


def _line(prompt: str, *, secret: bool) -> str:
    """A prompt goes to the terminal, or to stderr when stdout is no terminal, so that results stay clean."""
    if sys.stdin.isatty():
        try:
            return getpass.getpass(prompt) if secret else input(prompt)
        except EOFError:
            raise InputEnded from None
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise InputEnded
    sys.stderr.write("\n" if prompt else "")
    return line.rstrip("\r\n")


def _key(prompt: str) -> str:
    """Keys count from the moment the prompt is seen: the terminal is switched before, not after."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        sys.stdout.write(prompt)
        sys.stdout.flush()
        key = sys.stdin.read(1)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
    if not key:
        raise InputEnded
    return key


def _interruptible(read: Callable[[], str]) -> str:
    """Ctrl-C ends the reading at once; the event loop's own handler would wait for the line."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        return read()
    except KeyboardInterrupt:
        raise asyncio.CancelledError from None
    finally:
        signal.signal(signal.SIGINT, before)
