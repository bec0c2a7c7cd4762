"""`callpool up` with everything real: the LiveKit server, the worker, the web process."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from callpool.local.livekit_server import environment
from processes import NO_PROVIDERS, Up, any_ports, clean_environment, started, still_running, until

pytestmark = [pytest.mark.call, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def env(livekit_program: Path) -> dict[str, str]:
    """An `up` that starts quickly: no engines, one warm process."""
    return any_ports(
        CALLPOOL_LIVEKIT_SERVER=str(livekit_program), CALLPOOL_WARM_PROCESSES="1", **NO_PROVIDERS
    )


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, env: dict[str, str]) -> Iterator[Up]:
    """One that several tests look at, and that is as it was when they are through."""
    with started(tmp_path_factory.mktemp("lasting"), env) as up:
        up.ready()
        yield up


@pytest.fixture
def up(tmp_path: Path, env: dict[str, str]) -> Iterator[Up]:
    """One that its test ends."""
    with started(tmp_path, env) as up:
        up.ready()
        yield up


def test_ready_means_that_everything_answers(tmp_path: Path, env: dict[str, str]) -> None:
    """With local providers: one line on standard output, up.json as agreed, and each address serves."""
    without = {name: value for name, value in env.items() if name not in NO_PROVIDERS}
    with started(tmp_path, without) as up:
        line = up.ready()
        document = up.document
        assert line.startswith("ready")
        assert document["web"] in line
        paths = {"web": "/healthz", "worker": "/readyz", "dispatcher": "/healthz", "providers": "/healthz"}
        for address, path in paths.items():
            with urllib.request.urlopen(document[address] + path, timeout=5) as response:
                assert response.status == 200
        assert document["store"].startswith("sqlite+aiosqlite:////")
        with urllib.request.urlopen(f"{document['inspector']}/api/calls", timeout=5) as answer:
            assert json.load(answer) == {"calls": [], "next": None}
        assert set(document["pids"]) == {"up", "livekit", "providers", "worker", "dispatcher", "web"}
        assert all(map(psutil.pid_exists, document["pids"].values()))
        up.process.send_signal(signal.SIGTERM)
        assert up.ended() == 0
        assert up.process.stdout is not None
        assert up.process.stdout.read() == "", "the ready line is all that standard output gets"


def test_the_keys_are_readable_by_their_owner_only(lasting: Up) -> None:
    """The secret stands in files of mode 0600 and in no child's environment or command line."""
    secret_file = Path(lasting.document["api_secret_file"])
    secret = secret_file.read_text()
    assert len(secret) >= 32
    assert secret == secret.strip()
    for path in (secret_file, lasting.file, lasting.data_dir / "livekit.yaml"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(lasting.data_dir.stat().st_mode) == 0o700
    for process in lasting.family():
        assert secret not in " ".join(process.cmdline())
        if process.pid in lasting.document["pids"].values():
            assert secret not in process.environ().values()


def test_every_listener_is_on_loopback(lasting: Up) -> None:
    """No process of the family listens on, or receives datagrams at, an address that others can reach."""
    bound = [
        (process.name(), entry)
        for process in lasting.family()
        for entry in process.net_connections("inet")
        if entry.status == psutil.CONN_LISTEN or entry.type == socket.SOCK_DGRAM
    ]
    assert any(entry.type == socket.SOCK_DGRAM for _, entry in bound), "LiveKit's media port is among them"
    assert [(name, entry.laddr) for name, entry in bound if entry.laddr.ip not in ("127.0.0.1", "::1")] == []


def test_interrupted_it_leaves_nothing_behind(up: Up) -> None:
    """SIGINT stops everything and removes up.json."""
    family = up.family()
    assert len(family) >= 6, "up, livekit, web, worker, its forkserver and a warm process"
    up.process.send_signal(signal.SIGINT)
    assert up.ended() == 0
    assert still_running(family[1:], 1) == []
    assert not up.file.exists()


def test_killed_it_takes_its_children_along_and_its_up_json_is_replaced(
    up: Up, tmp_path: Path, env: dict[str, str]
) -> None:
    """After `kill -9` all processes end; the next `up` takes over with the same keys."""
    before, family = up.document, up.family()
    up.process.kill()
    up.ended()
    assert still_running(family[1:]) == []
    assert up.file.exists(), "nobody was left to remove it"
    with started(tmp_path, env) as again:
        again.ready()
        assert again.document["pids"]["up"] == again.process.pid
        assert again.document["api_key"] == before["api_key"]
        assert "did not end tidily" in again.log.read_text()


def test_a_second_up_says_that_one_runs(lasting: Up, env: dict[str, str]) -> None:
    """For the same data directory: one line with the first one's process and page, exit code 1."""
    second = subprocess.run(
        [sys.executable, "-m", "callpool", "up"],
        env=clean_environment(CALLPOOL_DATA_DIR=str(lasting.data_dir), **env),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode == 1
    assert second.stdout == ""
    assert len(second.stderr.splitlines()) == 1
    assert str(lasting.process.pid) in second.stderr
    assert lasting.document["web"] in second.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path, env: dict[str, str]) -> None:
    """A port that was asked for and is taken: one line with the variable and the process, exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started(tmp_path, env | {"CALLPOOL_WEB_PORT": port}) as up:
            assert up.ended() == 2
            lines = [line for line in up.log.read_text().splitlines() if line.startswith("callpool:")]
            assert len(lines) == 1
            assert "CALLPOOL_WEB_PORT" in lines[0]
            assert port in lines[0]
            assert f"process {os.getpid()}" in lines[0]


def test_a_killed_web_process_is_started_again(lasting: Up) -> None:
    """Its death is reported, its page comes back at the same address, and up.json has the new process id."""
    before = lasting.document
    os.kill(before["pids"]["web"], signal.SIGKILL)
    until(
        lambda: lasting.document["pids"]["web"] != before["pids"]["web"],
        "up.json names a new web process",
    )

    def answers() -> bool:
        try:
            with urllib.request.urlopen(before["web"] + "/healthz", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    until(answers, "the page is back")
    assert "web was killed by SIGKILL" in lasting.log.read_text()
    assert psutil.pid_exists(lasting.document["pids"]["web"])


def test_a_killed_worker_is_started_again(lasting: Up) -> None:
    """Its jobs' processes end with it, and the new one registers."""
    before = lasting.document
    jobs = psutil.Process(before["pids"]["worker"]).children(recursive=True)
    os.kill(before["pids"]["worker"], signal.SIGKILL)
    assert still_running(jobs) == []

    def ready() -> bool:
        try:
            with urllib.request.urlopen(before["worker"] + "/readyz", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    until(ready, "the new worker is registered", 60)
    assert lasting.document["pids"]["worker"] != before["pids"]["worker"]


def test_a_livekit_server_that_dies_is_started_again(up: Up) -> None:
    """Its rooms are gone; those who were in them come back (tests/chaos says what they hear)."""
    before = up.document["pids"]["livekit"]
    os.kill(before, signal.SIGKILL)
    until(lambda: up.document["pids"]["livekit"] != before, "the server is started again")
    assert "livekit was killed by SIGKILL" in up.log.read_text()


def test_a_second_signal_kills_at_once(up: Up) -> None:
    """While a process that does not stop is waited for, another SIGTERM ends the wait."""
    os.kill(up.document["pids"]["worker"], signal.SIGSTOP)
    family = up.family()
    up.process.send_signal(signal.SIGTERM)
    until(lambda: not psutil.pid_exists(up.document["pids"]["web"]), "it began to stop")
    until(lambda: "stopping" in up.log.read_text(), "it said so")
    with pytest.raises(subprocess.TimeoutExpired):
        up.ended(timeout_s=1.2)  # a signal that follows more closely counts as the same one
    up.process.send_signal(signal.SIGTERM)
    assert up.ended(3) == 0
    assert still_running(family[1:]) == []


def test_wrong_configuration_of_a_child_is_one_line(tmp_path: Path, env: dict[str, str]) -> None:
    """A child that refuses its configuration ends `up` with its own line and exit code 2, without a loop."""
    with started(tmp_path, env | {"CALLPOOL_ROSTER": "no_such_roster"}) as up:
        assert up.ended(60) == 2
        last = up.log.read_text().splitlines()[-1]
        assert last.startswith("callpool: worker cannot start:")
        assert "CALLPOOL_ROSTER" in last


def test_a_livekit_server_that_runs_already_is_used(
    tmp_path: Path, env: dict[str, str], livekit_program: Path, free_port: Callable[[], int]
) -> None:
    """With LIVEKIT_URL no server is started, and the secret that was given gets a file of its own."""
    key, secret, port = "APIgiven", "s" * 40, free_port()
    command = [livekit_program, "--keys", f"{key}: {secret}", "--bind", "127.0.0.1", "--config-body"]
    body = f"port: {port}\nrtc: {{udp_port: {free_port()}, tcp_port: 0, node_ip: 127.0.0.1}}"
    server = subprocess.Popen(
        [*command, body], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    given = {"LIVEKIT_URL": f"ws://127.0.0.1:{port}", "LIVEKIT_API_KEY": key, "LIVEKIT_API_SECRET": secret}
    try:
        with started(tmp_path, env | given) as up:
            up.ready()
            assert "livekit" not in up.document["pids"]
            assert up.document["livekit_url"] == given["LIVEKIT_URL"]
            assert Path(up.document["api_secret_file"]).read_text() == secret
            worker = psutil.Process(up.document["pids"]["worker"])
            assert worker.environ()["LIVEKIT_API_SECRET"].startswith("file://")
    finally:
        server.kill()
        server.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_make_stops_everything(
    tmp_path: Path, env: dict[str, str], number: signal.Signals
) -> None:
    """Also SIGINT to `make` alone, which make does not hand on to what it runs."""
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"up:\n\t@exec {sys.executable} -m callpool up\n")
    with started(tmp_path, env, ["make", "-f", str(makefile), "up"]) as up:
        up.ready()
        family = up.family()
        up.process.send_signal(number)
        up.ended()
        assert still_running(family[1:]) == []
        assert not up.file.exists()
