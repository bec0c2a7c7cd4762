"""A store that is locked, full, hangs, starts up or is gone: who waits for it, and who is told."""

from __future__ import annotations

import asyncio
import logging
import socket
import sqlite3
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from noon import a_call
from sqlalchemy.exc import DBAPIError

from callpool.errors import StoreAway
from callpool.settings import Settings
from callpool.store import engine, transactions
from callpool.store.calls import Calls
from callpool.store.record import Turn
from callpool.store.schema import upgrade_command


async def test_a_write_waits_until_a_locked_file_is_free(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may hold the file for longer than SQLite itself waits."""
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 20)
    async with Calls(sqlite_settings.store_url) as calls:
        await calls.open()
        other = sqlite3.connect(sqlite_settings.store_url.partition(":///")[2], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        class FreeTheFile(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if other.in_transaction and vars(record)["action"] == "store_retry":
                    other.execute("ROLLBACK")

        handler = FreeTheFile()
        logging.getLogger("callpool.store.transactions").addHandler(handler)
        try:
            await calls.begin(a_call())
        finally:
            logging.getLogger("callpool.store.transactions").removeHandler(handler)
            freed = not other.in_transaction
            other.close()

        assert freed
        assert await calls.get("c_1") is not None


async def test_a_file_that_cannot_grow_is_waited_for(
    sqlite_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Its disk is full, and somebody will make room."""
    async with Calls(sqlite_settings.store_url) as calls:
        await calls.open()
        await calls.begin(a_call())

        async def limit(pages: int) -> None:
            async with calls._engine.connect() as connection:
                await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        def retries() -> int:
            return sum(getattr(record, "action", "") == "store_retry" for record in caplog.records)

        await limit(1)
        written = asyncio.create_task(
            calls.record_turn("c_1", Turn(0, "reception", agent_text="x" * 100_000))
        )
        async with asyncio.timeout(10):
            while not retries():
                assert not written.done()
                await asyncio.sleep(0.01)
            while not written.done():  # a connection may be in use just now, and another be given the room
                await limit(1_000_000)
                await asyncio.sleep(0.01)
        await written


@pytest.mark.postgres
async def test_postgresql_that_hangs_is_away(
    postgres_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller does not wait for the store, and who asks it is told."""
    monkeypatch.setattr(transactions, "HANG_S", 0.3)
    await upgrade_command(postgres_settings)
    async with Calls(postgres_settings.store_url) as calls:
        await calls.begin(a_call())
        other = await asyncpg.connect(postgres_settings.store.url)
        async with other.transaction():
            await other.execute("LOCK TABLE calls IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreAway):
                await calls.set_language("c_1", "de")
        await other.close()
        await calls.set_language("c_1", "de")


@pytest.mark.postgres
async def test_a_lost_connection_to_postgresql_is_made_anew(postgres_settings: Settings) -> None:
    """The server may close connections between two turns."""
    await upgrade_command(postgres_settings)
    async with Calls(postgres_settings.store_url) as calls:
        await calls.begin(a_call())
        admin = await asyncpg.connect(postgres_settings.store.url)
        killed = await admin.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await admin.close()

        await calls.record_turn("c_1", Turn(0, "reception"))

        assert killed
        record = await calls.get("c_1")
        assert record is not None
        assert len(record.turns) == 1


@asynccontextmanager
async def restarting(url: str, refusals: int) -> AsyncIterator[str]:
    """A way to a PostgreSQL server that lets nobody in at first, as one that starts up; gives its URL."""
    beginning, _, rest = url.partition("@127.0.0.1:")
    port, _, database = rest.partition("/")
    left = refusals
    message = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        if left:
            left -= 1
            await reader.read(8)
            writer.write(b"N")  # no TLS
            await reader.read(1024)
            writer.write(b"E" + struct.pack("!I", len(message) + 4) + message)
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", int(port))
        await asyncio.gather(pass_on(reader, back), pass_on(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"{beginning}@127.0.0.1:{server.sockets[0].getsockname()[1]}/{database}"
    assert not left


@pytest.mark.postgres
async def test_a_write_waits_until_postgresql_has_started(postgres_settings: Settings) -> None:
    """A restart of the server costs no turn."""
    await upgrade_command(postgres_settings)
    async with restarting(postgres_settings.store_url, 3) as url, Calls(url) as calls:
        await calls.begin(a_call())

        assert await calls.get("c_1") is not None


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.DiskFullError("could not extend file: No space left on device"),
        asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        TimeoutError(),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        OSError(113, "No route to host"),
        ConnectionRefusedError(),
        DBAPIError(
            "SELECT 1", None, asyncpg.CannotConnectNowError("starting up"), connection_invalidated=False
        ),
        DBAPIError("SELECT 1", None, ValueError(), connection_invalidated=True),
    ],
    ids=repr,
)
def test_a_server_that_is_away_comes_back(error: Exception) -> None:
    """Whatever says so: the server, the driver, the network or the name server."""
    assert engine.is_passing(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InvalidPasswordError("password authentication failed"),
        asyncpg.InvalidCatalogNameError("database does not exist"),
        asyncpg.UndefinedTableError("relation does not exist"),
        DBAPIError("SELECT 1", None, ValueError(), connection_invalidated=False),
        ValueError("no time zone"),
    ],
    ids=repr,
)
def test_what_does_not_mend_itself_is_not_tried_again(error: Exception) -> None:
    """A caller's turn is not held up by a wrong password."""
    assert not engine.is_passing(error)
