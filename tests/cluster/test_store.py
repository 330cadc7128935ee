"""Changes, revisions and who hears of them; state that lasts; several processes on one database (R-TVS-3)."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, event, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from base.clock import ManualClock
from base.trace import MemorySink, Trace
from cluster import loading, schema
from cluster.changes import Transaction, add_trust
from cluster.parameters import AUTO_REGISTRATION, FILE_SIGNATURE, ROLLBACK, SECURITY_MODE, TVS_TTL
from cluster.purposes import Purpose
from cluster.trustlists import build_itl
from tests.cluster.material import NODES, WHEN, changed, definition, sql, stranger
from wire.errors import OperatorError, Refusal

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore
    from tests.cluster.conftest import StateMaker, StoreMaker


def state(snapshot: ClusterSnapshot) -> dict[str, object]:
    """Everything that a snapshot says, for comparison."""
    held = {item.name: getattr(snapshot, item.name) for item in fields(snapshot)}
    return {**held, "itls": [build_itl(snapshot, node) for node in NODES]}


# ---------------------------------------------------------------- what lasts


@pytest.mark.parametrize("release", ["8.6", "14"])
async def test_everything_is_the_same_after_a_restart(release: str, open_store: StoreMaker, tmp_path: Path) -> None:
    store = await open_store(release=release)
    await store.set_parameter(ROLLBACK, "True")
    await store.set_parameter(FILE_SIGNATURE, "SHA-512")
    await store.add_trust("Phone-SAST-trust", [stranger(), stranger()])
    before, path = state(store.snapshot), Path(store._where)
    await store.close()
    assert state((await open_store(path)).snapshot) == before


async def test_installing_the_same_again_changes_nothing(store: ClusterStore) -> None:
    """R-ITL-4."""
    before = store.snapshot
    assert await store.install(before.definition) is before


async def test_a_database_without_a_cluster_says_what_to_do(open_store: StoreMaker, tmp_path: Path) -> None:
    store = await open_store(tmp_path / "new" / "cluster.sqlite")
    assert not store.installed
    with pytest.raises(OperatorError, match="holds no installed cluster; start one with 'ucmsim up'"):
        _ = store.snapshot
    with pytest.raises(Refusal, match="no installed cluster"):
        await store.set_parameter(ROLLBACK, "True")
    assert not store.installed
    assert not await store.refresh()


async def test_a_database_of_another_cluster_is_left_alone(store: ClusterStore) -> None:
    before = store.snapshot
    with pytest.raises(OperatorError, match="holds cluster 'alpha', not 'beta'"):
        await store.install(changed(before.definition, name="beta"))
    assert store.snapshot is before


@pytest.mark.parametrize("name", ["with space", "per%cent", "ques?tion", "hash#mark", "ümlaut", "a&b=c", "semi;colon"])
async def test_any_folder_name_can_hold_the_state(name: str, open_store: StoreMaker, tmp_path: Path) -> None:
    path = tmp_path / name / "cluster.sqlite"
    await open_store(path)
    assert path.stat().st_size > 0
    assert sorted(item.name for item in tmp_path.iterdir()) == [name]


async def test_a_relative_path_is_the_same_database_after_a_change_of_folder(
    open_store: StoreMaker, database: StateMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await database()
    monkeypatch.chdir(path.parent)
    store = await open_store(Path(path.name))
    monkeypatch.chdir("/")
    await store.set_parameter(ROLLBACK, "True")
    assert (await open_store(path)).snapshot.rollback


# ---------------------------------------------------------------- revisions


async def test_each_change_is_one_revision_and_no_change_is_none(store: ClusterStore) -> None:
    first = store.snapshot.revision
    certificate = stranger()
    await store.set_parameter(AUTO_REGISTRATION, "False")
    await store.set_parameter(AUTO_REGISTRATION, "false")
    await store.add_trust("tomcat-trust", [certificate])
    await store.add_trust("tomcat-trust", [certificate])
    await store.delete_trust("tomcat-trust", certificate.sha256)
    await store.install(store.snapshot.definition)
    assert store.snapshot.revision == first + 3


async def test_the_time_of_a_configuration_is_that_of_its_own_change(open_store: StoreMaker) -> None:
    clock = ManualClock(WHEN)
    store = await open_store(clock=clock)
    await store.set_parameter(TVS_TTL, "60")
    revision = store.snapshot.revision
    clock.advance(60)
    await store.add_trust("tomcat-trust", [stranger()])
    assert (store.snapshot.configured, store.snapshot.configured_at) == (revision, WHEN)
    assert (store.snapshot.changed_at - WHEN).total_seconds() == 60


async def test_a_change_that_fails_half_way_leaves_nothing(store: ClusterStore) -> None:
    before, path = store.snapshot, Path(store._where)

    async def half_a_change(transaction: Transaction) -> bool:
        await add_trust(transaction, "tomcat-trust", [stranger()])
        raise Refusal(400, "thought better of it")

    with pytest.raises(Refusal, match="thought better of it"):
        await store.apply("half a change", half_a_change)
    assert store.snapshot is before
    assert sql(path, "SELECT max(number) AS newest FROM revision") == [{"newest": before.revision}]
    assert await store.add_trust("tomcat-trust", [stranger()]) == 1


async def test_a_change_that_is_cancelled_leaves_the_old_revision_or_the_new(
    database: StateMaker, open_store: StoreMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.database.LOCK_TIMEOUT_S", 5.0)
    path = await database()
    store = await open_store(path)
    other = await open_store(path)
    for steps in range(0, 60, 2):
        before = store.snapshot.revision
        task = asyncio.create_task(store.add_trust("tomcat-trust", [stranger()]))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.refresh()
        assert store.snapshot.revision - before in {0, 1}
        await other.set_parameter(ROLLBACK, str(steps % 2 == 0))
        await store.refresh()
    assert await store.add_trust("tomcat-trust", [stranger()]) == 1
    assert state((await open_store(path)).snapshot) == state(store.snapshot)


async def test_work_on_the_side_that_is_cancelled_leaves_the_database_free(
    database: StateMaker, open_store: StoreMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement given up half-way would keep the lock, and every other process waiting."""
    monkeypatch.setattr("cluster.database.LOCK_TIMEOUT_S", 5.0)
    path = await database()
    store, other = await open_store(path), await open_store(path)

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(insert(schema.meta).values(key="note", value="x"))
        await connection.execute(delete(schema.meta).where(schema.meta.c.key == "note"))

    async def read(connection: AsyncConnection) -> int:
        return len((await connection.execute(select(schema.trust_certificate))).all())

    for steps in range(60):
        works = (lambda: store.note(write), lambda: store.look(read), store.refresh)
        task = asyncio.ensure_future(works[steps % 3]())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await other.set_parameter(ROLLBACK, str(steps % 2 == 0))
    assert await store.look(read) > 0
    await store.note(write)


