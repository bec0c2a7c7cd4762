"""What tells `callpool up` to stop: SIGINT, SIGTERM, SIGHUP, and a SIGINT that only its `make` got."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

SAME_S = 1.0
"""Signals within this time of the first mean the same: a group and its `make` each pass one on, seconds."""
LOOK_S = 0.3


class StopSignals:
    """`first` is set by the first signal; `again` is called at the next one."""

    def __init__(self, again: Callable[[], None]) -> None:
        self.first = asyncio.Event()
        self._again = again
        self._at = 0.0
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under `nohup` it is ignored, and is to stay so: the terminal may close.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, self._arrived)
        self._watching = loop.create_task(self._watch_make(os.getppid()), name="watch-make")

    def close(self) -> None:
        self._watching.cancel()

    def _arrived(self) -> None:
        if not self.first.is_set():
            self._at = time.monotonic()
            self.first.set()
        elif time.monotonic() - self._at > SAME_S:
            self._again()

    async def _watch_make(self, parent: int) -> None:
        """`make` hands SIGTERM on to what it runs, but on SIGINT it waits: a terminal sends that to everyone.

        SIGINT sent to `make` alone shows in its handler, which is no longer set. Only Linux lets us see it.
        """
        if not awaits_interrupt(parent):
            return
        while awaits_interrupt(parent):  # noqa: ASYNC110 - another process's state has no event
            await asyncio.sleep(LOOK_S)
        if os.getppid() == parent:
            self.first.set()


def awaits_interrupt(pid: int) -> bool:
    """Whether a process is a `make` that has a handler for SIGINT and did not get one yet."""
    try:
        if "make" not in Path(f"/proc/{pid}/comm").read_text():
            return False
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        return bool(int(status["SigCgt"], 16) >> (signal.SIGINT - 1) & 1)
    except (OSError, KeyError, ValueError):
        return False
