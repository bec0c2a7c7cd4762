"""A child process: it ends with this one, has a process group of its own, and is read line by line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LAST_LINES = 6
"""Lines kept for the report of a death."""
DRAIN_S = 1.0
"""How long a dead child's last lines are waited for, seconds: a stray grandchild may hold the pipe."""

TETHER = Path(__file__).with_name("tether.py")


@dataclass(frozen=True)
class Program:
    """What is run."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    stop_s: float = 6.0
    """How long it may take to end after SIGTERM, seconds."""


@dataclass(frozen=True)
class Exit:
    """How a child ended."""

    code: int
    """The exit code; a signal's number, negative, for one that was killed."""
    lines: tuple[str, ...]
    """The last lines that it printed."""
    lived_s: float

    @property
    def last(self) -> str:
        """The last line that it printed, else how it ended."""
        return self.lines[-1] if self.lines else str(self)

    def __str__(self) -> str:
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        try:
            return f"was killed by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"was killed by signal {-self.code}"


class Child:
    """One run of a program. `start` it from the event loop's own thread."""

    def __init__(
        self, program: Program, process: subprocess.Popen[bytes], log: Callable[[str], None]
    ) -> None:
        self.program = program
        self.pid = process.pid
        self._process = process
        self._log = log
        self._tail: deque[str] = deque(maxlen=LAST_LINES)
        self._began = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[Exit] = self._loop.create_future()
        self._reader = threading.Thread(target=self._read, name=f"read-{program.name}", daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, name=f"wait-{program.name}", daemon=True).start()

    @classmethod
    def start(cls, program: Program, log: Callable[[str], None]) -> Child:
        """Start it; `log` is called with each line, from another thread."""
        fd = "-" if sys.platform == "linux" else str(life_line())
        process = subprocess.Popen(  # noqa: S603 - programs that callpool itself names
            [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), fd, *program.argv],
            env=dict(program.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=() if fd == "-" else (int(fd),),
            # Ctrl-C reaches a whole process group: the children have their own, so that they stop in order.
            start_new_session=True,
        )
        return cls(program, process, log)

    async def stop(self) -> Exit:
        """SIGTERM, then SIGKILL to all its group when it takes too long."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self.program.stop_s):
                return await asyncio.shield(self.exited)
        except TimeoutError:
            self.kill()
            return await self.exited

    def kill(self) -> None:
        """SIGKILL to it and to all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for raw in self._process.stdout:
            if line := raw.decode(errors="replace").rstrip():
                self._tail.append(line)
                self._log(line)

    def _wait(self) -> None:
        code = self._process.wait()
        lived_s = time.monotonic() - self._began
        self.kill()
        self._reader.join(DRAIN_S)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._ended, Exit(code, tuple(self._tail), lived_s))

    def _ended(self, how: Exit) -> None:
        if not self.exited.done():
            self.exited.set_result(how)


async def run(program: Program, limit_s: float, log: Callable[[str], None] = lambda _: None) -> Exit:
    """Run a program to its end. It is killed when that takes longer than `limit_s` or this is cancelled."""
    child = Child.start(program, log)
    try:
        async with asyncio.timeout(limit_s):
            return await asyncio.shield(child.exited)
    except TimeoutError:
        return Exit(-signal.SIGKILL, (f"{program.name} took more than {limit_s:g} s",), limit_s)
    finally:
        child.kill()


@cache
def life_line() -> int:
    """The reading end of a pipe that closes when this process ends."""
    reading, _ = os.pipe()
    return reading
