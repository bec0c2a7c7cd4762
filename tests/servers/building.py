"""Servers for tests, built from the Go modules beside this file, and kept in the cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from callpool.cache import cache_folder

MODULES = Path(__file__).parent
BUILD_S = 900.0
PACKAGES = {"jaeger": "github.com/jaegertracing/jaeger/cmd/all-in-one", "collector": "."}
"""What is built of each module."""


def built(name: str) -> Path:
    """The program of a module, built when its sources have changed. Skips where there is no Go, loudly."""
    sources = sorted(path for path in (MODULES / name).iterdir() if path.suffix in (".go", ".mod", ".sum"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:20]
    target = cache_folder() / "servers" / f"{name}-{digest}"
    if target.is_file():
        return target
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"NO SERVER: {name} is built with Go, which is not on PATH")
    target.parent.mkdir(parents=True, exist_ok=True)
    print(f"servers: building {name}, once, a few minutes", file=sys.stderr)
    with tempfile.TemporaryDirectory(
        prefix="building-", dir=target.parent, ignore_cleanup_errors=True
    ) as one:
        folder = Path(one)
        module = shutil.copytree(MODULES / name, folder / "module")
        made = folder / name
        done = subprocess.run(
            [go, "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", made, PACKAGES[name]],
            cwd=module,
            env=_environment(folder),
            capture_output=True,
            text=True,
            timeout=BUILD_S,
        )
        if done.returncode:
            pytest.skip(f"NO SERVER: {name} could not be built: {done.stderr.strip().splitlines()[-1]}")
        made.replace(target)
    return target


def _environment(folder: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name not in ("GOOS", "GOARCH", "GOWORK")}
    return env | {
        "GOPATH": str(folder / "path"),
        "GOMODCACHE": str(folder / "modules"),
        "GOCACHE": str(folder / "objects"),
        "GOFLAGS": "-modcacherw",  # or the module cache could not be removed
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "HOME": env.get("HOME") or str(folder),
    }
