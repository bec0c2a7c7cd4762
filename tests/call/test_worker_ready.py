"""Whether a worker takes calls, as its health page says it."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from processes import LOOPBACK, NO_PROVIDERS, clean_environment, livekit_server_in, until

pytestmark = [pytest.mark.call, pytest.mark.timeout(180)]


def status(url: str) -> int:
    """The status of an address; 0 when nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_a_worker_without_its_livekit_server_is_not_ready(
    tmp_path: Path, livekit_program: Path, free_port: Callable[[], int]
) -> None:
    """No caller can reach it meanwhile; it is ready again once the server is back."""
    port, udp_port, health = free_port(), free_port(), free_port()
    ready = f"http://{LOOPBACK}:{health}/readyz"
    with livekit_server_in(tmp_path, livekit_program, port, udp_port) as server:
        more = {"CALLPOOL_WORKER_PORT": str(health), "CALLPOOL_DATA_DIR": str(tmp_path)}
        with (tmp_path / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "callpool", "worker"],
                env=clean_environment(**server.env, **NO_PROVIDERS, **more),
                stdout=log,
                stderr=log,
            )
    try:
        with livekit_server_in(tmp_path, livekit_program, port, udp_port):
            until(lambda: status(ready) == 200, "the worker is ready", 60)
        until(lambda: status(ready) == 503, "the worker notices that the server is gone", 30)
        with livekit_server_in(tmp_path, livekit_program, port, udp_port):
            until(lambda: status(ready) == 200, "the worker is ready again", 60)
    finally:
        worker.terminate()
        try:
            worker.wait(20)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
