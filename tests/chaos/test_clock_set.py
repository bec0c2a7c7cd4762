"""The wall clock of a worker is set by an hour in mid-call, forwards and back: nobody is taken for dead."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from pool_of_workers import Pool, heard_again, killed, pool_in

from telephone import Telephone, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(300)]

QUESTION = "Where is my order? The number is one two three four five."
CLOCK = "clock"


@pytest.fixture(scope="module")
def pool(
    tmp_path_factory: pytest.TempPathFactory, livekit_program: Path, free_port: Callable[[], int]
) -> Iterator[Pool]:
    folder = tmp_path_factory.mktemp("pool")
    path = os.pathsep.join([str(Path(__file__).parent / "set_clock"), os.environ.get("PYTHONPATH", "")])
    more = {"PYTHONPATH": path, "SET_CLOCK": str(folder / CLOCK), "CALLPOOL_WARM_PROCESSES": "2"}
    with pool_in(folder, livekit_program, free_port, **more) as pool:
        yield pool


@pytest.fixture
async def telephone(pool: Pool) -> AsyncIterator[Telephone]:
    async with telephone_of(pool.settings) as telephone:
        yield telephone


@pytest.mark.parametrize("step_s", [3600, -3600])
async def test_a_clock_that_is_set_costs_nobody_their_call(
    pool: Pool, telephone: Telephone, step_s: int
) -> None:
    """The call goes on with all that was said, and is taken up by another job when its own is killed."""
    (pool.folder / CLOCK).write_text("0")
    call = await telephone.dial()
    await call.greeting()
    assert "order number" in await call.say("Where is my order?")
    (pool.folder / CLOCK).write_text(str(step_s))
    await asyncio.sleep(1)
    assert "name" in await call.say("The number is one two three four five.")
    await asyncio.sleep(4)  # as long as a lease
    back = await heard_again(call, await killed(telephone, call))
    assert "cut off" in back
    assert "name" in back
    assert "december" in await call.say("My name is James Miller.")
    newcomer = await telephone.dial()
    assert "help" in await newcomer.greeting()
    record = await telephone.record(call.invitation.call_id, lambda found: found.jobs, "it has jobs")
    assert sorted(job.how or "" for job in record.jobs) == ["", "job_died"]
    assert record.ending is None
    assert "the clock was set" in pool.log
    assert "worker is dead" not in pool.log
    await newcomer.caller.leave()
    await call.caller.leave()
    print(f"set by {step_s:+} s, ended {time.ctime()}")
