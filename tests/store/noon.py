"""Calls and jobs that begin at noon, for tests of their records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from callpool.call import Call, Caller
from callpool.store.calls import Calls
from callpool.store.record import Job

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_call(call_id: str = "c_1", *, room: str = "room-1", started_at: datetime = NOON) -> Call:
    return Call(call_id, room, "callpool", caller=Caller("browser", "caller-7"), started_at=started_at)


def a_job(job_id: str = "AJ_1", *, started_at: datetime = NOON) -> Job:
    return Job(job_id, "worker-1", "host-1", 4711, started_at)


async def claimed(calls: Calls, call_id: str, job: Job, epoch: int = 1) -> None:
    """A job serves the call from now on."""
    assert (await calls.claim(replace(a_call(call_id), epoch=epoch), job)).outcome == "taken"
