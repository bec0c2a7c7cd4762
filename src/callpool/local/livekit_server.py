"""The LiveKit server on this machine: found, or built once for this user, and how it is configured.

`python -m callpool.local.livekit_server` sees to it that there is one, and prints its path.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from callpool import settings as settings_module
from callpool.cache import cache_folder
from callpool.errors import CallpoolError, SettingError
from callpool.local import livekit_build
from callpool.local.child import Program, run
from callpool.local.livekit_build import VERSION
from callpool.local.ports import is_wildcard
from callpool.settings import Settings

VERSION_S = 10.0
"""How long `livekit-server --version` may take, seconds."""

LOOPBACK = "127.0.0.1"


async def find(settings: Settings, say: Callable[[str], None]) -> Path:
    """The program: the one that the settings name, else one on PATH, else the cached one, built when missing.

    Raises SettingError when the named one is no LiveKit server, ServerNotFound when there is no way to get
    one.
    """
    if named := settings.livekit.server:
        path = shutil.which(named)
        if path is None or not await version(Path(path)):
            raise SettingError("CALLPOOL_LIVEKIT_SERVER", named, "a livekit-server program that can be run")
        return Path(path)
    if (found := shutil.which("livekit-server")) and (its := await version(Path(found))):
        if its != VERSION:
            say(f"livekit-server on PATH is {its}; callpool is tested with {VERSION}")
        return Path(found)
    cached = cache_folder() / "livekit-server" / VERSION / "livekit-server"

    async def is_made() -> bool:
        return await version(cached) == VERSION

    if not await is_made():
        await livekit_build.build(cached, say, is_made)
    return cached


async def version(program: Path) -> str:
    """What the program says its version is; empty when it cannot be run or is something else."""
    how = await run(Program("livekit-server", (str(program), "--version"), os.environ), VERSION_S)
    for line in how.lines if how.code == 0 else ():
        said = line.split()
        if said[:2] == ["livekit-server", "version"] and len(said) > 2:
            return said[2]
    return ""


def configuration(
    *, ip: str, node_ip: str, port: int, udp_port: int, api_key: str, secret: str, webhook: str = ""
) -> str:
    """Its configuration file (YAML), which holds the secret. `webhook`: where it tells what happens;
    empty: nowhere.

    Every listener and every media socket is on `ip`. Loopback needs more than an address to listen on:
    without the interface filter WebRTC offers every address of the machine, and without TCP switched off it
    listens on all.
    """
    rtc: dict[str, object] = {"udp_port": udp_port, "tcp_port": 0, "node_ip": node_ip}
    if ip == LOOPBACK:
        interface = "lo" if sys.platform == "linux" else "lo0"
        rtc |= {"enable_loopback_candidate": True, "interfaces": {"includes": [interface]}}
    elif not is_wildcard(ip):
        rtc |= {"ips": {"includes": [f"{ip}/{128 if ':' in ip else 32}"]}}
    document: dict[str, object] = {
        "port": port,
        "bind_addresses": [ip],
        "rtc": rtc,
        "keys": {api_key: secret},
        "logging": {"level": "warn", "json": False},
    }
    if webhook:
        document["webhook"] = {"api_key": api_key, "urls": [webhook]}
    return yaml.safe_dump(document, sort_keys=False)


def environment() -> dict[str, str]:
    """What the server gets of this process's environment: its own variables (LIVEKIT_KEYS, NODE_IP, …) would
    override the configuration file."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


async def ensure() -> int:
    """Find or build the server, with its progress on stderr; none is needed when LIVEKIT_URL is given."""
    task = asyncio.current_task()
    if task is not None:  # so that a build that is stopped clears up behind itself
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    settings = settings_module.load()
    if "livekit.url" in settings.given:
        return 0
    path = await find(settings, lambda text: print(f"livekit-server: {text}", file=sys.stderr, flush=True))  # noqa: T201
    print(path)  # noqa: T201
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(ensure()))
    except CallpoolError as error:
        sys.stderr.write(f"callpool: {error}\n")
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
