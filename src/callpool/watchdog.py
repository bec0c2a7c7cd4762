"""The worker's watchdog: kills a job that leaks, spins or hangs, so that its call goes on elsewhere.

A killed job is found at once by those who wait for its process, and its call is taken up by another job. What
is done here is done to one process, never to its siblings, whose callers are to notice nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import psutil

from callpool.isolation import MOST_NICE, niceness, set_niceness
from callpool.line import Beat, Farewell, Hello, Message
from callpool.pulse import ENDING_S
from callpool.setting_groups import Worker as Settings

logger = logging.getLogger(__name__)

Reason = Literal["leaking", "spinning", "hanging"]

LOOK_S = 0.5
"""From look to look, seconds. A process fills 1 to 2 GB a second at most."""
LATE_S = 2.0
"""A look that comes later than this, seconds, says nothing of the jobs: the machine was suspended, or the
worker itself did not run and has not read what they sent. Everybody is given a new period."""
FIRST_BEAT_S = 20.0
"""How long a job may take to say that it is there, seconds: it may have to wait for the store."""
STARVED = 3
"""Periods that a job is granted which is not silent by its own fault: it wants to run and gets no CPU."""
HELD_BACK_TIMES, HELD_BACK_WITHIN_S = 3, 60.0
"""A job that must be held back so often within so many seconds spins. On a crowded machine it gets no CPU
while it stands back, and looks calm each time."""
STARVED_CORES = 0.5
"""A silent job that uses more of a core spins. One that uses less, and wants to run, is short of CPU."""
_MB = 1024 * 1024


@dataclass(frozen=True)
class Sample:
    """What a process has used."""

    at: float
    """On the watchdog's clock, seconds."""
    cpu_s: float
    """Since the process began."""
    memory_mb: float
    """PSS where it matters, which counts a page that n processes share as 1/n; else RSS, which is more."""
    wants_cpu: bool
    """Whether it runs, or would if it were given a core."""


@dataclass
class Watched:
    """A job's process."""

    job_id: str
    process: psutil.Process
    heard_at: float
    """When it last gave a sign of life, or was granted a new period."""
    call_id: str = ""
    patience_s: float = FIRST_BEAT_S
    samples: deque[Sample] = field(default_factory=deque)
    held_back_from: int | None = None
    """Its nice value before it was made to stand back; None: it is not."""
    held_back_at: deque[float] = field(default_factory=lambda: deque(maxlen=HELD_BACK_TIMES))
    reason: Reason | None = None
    """Why it was killed."""

    def cores(self, window_s: float) -> float:
        """CPU that it used over the last `window_s`, in cores; 0 while it was not watched for that long."""
        if not self.samples:
            return 0.0
        last = self.samples[-1]
        before = [sample for sample in self.samples if last.at - sample.at >= window_s]
        if window_s <= 0 or not before:
            return 0.0
        return (last.cpu_s - before[-1].cpu_s) / (last.at - before[-1].at)


