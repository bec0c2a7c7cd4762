"""Set up .venv: `python3 bootstrap.py local|dev|page`, with nothing but Python 3.11 and its standard library.

`local` and `dev` install the pinned packages of requirements-NAME.txt and this project itself (editable);
`page` bundles the caller page, with Node.js from requirements-node.txt where the machine has none. A
stamp in .venv makes a second run return at once. uv is used for speed; where it fails (a package index that
only pip's configuration names, a certificate that only pip knows), pip does the same work.
"""

# ruff: noqa: S603 - it runs what this file names

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
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
    "this Python cannot make a virtual environment (see above). Install its venv module (Debian and Ubuntu: "
    "apt install python3-venv), or name another Python 3.11 or newer with make PYTHON=…"
)


NO_NODE = 3
"""The exit code of the page's build when there is no Node.js."""


class SetUpFailed(Exception):
    """A step failed; the text says which, the step's own output says why."""


def main(names: Sequence[str]) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        # `nohup` has SIGHUP ignored, and it is to stay so: the terminal may close.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            # An exception, so that the step that runs is ended too.
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        with lock():
            for name in names:
                if name == "page":
                    bundle_page()
                else:
                    install(name)
    except SetUpFailed as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
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
    if not runs(PYTHON) or not (UV.is_file() or runs(PYTHON, "-m", "pip", "--version")):
        make_venv()
    say(f"installing the packages of {requirements.name}")
    packages(["--require-hashes", "-r", str(requirements)], compiled=True)
    if name != "node":
        packages(["--no-deps", "--no-build-isolation", "-e", str(ROOT)])
    stamp.write_text(digest.hexdigest())


def bundle_page() -> None:
    build = [str(PYTHON), "-m", "callpool.web.build"]
    code = run(build)
    if code == NO_NODE:
        install("node")
        code = run(build)
    if code:
        raise SetUpFailed("the caller page could not be built (see above)")


def make_venv() -> None:
    say(f"making .venv with Python {'.'.join(map(str, sys.version_info[:3]))}")
    code = run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if code or not runs(PYTHON, "-m", "pip", "--version"):
        raise SetUpFailed(NO_VENV)
    run([PYTHON, "-m", "pip", "install", "-q", "--require-hashes", "-r", ROOT / "requirements-uv.txt"])


def packages(arguments: Sequence[str], *, compiled: bool = False) -> None:
    """Install with uv, else with pip."""
    if UV.is_file():
        # Compiled now, or every process of the first start would compile what it imports.
        flags = ["--compile-bytecode"] if compiled else []
        if run([UV, "pip", "install", "--python", PYTHON, *flags, *arguments]) == 0:
            return
        say("uv could not install them; trying pip")
    if run([PYTHON, "-m", "pip", "install", "--progress-bar", "off", *arguments]) != 0:
        raise SetUpFailed("the packages could not be installed (see above)")


def run(command: Sequence[str | Path]) -> int:
    """Run a step to its end, and give its exit code; ended early, it takes along all that it started."""
    step = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True)
    try:
        return step.wait()
    except BaseException:
        os.killpg(step.pid, signal.SIGKILL)
        raise


def runs(program: Path, *arguments: str) -> bool:
    try:
        trial = arguments or ("-c", "import sys; sys.exit(sys.version_info < (3, 11))")
        return subprocess.run([str(program), *trial], capture_output=True).returncode == 0
    except OSError:
        return False


def say(text: str) -> None:
    sys.stderr.write(f"set-up: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
