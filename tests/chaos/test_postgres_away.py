"""PostgreSQL goes away in mid-call for ten seconds, or hangs: what callers hear, and what the record says."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from pool_of_workers import Pool, heard_again, job_of, pool_in

from callpool import ending
from callpool.settings import load
from callpool.store.schema import upgrade_command
from postgres import Server, postgres
from telephone import Telephone, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.postgres, pytest.mark.timeout(300)]

AWAY_S = 10.0
QUESTION = "Where is my order? The number is one two three four five."


@pytest.fixture(scope="module")
def server(free_port: Callable[[], int]) -> Iterator[Server]:
    with postgres(free_port()) as server:
        yield server


@pytest.fixture(scope="module")
def pool(
    server: Server,
    tmp_path_factory: pytest.TempPathFactory,
    livekit_program: Path,
    free_port: Callable[[], int],
) -> Iterator[Pool]:
    url = server.create_database()
    asyncio.run(upgrade_command(load({"CALLPOOL_STORE_URL": url})))
    more = {"CALLPOOL_STORE_URL": url, "CALLPOOL_WARM_PROCESSES": "2"}
    with pool_in(tmp_path_factory.mktemp("pool"), livekit_program, free_port, **more) as pool:
        yield pool


@pytest.fixture
async def telephone(pool: Pool) -> AsyncIterator[Telephone]:
    async with telephone_of(pool.settings) as telephone:
        yield telephone


async def test_a_call_outlives_ten_seconds_without_its_store(
    pool: Pool, server: Server, telephone: Telephone
) -> None:
    """The caller is answered all the while; whoever calls meanwhile is greeted; nothing is missing later."""
    call = await telephone.dial()
    await call.greeting()
    assert "name" in await call.say(QUESTION)
    server.stop()
    away_from = time.monotonic()
    try:
        told = await call.say("My name is James Miller.")
        print("without a store the caller hears:", told)
        assert told
        newcomer = await telephone.dial()
        assert "help" in await newcomer.greeting()
        await asyncio.sleep(max(0.0, away_from + AWAY_S - time.monotonic()))
    finally:
        server.start()
    print(f"away for {time.monotonic() - away_from:.1f} s")
    await asyncio.to_thread(server.wait_until_open)
    told = await call.say("My name is James Miller.")
    print("with it again:", told)
    assert "december" in told
    await call.take_leave()
    assert "name" in await newcomer.say(QUESTION)
    await newcomer.caller.leave()

    record = await telephone.ended(call.invitation.call_id)
    assert record.ending == ending.GOODBYE
    assert [job.how for job in record.jobs] == ["goodbye"], "one agent all the while"
    assert [turn.n for turn in record.turns] == list(range(len(record.turns)))
    assert all(turn.agent_text for turn in record.turns[:-1]), "every answer is in the record"
    assert len(record.turns) >= 5
    record = await telephone.ended(newcomer.invitation.call_id, timeout_s=20)
    assert record.ending == ending.CALLER_LEFT
    assert [job.how for job in record.jobs] == ["caller_left"]
    assert "help" in (record.turns[0].agent_text or "").lower(), (
        "the greeting that was spoken without a store"
    )
    assert "worker is dead" not in pool.log


async def test_a_job_that_is_killed_while_the_store_is_away_is_replaced_when_it_is_back(
    pool: Pool, server: Server, telephone: Telephone
) -> None:
    """By one job, which knows what was said."""
    call = await telephone.dial()
    await call.greeting()
    assert "name" in await call.say(QUESTION)
    job = await job_of(telephone, call)
    await asyncio.sleep(1)  # the checkpoint is written
    server.stop()
    os.kill(job.pid, signal.SIGKILL)
    await asyncio.sleep(AWAY_S)
    server.start()
    back = await heard_again(call, time.monotonic())
    assert "cut off" in back
    assert "name" in back
    assert "december" in await call.say("My name is James Miller.")
    record = await telephone.record(call.invitation.call_id, lambda found: found.jobs, "it has jobs")
    assert [job.how for job in record.jobs] == ["job_died", None]
    assert "worker is dead" not in pool.log
    await call.caller.leave()


async def test_a_store_that_hangs_holds_nobody_up(pool: Pool, server: Server, telephone: Telephone) -> None:
    """It accepts connections and answers nothing for ten seconds."""
    call = await telephone.dial()
    await call.greeting()
    server.freeze()
    frozen_from = time.monotonic()
    try:
        assert "order number" in await call.say("Where is my order?")
        newcomer = await telephone.dial()
        await asyncio.sleep(max(0.0, frozen_from + AWAY_S - time.monotonic()))
    finally:
        server.thaw()
    assert "help" in await newcomer.greeting()
    assert "name" in await call.say("The number is one two three four five.")
    for one in (call, newcomer):
        record = await telephone.record(one.invitation.call_id, lambda found: found.jobs, "it has jobs", 20)
        assert [job.how for job in record.jobs] == [None]
        await one.caller.leave()
    assert "worker is dead" not in pool.log
