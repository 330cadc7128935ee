"""Devices that phones make by registering, each with the lowest directory number of a range that is free (R-DL-5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert

from cluster import schema
from cluster.audit import Actor
from cluster.models import shipped_models
from cluster.parameters import AUTO_REGISTRATION, read_bool
from wire.errors import Refusal

if TYPE_CHECKING:
    from cluster.changes import Transaction
    from cluster.definition import AutoRegistration
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore


async def register_device(store: ClusterStore, device: str, type_number: str) -> None:
    """Makes a device for a phone that the cluster does not know, as one audited change; a known one stays as it is.

    Args:
        store: the cluster.
        device: ``SEP<MAC>``.
        type_number: what the phone says of its model, ``36225`` for an 8865.

    Raises:
        Refusal: auto-registration is off or without numbers, all numbers are given away, or the model is not known.
        OperatorError: the database refuses.
    """
    model = shipped_models().numbered(type_number)
    if model is None:
        raise Refusal(403, f"{device} says that it is of model number {type_number[:20]!r}, which is not known")

    async def change(transaction: Transaction) -> bool:
        if device in transaction.state.devices:
            return False
        settings = _settings(transaction.state)
        row = {
            "device": device,
            "model": model.name,
            "number": _free_number(transaction.state, settings),
            "device_pool": settings.device_pool,
            "revision": transaction.revision,
        }
        await transaction.connection.execute(insert(schema.auto_device).values(**row))
        return True

    await store.apply(f"auto-registration of {device}", change, Actor(device, "auto-registration"))


def _settings(snapshot: ClusterSnapshot) -> AutoRegistration:
    settings = snapshot.definition.auto_registration
    if settings is None or not read_bool(snapshot.parameter(AUTO_REGISTRATION)):
        raise Refusal(403, "auto-registration is off")
    return settings


def _free_number(snapshot: ClusterSnapshot, settings: AutoRegistration) -> str:
    taken = {line.number for device in snapshot.configured_devices.values() for line in device.lines}
    taken |= {line.number for user in snapshot.definition.users for line in user.lines}
    digits = len(settings.first)
    for number in range(int(settings.first), int(settings.last) + 1):
        text = f"{number:0{digits}d}"
        if text not in taken:
            return text
    raise Refusal(403, f"all numbers for auto-registration, {settings.first} to {settings.last}, are given away")
