"""Orders to phones, and who is registered: what an administrator does under Device > Phone.

An order is part of the cluster's state; each node gives it to the phones that are registered with it at that moment. A
phone that is not registered anywhere misses it, as in the field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from base.modelfile import shipped_table
from base.phonemodels import Ability
from cluster import schema
from wire.ciscosip import ACTIONS
from wire.errors import Refusal
from wire.trustlist import CTL_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from cluster.audit import Actor
    from cluster.changes import Transaction
    from cluster.devices import Device
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore

EVERYONE = "all"
_CURRENT, _NOT_THERE = "Match", "Not Installed"
_BATCH = 500
_GIVEN = tuple(action for action in ACTIONS if action != "call-preservation")
_TARGET = re.compile(r"all|SEP[0-9A-F]{12}|model:[0-9A-Za-z-]{1,16}|pool:.{1,64}")


@dataclass(frozen=True, slots=True)
class RegisteredPhone:
    """A phone that is registered somewhere.

    Attributes:
        node: with which.
        ctl: how its CTL compares with those that the cluster serves, in UCM's words.
        itl: likewise, its ITL.
        since: ISO 8601, UTC.
    """

    node: str
    device: str
    address: str
    transport: str
    lines: tuple[str, ...]
    ctl: str
    itl: str
    since: str


def concerns(target: str, device: Device) -> bool:
    """Whether an order to `target` is for this device."""
    kind, _, value = target.partition(":")
    if kind == "model":
        return device.model == value
    if kind == "pool":
        return device.device_pool == value
    return target in {EVERYONE, device.name}


@dataclass(frozen=True, slots=True)
class GivenOrder:
    """An order that was given.

    Attributes:
        revision: of the cluster's state; `cluster.management.orderanswers` tells by it what came of the order.
        devices: of the cluster that it is for, registered or not.
    """

    revision: int
    devices: frozenset[str]


async def order_phones(store: ClusterStore, action: str, target: str, actor: Actor) -> GivenOrder:
    """Gives an order.

    Args:
        store: the cluster.
        action: ``reset``, ``restart``, ``check-version`` or ``apply-config``.
        target: ``all``, a device, ``model:8865`` or ``pool:Default``.
        actor: who gives it.

    Raises:
        Refusal: no such action or target, or it is for nobody.
        OperatorError: the database refuses.
    """
    if action not in _GIVEN:
        raise Refusal(400, f"there is no order {action!r} to phones; possible: {', '.join(_GIVEN)}")
    if not _TARGET.fullmatch(target):
        raise Refusal(400, f"{target!r} is no target; give 'all', SEP<MAC>, model:<model> or pool:<device pool>")
    concerned = frozenset(name for name, device in store.snapshot.devices.items() if concerns(target, device))
    if not concerned:
        raise Refusal(404, f"no device of the cluster is meant by {target!r}")
    revision = 0

    async def change(transaction: Transaction) -> bool:
        nonlocal revision
        revision = transaction.revision
        await put_order(transaction, action, target)
        return True

    await store.apply(f"phones: {action} {target}", change, actor)
    return GivenOrder(revision, concerned)


async def put_order(transaction: Transaction, action: str, target: str) -> None:
    """Writes the row of an order; one transaction can give one."""
    row = {"revision": transaction.revision, "action": action, "target": target}
    await transaction.connection.execute(insert(schema.phone_order).values(**row))


async def registered_phones(store: ClusterStore) -> list[RegisteredPhone]:
    """What running nodes said last, by device.

    Raises:
        OperatorError: the database cannot be read.
    """

    async def read(connection: AsyncConnection) -> list[RegisteredPhone]:
        table = schema.registration
        return [
            RegisteredPhone(
                node=row.node,
                device=row.device,
                address=row.address,
                transport=row.transport,
                lines=tuple(row.lines.split()),
                ctl=row.ctl,
                itl=row.itl,
                since=row.since,
            )
            for row in await connection.execute(select(table).order_by(table.c.device, table.c.node))
        ]

    return await store.look(read)


def is_outdated(phone: RegisteredPhone | None, snapshot: ClusterSnapshot) -> bool:
    """It is registered, its model fetches trust lists, and its ITL or CTL is not the one that the cluster serves."""
    device = snapshot.devices.get(phone.device) if phone is not None else None
    model = shipped_table().models.get(device.model) if device is not None else None
    if phone is None or (model is not None and model.security_by_default is Ability.NO):
        return False
    serves_ctl = any(file_name == CTL_FILE for _, file_name in snapshot.files)
    return phone.itl != _CURRENT or phone.ctl not in ({_CURRENT} if serves_ctl else {_CURRENT, _NOT_THERE})


async def note_registrations(
    store: ClusterStore, node: str, phones: Sequence[RegisteredPhone], gone: Sequence[str] | None = None
) -> None:
    """Notes what changed at a node.

    Args:
        store: the cluster.
        node: whose registrations.
        phones: those that are new or different.
        gone: devices that are no longer registered; None forgets all that was noted before.

    Raises:
        OperatorError: the database refuses.
    """
    table = schema.registration
    rows = [
        {
            "node": phone.node,
            "device": phone.device,
            "address": phone.address,
            "transport": phone.transport,
            "lines": " ".join(phone.lines),
            "ctl": phone.ctl,
            "itl": phone.itl,
            "since": phone.since,
        }
        for phone in phones
    ]
    out = [*(gone or ()), *(phone.device for phone in phones)]

    async def write(connection: AsyncConnection) -> None:
        if gone is None:
            await connection.execute(delete(table).where(table.c.node == node))
        else:
            for start in range(0, len(out), _BATCH):
                some = table.c.device.in_(out[start : start + _BATCH])
                await connection.execute(delete(table).where(table.c.node == node, some))
        if rows:
            await connection.execute(insert(table), rows)

    await store.note(write)