# ---------------------------------------------------------------- the definition


async def test_a_parameter_follows_the_definition_unless_an_operator_set_it(store: ClusterStore) -> None:
    first = store.snapshot.definition
    await store.install(changed(first, parameters={TVS_TTL: "100", AUTO_REGISTRATION: "false"}))
    assert (store.snapshot.parameter(TVS_TTL), store.snapshot.parameter(AUTO_REGISTRATION)) == ("100", "False")
    await store.set_parameter(TVS_TTL, "200")
    await store.install(changed(first, parameters={TVS_TTL: "100", AUTO_REGISTRATION: "True"}))
    assert (store.snapshot.parameter(TVS_TTL), store.snapshot.parameter(AUTO_REGISTRATION)) == ("200", "True")
    await store.install(changed(first, parameters={TVS_TTL: "300"}))
    assert store.snapshot.parameter(TVS_TTL) == "300"
    await store.install(changed(first, parameters={}))
    assert store.snapshot.parameter(TVS_TTL) == "86400"
    assert store.snapshot.overrides == {}


async def test_what_an_operator_set_outlives_its_removal_from_the_file(store: ClusterStore) -> None:
    first = store.snapshot.definition
    await store.install(changed(first, parameters={TVS_TTL: "100"}))
    await store.set_parameter(TVS_TTL, "200")
    await store.install(changed(first, parameters={}))
    assert store.snapshot.parameter(TVS_TTL) == "200"


async def test_a_default_follows_the_release(open_store: StoreMaker) -> None:
    store = await open_store(release="12.5")
    assert store.snapshot.parameter(FILE_SIGNATURE) == "SHA-1"
    await store.install(changed(store.snapshot.definition, release="14"))
    assert store.snapshot.parameter(FILE_SIGNATURE) == "SHA-512"


async def test_devices_follow_the_definition(store: ClusterStore) -> None:
    assert "SEP001122334455" in store.snapshot.devices
    await store.install(changed(store.snapshot.definition, devices=[{"mac": "aabb.ccdd.eeff", "model": "8865"}]))
    assert list(store.snapshot.devices) == ["SEPAABBCCDDEEFF"]


# ---------------------------------------------------------------- who hears of it


async def test_subscribers_hear_of_every_change_until_they_leave(store: ClusterStore) -> None:
    heard: list[int] = []
    leave = store.subscribe(lambda snapshot: heard.append(snapshot.revision))
    first = store.snapshot.revision
    await store.set_parameter(ROLLBACK, "True")
    await store.set_parameter(ROLLBACK, "True")
    await store.set_parameter(ROLLBACK, "False")
    leave()
    leave()
    await store.set_parameter(ROLLBACK, "True")
    assert heard == [first + 1, first + 2]


