"""What a log-in by Extension Mobility changes in the cluster, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from base.trace import MemorySink, Trace
from cluster.audit import SYSTEM, Actor
from cluster.endpoints import Endpoints
from cluster.management.extensionmobility import controls, log_in, log_out, password_is_right, pin_is_right
from cluster.parameters import AUTO_LOGOUT, LOGINS_ALLOWED, LOGINS_NOT_ALLOWED, MULTIPLE_LOGIN
from cluster.phonefiles import phone_config, version_stamp
from tests.mobility import CELLAR, PASSWORD, PIN, RECEPTION, WORKSHOP, add_people, with_people
from wire.errors import Refusal
from wire.phoneconfig import decode_phone_config

if TYPE_CHECKING:
    from cluster.store import ClusterStore
    from tests.cluster.conftest import StateMaker, StoreMaker


@pytest.fixture
async def people(store: ClusterStore) -> ClusterStore:
    await add_people(store)
    return store


def numbers(store: ClusterStore, device: str) -> list[str]:
    return [line.number for line in store.snapshot.devices[device].lines]


async def test_a_log_in_brings_the_users_lines_and_a_log_out_the_phones_own(people: ClusterStore) -> None:
    await log_in(people, RECEPTION, "Alice", SYSTEM)
    assert (numbers(people, RECEPTION), numbers(people, WORKSHOP)) == (["3001", "3002"], ["2002"])
    snapshot = people.snapshot
    told = decode_phone_config(phone_config(snapshot, snapshot.devices[RECEPTION], Endpoints(), ""))
    assert [(line.name, line.label) for line in told.lines] == [("3001", "Alice"), ("3002", "3002")]
    assert [line.number for line in snapshot.configured_devices[RECEPTION].lines] == ["2001"]
    await log_out(people, RECEPTION, SYSTEM)
    assert numbers(people, RECEPTION) == ["2001"]


async def test_only_that_phones_configuration_is_another_version(people: ClusterStore) -> None:
    def stamps() -> dict[str, str]:
        return {name: version_stamp(people.snapshot, device) for name, device in people.snapshot.devices.items()}

    seen = [stamps()]
    await log_in(people, RECEPTION, "alice", SYSTEM)
    seen.append(stamps())
    await log_out(people, RECEPTION, SYSTEM)
    seen.append(stamps())
    assert len({stamp[RECEPTION] for stamp in seen}) == 3
    assert len({stamp[WORKSHOP] for stamp in seen}) == 1


async def test_each_is_one_audited_change(people: ClusterStore) -> None:
    actor = Actor("alice", "extension mobility 192.0.2.1")
    before = people.snapshot.revision
    await log_in(people, RECEPTION, "alice", actor)
    await log_out(people, RECEPTION, actor)
    out, into = await people.audit(2)
    assert people.snapshot.revision == before + 2
    assert (into.what, into.who, into.origin) == (
        f"extension mobility: alice logs in to {RECEPTION}",
        "alice",
        "extension mobility 192.0.2.1",
    )
    assert out.what == f"extension mobility: {RECEPTION} is logged out"


async def test_it_lasts_and_other_processes_see_it(database: StateMaker, open_store: StoreMaker) -> None:
    path = await database()
    first, second = await open_store(path), await open_store(path)
    await add_people(first)
    await second.refresh()
    await log_in(first, RECEPTION, "alice", SYSTEM)
    await second.refresh()
    assert numbers(second, RECEPTION) == ["3001", "3002"]
    await log_out(second, RECEPTION, SYSTEM)
    await log_in(second, WORKSHOP, "bob", SYSTEM)
    await first.refresh()
    third = await open_store(path)
    for store in (first, third):
        assert (numbers(store, RECEPTION), numbers(store, WORKSHOP)) == (["2001"], ["4001"])


@pytest.mark.parametrize(
    ("device", "user", "code"),
    [
        ("SEP00AABBCCDDEE", "alice", 11),
        (CELLAR, "alice", 22),
        (RECEPTION, "nobody", 23),
        (RECEPTION, "", 23),
        (RECEPTION, "carol", 12),
    ],
)
async def test_what_is_refused_changes_nothing(people: ClusterStore, device: str, user: str, code: int) -> None:
    before = people.snapshot
    with pytest.raises(Refusal) as refused:
        await log_in(people, device, user, SYSTEM)
    assert (refused.value.code, people.snapshot) == (code, before)


async def test_a_phone_has_one_user_at_a_time(people: ClusterStore) -> None:
    await log_in(people, RECEPTION, "alice", SYSTEM)
    with pytest.raises(Refusal, match="Another user logged in") as refused:
        await log_in(people, RECEPTION, "bob", SYSTEM)
    assert refused.value.code == 18
    before = people.snapshot.revision
    await log_in(people, RECEPTION, "ALICE", SYSTEM)
    assert people.snapshot.revision == before


@pytest.mark.parametrize("device", [RECEPTION, "SEP00AABBCCDDEE"])
async def test_where_nobody_is_logged_in_nobody_can_log_out(people: ClusterStore, device: str) -> None:
    with pytest.raises(Refusal) as refused:
        await log_out(people, device, SYSTEM)
    assert refused.value.code == (19 if device == RECEPTION else 11)


@pytest.mark.parametrize(
    ("behavior", "first", "second"),
    [
        (None, ["3001", "3002"], None),
        (LOGINS_NOT_ALLOWED, ["3001", "3002"], None),
        (LOGINS_ALLOWED, ["3001", "3002"], ["3001", "3002"]),
        (AUTO_LOGOUT, ["2001"], ["3001", "3002"]),
    ],
)
async def test_a_user_who_is_logged_in_elsewhere(
    people: ClusterStore, behavior: str | None, first: list[str], second: list[str] | None
) -> None:
    if behavior is not None:
        await people.set_parameter(MULTIPLE_LOGIN, behavior.lower())
    await log_in(people, RECEPTION, "alice", SYSTEM)
    before = people.snapshot.revision
    if second is None:
        with pytest.raises(Refusal, match="User logged in elsewhere") as refused:
            await log_in(people, WORKSHOP, "alice", SYSTEM)
        assert refused.value.code == 25
    else:
        await log_in(people, WORKSHOP, "alice", SYSTEM)
        assert people.snapshot.revision == before + 1  # both phones in one change
    assert (numbers(people, RECEPTION), numbers(people, WORKSHOP)) == (first, second or ["2002"])


async def test_a_user_whom_the_definition_drops_is_logged_out_with_it(people: ClusterStore) -> None:
    await log_in(people, RECEPTION, "alice", SYSTEM)
    await add_people(people, users=[{"id": "bob", "pin": "11111", "lines": [{"number": "4001"}]}])
    assert numbers(people, RECEPTION) == ["2001"]
    await log_in(people, RECEPTION, "bob", SYSTEM)
    assert numbers(people, RECEPTION) == ["4001"]


@pytest.mark.parametrize(
    ("user", "pin", "right"),
    [
        ("alice", PIN, True),
        ("ALICE", PIN, True),
        ("alice", "73518", False),
        ("alice", "", False),
        ("alice", "\udcff", False),
        ("dave", "", False),
        ("nobody", "", False),
        ("nobody", PIN, False),
    ],
)
async def test_a_pin_is_one_users(people: ClusterStore, user: str, pin: str, right: bool) -> None:  # noqa: FBT001
    assert pin_is_right(people.snapshot, user, pin) is right


async def test_a_password_is_no_pin(people: ClusterStore) -> None:
    assert password_is_right(people.snapshot, "alice", PASSWORD)
    assert not password_is_right(people.snapshot, "alice", PIN)
    assert not pin_is_right(people.snapshot, "alice", PASSWORD)
    assert not password_is_right(people.snapshot, "bob", "")


async def test_who_controls_a_phone(people: ClusterStore) -> None:
    await log_in(people, WORKSHOP, "bob", SYSTEM)
    found = {
        (user, device)
        for user in ("alice", "Bob", "carol", "nobody")
        for device in (RECEPTION, WORKSHOP, CELLAR, "SEP00AABBCCDDEE")
        if controls(people.snapshot, user, device)
    }
    assert found == {("alice", RECEPTION), ("Bob", WORKSHOP)}


async def test_no_text_shows_a_pin_or_password(open_store: StoreMaker) -> None:
    sink = MemorySink()
    store = await open_store(trace=Trace(sink))
    await add_people(store)
    await log_in(store, RECEPTION, "alice", SYSTEM)
    shown = f"{store.snapshot.definition!r} {store.snapshot.definition.users[0]} {store.snapshot!r} {sink.events}"
    assert "alice" in shown
    assert PIN not in shown
    assert PASSWORD not in shown


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"id": "x", "pin": "12a4"}, "a PIN has 1 to 32 digits"),
        ({"id": "x", "pin": ""}, "a PIN has 1 to 32 digits"),
        ({"id": "x", "password": ""}, "a password has 1 to 128 characters"),
        ({"id": "x y"}, "pattern"),
        ({"id": "alice"}, "user 'alice' appears more than once"),
    ],
)
async def test_mistakes_in_a_user_are_named(store: ClusterStore, user: dict[str, str], why: str) -> None:
    users = [{"id": "Alice"}, user]
    with pytest.raises(ValidationError, match=why):
        with_people(store.snapshot.definition, users=users)
