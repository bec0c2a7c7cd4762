"""More callers than places, and no worker at all: all are answered once there is room, in their order."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from pool_of_workers import Pool, pool_in

from callpool.caller import Answer
from telephone import Dialled, Telephone, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(300)]

CAPACITY = 2
CALLERS = 50
PLACES = 4
MANY = {
    "CALLPOOL_CAPACITY": str(PLACES),
    "CALLPOOL_WARM_PROCESSES": str(PLACES),
    "CALLPOOL_WEB_CALLS_PER_MINUTE": "1000",
}


@pytest.fixture(scope="module")
def pool(
    tmp_path_factory: pytest.TempPathFactory, livekit_program: Path, free_port: Callable[[], int]
) -> Iterator[Pool]:
    folder = tmp_path_factory.mktemp("pool")
    with pool_in(folder, livekit_program, free_port, CALLPOOL_CAPACITY=str(CAPACITY)) as pool:
        yield pool


@pytest.fixture
async def telephone(pool: Pool) -> AsyncIterator[Telephone]:
    async with telephone_of(pool.settings) as telephone:
        yield telephone


async def answered_at(call: Dialled, patience_s: float) -> float | None:
    """When the agent was first heard; None: not within that many seconds."""
    return await call.caller.wait_for_audio(call.caller.joined_at, patience_s)


async def test_a_caller_at_a_full_pool_is_answered_when_somebody_leaves(telephone: Telephone) -> None:
    """And not before."""
    served = [await telephone.dial() for _ in range(CAPACITY)]
    await asyncio.gather(*(call.greeting() for call in served))
    waiting = await telephone.dial()
    assert await answered_at(waiting, 4) is None
    left_at = time.monotonic()
    await served[0].caller.leave()
    heard_at = await answered_at(waiting, 30)
    assert heard_at is not None
    print(f"answered {heard_at - left_at:.2f} s after another caller left")
    assert "help" in await waiting.greeting()


async def test_a_second_worker_doubles_the_places(pool: Pool, telephone: Telephone) -> None:
    """One that is added while callers wait takes them."""
    calls = [await telephone.dial() for _ in range(2 * CAPACITY)]
    assert sum(at is not None for at in [await answered_at(call, 4) for call in calls]) == CAPACITY
    with pool.worker("second", CALLPOOL_CAPACITY=str(CAPACITY), CALLPOOL_WARM_PROCESSES="2"):
        for call in calls:
            assert await answered_at(call, 30) is not None
        workers = set()
        for call in calls:
            record = await telephone.record(call.invitation.call_id, lambda found: found.jobs, "it has a job")
            workers.add(record.jobs[-1].worker)
        assert len(workers) == 2
        for call in calls:
            await call.caller.leave()


async def test_a_caller_at_an_empty_pool_is_answered_when_a_worker_comes(
    pool: Pool, telephone: Telephone
) -> None:
    """The only worker is gone when they call."""
    worker = pool.pids["worker"]
    os.kill(worker, signal.SIGKILL)
    call = await telephone.dial()
    heard_at = await answered_at(call, 60)
    assert heard_at is not None
    print(f"answered {heard_at - call.caller.joined_at:.2f} s after joining a pool without workers")
    assert "help" in await call.greeting()


@pytest.mark.timeout(600)
async def test_fifty_callers_at_once_are_answered_in_their_order(
    tmp_path: Path, livekit_program: Path, free_port: Callable[[], int]
) -> None:
    """On four places: each hangs up once they are greeted, and the next one's turn comes."""
    with pool_in(tmp_path, livekit_program, free_port, **MANY) as pool:
        async with telephone_of(pool.settings) as telephone:
            # Without microphones: one process could not carry fifty that are always on.
            doors = asyncio.Semaphore(PLACES)

            async def arrive() -> Dialled:
                async with doors:
                    return await telephone.dial(microphone=False)

            calls = await asyncio.gather(*(arrive() for _ in range(CALLERS)))
            calls.sort(key=lambda call: call.caller.joined_at)
            visits = await asyncio.gather(*(visit(call) for call in calls))
            sample = list(zip(calls, visits, strict=True))[::10]
            words = [await call.heard(answer) for call, answer in sample]
    heard = [answer.started_at for answer in visits]
    waits = [at - call.caller.joined_at for at, call in zip(heard, calls, strict=True)]
    print("joined within", round(calls[-1].caller.joined_at - calls[0].caller.joined_at, 1), "s")
    print("waited", " ".join(f"{wait:.1f}" for wait in waits))
    assert all("help" in each for each in words), words
    # As many as there are places may be greeted at the same time, whoever's voice comes first.
    for position, at in enumerate(heard):
        overtaken_by = sum(later < at for later in heard[position + 1 :])
        assert overtaken_by < 2 * PLACES, f"caller {position} was overtaken by {overtaken_by}"


async def visit(call: Dialled) -> Answer:
    """Wait for the agent, hear its greeting out, and hang up."""
    caller, give_up_at = call.caller, time.monotonic() + 400
    while caller.ear.first_audible(caller.joined_at) is None:
        assert time.monotonic() < give_up_at, "nobody answered"
        assert caller.connected, f"the call ended: {caller.reason}"
        await asyncio.sleep(0.2)
    answer = await caller.wait_for_agent(caller.joined_at)
    assert answer is not None
    await caller.leave()
    return answer
