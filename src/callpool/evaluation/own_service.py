"""The service that spoken scenarios are played to: the one that runs, or one started for them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from callpool.errors import CallpoolError
from callpool.local.child import Child, Program
from callpool.running import Running
from callpool.settings import Settings

READY_S = 300.0
"""How long `callpool up` may take, seconds: it may have to build the LiveKit server first."""
STOP_S = 30.0
PORTS = ("WEB", "LIVEKIT", "LIVEKIT_UDP", "PROVIDERS", "WORKER", "DISPATCHER", "INSPECTOR")


class NotStarted(CallpoolError):
    """`callpool up` did not start."""


@dataclass(frozen=True)
class ServiceInUse:
    """A service to call."""

    running: Running
    settings: Settings
    """With what its processes have."""
    renew: Callable[[], None]
    """Gives the business the state that it began with, where that is nobody else's."""
    note: str = ""
    """What who reads the results should know about it."""


@contextlib.asynccontextmanager
async def service_in_use(settings: Settings, profile: str | None) -> AsyncIterator[ServiceInUse]:
    """The running `callpool up`, unless a roster or profile was asked for; else one of its own.

    Raises CallpoolError.
    """
    running = Running.find(settings.local.data_dir)
    if running is not None and running.web and not profile and "worker.roster" not in settings.given:
        yield ServiceInUse(
            running,
            running.applied(settings),
            lambda: None,
            "Spoken to the running `callpool up`: its business keeps what earlier scenarios changed.",
        )
        return
    with tempfile.TemporaryDirectory(prefix="callpool-eval-") as name:
        folder = Path(name)
        business = folder / "business.db"
        child = _start(settings, profile, folder, business, {})
        try:
            running = await _until_ready(child, folder)
            applied = running.applied(settings)
            applied = replace(applied, business=replace(applied.business, url=f"sqlite:///{business}"))
            pristine = folder / "pristine.db"
            _copy(business, pristine)
            yield ServiceInUse(running, applied, lambda: _copy(pristine, business))
        finally:
            await child.stop()
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def service_in(
    settings: Settings, folder: Path, more: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """A `callpool up` of its own, whose files are in `folder`, with `more` in its environment.

    Raises CallpoolError.
    """
    child = _start(settings, None, folder, folder / "business.db", more or {})
    try:
        yield await _until_ready(child, folder)
    finally:
        await child.stop()


def _start(
    settings: Settings, profile: str | None, folder: Path, business: Path, more: Mapping[str, str]
) -> Child:
    env = dict(os.environ) | {f"CALLPOOL_{name}_PORT": "0" for name in PORTS}
    env |= {
        "CALLPOOL_DATA_DIR": str(folder),
        "CALLPOOL_STORE_URL": f"sqlite:///{folder / 'callpool.db'}",
        "CALLPOOL_BUSINESS_URL": f"sqlite:///{business}",
        "CALLPOOL_ROSTER": settings.worker.roster,
        "CALLPOOL_LIVEKIT_SERVER": settings.livekit.server,
    }
    if profile:
        env["CALLPOOL_PROFILE"] = profile
    program = Program("up", (sys.executable, "-m", "callpool", "up"), {**env, **more}, STOP_S)
    return Child.start(program, lambda line: None)


async def _until_ready(child: Child, folder: Path) -> Running:
    try:
        async with asyncio.timeout(READY_S):
            while (running := Running.find(folder)) is None:
                if child.exited.done():
                    raise NotStarted(f"`callpool up` did not start: {child.exited.result().last}")
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise NotStarted(f"`callpool up` was not ready after {READY_S:g} s") from None
    return running


def _copy(source: Path, target: Path) -> None:
    """Make one SQLite file like another, also while other processes have it open."""
    with (
        contextlib.closing(sqlite3.connect(source)) as origin,
        contextlib.closing(sqlite3.connect(target)) as to,
    ):
        origin.backup(to)
