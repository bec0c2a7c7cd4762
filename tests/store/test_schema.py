"""How a store gets its schema, and what is said of one that cannot be used."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from callpool.errors import StoreError
from callpool.settings import Settings, load
from callpool.store import schema
from callpool.store.calls import Calls
from callpool.store.engine import create_engine, shown
from callpool.store.tables import metadata
from callpool_tools.tables import metadata as business

FROM_THE_FUTURE = "UPDATE alembic_version SET version_num = '9999'"


def path_of(settings: Settings) -> Path:
    return Path(settings.store_url.partition(":///")[2])


async def version_of(settings: Settings) -> str | None:
    engine = create_engine(settings.store_url)
    try:
        return await schema.version(engine)
    finally:
        await engine.dispose()


async def run_in(settings: Settings, statement: str) -> None:
    engine = create_engine(settings.store_url)
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


def test_the_stated_revision_is_the_last_one() -> None:
    """HEAD is written down by hand: a new migration must move it."""
    assert ScriptDirectory.from_config(schema._alembic()).get_heads() == [schema.HEAD]


async def test_migrations_lead_to_the_tables_in_use(settings: Settings) -> None:
    """A database that went through the migrations has what `tables` describes, no more and no less."""

    def is_ours(_: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
        """The business's tables may lie in the same database."""
        return kind != "table" or not reflected or compare_to is not None or name not in business.tables

    options = {"compare_type": True, "include_object": is_ours}

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))

    engine = create_engine(settings.store_url)
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()

    assert found == []


async def test_upgrading_twice_changes_nothing(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """`db upgrade` on a database that is in order says so and exits 0."""
    capsys.readouterr()

    assert await schema.upgrade_command(settings) == 0

    assert capsys.readouterr().out.endswith(f"is already at {schema.HEAD}\n")


async def test_a_new_sqlite_file_is_made_by_whoever_needs_it(sqlite_settings: Settings) -> None:
    """It has the schema and a write-ahead log, and only its owner can read it: it holds what callers said."""
    async with Calls(sqlite_settings.store_url) as calls:
        await calls.open()

    path = path_of(sqlite_settings)
    with sqlite3.connect(path) as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    assert mode == ("wal",)
    assert path.stat().st_mode & 0o777 == 0o600
    assert await version_of(sqlite_settings) == schema.HEAD


async def test_an_empty_sqlite_file_is_migrated(sqlite_settings: Settings) -> None:
    """A file of no bytes is an empty database."""
    path_of(sqlite_settings).parent.mkdir()
    path_of(sqlite_settings).touch()

    assert await version_of(sqlite_settings) is None
    async with Calls(sqlite_settings.store_url) as calls:
        await calls.open()
        assert await calls.list(1) == []


def test_several_processes_can_make_the_same_file_at_once(sqlite_settings: Settings) -> None:
    """Each finds the file empty, one migrates it, all of them can write."""
    scribe = Path(__file__).with_name("scribe.py")
    processes = [
        subprocess.Popen(
            [sys.executable, scribe, sqlite_settings.store_url, f"c_{n}", "2"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for n in range(4)
    ]
    errors = [process.communicate(timeout=60)[1].decode() for process in processes]

    assert [process.returncode for process in processes] == [0] * 4, errors
    with sqlite3.connect(path_of(sqlite_settings)) as connection:
        assert connection.execute("SELECT count(*) FROM turns").fetchone() == (8,)
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    connection.close()


async def test_an_unmigrated_file_is_refused_where_migrating_is_not_wanted(sqlite_settings: Settings) -> None:
    """With `migrate=False` the error says what to run."""
    path_of(sqlite_settings).parent.mkdir()
    path_of(sqlite_settings).touch()
    calls = Calls(sqlite_settings.store_url)

    with pytest.raises(StoreError, match="has no schema yet: run `callpool db upgrade`"):
        await calls.open(migrate=False)


@pytest.mark.postgres
async def test_an_empty_postgresql_is_left_to_the_operator(postgres_settings: Settings) -> None:
    """A service that starts does not touch the schema of a shared server; the command does."""
    calls = Calls(postgres_settings.store_url)

    with pytest.raises(StoreError, match="has no schema yet: run `callpool db upgrade`"):
        await calls.open()
    assert await version_of(postgres_settings) is None

    assert await schema.upgrade_command(postgres_settings) == 0
    await calls.open()
    assert await calls.list(1) == []
    await calls.close()


@pytest.mark.postgres
async def test_two_operators_can_upgrade_at_once(postgres_settings: Settings) -> None:
    """The second one waits for the first and finds nothing to do."""
    codes = await asyncio.gather(*(schema.upgrade_command(postgres_settings) for _ in range(3)))

    assert codes == [0, 0, 0]
    assert await version_of(postgres_settings) == schema.HEAD


async def test_a_newer_schema_is_refused(settings: Settings) -> None:
    """An older callpool neither reads nor upgrades what a newer one made."""
    await run_in(settings, FROM_THE_FUTURE)
    calls = Calls(settings.store_url)

    with pytest.raises(
        StoreError, match=f"is at 9999, and this version of callpool knows none above {schema.HEAD}"
    ):
        await calls.open()
    with pytest.raises(StoreError, match="is at 9999"):
        await schema.upgrade_command(settings)
    assert await version_of(settings) == "9999"


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """The error is one line with the path and the reason."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database\n" * 100)
    calls = Calls(f"sqlite+aiosqlite:///{path}")

    with pytest.raises(StoreError) as error:
        await calls.open()

    assert str(error.value) == f"the database {path} cannot be used: file is not a database"


async def test_a_server_that_is_not_there_is_named_without_its_password(free_port: Callable[[], int]) -> None:
    """The error shows where it tried, not with which password."""
    port = free_port()
    url = f"postgresql://callpool:hunter2@127.0.0.1:{port}/calls"
    calls = Calls(load({"CALLPOOL_STORE_URL": url}).store_url)

    with pytest.raises(StoreError) as error:
        await calls.open()

    assert f"the database postgresql://callpool:***@127.0.0.1:{port}/calls cannot be used" in str(error.value)
    assert "hunter2" not in str(error.value)
    assert "\n" not in str(error.value)


async def test_an_upgrade_does_not_wait_for_a_server_that_is_not_there(
    free_port: Callable[[], int],
) -> None:
    """The operator may have mistyped its name."""
    settings = load({"CALLPOOL_STORE_URL": f"postgresql://callpool@127.0.0.1:{free_port()}/calls"})

    async with asyncio.timeout(5):
        with pytest.raises(StoreError, match=r"cannot be used: .*[Cc]onnect"):
            await schema.upgrade_command(settings)


@pytest.mark.postgres
async def test_options_of_libpq_are_understood(postgres_settings: Settings) -> None:
    """Most PostgreSQL URLs carry some, and the driver reads them as libpq does."""
    url = f"{postgres_settings.store_url}?sslmode=disable&application_name=callpool"
    engine = create_engine(url)

    assert await schema.version(engine) is None
    assert shown(engine).startswith("postgresql://")
    await engine.dispose()


@pytest.mark.postgres
async def test_a_database_that_does_not_exist_is_named(postgres_settings: Settings) -> None:
    """What the server says is passed on in one line."""
    calls = Calls(postgres_settings.store_url + "_not")

    with pytest.raises(StoreError, match=r"cannot be used: database \".*_not\" does not exist$"):
        await calls.open()
