"""Jobs, workers and the dispatcher are killed in mid-call: what callers hear, and what the record says."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from livekit import rtc
from pool_of_workers import (
    Pool,
    dispatcher,
    heard_again,
    job_of,
    kill_tree,
    killed,
    pool_in,
    spoken,
    tree_of,
    worker_pid,
)
from sqlalchemy import text

from callpool import ending
from callpool.store.engine import create_engine
from telephone import Telephone, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(240)]

QUESTION = "Where is my order? The number is one two three four five."


@pytest.fixture(scope="module")
def pool(
    tmp_path_factory: pytest.TempPathFactory, livekit_program: Path, free_port: Callable[[], int]
) -> Iterator[Pool]:
    with pool_in(tmp_path_factory.mktemp("pool"), livekit_program, free_port) as pool:
        yield pool


@pytest.fixture
async def telephone(pool: Pool) -> AsyncIterator[Telephone]:
    async with telephone_of(pool.settings) as telephone:
        yield telephone


async def test_a_call_outlives_its_job(telephone: Telephone) -> None:
    """The next agent apologizes once, asks for what is missing only, and uses what was said before."""
    call = await telephone.dial()
    await call.greeting()
    assert "name" in await call.say(QUESTION)
    back = await heard_again(call, await killed(telephone, call))
    assert "cut off" in back
    assert "name" in back
    told = await call.say("My name is James Miller.")
    assert "december" in told
    await call.take_leave()

    record = await telephone.ended(call.invitation.call_id)
    assert record.ending == ending.GOODBYE
    assert [job.how for job in record.jobs] == ["job_died", "goodbye"]
    assert [entry.stage for entry in record.stages].count("data_collection") == 1, "the stage was kept"
    assert spoken(record).count("cut off") == 1
    assert "how can i help" not in spoken(record).split("cut off")[1]


async def test_what_was_written_before_the_kill_is_not_written_again(
    pool: Pool, telephone: Telephone
) -> None:
    """The caller said yes, the order was placed, and the job died before it could say so."""
    call = await telephone.dial()
    await call.greeting()
    await call.say("I want to order two more desk lamps. My number is two four six eight zero.")
    asked = await call.say("My name is Peter Brown.")
    assert "go ahead" in asked
    before = await orders(pool)
    spoken_yes = await call.caller.speak(await telephone.samples("Yes, please go ahead."))
    while await orders(pool) == before:
        assert time.monotonic() < spoken_yes.ended_at + 15, "nothing was ordered"
        await asyncio.sleep(0.005)
    done = await heard_again(call, await killed(telephone, call))
    while "order" not in done:
        done = await call.answer(time.monotonic())
    assert await orders(pool) == before + 1
    await call.take_leave()
    assert await orders(pool) == before + 1


async def test_a_call_outlives_its_worker(pool: Pool, telephone: Telephone) -> None:
    """The whole tree of one of two workers is killed; the calls of the other one notice nothing."""
    with pool.worker("second", CALLPOOL_WARM_PROCESSES="2"):
        calls = [await telephone.dial() for _ in range(2)]
        await asyncio.gather(*(call.greeting() for call in calls))
        assert all("name" in words for words in [await call.say(QUESTION) for call in calls])
        doomed = worker_pid(await job_of(telephone, calls[0]))
        at = time.monotonic()
        kill_tree(doomed)
        for call in calls:
            record = await telephone.record(call.invitation.call_id, lambda found: found.jobs, "it has a job")
            if worker_pid(record.jobs[0]) == doomed:
                assert "name" in await heard_again(call, at)
        for call in calls:
            assert "december" in await call.say("My name is James Miller.")
            record = await telephone.record(call.invitation.call_id, lambda found: found.jobs, "it has a job")
            if worker_pid(record.jobs[0]) == doomed:
                assert [job.how for job in record.jobs] == ["worker_died", None]
            else:
                assert [job.how for job in record.jobs] == [None], "the other worker's call noticed nothing"
            await call.caller.leave()


async def test_a_call_that_keeps_losing_its_jobs_ends_with_an_apology(telephone: Telephone) -> None:
    """Never in a loop: after two restarts within a minute the caller is told that it does not go on."""
    call = await telephone.dial()
    await call.greeting()
    for _ in range(2):
        assert "cut off" in await heard_again(call, await killed(telephone, call))
    farewell = await heard_again(call, await killed(telephone, call))
    assert "call again later" in farewell
    record = await telephone.ended(call.invitation.call_id)
    assert record.ending == ending.TOO_MANY_RESTARTS
    assert len(record.jobs) == 4


async def test_a_dispatcher_that_was_killed_finds_who_waits(pool: Pool, telephone: Telephone) -> None:
    """The job dies while no dispatcher is there; the next one knows nothing and sees it."""
    call = await telephone.dial()
    await call.greeting()
    os.kill(pool.pids["dispatcher"], signal.SIGKILL)
    assert "cut off" in await heard_again(call, await killed(telephone, call))
    await call.caller.leave()


async def orders(pool: Pool) -> int:
    """How many orders the shop has."""
    engine = create_engine(pool.settings.store_url)
    try:
        async with engine.connect() as connection:
            return int((await connection.execute(text("SELECT count(*) FROM orders"))).scalar_one())
    finally:
        await engine.dispose()


async def test_a_worker_that_was_taken_for_dead_does_not_end_the_call_that_it_lost(
    pool: Pool, telephone: Telephone
) -> None:
    """It was stopped for a while, as a machine that swaps or is suspended; its call is served elsewhere."""
    with pool.worker("second", CALLPOOL_WARM_PROCESSES="2"):
        call = await telephone.dial()
        await call.greeting()
        stopped = tree_of(worker_pid(await job_of(telephone, call)))
        at = time.monotonic()
        for one in stopped:
            one.suspend()
        try:
            assert "cut off" in await heard_again(call, at)
        finally:
            for one in stopped:
                one.resume()
        assert "name" in await call.say(QUESTION)
        assert "december" in await call.say("My name is James Miller.")
        record = await telephone.record(call.invitation.call_id, lambda found: found.jobs, "it has jobs")
        assert record.ending is None
        await call.caller.leave()


async def test_two_dispatchers_send_one_agent(pool: Pool, telephone: Telephone) -> None:
    """Both see the loss, and both may send for somebody: one job serves the call, one agent is there."""
    with dispatcher(pool):
        call = await telephone.dial()
        await call.greeting()
        assert "cut off" in await heard_again(call, await killed(telephone, call))
        assert "name" in await call.say(QUESTION)
        agents = [
            one
            for one in call.caller.room.remote_participants.values()
            if one.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        ]
        assert len(agents) == 1
        record = await telephone.record(call.invitation.call_id, lambda found: found.jobs, "it has jobs")
        assert [job.how for job in record.jobs] == ["job_died", None]
        await call.caller.leave()
