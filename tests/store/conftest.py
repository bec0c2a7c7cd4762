"""A store of each kind: a SQLite file, and a database of a PostgreSQL server that the tests start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from visit import Visit, visiting

from callpool.settings import Settings, load
from callpool.store.calls import Calls
from callpool.store.schema import upgrade_command
from callpool_tools.business import Business
from postgres import Server, postgres


@pytest.fixture(scope="session")
def postgres_server(free_port: Callable[[], int]) -> Iterator[Server]:
    with postgres(free_port()) as server:
        yield server


@pytest.fixture
def postgres_settings(postgres_server: Server) -> Settings:
    """Settings that name an empty PostgreSQL database."""
    return load({"CALLPOOL_STORE_URL": postgres_server.create_database()})


@pytest.fixture
def sqlite_settings(tmp_path: Path) -> Settings:
    """Settings that name a SQLite file which does not exist yet."""
    return load({"CALLPOOL_STORE_URL": f"sqlite:///{tmp_path}/records/callpool.db"})


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def settings(request: pytest.FixtureRequest) -> Settings:
    """Settings for each kind of store, with an up-to-date schema."""
    settings: Settings = request.getfixturevalue(f"{request.param}_settings")
    asyncio.run(upgrade_command(settings))
    return settings


@pytest.fixture
async def calls(settings: Settings) -> AsyncIterator[Calls]:
    """The opened store."""
    async with Calls(settings.store_url) as store:
        await store.open()
        yield store


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def business_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of each kind."""
    settings: Settings = request.getfixturevalue(f"{request.param}_settings")
    return settings.business_url


@pytest.fixture
async def business(business_url: str) -> AsyncIterator[Business]:
    """A shop that has just been founded."""
    await Business.prepare(business_url)
    business = Business(business_url)
    yield business
    await business.aclose()


@pytest.fixture
async def visit(business: Business) -> AsyncIterator[Visit]:
    """A call to that shop that has just begun, in English."""
    async with visiting(business) as visit:
        yield visit
