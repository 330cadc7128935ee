"""How commands speak: tables and colours for people on a terminal, JSON for programs, progress on stderr.

What is printed often comes from a certificate or a file of somebody else. It is shown as it is: nothing in it is taken
for markup, and characters that would move the cursor or hide others are written as escapes.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from typing import IO, TYPE_CHECKING, NoReturn, cast

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import HighlighterType, JustifyMethod, OverflowMethod
    from rich.style import Style

PIPE_WIDTH = 120
"""Columns of output that goes to a file or another program, so that no table loses text there."""
EXIT_NO_READER = 141
"""What a shell sees of a program that SIGPIPE ended; ours ends the same way when whoever read its output went away."""
_BLANKS_BEFORE_END = re.compile(r" +(?=\n)")


def one_line(text: str) -> str:
    """`printable`, line ends too: for sentences with names from elsewhere in them."""
    return printable(text).replace("\n", "\\n")


def printable(text: str) -> str:
    """The text with control and formatting characters written as escapes; line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() or mark in "\n\t" else repr(mark)[1:-1] for mark in text)


class PlainConsole(Console):
    """A console that takes every string literally."""

    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        emoji: bool | None = None,  # noqa: ARG002 - never wanted, whoever asks
        markup: bool | None = None,  # noqa: ARG002 - likewise
        highlight: bool | None = None,  # noqa: ARG002 - likewise
        highlighter: HighlighterType | None = None,  # noqa: ARG002 - likewise
    ) -> Text:
        """See `rich.console.Console.render_str`."""
        return Text(printable(text), style=style, justify=justify, overflow=overflow)

    def on_broken_pipe(self) -> NoReturn:
        """See `rich.console.Console.on_broken_pipe`."""
        end_without_reader()


class TrimmedOutput:
    """Standard output, whatever it is at the moment, without the blanks that fill up the lines of a table."""

    def __init__(self) -> None:
        self._held = ""

    def __getattr__(self, name: str) -> object:
        return getattr(sys.stdout, name)

    def write(self, text: str) -> int:
        """Writes on; blanks at the end wait for what comes after them."""
        whole = _BLANKS_BEFORE_END.sub("", self._held + text)
        shown = whole.rstrip(" ")
        self._held = whole[len(shown) :]
        sys.stdout.write(shown)
        return len(text)


def end_without_reader() -> NoReturn:
    """Ends the program quietly, because nobody reads its output any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains when it closes it
    sys.exit(EXIT_NO_READER)


def _results() -> PlainConsole:
    if sys.stdout is not None and sys.stdout.isatty():
        return PlainConsole(highlight=False)
    return PlainConsole(highlight=False, width=PIPE_WIDTH, file=cast("IO[str]", TrimmedOutput()))


out = _results()
"""Results."""
err = PlainConsole(highlight=False, stderr=True, soft_wrap=True)
"""Progress and remarks."""


def write_what_cannot_be_encoded_as_escapes() -> None:
    """So that a terminal with another encoding than UTF-8 loses signs, not the whole output."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """A sentence on stdout, on one line however long it is."""
    out.print(one_line(text), soft_wrap=True)


def print_json(value: object) -> None:
    """One JSON document on stdout, never coloured or wrapped. Keys stay in order; what JSON lacks becomes text."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    try:
        print(text.encode("utf-8", "backslashreplace").decode("utf-8"), flush=True)
    except BrokenPipeError:
        end_without_reader()
