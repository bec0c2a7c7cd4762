"""What a job's process takes second place in, so that a bad one harms neither its worker nor its siblings."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import psutil

MOST_NICE = 19
FIRST_TO_GO = 500
"""How much sooner than others a job is to go when the machine runs out of memory (oom_score_adj, -1000 to
1000): the biggest job goes first, and not the worker, which would take all of its calls along."""
_OOM = Path("/proc/self/oom_score_adj")


def step_behind(nice: int) -> None:
    """Have this process stand back where CPU is short, and go first where memory is."""
    if nice:
        set_niceness(psutil.Process(), os.nice(nice))  # later threads take after these
    with contextlib.suppress(OSError, ValueError):  # Linux alone knows this
        _OOM.write_text(str(max(FIRST_TO_GO, int(_OOM.read_text()))))


def niceness(process: psutil.Process) -> int:
    """How far a process stands back; 0 where that cannot be told."""
    try:
        return int(process.nice())
    except psutil.Error:
        return 0


def set_niceness(process: psutil.Process, nice: int) -> None:
    """For all of a process's threads: the kernel's call, like psutil's, knows single threads only.

    Not everybody may lower a nice value again; who may not leaves it as it is.
    """
    with contextlib.suppress(psutil.Error):
        if not psutil.LINUX:
            process.nice(nice)
            return
        for thread in process.threads():
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, thread.id, nice)