async def test_a_subscriber_that_fails_keeps_nobody_else_from_hearing(
    store: ClusterStore, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[int] = []

    def fails(_snapshot: ClusterSnapshot) -> None:
        raise RuntimeError("listener is broken")

    store.subscribe(fails)
    store.subscribe(lambda snapshot: heard.append(snapshot.revision))
    await store.set_parameter(ROLLBACK, "True")
    assert heard == [store.snapshot.revision]
    assert "listener is broken" in caplog.text


async def test_a_change_is_in_the_trace(open_store: StoreMaker) -> None:
    sink = MemorySink()
    store = await open_store(trace=Trace(sink))
    await store.set_parameter(ROLLBACK, "True")
    published = [event for event in sink.events if event.step == "snapshot_published"]
    assert [event.data["what"] for event in published] == ["loaded", f"parameter {ROLLBACK}"]
    assert published[-1].data["revision"] == store.snapshot.revision


async def test_another_process_sees_a_change_when_it_looks(database: StateMaker, open_store: StoreMaker) -> None:
    """R-TVS-3, as two processes on one file would."""
    path = await database()
    one, other = await open_store(path), await open_store(path)
    certificate = stranger()
    await one.add_trust("Phone-SAST-trust", [certificate])
    await one.set_parameter(ROLLBACK, "True")
    assert other.snapshot.find_by_digest(certificate.sha256) is None
    assert await other.refresh()
    assert state(other.snapshot) == state(one.snapshot)
    assert not await other.refresh()
    await one.delete_trust("Phone-SAST-trust", certificate.sha256)
    assert await other.refresh()
    assert other.snapshot.find_by_digest(certificate.sha256) is None


async def test_a_watcher_takes_up_what_others_change(database: StateMaker, open_store: StoreMaker) -> None:
    path = await database()
    one, other = await open_store(path), await open_store(path)
    arrived: asyncio.Queue[ClusterSnapshot] = asyncio.Queue()
    other.subscribe(arrived.put_nowait)
    other.watch(0.005)
    other.watch(0.005)
    certificate = stranger()
    await one.add_trust("Phone-SAST-trust", [certificate])
    seen = await asyncio.wait_for(arrived.get(), 20)
    assert seen.find_by_digest(certificate.sha256) is not None
    await one.delete_trust("Phone-SAST-trust", certificate.sha256)
    seen = await asyncio.wait_for(arrived.get(), 20)
    assert seen.find_by_digest(certificate.sha256) is None


async def test_a_watcher_outlives_a_failing_listener(database: StateMaker, open_store: StoreMaker) -> None:
    path = await database()
    one, other = await open_store(path), await open_store(path)
    arrived: asyncio.Queue[int] = asyncio.Queue()

    def fails(snapshot: ClusterSnapshot) -> None:
        arrived.put_nowait(snapshot.revision)
        raise RuntimeError("listener is broken")

    other.subscribe(fails)
    other.watch(0.005)
    for value in ("True", "False"):
        await one.set_parameter(ROLLBACK, value)
        assert await asyncio.wait_for(arrived.get(), 20) == one.snapshot.revision


async def test_a_change_starts_from_what_others_changed_meanwhile(database: StateMaker, open_store: StoreMaker) -> None:
    path = await database()
    one, other = await open_store(path), await open_store(path)
    await one.set_parameter(ROLLBACK, "True")
    await other.set_parameter(TVS_TTL, "60")
    assert other.snapshot.rollback
    assert other.snapshot.revision == one.snapshot.revision + 1


async def test_a_refused_change_still_brings_what_others_changed(database: StateMaker, open_store: StoreMaker) -> None:
    path = await database()
    one, other = await open_store(path), await open_store(path)
    await one.set_parameter(ROLLBACK, "True")
    with pytest.raises(Refusal):
        await other.delete_trust("tomcat-trust", b"x" * 32)
    assert other.snapshot.rollback


async def test_many_writers_at_once_lose_nothing(database: StateMaker, open_store: StoreMaker) -> None:
    path = await database()
    stores = [await open_store(path) for _ in range(4)]
    first = stores[0].snapshot.revision
    certificates = [stranger(f"c{number}") for number in range(24)]
    await asyncio.gather(
        *(stores[index % 4].add_trust("tomcat-trust", [item]) for index, item in enumerate(certificates))
    )
    for store in stores:
        await store.refresh()
        assert store.snapshot.revision == first + len(certificates)
        assert all(store.snapshot.find_by_digest(item.sha256) for item in certificates)
    assert len({repr(sorted(store.snapshot.trusted)) for store in stores}) == 1


async def test_two_that_install_at_once_make_one_cluster(open_store: StoreMaker, tmp_path: Path) -> None:
    path = tmp_path / "state" / "cluster.sqlite"
    small = definition(1, release="8.6")
    stores = [await open_store(path) for _ in range(2)]
    await asyncio.gather(*(store.install(small) for store in stores))
    assert stores[0].snapshot.revision == stores[1].snapshot.revision == 1
    assert build_itl(stores[0].snapshot, "n0") == build_itl(stores[1].snapshot, "n0")


async def test_opening_a_new_database_many_times_at_once_makes_one(open_store: StoreMaker, tmp_path: Path) -> None:
    path = tmp_path / "state" / "cluster.sqlite"
    stores = await asyncio.gather(*(open_store(path) for _ in range(8)))
    assert len({store._identity for store in stores}) == 1


async def test_one_that_is_far_behind_reads_everything(
    database: StateMaker, open_store: StoreMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of touched certificates does not grow for ever; whoever needs more of it than there is starts anew."""
    path = await database()
    one, behind = await open_store(path), await open_store(path)
    monkeypatch.setattr(loading, "KEPT_REVISIONS", 3)
    monkeypatch.setattr("cluster.changes.KEPT_REVISIONS", 3)
    gone, come = stranger(), stranger()
    await one.add_trust("tomcat-trust", [gone])
    await behind.refresh()
    await one.delete_trust("tomcat-trust", gone.sha256)
    await one.add_trust("tomcat-trust", [come])
    for _ in range(3):
        await one.add_trust("tomcat-trust", [stranger()])
    assert sql(path, "SELECT count(DISTINCT revision) AS kept FROM trust_change") == [{"kept": 3}]
    assert await behind.refresh()
    assert state(behind.snapshot) == state(one.snapshot)
    assert behind.snapshot.find_by_digest(gone.sha256) is None
    assert behind.snapshot.find_by_digest(come.sha256) is not None


async def test_old_definitions_do_not_pile_up(store: ClusterStore) -> None:
    for number in range(3):
        devices = [{"mac": f"00000000000{number}", "model": "8865"}]
        await store.install(changed(store.snapshot.definition, devices=devices))
    assert sql(Path(store._where), "SELECT count(*) AS kept FROM definition") == [{"kept": 1}]


async def test_a_store_closes_twice(store: ClusterStore) -> None:
    before = asyncio.all_tasks()
    store.watch(0.001)
    assert len(asyncio.all_tasks()) == len(before) + 1
    await store.close()
    await store.close()
    assert asyncio.all_tasks() == before, "nobody watches any more"


async def test_mixed_mode_is_a_parameter_that_only_the_cluster_sets(store: ClusterStore) -> None:
    assert not store.snapshot.mixed_mode
    await store.set_parameter(SECURITY_MODE, "1")
    assert store.snapshot.mixed_mode


async def test_a_snapshot_is_never_altered_by_later_changes(store: ClusterStore) -> None:
    before = store.snapshot
    held = state(before)
    await store.set_parameter(ROLLBACK, "True")
    await store.add_trust("tomcat-trust", [stranger()])
    nodes = [*before.definition.model_dump()["nodes"], {"name": "alpha-sub2", "address": "127.0.0.1"}]
    await store.install(changed(before.definition, nodes=nodes))
    assert state(before) == held
    assert ("alpha-sub2", Purpose.TVS) not in before.own


# ---------------------------------------------------------------- PostgreSQL later


async def test_nothing_that_is_asked_of_the_database_is_particular_to_sqlite(
    open_store: StoreMaker, tmp_path: Path
) -> None:
    """Every table and statement can be written for PostgreSQL."""
    store = await open_store(tmp_path / "state" / "cluster.sqlite")
    asked: list[object] = []
    engine = store._engine.sync_engine
    event.listen(engine, "before_execute", lambda _connection, clause, *_rest: asked.append(clause))
    await store.install(definition(1, release="8.6"))
    certificate = stranger()
    await store.add_trust("tomcat-trust", [certificate])
    await store.set_parameter(ROLLBACK, "True")
    await store.delete_trust("tomcat-trust", certificate.sha256)
    await store.refresh()
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    assert len(asked) > 30
    for clause in asked:
        assert not isinstance(clause, str)
        assert str(clause.compile(dialect=dialect))  # type: ignore[attr-defined]
    for table in schema.metadata.tables.values():
        assert str(CreateTable(table).compile(dialect=dialect))
        assert all(str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes)


def test_what_is_particular_to_sqlite_stands_in_one_module() -> None:
    words = ("pragma", "exec_driver_sql", "sqlalchemy.dialects", "sqlite+", "import sqlite3")
    guilty = {
        module.name
        for module in Path(schema.__file__).parent.rglob("*.py")
        if any(word in module.read_text("utf-8").lower() for word in words)
    }
    assert guilty == {"database.py"}
