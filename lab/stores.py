"""Opens the state of a cluster that a folder holds, for commands that look at it or change it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from cluster.store import ClusterStore


_T = TypeVar("_T")
ClusterOption = Annotated[str | None, typer.Option("--cluster", help="Which cluster, when the folder holds several.")]


@contextlib.asynccontextmanager
async def opened_store(state: Path, cluster: str | None, node: str | None = None) -> AsyncIterator[ClusterStore]:
    """The store of the cluster of that name, of the one with that node, or of the only one.

    Raises:
        OperatorError: there is no such folder, cluster or node.
        typer.BadParameter: several clusters, and none is named.
    """
    # Loaded here, so that commands which need no cluster start at once.
    from cluster.store import ClusterStore
    from lab.laboratory import database_path, installed_clusters

    names = installed_clusters(state)
    if not names:
        raise OperatorError(f"{state} holds no cluster; 'ucmsim up --state {state}' makes one")
    if cluster is not None and cluster not in names:
        raise OperatorError(f"{state} holds no cluster {cluster!r}; it holds: {', '.join(names)}")
    if cluster is None and node is None and len(names) > 1:
        raise typer.BadParameter(f"{state} holds several clusters, name one with --cluster: {', '.join(names)}")
    known: list[str] = []
    for name in [cluster] if cluster is not None else names:
        store = await ClusterStore.open(database_path(state, name))
        try:
            known += [item.name for item in store.snapshot.definition.nodes]
            if node is None or store.snapshot.definition.node(node) is not None:
                yield store
                return
        finally:
            await store.close()
    raise OperatorError(f"there is no node {node!r}; nodes: {', '.join(known)}")


def with_store(state: Path, cluster: str | None, work: Callable[[ClusterStore], Awaitable[_T]]) -> _T:
    """Runs `work` on a cluster's store, opened for it alone; see `opened_store`.

    Raises:
        OperatorError: as `opened_store`, and what `work` raises.
        typer.BadParameter: as `opened_store`.
    """

    async def run() -> _T:
        async with opened_store(state, cluster) as store:
            return await work(store)

    return asyncio.run(run())
