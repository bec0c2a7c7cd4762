"""A PostgreSQL server that a test starts, stops, freezes and starts again."""

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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

START_TIMEOUT_S = 30.0


@dataclass
class Server:
    """A PostgreSQL server on loopback that lets in every local user without a password."""

    port: int
    user: str
    home: Path
    run_as: dict[str, Any]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

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

    def start(self) -> None:
        """Start it, and return at once: it answers a moment later."""
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.home), "fsync": "off"}
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program("postgres"), "-D", self.home / "data", "-p", str(self.port), *flags],
                cwd=self.home,
                stdout=log,
                stderr=log,
                **self.run_as,
            )

    def stop(self) -> None:
        """Throw every client out, and end."""
        process = self._running()
        process.send_signal(signal.SIGINT)
        process.wait(START_TIMEOUT_S)

    def kill(self) -> None:
        """End at once: nothing in it is kept."""
        process = self._running()
        self.thaw()
        process.send_signal(signal.SIGQUIT)
        process.wait(START_TIMEOUT_S)

    def freeze(self) -> None:
        """Accept connections, and answer nothing."""
        for one in self._tree():
            one.suspend()

    def thaw(self) -> None:
        for one in self._tree():
            one.resume()

    def wait_until_open(self) -> None:
        async def connect() -> None:
            connection = await asyncpg.connect(self.url("postgres"))
            await connection.close()

        process = self._running()
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                return asyncio.run(connect())
            except (OSError, asyncpg.PostgresError):
                if process.poll() is not None or time.monotonic() > deadline:
                    log = (self.home / "log").read_text()
                    raise RuntimeError(f"PostgreSQL did not start:\n{log}") from None
                time.sleep(0.05)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _tree(self) -> list[psutil.Process]:
        try:
            top = psutil.Process(self._running().pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


@contextmanager
def postgres(port: int) -> Iterator[Server]:
    """A server that answers. Skips the test where PostgreSQL is not installed."""
    if not (program("initdb") and program("postgres")):
        pytest.skip("PostgreSQL's initdb and postgres are neither on PATH nor in /usr/lib/postgresql/*/bin")
    user = _user()
    run_as: dict[str, Any] = (
        {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    )
    # Not pytest's own directory: the server's user may not enter it.
    home = Path(tempfile.mkdtemp(prefix="callpool-postgres-"))
    try:
        if run_as:
            shutil.chown(home, user)
        initdb = [program("initdb"), "-D", home / "data", "-A", "trust", "-U", user]
        subprocess.run(
            [*initdb, "-E", "UTF8", "--locale=C", "--no-sync"],
            cwd=home,
            check=True,
            capture_output=True,
            **run_as,
        )
        server = Server(port, user, home, run_as)
        server.start()
        try:
            server.wait_until_open()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(home)


def program(name: str) -> str:
    """One of PostgreSQL's; empty: it is not installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or next(map(str, installed), "")


def _user() -> str:
    """The user who runs the server: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)
