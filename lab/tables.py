"""Tables that several commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.service import Listener


def listening_table(listeners: list[tuple[str, str, Listener]]) -> Table:
    """What listens where, a row for each service: (node, service, listener) in the order of the rows."""
    ports: dict[tuple[str, str, str], list[str]] = {}
    for node, service, item in listeners:
        port = f"{item.port}/udp" if item.transport == "udp" else str(item.port)
        ports.setdefault((node, item.host, service), []).append(f"{item.protocol} {port}")
    table = Table(title="Listening", title_justify="left")
    for heading in ("Node", "Address", "Service", "Ports"):
        table.add_column(heading, no_wrap=heading != "Ports", overflow="fold")
    last = ""
    for (node, host, service), texts in ports.items():
        shown = (node, host) if node != last else ("", "")
        table.add_row(*shown, service, "\n".join(texts))
        last = node
    return table


def aligned(rows: Sequence[Sequence[str]], gap: int = 2) -> Iterator[str]:
    """Rows of equal length as lines in columns; no line ends in blanks, Japanese characters count twice."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (text + " " * (width + gap - cell_len(text)) for text, width in zip(row, widths, strict=True))
        yield "".join(padded).rstrip()
