"""The pool as the store knows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from callpool import ending
from callpool.call import Call
from callpool.pool import Lease, Queue
from callpool.settings import Settings
from callpool.store.calls import Calls
from callpool.store.record import Job
from callpool.store.registry import StoreRegistry

LEASE = Lease("worker-1", "callpool", "host-1", 4711, capacity=4, running=1, draining=False, beat=1)


@pytest.fixture
async def registry(settings: Settings, calls: Calls) -> AsyncIterator[StoreRegistry]:
    async with StoreRegistry(settings.store_url) as registry:
        yield registry


async def served(
    calls: Calls, call_id: str, job_id: str, *, worker: str = "worker-1", epoch: int = 1
) -> None:
    call = Call(call_id, f"call-{call_id}", "callpool", epoch)
    job = Job(job_id, worker, "host-1", 4711, datetime.now(UTC))
    assert (await calls.claim(call, job)).outcome == "taken"


async def test_a_lease_is_renewed_and_given_up(registry: StoreRegistry) -> None:
    """The last word counts."""
    await registry.renew(LEASE)
    await registry.renew(renewed := replace(LEASE, running=2, draining=True, beat=2))
    assert await registry.leases() == [renewed]
    await registry.leave("worker-1")
    assert await registry.leases() == []


async def test_a_draining_worker_has_no_free_place(registry: StoreRegistry) -> None:
    """Nor has one that is full."""
    assert LEASE.free == 3
    assert replace(LEASE, draining=True).free == 0
    assert replace(LEASE, running=5).free == 0


async def test_burying_a_worker_loses_the_calls_that_it_served(registry: StoreRegistry, calls: Calls) -> None:
    """And no others; its lease is gone."""
    await registry.renew(LEASE)
    await served(calls, "c_1", "AJ_1")
    await served(calls, "c_2", "AJ_2", worker="worker-2")
    await served(calls, "c_over", "AJ_3")
    await calls.end("c_over", ending.GOODBYE, datetime.now(UTC), job_id="AJ_3")

    (lost,) = await registry.bury("worker-1")
    assert (lost.call_id, lost.room, lost.epoch, lost.worker, lost.alive) == (
        "c_1",
        "call-c_1",
        1,
        "worker-1",
        False,
    )
    assert await registry.lost() == [lost]
    assert await registry.leases() == []
    record = await calls.get("c_1")
    assert record is not None
    assert record.ending == ending.WORKER_DIED
    assert await registry.bury("worker-1") == []


async def test_a_worker_that_beats_again_is_not_buried(registry: StoreRegistry, calls: Calls) -> None:
    """It was only late, and nobody takes its calls away."""
    await registry.renew(LEASE)
    await served(calls, "c_1", "AJ_1")
    await registry.renew(replace(LEASE, beat=2))
    assert await registry.bury("worker-1", beat=1) == []
    assert len(await registry.leases()) == 1
    assert [call.call_id for call in await registry.bury("worker-1", beat=2)] == ["c_1"]


async def test_agents_of_two_names_may_serve_one_room(registry: StoreRegistry, calls: Calls) -> None:
    """Neither is taken for the other's ghost."""
    await served(calls, "c_1", "AJ_1")
    theirs = Call("c_theirs", "call-c_1", "theirs")
    assert (await calls.claim(theirs, replace(_job(), job_id="AJ_2"))).outcome == "taken"
    for agent_name, call_id in (("callpool", "c_1"), ("theirs", "c_theirs")):
        serving = await registry.serving("call-c_1", agent_name)
        assert serving is not None
        assert serving.call_id == call_id


async def test_a_lost_call_is_found_until_a_job_takes_it(registry: StoreRegistry, calls: Calls) -> None:
    """The next job has the next epoch."""
    await served(calls, "c_1", "AJ_1")
    assert await registry.lost() == []
    job = Job("AJ_1", "worker-1", "host-1", 4711, datetime.now(UTC))
    await calls.lose("c_1", job, ending.JOB_DIED, datetime.now(UTC))
    assert [(call.call_id, call.epoch) for call in await registry.lost()] == [("c_1", 1)]
    await served(calls, "c_1", "AJ_2", worker="worker-2", epoch=2)
    assert await registry.lost() == []
    serving = await registry.serving("call-c_1", "callpool")
    assert serving is not None
    assert (serving.job_id, serving.worker, serving.epoch, serving.alive) == ("AJ_2", "worker-2", 2, True)


async def test_nobody_serves_a_room_whose_call_has_ended(registry: StoreRegistry, calls: Calls) -> None:
    """Nor one that no job has ever taken."""
    assert await registry.serving("call-c_1", "callpool") is None
    await calls.begin(Call("c_1", "call-c_1", "callpool"))
    assert await registry.serving("call-c_1", "callpool") is None
    await served(calls, "c_1", "AJ_1")
    await calls.end("c_1", ending.GOODBYE, datetime.now(UTC))
    assert await registry.serving("call-c_1", "callpool") is None


async def test_a_call_that_goes_on_counts_whatever_its_clock_said(
    registry: StoreRegistry, calls: Calls
) -> None:
    """The clock was set back between two calls in a room: the older one seems the newer one."""
    now = datetime.now(UTC)
    for call_id, ago_s in (("c_over", 0), ("c_next", 3600)):
        call = Call(call_id, "call-1", "callpool", started_at=now - timedelta(seconds=ago_s))
        assert (await calls.claim(call, replace(_job(), job_id=call_id))).outcome == "taken"
        if call_id == "c_over":
            await calls.end(call_id, ending.GOODBYE, now)
    serving = await registry.serving("call-1", "callpool")
    assert serving is not None
    assert serving.call_id == "c_next"


async def test_a_lost_call_whose_caller_is_gone_is_released(registry: StoreRegistry, calls: Calls) -> None:
    """Its provisional ending stands, and what was said is forgotten."""
    await served(calls, "c_1", "AJ_1")
    await calls.save_checkpoint("c_1", "AJ_1", "what was said")
    await registry.bury("worker-1")
    assert await registry.release("c_1") == ending.WORKER_DIED
    assert await registry.release("c_1") is None  # two dispatchers do not both count it
    assert await registry.lost() == []
    assert (await calls.claim(Call("c_1", "call-c_1", "callpool", 2), _job())).outcome == "over"


async def test_a_call_that_goes_on_is_not_released(registry: StoreRegistry, calls: Calls) -> None:
    """A job may have taken it up in the meantime."""
    await served(calls, "c_1", "AJ_1")
    assert await registry.release("c_1") is None
    assert await calls.save_checkpoint("c_1", "AJ_1", "what was said")


async def test_a_queue_keeps_its_order_and_counts_its_renewals(registry: StoreRegistry) -> None:
    """So that one whose dispatcher is gone can be told from one that stands."""
    assert await registry.queued("callpool") == Queue(0, ())
    await registry.queue("callpool", ["call-b", "call-a"])
    await registry.queue("callpool", ["call-b", "call-a"])
    await registry.queue("other", [])
    assert await registry.queued("callpool") == Queue(2, ("call-b", "call-a"))


def _job() -> Job:
    return Job("AJ_9", "worker-9", "host-1", 4711, datetime.now(UTC))
