"""What a fleet is made of, without sockets: its addresses and parts, its memory, its report."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_sim.flash import Item, MemoryFlash
from phone_sim.fleet import macs_from, shard_of
from phone_sim.fleetflash import fleet_flash
from phone_sim.fleetreport import Spread
from wire.errors import OperatorError

ITEMS = st.sampled_from(Item)


@pytest.mark.parametrize(
    ("first", "count", "expected"),
    [
        ("0AFF00000001", 2, ["0AFF00000001", "0AFF00000002"]),
        ("00:00:00:00:00:FF", 2, ["0000000000FF", "000000000100"]),
        ("SEPFFFFFFFFFFFE", 2, ["FFFFFFFFFFFE", "FFFFFFFFFFFF"]),
        ("FFFFFFFFFFFF", 2, None),
        ("nothing", 1, None),
    ],
)
def test_macs_follow_each_other(first: str, count: int, expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(OperatorError):
            macs_from(first, count)
    else:
        assert macs_from(first, count) == expected


@given(count=st.integers(0, 500), parts=st.integers(1, 40))
def test_shards_share_out_everything_once_and_evenly(count: int, parts: int) -> None:
    macs = list(map(str, range(count)))
    found = [shard_of(macs, part, parts) for part in range(1, parts + 1)]
    assert [mac for part in found for mac in part] == macs
    assert max(map(len, found)) - min(map(len, found)) <= 1


@given(st.lists(st.tuples(ITEMS, st.one_of(st.none(), st.binary(max_size=400))), max_size=30))
def test_flash_of_a_fleet_keeps_what_any_flash_keeps(steps: list[tuple[Item, bytes | None]]) -> None:
    make, plain = fleet_flash(), (MemoryFlash(), MemoryFlash())
    compact = make(), make()
    for number, (item, data) in enumerate(steps):
        for flash in (plain[number % 2], compact[number % 2]):
            if data is None:
                flash.delete(item)
            else:
                flash.write(item, data)
        for one, other in zip(plain, compact, strict=True):
            assert [one.read(kind) for kind in Item] == [other.read(kind) for kind in Item]


def test_what_phones_hold_alike_takes_next_to_no_room() -> None:
    config = (string.printable * 60).encode()
    make = fleet_flash()
    for name in (b"SEP0AFF00000001", b"SEP0AFF00000002"):
        flash = make()
        flash.write(Item.CONFIG, config.replace(b"abc", name))
        assert flash.size < 200 if name.endswith(b"2") else flash.size < len(config)
    trust_list = bytes(5_000)
    flash = make()
    flash.write(Item.ITL, trust_list)
    assert flash.read(Item.ITL) is trust_list


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([], {"count": 0}),
        ([None, None], {"count": 0}),
        ([0.25], {"count": 1, "p50_ms": 250.0, "p90_ms": 250.0, "p99_ms": 250.0, "p100_ms": 250.0}),
        (
            [None, *(number / 1_000 for number in range(200, 0, -1))],
            {"count": 200, "p50_ms": 100.0, "p90_ms": 180.0, "p99_ms": 198.0, "p100_ms": 200.0},
        ),
    ],
)
def test_percentiles_are_of_the_nearest_rank(seconds: list[float | None], expected: dict[str, float]) -> None:
    assert Spread.of(seconds).as_json() == expected
