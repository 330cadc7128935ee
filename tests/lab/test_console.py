"""How texts of strangers are shown: as they are, and harmlessly."""

from __future__ import annotations

import io

import pytest
from rich.table import Table

from lab.console import PlainConsole, one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("日本語 é ✔", "日本語 é ✔"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\rb\x00c\x7f", "a\\rb\\x00c\\x7f"),
        ("a\u202eb", "a\\u202eb"),
        ("\ud800", "\\ud800"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_characters_that_act_on_a_terminal_are_shown_as_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert one_line(text) == shown.replace("\n", "\\n")


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "[/nothing]", ":warning:", "[link=http://x]y", "\\[x]"])
def test_nothing_in_a_text_is_taken_for_markup(text: str) -> None:
    stream = io.StringIO()
    console = PlainConsole(file=stream, width=100, highlight=False)
    console.print(text)
    table = Table.grid()
    table.add_row(text)
    console.print(table)
    first, second = stream.getvalue().splitlines()
    assert (first, second.rstrip()) == (text, text)
