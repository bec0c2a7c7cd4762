"""How a call and its jobs ended: whose word stands, and which jobs still run."""

from __future__ import annotations

from dataclasses import replace

from noon import a_call, a_job, after, claimed

from callpool import ending
from callpool.pool import Lease
from callpool.settings import Settings
from callpool.store.calls import Calls
from callpool.store.registry import StoreRegistry


async def test_the_first_final_ending_stands(calls: Calls) -> None:
    """What follows a goodbye is not a hang-up, nor a failure."""
    await calls.begin(a_call())

    for seconds, how in enumerate((ending.GOODBYE, ending.CALLER_LEFT, ending.JOB_DIED), 1):
        await calls.end("c_1", how, after(seconds))

    record = await calls.get("c_1")
    assert record is not None
    assert (record.ending, record.ended_at) == (ending.GOODBYE, after(1))


async def test_a_provisional_ending_gives_way_to_a_stronger_one(calls: Calls) -> None:
    """`unknown` gives way to `failed`, and `failed` to what the call itself says; not the other way round."""
    unknown = ending.Ending("unknown", "job_died")
    await calls.begin(a_call())

    said = (unknown, ending.JOB_DIED, unknown, ending.JOB_FAILED, ending.CALLER_LEFT)
    stands = []
    for seconds, how in enumerate(said, 1):
        await calls.end("c_1", how, after(seconds))
        record = await calls.get("c_1")
        assert record is not None
        stands.append((record.ending, record.ended_at))
    died = (ending.JOB_DIED, after(2))
    assert stands == [(unknown, after(1)), died, died, died, (ending.CALLER_LEFT, after(5))]


async def test_a_further_job_does_not_take_back_a_final_ending(calls: Calls) -> None:
    """A job that was dispatched too late finds the call over."""
    await calls.begin(a_call())
    await calls.end("c_1", ending.GOODBYE, after(1))

    assert (await calls.claim(a_call(), a_job())).outcome == "over"
    record = await calls.get("c_1")

    assert record is not None
    assert record.ending == ending.GOODBYE


async def test_the_first_word_on_how_a_job_ended_stands(calls: Calls) -> None:
    """A job that finished is not called dead by the worker that sees its process go."""
    await calls.begin(a_call())
    await claimed(calls, "c_1", a_job())

    await calls.end("c_1", ending.GOODBYE, after(1), job_id="AJ_1")
    assert not await calls.lose("c_1", a_job(), ending.JOB_DIED, after(2))

    record = await calls.get("c_1")
    assert record is not None
    assert (record.jobs[0].how, record.jobs[0].ended_at) == ("goodbye", after(1))


async def test_the_jobs_that_a_host_still_answers_for_can_be_found(calls: Calls) -> None:
    """Of each call the last one: those that run, and those whose processes died without a word."""
    for call_id in ("c_ended", "c_over", "c_moved", "c_none", "c_here"):
        await calls.begin(a_call(call_id))
    await claimed(calls, "c_ended", a_job())
    await calls.end("c_ended", ending.GOODBYE, after(1))
    await claimed(calls, "c_over", a_job())
    await calls.end("c_over", ending.GOODBYE, after(1), job_id="AJ_1")
    await claimed(calls, "c_moved", a_job())
    await claimed(calls, "c_moved", replace(a_job("AJ_0", started_at=after(1)), host="host-2"), epoch=2)
    await claimed(calls, "c_here", a_job("AJ_1"))
    await claimed(calls, "c_here", a_job("AJ_2"), epoch=2)

    assert await calls.last_jobs("host-1") == [("c_here", a_job("AJ_2"))]
    assert await calls.last_jobs("host-2") == [
        ("c_moved", replace(a_job("AJ_0", started_at=after(1)), host="host-2"))
    ]


async def test_jobs_of_a_worker_that_beats_are_nobody_elses_to_answer_for(
    calls: Calls, settings: Settings
) -> None:
    """It may be in another container that shares the host's name and not its processes."""
    await calls.begin(a_call())
    await claimed(calls, "c_1", a_job())
    job = a_job()
    lease = Lease(job.worker, "callpool", job.host, 1, capacity=2, running=1, draining=False, beat=1)
    async with StoreRegistry(settings.store_url) as registry:
        await registry.renew(lease)
        assert await calls.last_jobs(job.host) == []
        await registry.leave(job.worker)
    assert await calls.last_jobs(job.host) == [("c_1", job)]
