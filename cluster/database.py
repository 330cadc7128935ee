"""The engine under the store: what is special about SQLite stands here and nowhere else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from wire.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path

LOCK_TIMEOUT_S = 30.0
"""How long a writer waits for another process's transaction."""


def open_sqlite(path: Path) -> AsyncEngine:
    """An engine on a file that only its owner can read; its folder likewise.

    Transactions of writers take the lock at their start, so that two processes queue up instead of failing half-way.

    Raises:
        OperatorError: the folder or file cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.close(descriptor)
        path.chmod(0o600)
    except OSError as error:
        raise OperatorError(f"cannot keep state in {path.parent}: {error.strerror}") from error
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", connect_args={"timeout": LOCK_TIMEOUT_S})

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not guessed by the driver
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("ucmsim_writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
