"""A `callpool up` that a test started, and what it takes to look at its processes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from callpool.local import livekit_server, tether
from callpool.local.data_directory import write_private

LOOPBACK = "127.0.0.1"
READY_S = 90.0
STOP_S = 30.0
PORTS = ("WEB", "LIVEKIT", "LIVEKIT_UDP", "PROVIDERS", "WORKER", "DISPATCHER", "INSPECTOR")

NO_PROVIDERS = {
    "DEEPGRAM_BASE_URL": "http://127.0.0.1:9",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    "CARTESIA_BASE_URL": "http://127.0.0.1:9",
}
"""Providers that are never asked: for tests that make no call, and need no engines."""


@dataclass(frozen=True)
class LiveKitServer:
    """A running LiveKit server."""

    port: int
    key: str
    secret: str
    pid: int

    @property
    def url(self) -> str:
        return f"ws://{LOOPBACK}:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """The variables that point callpool at it."""
        return {"LIVEKIT_URL": self.url, "LIVEKIT_API_KEY": self.key, "LIVEKIT_API_SECRET": self.secret}


def until(true: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
    """Wait until `true()` is truthy, and give that value."""
    deadline = time.monotonic() + timeout_s
    while not (value := true()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.02)
    return value


def still_running(processes: Sequence[psutil.Process], timeout_s: float = 5.0) -> list[psutil.Process]:
    """Those that have not ended within the time.

    A zombie has ended: in a container without an init process, nobody waits for an orphan.
    """

    def left() -> list[psutil.Process]:
        return [one for one in processes if one.is_running() and _status(one) != psutil.STATUS_ZOMBIE]

    deadline = time.monotonic() + timeout_s
    while left() and time.monotonic() < deadline:
        time.sleep(0.02)
    return left()


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return psutil.STATUS_ZOMBIE


def clean_environment(**more: str) -> dict[str, str]:
    """This environment without what would configure callpool, but with the LiveKit server that it names."""
    ours = ("CALLPOOL_", "LIVEKIT_", "DEEPGRAM_", "OPENAI_", "CARTESIA_", "MAKE", "MFLAGS")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ours) or name == "CALLPOOL_LIVEKIT_SERVER"
    }
    return kept | more


def any_ports(**more: str) -> dict[str, str]:
    return {f"CALLPOOL_{name}_PORT": "0" for name in PORTS} | more


@dataclass
class Up:
    """A running `callpool up`."""

    process: subprocess.Popen[str]
    data_dir: Path
    log: Path

    @property
    def file(self) -> Path:
        return self.data_dir / "up.json"

    @property
    def document(self) -> dict[str, Any]:
        """What up.json says."""
        return dict(json.loads(self.file.read_text()))

    def ready(self) -> str:
        """Wait for its line on standard output, and give it."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"callpool up ended before it was ready:\n{self.log.read_text()}"
        return line

    def family(self) -> list[psutil.Process]:
        """Itself and all that descends from it."""
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def ended(self, timeout_s: float = STOP_S) -> int:
        """Wait for its end, and give its exit code."""
        return self.process.wait(timeout_s)


def heed_control_c() -> None:
    """A shell that runs the tests in the background has them, and what they start, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def started(folder: Path, env: dict[str, str], command: Sequence[str] = ()) -> Iterator[Up]:
    """Start `callpool up` with its data directory in `folder`; what is left of it afterwards is killed."""
    data_dir = folder / "data"
    log = folder / "up.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [*(command or (sys.executable, "-m", "callpool", "up"))],
            env=clean_environment(CALLPOOL_DATA_DIR=str(data_dir), **env),
            cwd=folder if not command else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            preexec_fn=heed_control_c,
        )
    up = Up(process, data_dir, log)
    try:
        yield up
    finally:
        left = up.family() if process.poll() is None else []
        if left:
            process.send_signal(signal.SIGTERM)
        for one in still_running(left, STOP_S):
            one.kill()
        process.wait(STOP_S)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def local_providers(folder: Path, port: int, *arguments: str) -> Iterator[str]:
    """`callpool providers` with these arguments; gives its origin."""
    log = folder / "providers.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "callpool", "providers", "--port", str(port), *arguments],
            env=clean_environment(),
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: "local providers ready" in log.read_text(), "the providers are ready", 60)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def livekit_server_in(
    folder: Path, program: Path, port: int, udp_port: int, webhook: str = ""
) -> Iterator[LiveKitServer]:
    """A LiveKit server that is strictly on loopback. Started again in its folder, it has its old keys."""
    key_file = folder / "keys"
    if not key_file.exists():
        write_private(key_file, f"API{secrets.token_hex(6)} {secrets.token_urlsafe(36)}")
    key, secret = key_file.read_text().split()
    configuration = livekit_server.configuration(
        ip=LOOPBACK,
        node_ip=LOOPBACK,
        port=port,
        udp_port=udp_port,
        api_key=key,
        secret=secret,
        webhook=webhook,
    )
    write_private(folder / "livekit.yaml", configuration)
    tethered = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), "-"]
    command = [str(program), "--config", str(folder / "livekit.yaml")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*(tethered if sys.platform == "linux" else ()), *command],
            env=livekit_server.environment(),
            stdout=log,
            stderr=log,
        )

    def answers() -> bool:
        assert process.poll() is None, f"the LiveKit server did not start:\n{(folder / 'log').read_text()}"
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{port}", timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False

    try:
        until(answers, "the LiveKit server answers", 20)
        yield LiveKitServer(port, key, secret, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:  # it waits for callers that a failed test left in their rooms
            process.kill()
            process.wait(timeout=10)
