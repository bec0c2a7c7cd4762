"""One more worker beside a running `callpool up`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from callpool.local.child import Program
from callpool.local.plan import local_providers
from callpool.running import Running
from callpool.settings import Settings


def environment(running: Running, settings: Settings, name: str, port: int = 0) -> dict[str, str]:
    """What points a worker called `name` at the same server, store and providers."""
    env = {
        "LIVEKIT_URL": running.livekit_url,
        "LIVEKIT_API_KEY": running.api_key,
        "LIVEKIT_API_SECRET": f"file://{running.api_secret_file}",
        "CALLPOOL_STORE_URL": running.store.replace("+aiosqlite", "").replace("+asyncpg", ""),
        "CALLPOOL_WORKER_NAME": name,
        "CALLPOOL_WORKER_PORT": str(port),
    }
    return env | (local_providers(settings, running.providers) if running.providers else {})


def program(env: Mapping[str, str], name: str, before: tuple[str, ...] = ()) -> Program:
    """The worker. `before`: a command that runs it in surroundings of its own."""
    argv = (*before, sys.executable, "-m", "callpool", "worker")
    return Program(name, argv, {**os.environ, **env}, stop_s=10.0)
