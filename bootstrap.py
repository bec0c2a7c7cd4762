"""Set up .venv: `python3 bootstrap.py local|dev|node`, with nothing but Python 3.11 and its standard library.

Installs the pinned packages of requirements-NAME.txt and, but for `node`, this project itself (editable). A
stamp in .venv makes a second run return at once. uv is used for speed; where it fails (a package index that
only pip's configuration names, a certificate that only pip knows), pip does the same work.
"""

# ruff: noqa: S603 - it runs what this file names

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
NO_VENV = (
    "this Python cannot make a virtual environment: install its venv module (Debian and Ubuntu: "
    "apt install python3-venv), or name another Python 3.11 or newer with make PYTHON=…"
)


class SetUpFailed(Exception):
    """A step failed; the text says which, the step's own output says why."""


def main(names: Sequence[str]) -> int:
    try:
        with lock():
            for name in names:
                install(name)
    except SetUpFailed as error:
        say(str(error))
        return 1
    return 0


@contextmanager
def lock() -> Iterator[None]:
    """One set-up at a time in this folder; the lock goes with the process."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another set-up in this folder")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def install(name: str) -> None:
    """Bring .venv to what requirements-NAME.txt says, unless its stamp says that it is there."""
    requirements = ROOT / f"requirements-{name}.txt"
    digest = hashlib.sha256(str(ROOT).encode())
    for path in (requirements, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    stamp = VENV / f".callpool-{name}"
    if stamp.is_file() and stamp.read_text() == digest.hexdigest() and runs(PYTHON):
        return
    if not runs(PYTHON):
        make_venv()
    say(f"installing the packages of {requirements.name} (the first time, a few hundred megabytes)")
    packages(["--require-hashes", "-r", str(requirements)], compiled=True)
    if name != "node":
        packages(["--no-deps", "--no-build-isolation", "-e", str(ROOT)])
    stamp.write_text(digest.hexdigest())


def make_venv() -> None:
    say(f"making .venv with Python {'.'.join(map(str, sys.version_info[:3]))}")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True
    )
    if made.returncode or not runs(PYTHON, "-m", "pip", "--version"):
        raise SetUpFailed(NO_VENV)
    subprocess.run(
        [PYTHON, "-m", "pip", "install", "-q", "--require-hashes", "-r", ROOT / "requirements-uv.txt"]
    )


def packages(arguments: Sequence[str], *, compiled: bool = False) -> None:
    """Install with uv, else with pip."""
    if UV.is_file():
        # Compiled now, or every process of the first start would compile what it imports.
        flags = ["--compile-bytecode"] if compiled else []
        if succeeds([UV, "pip", "install", "--python", PYTHON, *flags, *arguments]):
            return
        say("uv could not install them; trying pip")
    if not succeeds([PYTHON, "-m", "pip", "install", "--progress-bar", "off", *arguments]):
        raise SetUpFailed("the packages could not be installed (see above)")


def succeeds(command: Sequence[str | Path]) -> bool:
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode == 0


def runs(program: Path, *arguments: str) -> bool:
    try:
        command = [program, *(arguments or ("-c", "import sys; sys.exit(sys.version_info < (3, 11))"))]
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def say(text: str) -> None:
    sys.stderr.write(f"set-up: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
