"""The database is gone, foreign, damaged or full: the last snapshot stays, and the operator is told in one sentence."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cluster import database as database_module
from cluster.parameters import ROLLBACK
from cluster.purposes import Purpose
from cluster.store import ClusterStore
from cluster.trustlists import build_itl
from tests.cluster.material import changed, sql, stranger
from wire.errors import OperatorError

if TYPE_CHECKING:
    from tests.cluster.conftest import StateMaker, StoreMaker

REFUSED = "the change was refused and nothing was altered: "


async def refused(store: ClusterStore) -> str:
    """The sentence with which a change is refused; what was served before has to be served after."""
    before = store.snapshot
    itl = build_itl(before, "alpha-pub")
    with pytest.raises(OperatorError) as caught:
        await store.add_trust("tomcat-trust", [stranger()])
    assert store.snapshot is before
    assert build_itl(store.snapshot, "alpha-pub") == itl
    return str(caught.value)


async def unreadable(store: ClusterStore) -> str:
    with pytest.raises(OperatorError) as caught:
        await store.refresh()
    return str(caught.value)


async def no_store(path: Path) -> str:
    with pytest.raises(OperatorError) as caught:
        await ClusterStore.open(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def remove(path: Path) -> None:
    for item in path.parent.iterdir():
        item.unlink()


# ---------------------------------------------------------------- gone


async def test_with_the_file_removed_the_snapshot_stays_and_changes_are_refused(store: ClusterStore) -> None:
    path = Path(store._where)
    remove(path)
    assert await refused(store) == f"{REFUSED}database {path}: unable to open database file"
    assert await unreadable(store) == f"cannot read the state database {path}: unable to open database file"
    assert not path.exists(), "a change must not make a new, empty database"


async def test_with_the_folder_removed_the_snapshot_stays_and_changes_are_refused(store: ClusterStore) -> None:
    shutil.rmtree(Path(store._where).parent)
    assert "unable to open database file" in await refused(store)


async def test_when_the_file_is_back_everything_goes_on(store: ClusterStore, tmp_path: Path) -> None:
    path = Path(store._where)
    aside = tmp_path / "aside"
    path.parent.rename(aside)
    await refused(store)
    aside.rename(path.parent)
    await store.set_parameter(ROLLBACK, "True")
    assert store.snapshot.rollback


async def test_a_folder_in_its_place_is_no_database(store: ClusterStore) -> None:
    path = Path(store._where)
    remove(path)
    path.mkdir()
    assert "unable to open database file" in await refused(store)
    assert await no_store(path) == f"cannot keep state in {path.parent}: Is a directory"


async def test_another_cluster_s_database_in_its_place_is_not_taken_for_the_own(
    store: ClusterStore, open_store: StoreMaker, database: StateMaker
) -> None:
    path = Path(store._where)
    other = await database("8.6")
    os.replace(other, path)  # noqa: PTH105 - as mv does
    assert await refused(store) == f"{path} was replaced by another database; restart to take it up"
    assert await unreadable(store) == f"{path} was replaced by another database; restart to take it up"
    assert (await open_store(path)).snapshot.definition.release == "8.6"


async def test_an_older_copy_in_its_place_is_noticed(store: ClusterStore, tmp_path: Path) -> None:
    path, copy = Path(store._where), tmp_path / "copy.sqlite"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    await store.set_parameter(ROLLBACK, "True")
    remove(path)
    copy.rename(path)
    assert await refused(store) == f"{path} went back from revision 2 to 1: an older copy? Restart to take it up"


async def test_an_empty_file_in_its_place_is_no_state(store: ClusterStore) -> None:
    path = Path(store._where)
    remove(path)
    path.touch()
    assert "no such table" in await refused(store)


async def test_garbage_in_its_place_is_no_state(store: ClusterStore) -> None:
    path = Path(store._where)
    remove(path)
    path.write_bytes(b"garbage " * 1_000)
    assert await refused(store) == f"{REFUSED}database {path}: file is not a database"


async def test_the_watcher_says_once_that_the_database_is_gone_and_once_that_it_is_back(
    store: ClusterStore, tmp_path: Path
) -> None:
    path, aside = Path(store._where), tmp_path / "aside"
    told: asyncio.Queue[str] = asyncio.Queue()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.put_nowait(record.getMessage())

    listener = Listener()
    logging.getLogger("ucmsim.store").addHandler(listener)
    try:
        path.parent.rename(aside)
        store.watch(0.001)
        gone = f"cannot read the state database {path}: unable to open database file"
        assert await asyncio.wait_for(told.get(), 20) == f"{gone}; going on with the state that was last read"
        for _ in range(3):
            assert await unreadable(store) == gone
        aside.rename(path.parent)
        assert await asyncio.wait_for(told.get(), 20) == f"the state database {path} can be read again"
    finally:
        logging.getLogger("ucmsim.store").removeHandler(listener)
    assert told.empty()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to be refused as")
async def test_without_permission_the_state_is_not_opened(database: StateMaker) -> None:
    path = await database()
    program = (
        "import asyncio, os, sys; from pathlib import Path; from cluster.store import ClusterStore\n"
        "from wire.errors import OperatorError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: asyncio.run(ClusterStore.open(Path(sys.argv[1])))\n"
        "except OperatorError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot keep state in {path.parent}: Permission denied\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
async def test_a_file_that_may_not_be_read_is_not_opened(database: StateMaker) -> None:
    path = await database()
    path.parent.chmod(0)
    try:
        assert await no_store(path) == f"cannot keep state in {path.parent}: Permission denied"
    finally:
        path.parent.chmod(0o700)


async def test_a_full_disk_refuses_the_change_and_loses_nothing(database: StateMaker, open_store: StoreMaker) -> None:
    path = await database()
    program = (
        "import asyncio, resource, sys; from pathlib import Path; from cluster.store import ClusterStore\n"
        "from tests.cluster.material import stranger\n"
        "from wire.errors import OperatorError\n"
        "async def main():\n"
        "    store = await ClusterStore.open(Path(sys.argv[1]))\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))\n"
        "    try: await store.add_trust('tomcat-trust', [stranger() for _ in range(200)])\n"
        "    except OperatorError as error: print(error, store.snapshot.revision)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"{REFUSED}database {path}: "), done.stderr
    store = await open_store(path)
    assert store.snapshot.revision == 1
    assert sql(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    await store.set_parameter(ROLLBACK, "True")


async def test_a_lock_that_another_program_keeps_is_an_error_in_the_end(
    database: StateMaker, open_store: StoreMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LOCK_TIMEOUT_S", 0.05)
    path = await database()
    store = await open_store(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await refused(store) == f"{REFUSED}database {path}: database is locked"
        assert not await store.refresh(), "reading goes on"
        other.execute("ROLLBACK")
    await store.set_parameter(ROLLBACK, "True")


# ---------------------------------------------------------------- foreign or damaged


async def test_a_file_that_is_no_database_is_not_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "cluster.sqlite"
    path.write_bytes(b"not a database, and longer than a header would be " * 100)
    assert await no_store(path) == f"{path} is no usable state database: file is not a database"


async def test_somebody_else_s_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "cluster.sqlite"
    sql(path, "CREATE TABLE bookmarks (url TEXT)")
    assert await no_store(path) == f"{path} is a database of something else: it has tables, and 'meta' is none"
    assert sql(path, "SELECT name FROM sqlite_master") == [{"name": "bookmarks"}]


async def test_another_version_s_layout_is_left_as_it_is(database: StateMaker) -> None:
    path = await database()
    sql(path, "UPDATE meta SET value = '999' WHERE key = 'schema'")
    sql(path, "DROP TABLE stamp")
    assert (await no_store(path)).startswith(f"{path} has layout 999; this version of ucmsim reads layout ")
    assert not sql(path, "SELECT name FROM sqlite_master WHERE name = 'stamp'")


async def test_a_layout_that_lacks_a_table_is_another_version_s(database: StateMaker) -> None:
    path = await database()
    sql(path, "DROP TABLE stamp")
    assert await no_store(path) == f"{path} was made by another version of ucmsim: it has no stamp"


async def test_a_damaged_page_is_an_error_and_not_a_guess(database: StateMaker) -> None:
    path = await database()
    sql(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    data[4_096 : len(data)] = b"\xff" * (len(data) - 4_096)
    path.write_bytes(data)
    assert str(path) in await no_store(path)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE own_certificate SET der = x'3000'", "not a readable X.509 certificate"),
        ("UPDATE own_certificate SET purpose = 'Fax' WHERE purpose = 'TVS'", "'Fax' is not a valid Purpose"),
        ("UPDATE own_certificate SET installed_at = 'yesterday'", "Invalid isoformat string: 'yesterday'"),
        ("UPDATE definition SET document = '{'", "Invalid JSON"),
        ("UPDATE definition SET document = '{}'", "Field required"),
        ("UPDATE trust_certificate SET store = 'Fax-trust' WHERE store = 'tomcat-trust'", "trust store 'Fax-trust'"),
        ("UPDATE revision SET at = ''", "Invalid isoformat string: ''"),
    ],
)
async def test_rows_that_make_no_sense_are_named(statement: str, said: str, database: StateMaker) -> None:
    path = await database()
    sql(path, "PRAGMA foreign_keys = OFF")
    sql(path, statement)
    message = await no_store(path)
    assert message.startswith(f"{path} holds state that this version of ucmsim cannot read: ")
    assert said in message


async def test_a_damaged_key_is_named_without_being_shown(database: StateMaker, open_store: StoreMaker) -> None:
    path = await database()
    sql(path, "UPDATE own_certificate SET private_key = substr(private_key, 1, 200) WHERE purpose = 'CallManager'")
    own = (await open_store(path)).snapshot.require("alpha-pub", Purpose.CALLMANAGER)
    with pytest.raises(OperatorError, match=r"^the private key of alpha-pub's CallManager is damaged$") as caught:
        _ = own.private_key
    assert caught.value.__cause__ is None


# ---------------------------------------------------------------- who may read it


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_only_the_owner_can_read_the_state(open_store: StoreMaker, tmp_path: Path) -> None:
    """Private keys are in it. Not even a generous umask opens it, and neither do the files beside it."""
    path = tmp_path / "state" / "alpha" / "cluster.sqlite"
    old = os.umask(0)
    try:
        store = await open_store(path)
        await store.add_trust("tomcat-trust", [stranger()]) if store.installed else None
        assert mode(path.parent) == 0o700
        files = sorted(path.parent.iterdir())
        assert [item.name for item in files] == ["cluster.sqlite", "cluster.sqlite-shm", "cluster.sqlite-wal"]
        assert {mode(item) for item in files} == {0o600}
    finally:
        os.umask(old)


async def test_a_state_that_others_could_read_is_closed_to_them(database: StateMaker, open_store: StoreMaker) -> None:
    path = await database()
    path.chmod(0o666)
    store = await open_store(path)
    await store.install(changed(store.snapshot.definition, domain="other.example"))
    assert {mode(item) for item in path.parent.iterdir()} == {0o600}