class Watchdog:
    """Watches the jobs of a worker. Time is monotonic: neither a clock that jumps nor a suspend kills."""

    def __init__(
        self,
        settings: Settings,
        *,
        reachable: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`reachable`: whether jobs that are not heard of could have said something at all."""
        self._settings = settings
        self._reachable = reachable
        self._clock = clock
        self._jobs: dict[str, Watched] = {}
        self._looked_at = clock()

    def watch(self, job_id: str, pid: int) -> None:
        """A job was given to a process."""
        with contextlib.suppress(psutil.Error):  # it is gone already
            self._jobs[job_id] = Watched(job_id, psutil.Process(pid), self._clock())

    def forget(self, job_id: str) -> Reason | None:
        """The job's process is gone. Gives why it was killed, if it was killed from here."""
        watched = self._jobs.pop(job_id, None)
        return watched.reason if watched is not None else None

    def hear(self, hello: Hello, message: Message) -> None:
        """A beat is a sign of life, and so is a farewell: what `Switchboard.listen` wants.

        Nothing else is: what a call costs is told also by one that hangs, for it is listened to all the same.
        """
        if not isinstance(message, Beat | Farewell) or (watched := self._jobs.get(hello.job_id)) is None:
            return
        watched.heard_at = self._clock()
        watched.call_id = hello.call_id
        watched.patience_s = ENDING_S if isinstance(message, Farewell) else self._settings.job_heartbeat_s

    async def run(self) -> None:
        """Look, for ever."""
        self._looked_at = self._clock()
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except Exception:
                logger.exception("the watchdog stumbled", extra={"action": "watchdog_error"})

    async def look(self) -> None:
        """Look at every job once, and do what is to be done."""
        began = self._clock()
        if began - self._looked_at > LATE_S:
            logger.warning(
                "the watchdog was late",
                extra={"action": "watchdog_late", "late_s": round(began - self._looked_at, 1)},
            )
            for watched in self._jobs.values():
                watched.heard_at = began
                watched.samples.clear()
        self._looked_at = began
        jobs = [watched for watched in self._jobs.values() if watched.reason is None]
        # The kernel walks through a process's pages to tell its memory: not on the loop that all jobs share.
        samples = await asyncio.to_thread(lambda: [self._sample(watched) for watched in jobs])
        for watched, sample in zip(jobs, samples, strict=True):
            if sample is not None and watched.job_id in self._jobs:
                self._judge(watched, sample)

    def _sample(self, watched: Watched) -> Sample | None:
        """None: the process has gone."""
        process = watched.process
        try:
            with process.oneshot():
                times, status = process.cpu_times(), process.status()
            used = process.memory_info().rss
            if self._is_leak(used):  # RSS is cheap and never below PSS, which is what counts
                used = _proportional(process)
        except psutil.Error:
            return None
        wants_cpu = status in (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)
        return Sample(self._clock(), times.user + times.system, used / _MB, wants_cpu)

    def _is_leak(self, used: int) -> bool:
        return 0 < self._settings.memory_limit_mb < used / _MB

    def _judge(self, watched: Watched, sample: Sample) -> None:
        settings = self._settings
        window_s = settings.job_cpu_limit_s
        watched.samples.append(sample)
        while len(watched.samples) > 2 and sample.at - watched.samples[1].at >= window_s:
            watched.samples.popleft()
        silent_s = self._clock() - watched.heard_at
        if self._is_leak(int(sample.memory_mb * _MB)):
            self._kill(watched, "leaking", memory_mb=round(sample.memory_mb))
        elif 0 < settings.job_cpu_limit < (cores := watched.cores(window_s)):
            self._kill(watched, "spinning", cores=round(cores, 2))
        elif (reason := self._silent_for_too_long(watched, sample, silent_s)) is not None:
            self._kill(watched, reason, silent_s=round(silent_s, 1))
        else:
            self._hold_back(watched, watched.cores(window_s / 2))

    def _silent_for_too_long(self, watched: Watched, sample: Sample, silent_s: float) -> Reason | None:
        """Why a silent job is to be killed, if it is. One that has no CPU to beat with is given time."""
        settings = self._settings
        if silent_s <= watched.patience_s or not settings.job_heartbeat_s:
            return None
        if not watched.call_id and not self._reachable():
            return None
        if watched.cores(min(watched.patience_s, settings.job_cpu_limit_s) / 2) > STARVED_CORES:
            return "spinning"
        starved = sample.wants_cpu and silent_s <= STARVED * watched.patience_s
        return None if starved else "hanging"

    def _hold_back(self, watched: Watched, cores: float) -> None:
        """Let a job that takes too much CPU stand back behind its siblings, until it takes less."""
        too_much = 0 < self._settings.job_cpu_limit < cores
        fields = {"job_id": watched.job_id, "call_id": watched.call_id, "cores": round(cores, 2)}
        if too_much and watched.held_back_from is None:
            watched.held_back_at.append(self._clock())
            often = len(watched.held_back_at) == HELD_BACK_TIMES
            if often and watched.held_back_at[-1] - watched.held_back_at[0] <= HELD_BACK_WITHIN_S:
                self._kill(watched, "spinning", cores=round(cores, 2))
                return
            logger.warning("a job takes too much CPU", extra={"action": "job_held_back", **fields})
            watched.held_back_from = niceness(watched.process)
            set_niceness(watched.process, MOST_NICE)
        elif not too_much and watched.held_back_from is not None:
            logger.warning("a job takes less CPU again", extra={"action": "job_released", **fields})
            set_niceness(watched.process, watched.held_back_from)
            watched.held_back_from = None

    def _kill(self, watched: Watched, reason: Reason, **measured: Any) -> None:
        watched.reason = reason
        logger.error(
            "a job is killed",
            extra={
                "action": "job_killed",
                "how": reason,
                "job_id": watched.job_id,
                "call_id": watched.call_id,
                "pid": watched.process.pid,
                **measured,
            },
        )
        try:
            watched.process.kill()  # checks that the number is still that process's
        except psutil.Error as error:
            logger.warning(
                "a job could not be killed",
                extra={"action": "job_kill_failed", "job_id": watched.job_id, "error": error},
            )


def _proportional(process: psutil.Process) -> int:
    """PSS; USS where the system knows no PSS, or what comes near it. Bytes."""
    try:
        memory: Any = process.memory_full_info()
        return int(getattr(memory, "pss", 0) or memory.uss)
    except psutil.AccessDenied:
        memory = process.memory_info()
        return int(memory.rss - getattr(memory, "shared", 0))
