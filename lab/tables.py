"""Tables that several commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
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
