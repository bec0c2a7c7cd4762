"""Children of `callpool up`: how they are started, read, stopped, and how they end with their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from callpool.local import tether
from callpool.local.child import LAST_LINES, Child, Program
from processes import until


def program(code: str, *, stop_s: float = 3.0) -> Program:
    return Program("stand-in", (sys.executable, "-c", code), os.environ, stop_s=stop_s)


async def test_what_it_prints_is_passed_on_and_kept() -> None:
    """Both outputs, line by line; the last lines and the exit code are there at its end."""
    lines: list[str] = []
    code = "import sys\nfor n in range(30): print('out', n, flush=True)\nsys.exit('the last words')"
    how = await Child.start(program(code), lines.append).exited
    assert how.code == 1
    assert str(how) == "ended with exit code 1"
    assert lines == [*(f"out {n}" for n in range(30)), "the last words"]
    assert how.lines == tuple(lines[-LAST_LINES:])


async def test_a_program_that_is_not_there_says_so() -> None:
    """The reason is its only line."""
    how = await Child.start(Program("none", ("/no/such/program",), os.environ), lambda _: None).exited
    assert how.code == 127
    assert how.lines == ("/no/such/program cannot be started: No such file or directory",)


async def test_it_is_asked_to_stop_before_it_is_killed() -> None:
    """SIGTERM lets it say goodbye."""
    lines: list[str] = []
    code = (
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit('goodbye'))\n"
        "print('up', flush=True)\nsignal.pause()"
    )
    child = Child.start(program(code), lines.append)
    await _said(lines, "up")
    assert (await child.stop()).lines[-1] == "goodbye"


async def test_one_that_does_not_stop_is_killed_with_all_it_started() -> None:
    """After its time SIGKILL goes to its whole process group."""
    lines: list[str] = []
    code = (
        "import signal, subprocess, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(inner.pid, flush=True)\nwhile True: signal.pause()"
    )
    child = Child.start(program(code, stop_s=0.2), lines.append)
    until(lambda: lines, "it started its own child")
    how = await child.stop()
    assert how.code == -signal.SIGKILL
    assert str(how) == "was killed by SIGKILL"
    until(lambda: not _runs(int(lines[0])), "its own child is gone")


@pytest.mark.parametrize("mechanism", ["kernel", "watcher"])
def test_it_ends_when_its_parent_is_killed(mechanism: str, tmp_path: Path) -> None:
    """By the kernel's doing, or by the watcher that stands in where the kernel cannot be asked."""
    if mechanism == "kernel" and sys.platform != "linux":
        pytest.skip("only Linux kills a child with its parent")
    pid_file = tmp_path / "pid"
    sleeper = (
        "import os, time, pathlib\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))\n"
        "time.sleep(600)"
    )
    parent = (
        "import os, subprocess, sys, time\n"
        "reading, _ = os.pipe()\n"
        f"fd = '-' if {mechanism!r} == 'kernel' else str(reading)\n"
        f"subprocess.Popen([sys.executable, '-I', '-S', {tether.__file__!r}, str(os.getpid()), fd,"
        f" sys.executable, '-c', {sleeper!r}], pass_fds=(reading,), start_new_session=True)\n"
        "time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])
    try:
        pid = int(until(lambda: pid_file.exists() and pid_file.read_text(), "the child runs"))
        assert _runs(pid)
    finally:
        process.kill()
        process.wait()
    until(lambda: not _runs(pid), "the child ended with its parent", 5)


def test_the_watcher_leaves_with_its_program(tmp_path: Path) -> None:
    """It does not outlive a program that ends by itself."""
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(reading), "sleep", "0.2"],
            pass_fds=(reading,),
            start_new_session=True,
        )
        watcher = until(lambda: psutil.Process(process.pid).children(), "the watcher runs")[0]
        assert process.wait(10) == 0
        until(lambda: not watcher.is_running(), "the watcher left", 5)
    finally:
        os.close(reading)
        os.close(writing)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _said(lines: list[str], line: str) -> None:
    began = time.monotonic()
    while line not in lines:
        assert time.monotonic() - began < 20
        await asyncio.sleep(0.02)
