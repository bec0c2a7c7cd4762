"""Many more callers than places, all at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pool_of_workers import pool_in

from callpool.caller import Answer
from telephone import Dialled, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(600)]

CALLERS = 50
PLACES = 4
MANY = {
    "CALLPOOL_CAPACITY": str(PLACES),
    "CALLPOOL_WARM_PROCESSES": str(PLACES),
    "CALLPOOL_WEB_CALLS_PER_MINUTE": "1000",
}


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
