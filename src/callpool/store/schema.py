"""The schema of the store: which revision a database is at, and how it gets to the one that is needed."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from callpool.errors import StoreError
from callpool.settings import Settings
from callpool.stages import prepare_business
from callpool.store.engine import (
    create_engine,
    create_file,
    explained,
    for_writing,
    is_locked,
    shown,
    sqlite_path,
)

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""The revision that this version of callpool works with. Stated here so that a job that finds its store in
order, as nearly all do, need not import Alembic."""

MIGRATION_TIMEOUT_S = 60.0
"""How long a process waits for another one that migrates the same SQLite file."""

_LOCK_KEY = 0x63616C6C
"""Of PostgreSQL's advisory lock, held while migrating."""

logger = logging.getLogger(__name__)


async def version(engine: AsyncEngine) -> str | None:
    """The revision that the database is at; None: it has no schema yet. Raises StoreError."""
    with explained(engine):
        async with engine.connect() as connection:
            return await connection.run_sync(_version)


async def prepare(engine: AsyncEngine, *, migrate: bool = True) -> None:
    """See to it that the database has the schema of this version.

    An empty or older SQLite file is migrated, unless `migrate` is False; several processes may do this at
    the same time. Raises StoreError for any other database that is not at the right revision, and says what
    to do.
    """
    path = sqlite_path(engine)
    if path is not None and migrate:
        with explained(engine):
            create_file(path)
    found = await version(engine)
    if found == HEAD:
        return
    if path is None or not migrate or await asyncio.to_thread(_is_newer, found):
        raise StoreError(_advice(engine, found))
    await upgrade(engine)


async def upgrade(engine: AsyncEngine) -> str | None:
    """Migrate the database and give the revision that it was at. Raises StoreError."""
    with explained(engine):
        async with asyncio.timeout(MIGRATION_TIMEOUT_S):
            while True:
                try:
                    before = await _upgrade(engine)
                    break
                except Exception as error:
                    if not is_locked(error):
                        raise
                    await asyncio.sleep(0.1)
    if before != HEAD:
        logger.info(
            "store migrated",
            extra={"action": "store_migrated", "store": shown(engine), "from": before, "to": HEAD},
        )
    return before


async def upgrade_command(settings: Settings) -> int:
    """`callpool db upgrade`: migrate the store of the settings and say what was done."""
    engine = create_engine(settings.store_url)
    try:
        if path := sqlite_path(engine):
            with explained(engine):
                create_file(path)
        before = await upgrade(engine)
    finally:
        await engine.dispose()
    await prepare_business(settings, migrate=True)
    done = "is already" if before == HEAD else f"went from {before or 'empty'} and is now"
    click.echo(f"the schema of {shown(engine)} {done} at {HEAD}")
    return 0


async def _upgrade(engine: AsyncEngine) -> str | None:
    if engine.dialect.name == "sqlite":
        async with engine.connect() as connection:
            raw = await connection.get_raw_connection()
            # Not possible inside a transaction; the file remembers it.
            await raw.driver_connection.execute("PRAGMA journal_mode = WAL")  # type: ignore[union-attr]
    async with for_writing(engine).begin() as connection:
        return await connection.run_sync(_migrate, shown(engine))


def _migrate(connection: Connection, store: str) -> str | None:
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    before = _version(connection)
    if _is_newer(before):
        raise StoreError(_newer(store, before))
    if before != HEAD:
        alembic = _alembic()
        alembic.attributes["connection"] = connection
        command.upgrade(alembic, HEAD)
    return before


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _alembic() -> Config:
    from alembic.config import Config

    alembic = Config()
    # Alembic expands `%` in its options, and an installed path may hold one.
    alembic.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return alembic


def _is_newer(found: str | None) -> bool:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    return found is not None and found not in known


def _advice(engine: AsyncEngine, found: str | None) -> str:
    if found is None:
        return f"the store {shown(engine)} has no schema yet: run `callpool db upgrade`"
    if _is_newer(found):
        return _newer(shown(engine), found)
    return f"the schema of {shown(engine)} is at {found}, and {HEAD} is needed: run `callpool db upgrade`"


def _newer(store: str, found: str | None) -> str:
    return (
        f"the schema of {store} is at {found}, and this version of callpool knows none above {HEAD}: "
        "use the version that made it, or a newer one"
    )
