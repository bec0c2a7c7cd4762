"""Whose record may be closed by others."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from livekit.protocol import agent
from livekit.protocol.models import Room

from callpool import ending
from callpool.burial import Burial, job_entry
from callpool.call import Call
from callpool.errors import StoreAway
from callpool.store.calls import Calls
from callpool.store.record import Job
from processes import until

NOW = datetime.now(UTC)
NO_SUCH_PID = 4_194_305
"""Above Linux' largest."""


@pytest.fixture
async def calls(tmp_path: Path) -> AsyncIterator[Calls]:
    async with Calls(f"sqlite+aiosqlite:///{tmp_path}/callpool.db") as calls:
        await calls.open()
        await calls.begin(Call("c_1", room="call-1", agent_name="callpool"))
        yield calls


@pytest.fixture
def zombie() -> Iterator[int]:
    process = subprocess.Popen(["true"])
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE, "the process has ended")
    yield process.pid
    process.wait()


async def claimed(calls: Calls, job: Job, epoch: int) -> None:
    call = Call("c_1", room="call-1", agent_name="callpool", epoch=epoch)
    assert (await calls.claim(call, job)).outcome == "taken"


async def found_by_the_next_worker(calls: Calls, job: Job) -> ending.Ending | None:
    await claimed(calls, job, epoch=2)
    await Burial(calls, "worker-1").of_lost_workers()
    record = await calls.get("c_1")
    assert record is not None
    return record.ending


async def test_a_call_whose_process_is_gone_is_closed(calls: Calls) -> None:
    """A killed worker takes its jobs along: the next one on this host writes the ending."""
    job = job_entry("AJ_1", "AW_1", NO_SUCH_PID, NOW)
    assert await found_by_the_next_worker(calls, job) == ending.WORKER_DIED


async def test_a_process_that_only_inherited_the_number_does_not_count(calls: Calls) -> None:
    """Pids come again, in a restarted container at once: the process must be as old as the job."""
    job = job_entry("AJ_1", "AW_1", os.getpid(), NOW - timedelta(days=400))
    assert await found_by_the_next_worker(calls, job) == ending.WORKER_DIED


async def test_a_process_that_nobody_waits_for_is_gone(calls: Calls, zombie: int) -> None:
    """It answers nobody."""
    job = job_entry("AJ_1", "AW_1", zombie, datetime.now(UTC))
    assert await found_by_the_next_worker(calls, job) == ending.WORKER_DIED


async def test_a_call_that_another_host_took_up_is_left_alone(calls: Calls) -> None:
    """Its last job may go on there."""
    await claimed(calls, job_entry("AJ_1", "AW_1", NO_SUCH_PID, NOW), epoch=1)
    elsewhere = replace(job_entry("AJ_2", "AW_2", 1, NOW + timedelta(seconds=5)), host="elsewhere")
    assert await found_by_the_next_worker(calls, elsewhere) is None


async def test_a_running_call_is_left_alone(calls: Calls) -> None:
    """A second worker on the same host starts while the first one serves."""
    assert await found_by_the_next_worker(calls, job_entry("AJ_1", "AW_1", os.getpid(), NOW)) is None


@pytest.mark.parametrize("set_by_s", [3600, -3600])
async def test_a_job_below_its_worker_runs_whatever_the_clock_says(calls: Calls, set_by_s: float) -> None:
    """When the clock is set, the age of every process changes with it, and what is in the record does not."""
    child = subprocess.Popen(["sleep", "60"])  # noqa: ASYNC220 - started at once
    try:
        job = job_entry("AJ_1", f"desk-{os.getpid()}", child.pid, NOW - timedelta(seconds=set_by_s))
        assert await found_by_the_next_worker(calls, job) is None
    finally:
        child.kill()
        child.wait()


async def test_a_job_is_buried_when_the_store_is_back(tmp_path: Path, calls: Calls) -> None:
    """Nobody else knows that its process is gone, and its caller waits."""
    away = Away(calls, failures=2)
    info: Any = SimpleNamespace(
        job=agent.Job(
            id="AJ_1", metadata='{"call_id": "c_1"}', room=Room(name="call-1"), agent_name="callpool"
        )
    )
    await claimed(calls, job_entry("AJ_1", "worker-1", NO_SUCH_PID, NOW), epoch=1)
    await Burial(away, "worker-1").of_job(info, NO_SUCH_PID)  # type: ignore[arg-type]
    record = await calls.get("c_1")
    assert record is not None
    assert record.ending == ending.JOB_DIED


class Away:
    """A store that answers after so many failures."""

    def __init__(self, calls: Calls, failures: int) -> None:
        self._calls = calls
        self._failures = failures

    async def begin(self, call: Call) -> None:
        await self._calls.begin(call)

    async def lose(self, *arguments: Any) -> bool:
        if self._failures:
            self._failures -= 1
            raise StoreAway("the store is away")
        return await self._calls.lose(*arguments)


async def test_a_call_of_another_host_is_left_alone(calls: Calls) -> None:
    """Its pids say nothing here."""
    job = replace(job_entry("AJ_1", "AW_1", NO_SUCH_PID, NOW), host=f"not-{socket.gethostname()}")
    assert await found_by_the_next_worker(calls, job) is None
