"""Opens the database: a SQLite file or PostgreSQL, each with the options that callpool relies on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from callpool.errors import StoreAway, StoreError

BUSY_TIMEOUT_MS = 5_000
"""How long SQLite itself waits for another process's write before it says that the file is locked."""

CONNECT_TIMEOUT_S = 3.0
"""How long PostgreSQL may take to accept a connection. A server that vanished without a word is asked again
within the time that a write has."""

_FOR_WRITING = "callpool_for_writing"

_AWAY = ("08", "25006", "53", "57P01", "57P02", "57P03")
"""SQLSTATEs of a PostgreSQL that is not to be had right now: connection lost, only a copy that can be read,
no room (on the disk, in memory, for a connection), shutting down, crashed, starting up."""

_NO_ROOM = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
"""What SQLite says of a file that it cannot write right now: another process does, or the disk is full."""
_NO_ROOM_FOR_LOG = (
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_WRITE,
)
"""What it says when the disk is full and the file beside the database, not the database, is to grow."""


def create_engine(url: str) -> AsyncEngine:
    """Make an engine for a URL with the asynchronous driver. Connects to nothing yet. Raises StoreError."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(
            "the URL of the store cannot be read: expected postgresql://USER@HOST/DATABASE"
        ) from None
    if parsed.get_backend_name() != "sqlite":
        return _create_postgresql(parsed)
    engine = create_async_engine(parsed, pool_size=2, max_overflow=3)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _create_postgresql(url: URL) -> AsyncEngine:
    import asyncpg  # processes on SQLite do without

    # asyncpg reads such a URL itself, with libpq's options (sslmode, …), which SQLAlchemy would pass on as
    # arguments that asyncpg does not have.
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)

    async def connect(*_: object, **__: object) -> asyncpg.Connection:
        return await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)

    return create_async_engine(url, async_creator=connect, pool_size=2, max_overflow=3, pool_pre_ping=True)


def for_writing(engine: AsyncEngine) -> AsyncEngine:
    """The same engine, whose transactions take SQLite's write lock at their beginning.

    One that reads first and locks later fails at once, without waiting, when another process wrote in
    between.
    """
    return engine.execution_options(**{_FOR_WRITING: True})


def shown(engine: AsyncEngine) -> str:
    """The store as a person would name it: the file, or the URL without its password."""
    if path := sqlite_path(engine):
        return str(path)
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=True)


def sqlite_path(engine: AsyncEngine) -> Path | None:
    """The SQLite file, or None for PostgreSQL."""
    if engine.dialect.name != "sqlite":
        return None
    return Path(engine.url.database or "")


def create_file(path: Path) -> None:
    """Make an empty SQLite file that only its owner can read, since it keeps what callers said."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)


def is_passing(error: BaseException) -> bool:
    """Whether the same write may succeed a moment later: a locked file, a full disk, a lost server."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = _cause(error)
    if isinstance(cause, sqlite3.OperationalError):
        code = cause.sqlite_errorcode
        return code & 0xFF in _NO_ROOM or code in _NO_ROOM_FOR_LOG
    # By asyncpg's attribute and not by its classes: SQLite's processes need not import it.
    sqlstate = getattr(cause, "sqlstate", None) or ""
    return isinstance(cause, OSError) or sqlstate.startswith(_AWAY)


def is_locked(error: BaseException) -> bool:
    """Whether another process holds the SQLite file."""
    cause = _cause(error)
    return isinstance(cause, sqlite3.OperationalError) and cause.sqlite_errorcode & 0xFF in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    )


@contextmanager
def explained(engine: AsyncEngine) -> Iterator[None]:
    """Turn what a database or its driver raises into a StoreError of one line."""
    try:
        yield
    except (SQLAlchemyError, OSError, TimeoutError, sqlite3.Error) as error:
        raise _explain(engine, error) from error
    except Exception as error:
        # asyncpg raises its own exceptions while it connects; SQLite's processes need not import it.
        if type(error).__module__.split(".")[0] != "asyncpg":
            raise
        raise _explain(engine, error) from error


def _explain(engine: AsyncEngine, error: BaseException) -> StoreError:
    cause = _cause(error)
    text = str(cause) or type(cause).__name__
    lines = text.rpartition(">: ")[2].strip().splitlines()
    kind = StoreAway if is_passing(error) else StoreError
    return kind(f"the database {shown(engine)} cannot be used: {lines[0]}")


def _cause(error: BaseException) -> BaseException:
    """What the driver raised."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transactions begin late and never for DDL; `_begin_sqlite` says when instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA foreign_keys = ON")
    # With a write-ahead log this survives the death of a process; a power cut may cost the last turns.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(_FOR_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
