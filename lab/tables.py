"""Tables that commands print: as wide as they need to be, and never with a word broken to make them fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from lab.console import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from services.service import Listener

_LEAST_PROSE = 20
"""Columns below which sentences are no longer nice to read beside others."""


class Rows:
    """Rows under headings: a table where it fits, otherwise one block for each row, as wide as the terminal allows.

    Args:
        headings: of the columns.
        rows: a text for each column; the first one names the row.
        prose: headings of the columns that hold sentences, which may be wrapped between words.
    """

    def __init__(self, headings: Sequence[str], rows: Sequence[Sequence[str]], prose: Collection[str] = ()) -> None:
        self._headings, self._prose = tuple(headings), frozenset(prose)
        self._rows = [tuple(printable(text) for text in row) for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._table() if self._needed() <= options.max_width else self._blocks()

    def _needed(self) -> int:
        """Width of the table with its prose as narrow as may be: a blank on both sides of a text, lines between."""
        width = 1
        for number, heading in enumerate(self._headings):
            texts = (heading, *(row[number] for row in self._rows))
            column = _widest(text.split("\n") for text in texts)
            if heading in self._prose:
                column = max(min(column, _LEAST_PROSE), _widest(text.split() for text in texts))
            width += 3 + column
        return width

    def _table(self) -> Table:
        table = Table()
        for heading in self._headings:
            # rich's other ways cut a wide character off where a blank ends a full line
            table.add_column(heading, no_wrap=heading not in self._prose, overflow="fold")
        for row in self._rows:
            table.add_row(*row)
        return table

    def _blocks(self) -> Group:
        first = Text(self._headings[0] + ": ")
        parts: list[Text | Table] = []
        for row in self._rows:
            parts.append(Text.assemble(first, (row[0], "bold")))
            block = Table.grid(padding=(0, 2))
            for heading, text in list(zip(self._headings, row, strict=True))[1:]:
                if text:
                    block.add_row("", Text(heading, style="dim", no_wrap=True), Text(text, overflow="fold"))
            parts.append(block)
        return Group(*parts)


def _widest(texts: Iterable[Iterable[str]]) -> int:
    return max((cell_len(part) for parts in texts for part in parts), default=0)


def listening_table(listeners: list[tuple[str, str, Listener]]) -> Rows:
    """What listens where, a row for each service: (node, service, listener) in the order of the rows."""
    ports: dict[tuple[str, str, str], list[str]] = {}
    for node, service, item in listeners:
        port = f"{item.port}/udp" if item.transport == "udp" else str(item.port)
        ports.setdefault((node, item.host, service), []).append(f"{item.protocol} {port}")
    rows = [(service, f"{node}, {host}", "\n".join(texts)) for (node, host, service), texts in ports.items()]
    return Rows(("Service", "Node", "Ports"), rows)


def aligned(rows: Sequence[Sequence[str]], gap: int = 2) -> Iterator[str]:
    """Rows of equal length as lines in columns; no line ends in blanks, Japanese characters count twice."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (text + " " * (width + gap - cell_len(text)) for text, width in zip(row, widths, strict=True))
        yield "".join(padded).rstrip()
