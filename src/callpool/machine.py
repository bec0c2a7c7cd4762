"""What the machine can bear: how many calls at once, and whether it is too busy for one more right now."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from livekit.agents.utils.hw.cpu import get_cpu_monitor

JOBS_PER_CORE = 4
"""A call takes 0.1 to 0.2 cores, most of it for voice activity and the end of turns (docs/benchmarks.md)."""
JOB_MB = 200
"""What a call takes (120 to 160 MB, PSS), with something to spare."""
BASE_MB = 700
"""What a worker takes before its first call, warm processes included."""

BUSY_PERCENT = 95.0
LITTLE_MEMORY_MB = 300
CPU_WAIT_S = 1.0
"""How long an answer waits for a busy processor, seconds: calls that come at once begin one by one."""
MEMORY_WAIT_S = 3.0
"""How long it waits for memory, seconds."""
SAMPLE_S = 0.2
LEAST_LOOK_S = 0.1
"""The processors' load over a shorter time, seconds, is noise: one of a few milliseconds says 0."""

_CGROUP = Path("/sys/fs/cgroup")
"""Of version 2. The limits of version 1 are not read: set CALLPOOL_CAPACITY there."""
_MB = 1024 * 1024

logger = logging.getLogger(__name__)


def capacity_of(cores: float, memory_mb: float) -> int:
    """How many calls a worker takes on a machine, or in a container, of this size; at least 1."""
    by_memory = (memory_mb - BASE_MB) / JOB_MB
    return max(1, math.floor(min(cores * JOBS_PER_CORE, by_memory)))


def capacity_here() -> int:
    """How many calls a worker takes on this machine, within the limits of its container."""
    memory = min(psutil.virtual_memory().total, _container("memory.max"))
    return capacity_of(get_cpu_monitor().cpu_count(), memory / _MB)


def available_memory() -> float:
    """Bytes that may still be taken, on this machine and in its container."""
    used = _container("memory.current", default=0.0)
    # The cache of files that nobody has used lately is given back when memory is wanted.
    cached = dict(line.split() for line in _read("memory.stat").splitlines()).get("inactive_file", "0")
    return min(psutil.virtual_memory().available, _container("memory.max") - used + int(cached))


def _container(file: str, default: float = math.inf) -> float:
    said = _read(file).strip()
    return float(said) if said.isdigit() else default


def _read(file: str) -> str:
    try:
        return (_CGROUP / file).read_text()
    except OSError:
        return ""


class Pressure:
    """Whether the machine is too busy for one more call right now. It is looked at every second (`look`)."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._cpu_percent = 0.0
        self._looked_at = float("-inf")
        self.look()

    def look(self) -> None:
        """Note how busy the processors were since the last look."""
        if (now := self._clock()) - self._looked_at < LEAST_LOOK_S:
            return
        self._looked_at = now
        self._cpu_percent = psutil.cpu_percent(interval=None)

    async def settled(self) -> None:
        """Wait while the machine is busy or short of memory, MEMORY_WAIT_S at most: no caller is lost."""
        began = self._clock()
        while (reason := self._reason(self._clock() - began)) is not None:
            logger.info("an answer waits", extra={"action": "machine_busy", "reason": reason})
            await asyncio.sleep(SAMPLE_S)
            self.look()

    def _reason(self, waited_s: float) -> str | None:
        if waited_s < MEMORY_WAIT_S and available_memory() < LITTLE_MEMORY_MB * _MB:
            return "memory"
        if waited_s < CPU_WAIT_S and self._cpu_percent >= BUSY_PERCENT:
            return "cpu"
        return None
