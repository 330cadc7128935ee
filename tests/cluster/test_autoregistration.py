"""Devices that phones make by registering (R-DL-5): numbers, refusals, one audited change each, durable."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from cluster.definition import AutoRegistration
from cluster.devices import Line
from cluster.management.autoregistration import register_device
from cluster.parameters import AUTO_REGISTRATION
from cluster.store import ClusterStore
from lab.laboratory import database_path
from tests.conftest import lab_config
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

NUMBERS = "auto_registration: {first: '0008', last: '0011', device_pool: Lobby}"
NAMES = tuple(f"SEP0011223300{number:02X}" for number in range(6))
TYPE_8865 = "36225"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
async def store(state: Path, state_templates: Callable[[str], Awaitable[Path]]) -> AsyncIterator[ClusterStore]:
    shutil.copytree(await state_templates("12.5"), state)
    store = await ClusterStore.open(database_path(state, "alpha"))
    await store.install(lab_config(more=NUMBERS).clusters[0])
    yield store
    await store.close()


def numbers(store: ClusterStore) -> dict[str, str]:
    own = {device.name for device in store.snapshot.definition.devices}
    return {name: device.lines[0].number for name, device in store.snapshot.devices.items() if name not in own}


async def test_each_gets_the_lowest_free_number_with_its_zeros(store: ClusterStore) -> None:
    for name in NAMES[:3]:
        await register_device(store, name, TYPE_8865)
    assert numbers(store) == dict(zip(NAMES, ("0008", "0009", "0010"), strict=False))
    device = store.snapshot.devices[NAMES[0]]
    assert (device.mac, device.model, device.device_pool, device.callmanager_group, device.description) == (
        NAMES[0][3:],
        "8865",
        "Lobby",
        "Default",
        "Auto 0008",
    )


async def test_a_number_that_a_device_has_is_passed_over(store: ClusterStore) -> None:
    definition = store.snapshot.definition
    device = definition.devices[0].model_copy(update={"lines": (Line(number="0008"), Line(number="0009"))})
    await store.install(definition.model_copy(update={"devices": (device,)}))
    await register_device(store, NAMES[0], TYPE_8865)
    assert numbers(store) == {NAMES[0]: "0010"}


async def test_many_at_once_get_different_numbers_until_there_are_no_more(store: ClusterStore) -> None:
    results = await asyncio.gather(*(register_device(store, name, TYPE_8865) for name in NAMES), return_exceptions=True)
    refused = [result for result in results if result is not None]
    assert len(refused) == 2
    assert all(isinstance(item, Refusal) and "0008 to 0011, are given away" in str(item) for item in refused)
    assert sorted(numbers(store).values()) == ["0008", "0009", "0010", "0011"]


async def test_it_is_one_change_with_an_entry_and_none_for_a_device_that_is_there(store: ClusterStore) -> None:
    before = store.snapshot
    await register_device(store, NAMES[0], TYPE_8865)
    after = store.snapshot
    assert after.revision == before.revision + 1
    assert (after.configured, after.stamps) == (before.configured, before.stamps)  # nobody else's files change
    entry = (await store.audit(1))[0]
    assert (entry.what, entry.who, entry.origin) == (f"auto-registration of {NAMES[0]}", NAMES[0], "auto-registration")
    await register_device(store, NAMES[0], "621")
    await register_device(store, before.definition.devices[0].name, TYPE_8865)
    assert store.snapshot is after


@pytest.mark.parametrize(
    ("parameter", "more", "type_number", "why"),
    [
        ("False", NUMBERS, TYPE_8865, "is off"),
        ("True", "", TYPE_8865, "is off"),
        ("True", NUMBERS, "0", "which is not known"),
        ("True", NUMBERS, "", "which is not known"),
        ("True", NUMBERS, "x" * 500, "which is not known"),
    ],
)
async def test_what_is_refused(store: ClusterStore, parameter: str, more: str, type_number: str, why: str) -> None:
    await store.install(lab_config(more=more).clusters[0])
    await store.set_parameter(AUTO_REGISTRATION, parameter)
    before = store.snapshot
    with pytest.raises(Refusal, match=why) as caught:
        await register_device(store, NAMES[0], type_number)
    assert len(str(caught.value)) < 200
    assert store.snapshot is before


async def test_another_process_sees_it_and_so_does_the_next_start(store: ClusterStore, state: Path) -> None:
    other = await ClusterStore.open(database_path(state, "alpha"))
    try:
        await register_device(store, NAMES[0], TYPE_8865)
        assert await other.refresh()
        assert other.snapshot.devices == store.snapshot.devices
        await register_device(other, NAMES[1], TYPE_8865)
        await store.refresh()
        assert numbers(store) == {NAMES[0]: "0008", NAMES[1]: "0009"}
    finally:
        await other.close()
    again = await ClusterStore.open(database_path(state, "alpha"))
    assert numbers(again) == numbers(store)
    await again.close()


async def test_without_any_the_devices_are_those_of_the_definition(store: ClusterStore) -> None:
    assert store.snapshot.devices is store.snapshot.definition.devices_by_name


@pytest.mark.parametrize(
    ("first", "last"),
    [("5000", "4999"), ("500", "5000"), ("", ""), ("50a0", "5099"), ("+1", "+2"), ("0" * 13, "9" * 13)],
)
def test_a_range_is_of_numbers_of_one_length(first: str, last: str) -> None:
    with pytest.raises(ValidationError):
        AutoRegistration(first=first, last=last)


@pytest.mark.parametrize(("first", "last"), [("5000", "5000"), ("0000", "9999"), ("0", "9")])
def test_such_ranges_are(first: str, last: str) -> None:
    assert AutoRegistration(first=first, last=last).device_pool == "Default"
