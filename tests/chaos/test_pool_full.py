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

from telephone import Dialled, Telephone, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(300)]

CAPACITY = 2


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
