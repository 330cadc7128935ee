"""Nodes that other processes run on the same state folder, where no port number is fixed: each process writes its ports
to a file there, and reads those of the others, since phones are told the ports of every node.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from services.node import ports_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from services.node import EndpointBook

_INTERVAL_S = 0.25


def ports_file(state: Path, node: str | None) -> Path:
    """Where a process tells what listens where: one for the whole laboratory, or one for each node that runs alone."""
    return state / ("ports.json" if node is None else f"ports-{node}.json")


class Neighbours:
    """Keeps the ports of nodes elsewhere in a book.

    Args:
        state: the folder that the processes share.
        nodes: names of the nodes that other processes run.
        book: ports that this process tells phones.
    """

    def __init__(self, state: Path, nodes: Iterable[str], book: EndpointBook) -> None:
        self._files = {node: ports_file(state, node) for node in nodes}
        self._book = book
        self._seen: dict[str, str] = {}

    def look(self) -> None:
        """Takes up what changed. A file that is missing or not whole says nothing."""
        for node, path in self._files.items():
            try:
                text = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            if self._seen.get(node) == text:
                continue
            self._seen[node] = text
            bound = _listeners(text, node)
            if bound:
                self._book.record(node, ports_of(self._book.endpoints.of(node), bound))

    async def watch(self) -> None:
        """Looks again and again, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_INTERVAL_S)


def _listeners(text: str, node: str) -> dict[str, int]:
    """Protocol -> port, as far as the text tells."""
    try:
        listeners = json.loads(text)["listeners"]
        return {str(item["protocol"]): int(item["port"]) for item in listeners if item["node"] == node}
    except (ValueError, KeyError, TypeError):
        return {}
