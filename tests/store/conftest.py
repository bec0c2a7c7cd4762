"""A store of each kind: a SQLite file, and a database of a PostgreSQL server that the tests start."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from visit import Visit, visiting

from callpool.settings import Settings, load
from callpool.store.calls import Calls
from callpool.store.schema import upgrade_command
from callpool_tools.business import Business

START_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server on loopback that lets in every local user without a password."""

    port: int
    user: str

    def url(self, database: str) -> str:
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Make an empty database and give its URL."""
        name = f"t{uuid.uuid4().hex}"

        async def create() -> None:
            connection = await asyncpg.connect(self.url("postgres"))
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            await connection.close()

        asyncio.run(create())
        return self.url(name)


def _program(name: str) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or next(map(str, installed), None)


def _user() -> str:
    """The user who runs the server: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@pytest.fixture(scope="session")
def postgres_server(free_port: Callable[[], int]) -> Iterator[Server]:
    initdb, postgres = _program("initdb"), _program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL's initdb and postgres are neither on PATH nor in /usr/lib/postgresql/*/bin")
    user = _user()
    run_as = (
        {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    )
    port = free_port()
    # Not pytest's own directory: the server's user may not enter it.
    home = Path(tempfile.mkdtemp(prefix="callpool-postgres-"))
    try:
        if run_as:
            shutil.chown(home, user)
        data = home / "data"
        subprocess.run(
            [initdb, "-D", data, "-A", "trust", "-U", user, "-E", "UTF8", "--locale=C", "--no-sync"],
            cwd=home,
            check=True,
            capture_output=True,
            **run_as,
        )
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(home), "fsync": "off"}
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [postgres, "-D", data, "-p", str(port), *flags], cwd=home, stdout=log, stderr=log, **run_as
            )
        try:
            _wait_until_open(port, process, home / "log")
            yield Server(port, user)
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing in it is kept
            process.wait(START_TIMEOUT_S)
    finally:
        shutil.rmtree(home)


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    async def connect() -> None:
        connection = await asyncpg.connect(host="127.0.0.1", port=port, user=_user(), database="postgres")
        await connection.close()

    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return asyncio.run(connect())
        except (OSError, asyncpg.PostgresError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.05)


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
