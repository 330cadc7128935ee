"""Authentication for contact search, switched on each node by its command line (R-UDS-1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster import changes
from cluster.management.fields import find_node

if TYPE_CHECKING:
    from cluster.audit import Actor
    from cluster.changes import Transaction
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore


def _key(node: str) -> str:
    """Stands among the parameters, but is in no catalogue: only `set_contact_search` writes it."""
    return f"Contact search authentication of {node}"


def contact_search_authenticated(snapshot: ClusterSnapshot, node: str) -> bool:
    """Whether a node's contact search asks for a log-in."""
    return snapshot.overrides.get(_key(node)) == "True"


async def set_contact_search(store: ClusterStore, node: str, actor: Actor, *, enabled: bool) -> bool:
    """Switches it; False when it already was so.

    Raises:
        Refusal: no such node.
        OperatorError: the database refuses.
    """
    name = find_node(store.snapshot, node).name
    if contact_search_authenticated(store.snapshot, name) is enabled:
        return False

    async def change(transaction: Transaction) -> bool:
        await changes.put_parameter(transaction, _key(name), str(enabled))
        return True

    await store.apply(f"contact search authentication of {name}: {'enabled' if enabled else 'disabled'}", change, actor)
    return True
