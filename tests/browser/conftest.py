"""A real LiveKit server and the web process's application, for tests of the page alone."""

from __future__ import annotations

import dataclasses
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from callpool.secrets import Secret
from callpool.settings import LiveKit, Settings, Web
from callpool.web import build
from callpool.web.server import application

KEY = "browser-test"
READY_S = 20


@dataclass(frozen=True)
class Server:
    """A running LiveKit server."""

    port: int
    secret: str
    key: str = KEY

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@pytest.fixture(scope="session")
def livekit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A LiveKit server that is strictly on loopback: CALLPOOL_LIVEKIT_SERVER, else the one on PATH."""
    program = os.environ.get("CALLPOOL_LIVEKIT_SERVER") or shutil.which("livekit-server")
    if not program:
        pytest.skip("NO LIVEKIT SERVER: set CALLPOOL_LIVEKIT_SERVER to the program")
    server = Server(_free_port(socket.SOCK_STREAM), secrets.token_hex(24))
    folder = tmp_path_factory.mktemp("livekit")
    config = folder / "livekit.yaml"
    config.write_text(
        f"""\
port: {server.port}
bind_addresses: [127.0.0.1]
rtc:
  udp_port: {_free_port(socket.SOCK_DGRAM)}
  tcp_port: 0
  node_ip: 127.0.0.1
  enable_loopback_candidate: true
  interfaces: {{includes: [lo]}}
keys: {{{server.key}: {server.secret}}}
"""
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "--config", str(config)], stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{server.port}", process, folder / "log")
            yield server
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The page, built from the sources as they are."""
    try:
        build.build()
    except build.NoNode as error:
        pytest.skip(f"NO NODE.JS: {error}")
    return build.BUNDLE


@pytest.fixture
async def web(livekit: Server, bundle: Path) -> AsyncIterator[Callable[..., Any]]:
    """Starts the web application over the LiveKit server, with given settings; gives its address."""
    async with AsyncExitStack() as stack:

        async def start(livekit_url: str = livekit.url, **web: Any) -> str:
            settings = Settings(
                livekit=LiveKit(url=livekit_url, api_key=livekit.key, api_secret=Secret(livekit.secret)),
                web=dataclasses.replace(Web(), **web),
            )
            server = await stack.enter_async_context(TestServer(application(settings, bundle=bundle)))
            return str(server.make_url("/"))

        yield start


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the LiveKit server did not start:\n{log.read_text()}") from None
            time.sleep(0.05)
