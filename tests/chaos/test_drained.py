"""Workers that stop, and a LiveKit server that starts anew: calls go on elsewhere, or finish first."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from pool_of_workers import Pool, heard_again, job_of, pool_in, until_true, worker_pid

from telephone import Telephone, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(300)]

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


async def test_sigterm_during_four_calls_lets_them_finish_and_hands_the_rest_over(
    pool: Pool, telephone: Telephone
) -> None:
    """The draining worker takes no call; two of its callers finish, the other two go on with another worker.

    A second signal does not wait for the drain's end.
    """
    more = {"CALLPOOL_WARM_PROCESSES": "4", "CALLPOOL_DRAIN_TIMEOUT_S": "600"}
    with pool.worker("doomed", **more) as doomed:
        # The worker of `up` is full or gone for now: all four calls are the doomed one's.
        os.kill(pool.pids["worker"], signal.SIGSTOP)
        try:
            calls = [await telephone.dial() for _ in range(4)]
            await asyncio.gather(*(call.greeting() for call in calls))
            jobs = [await job_of(telephone, call) for call in calls]
            assert {worker_pid(job) for job in jobs} == {doomed.pid}
        finally:
            os.kill(pool.pids["worker"], signal.SIGCONT)
        doomed.send_signal(signal.SIGTERM)
        log = pool.folder / "doomed.log"
        await until_true(lambda: "draining" in log.read_text(), "the worker drains")
        newcomer = await telephone.dial()
        assert "help" in await newcomer.greeting()
        assert worker_pid(await job_of(telephone, newcomer)) != doomed.pid
        for call in calls[:2]:
            await call.take_leave()
        for call in calls[2:]:
            assert "name" in await call.say(QUESTION)
        await until_true(lambda: "still waiting for calls" in log.read_text(), "calls are named", 15)
        assert all(call.invitation.call_id in log.read_text() for call in calls[2:])

        told_at = time.monotonic()
        doomed.send_signal(signal.SIGTERM)
        for call in calls[2:]:
            assert "name" in await heard_again(call, told_at)
            assert "december" in await call.say("My name is James Miller.")
            record = await telephone.record(call.invitation.call_id, lambda found: found.jobs, "it has jobs")
            assert [job.how for job in record.jobs] == ["worker_stopped", None]
        assert await asyncio.to_thread(doomed.wait, 20) == 0


async def test_a_livekit_server_that_starts_anew_gets_its_calls_back(
    pool: Pool, telephone: Telephone
) -> None:
    """It knows nothing any more; callers and agents come back by themselves, with what was said."""
    call = await telephone.dial()
    await call.greeting()
    assert "name" in await call.say(QUESTION)
    at = time.monotonic()
    before = pool.pids["livekit"]
    os.kill(before, signal.SIGKILL)
    await until_true(lambda: pool.pids["livekit"] != before, "the server is started again")
    words = await telephone.samples("My name is James Miller.")
    while True:
        assert time.monotonic() < at + 60, "nobody answers"
        spoken = await call.caller.speak(words)
        answer = await call.caller.wait_for_agent(spoken.ended_at, patience_s=6)
        if answer is not None and "december" in await call.heard(answer):
            break
    print(f"helped {answer.started_at - at:.1f} s after the kill")
