"""Closing the records of those who could not do it themselves: killed jobs, and jobs of a killed worker."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import replace
from datetime import UTC, datetime

import psutil
from livekit.agents.job import RunningJobInfo
from livekit.protocol import agent

from callpool import ending
from callpool.call import Call, from_dispatch, name_of_visit
from callpool.ending import Ending
from callpool.errors import StoreAway
from callpool.store.calls import Calls
from callpool.store.record import Job

PAUSE_S = 0.2
"""From try to try while the store is away, seconds: a caller waits for another job."""

logger = logging.getLogger(__name__)


class Burial:
    """Writes endings for the dead. What a job wrote of its own ending stays as it is."""

    def __init__(self, calls: Calls, worker: str) -> None:
        self._calls = calls
        self._worker = worker

    async def of_job(self, info: RunningJobInfo, pid: int, how: str | None = None) -> None:
        """Close the record of a job whose process is gone; also of one that died before its first write.

        `how` it ended, where that is known, such as `hanging`. A store that is away is waited for: nobody
        else knows of the dead.
        """
        now = datetime.now(UTC)
        job = info.job
        call = call_of(job)
        entry = replace(job_entry(job.id, self._worker, pid, now), how=how)
        while True:
            try:
                await self._calls.begin(call)
                await self._close(call.call_id, entry, ending.JOB_DIED, now)
                return
            except StoreAway as error:
                logger.warning(
                    "a job cannot be buried yet",
                    extra={"action": "burial_late", "job_id": job.id, "error": error},
                )
            await asyncio.sleep(PAUSE_S)

    async def of_lost_workers(self) -> None:
        """Close the records whose last job ran on this host in a process that is no more.

        A worker that was killed leaves them; the next worker here finds them when it starts.
        """
        now = datetime.now(UTC)
        for call_id, job in await self._calls.last_jobs(socket.gethostname()):
            if not still_runs(job):
                await self._close(call_id, job, ending.WORKER_DIED, now)

    async def _close(self, call_id: str, job: Job, final: Ending, now: datetime) -> None:
        if await self._calls.lose(call_id, job, final, now):
            how = job.how or final.reason
            logger.error(
                "job died",
                extra={"action": "job_died", "job_id": job.job_id, "call_id": call_id, "how": how},
            )


def call_of(job: agent.Job) -> Call:
    """The call that a job was dispatched for."""
    name = name_of_visit(job.room.sid or job.id)
    return from_dispatch(job.metadata, name=name, room=job.room.name, agent_name=job.agent_name)


def still_runs(job: Job) -> bool:
    """Whether the job's process is alive. A younger process has only inherited the number.

    A zombie is not: in a container without an init process, nobody waits for the jobs of a killed worker.
    """
    try:
        process = psutil.Process(job.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        # Its worker is above it: then it is that job, whatever clocks say, which somebody may have set.
        if any(str(parent.pid) == job.worker.rpartition("-")[2] for parent in process.parents()):
            return True
        # A warm process is older than the job that it is given; a second is for the clock's steps.
        return process.create_time() <= job.started_at.timestamp() + 1
    except psutil.Error:
        return False


def job_entry(job_id: str, worker: str, pid: int, started_at: datetime) -> Job:
    """A job's line in the record, as it stands while the job runs."""
    return Job(job_id=job_id, worker=worker, host=socket.gethostname(), pid=pid, started_at=started_at)
