"""The engine under the store: what is special about SQLite stands here and nowhere else.

Another database needs an `open_...` of its own that gives the same guarantees: a transaction sees one state from its
first query on, writers queue up at its start, and a connection never outlives the database that it was made to.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from sqlalchemy import Connection

_Result = TypeVar("_Result")

LOCK_TIMEOUT_S = 60.0
"""How long a writer waits for another process's transaction; the longest one is a big cluster's installation."""

WRITING = "ucmsim_writing"
"""Execution option of an engine whose transactions write: they take the lock at their start."""


def open_sqlite(path: Path) -> AsyncEngine:
    """An engine on a file that only its owner can read; its folder likewise.

    The file is made here and never by a later connection: one that vanished stays an error instead of coming back
    empty, and one that was replaced is not written to through a connection to the old one.

    Raises:
        OperatorError: the folder or file cannot be made.
    """
    path = path.absolute()  # the working folder may change
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.close(descriptor)
        path.chmod(0o600)
    except OSError as error:
        raise OperatorError(f"cannot keep state in {path.parent}: {error.strerror}") from error
    address = f"file:{quote(str(path))}"
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=address, query={"mode": "rw", "uri": "true"}),
        connect_args={"timeout": LOCK_TIMEOUT_S},
        hide_parameters=True,  # of a failed statement: a private key may be among them
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def _only_to_what_is_there(*_details: object) -> None:
        if not path.is_file():  # the driver would say so, too, and leave a thread behind that fails at the end
            raise sqlite3.OperationalError("unable to open database file")

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not guessed by the driver
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()
        record.info["file"] = _file_identity(path)

    @event.listens_for(engine.sync_engine, "checkout")
    def _still_the_same(_connection: object, record: Any, _proxy: object) -> None:
        if record.info.get("file") != _file_identity(path):
            raise DisconnectionError  # the pool makes a new connection in its place, or fails to

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get(WRITING, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


async def to_its_end(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Awaits `work`, and lets it finish before the caller's cancellation goes on.

    A statement that is given up half-way keeps its connection, and a writer's lock on the database, for nobody knows
    how long: until then every other process waits in vain.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):  # however often it is said
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # the caller wants to know nothing of it any more
        raise


def reason(error: SQLAlchemyError) -> str:
    """What the database said, without the statement and its values."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return str(error.orig)
    return type(error).__name__


def _file_identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
