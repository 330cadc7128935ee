"""The CTL and the cluster's security mode, as ``utils ctl`` changes them (R-SBD-5, R-CTL-1).

A CTL is made by a command and stays as it is until the next one, whatever becomes of the certificates in it: that it is
out of date after a CallManager change is a mistake that trainers show. It is served to phones at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert

from cluster import changes, schema
from cluster.ctl import build_ctl, ctl_signer
from cluster.management.fields import find_node
from cluster.parameters import SECURITY_MODE
from cluster.purposes import Purpose
from wire.errors import Refusal, WireError
from wire.trustlist import CTL_FILE

if TYPE_CHECKING:
    from cluster.audit import Actor
    from cluster.changes import Transaction
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore
    from cluster.trustlists import Signer


async def set_mixed_mode(store: ClusterStore, actor: Actor) -> None:
    """Makes the CTL and switches to mixed mode, in one step.

    Raises:
        Refusal: a release without tokenless CTL, or already mixed.
        OperatorError: the database refuses.
    """
    await _make(store, "cluster set to mixed mode", actor, mode="1")


async def set_non_secure_mode(store: ClusterStore, actor: Actor) -> None:
    """Leaves mixed mode; the CTL stays on servers and phones with its CCM+TFTP records emptied.

    Raises:
        Refusal: the cluster is not in mixed mode.
        OperatorError: the database refuses.
    """
    await _make(store, "cluster set to non-secure mode", actor, mode="0")


async def update_ctl(store: ClusterStore, actor: Actor) -> None:
    """Makes the CTL anew from the certificates of this moment, signed by its usual signer.

    Raises:
        Refusal: the cluster is not in mixed mode.
        OperatorError: the database refuses.
    """
    await _make(store, "CTL file updated", actor)


async def reset_ctl_localkey(store: ClusterStore, actor: Actor) -> None:
    """As `update_ctl`, signed by the publisher's CallManager: for phones that do not know a new ITLRecovery (R-REC-3).

    Raises:
        Refusal: the cluster is not in mixed mode.
        OperatorError: the database refuses.
    """
    await _make(store, "CTL file reset with the local key", actor, local_key=True)


async def delete_file(store: ClusterStore, node: str, name: str, actor: Actor) -> bool:
    """Deletes a stored file on one node; False when it is not there.

    Raises:
        Refusal: no such node.
        OperatorError: the database refuses.
    """
    owner = find_node(store.snapshot, node).name
    stored = next((file for at, file in store.snapshot.files if at == owner and file.lower() == name.lower()), None)
    if stored is None:
        return False
    table = schema.stored_file

    async def change(transaction: Transaction) -> bool:
        where = (table.c.node == owner, table.c.name == stored)
        return bool((await transaction.connection.execute(delete(table).where(*where))).rowcount)

    await store.apply(f"{stored} of {owner}: deleted", change, actor)
    return True


async def _make(
    store: ClusterStore, what: str, actor: Actor, *, mode: str | None = None, local_key: bool = False
) -> None:
    async def change(transaction: Transaction) -> bool:
        state = transaction.state
        _check(state, mode)
        mixed = mode != "0"
        try:
            data = build_ctl(state, _signer(state, local_key=local_key), transaction.now, mixed=mixed)
        except WireError as error:
            raise Refusal(409, f"the CTL cannot be signed: {error}") from error
        if mode is not None:
            await changes.put_parameter(transaction, SECURITY_MODE, mode)
        for node in state.definition.nodes:
            await put_file(transaction, node.name, CTL_FILE, data)
        return True

    await store.apply(what, change, actor)


def _check(state: ClusterSnapshot, mode: str | None) -> None:
    if not state.release.tokenless_ctl:
        raise Refusal(
            409, f"release {state.release.name} makes its CTL with the CTL client and security tokens, not here"
        )
    if mode == "1" and state.mixed_mode:
        raise Refusal(409, "the cluster is in mixed mode already")
    if mode != "1" and not state.mixed_mode:
        raise Refusal(409, "the cluster is not in mixed mode: it has no CTL to change")


def _signer(state: ClusterSnapshot, *, local_key: bool) -> Signer:
    if local_key:
        return state.require(state.definition.publisher.name, Purpose.CALLMANAGER)
    return ctl_signer(state)


async def put_file(transaction: Transaction, node: str, name: str, data: bytes) -> None:
    """Writes the row of a stored file."""
    table = schema.stored_file
    await transaction.connection.execute(delete(table).where(table.c.node == node, table.c.name == name))
    row = {"node": node, "name": name, "data": data, "modified_at": transaction.now.isoformat()}
    await transaction.connection.execute(insert(table).values(**row))
