"""Who serves a call, and what one job leaves for the next."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from callpool import ending
from callpool.call import Call, Caller
from callpool.ending import Ending
from callpool.settings import Settings
from callpool.store.calls import Calls
from callpool.store.claims import Claim
from callpool.store.record import Job, StageEntry, Turn


def a_call(epoch: int = 1, call_id: str = "c_1") -> Call:
    return Call(call_id, f"call-{call_id}", "callpool", epoch, caller=Caller("browser"))


def a_job(job_id: str, worker: str = "worker-1") -> Job:
    return Job(job_id, worker, "host-1", 4711, datetime.now(UTC))


async def lost(calls: Calls, job_id: str, how: Ending = ending.JOB_DIED) -> bool:
    return await calls.lose("c_1", a_job(job_id), how, datetime.now(UTC))


async def test_only_one_job_gets_an_epoch(calls: Calls) -> None:
    """Two dispatches of the same call lead to one agent."""
    assert await calls.claim(a_call(), a_job("AJ_1")) == Claim("taken")
    assert (await calls.claim(a_call(), a_job("AJ_2"))).outcome == "served"
    record = await calls.get("c_1")
    assert record is not None
    assert [job.job_id for job in record.jobs] == ["AJ_1"]


async def test_a_claim_may_be_repeated(calls: Calls) -> None:
    """Who gave up waiting for the answer asks again."""
    await calls.claim(a_call(), a_job("AJ_1"))
    assert (await calls.claim(a_call(), a_job("AJ_1"))).outcome == "taken"


async def test_of_many_claims_at_once_one_is_taken(settings: Settings) -> None:
    """Also when they come from different processes, and the call has no record yet."""
    everybody = [Calls(settings.store_url) for _ in range(6)]
    claims = await asyncio.gather(
        *(each.claim(a_call(), a_job(f"AJ_{number}")) for number, each in enumerate(everybody))
    )
    assert sorted(claim.outcome for claim in claims) == ["served"] * 5 + ["taken"]
    await asyncio.gather(*(each.close() for each in everybody))


async def test_a_claim_that_is_repeated_is_taken_again(calls: Calls) -> None:
    """The connection was lost before the store could say that it was taken."""
    await calls.claim(a_call(), a_job("AJ_1"))
    await calls.save_checkpoint("c_1", "AJ_1", "what was said")
    assert await calls.claim(a_call(), a_job("AJ_1")) == Claim("taken", checkpoint="what was said")
    await lost(calls, "AJ_1")
    assert (await calls.claim(a_call(), a_job("AJ_1"))).outcome == "served", "it was buried meanwhile"


async def test_a_later_epoch_takes_the_call_over(calls: Calls) -> None:
    """And the job before it learns of it when it writes its next checkpoint."""
    await calls.claim(a_call(), a_job("AJ_1"))
    assert await calls.save_checkpoint("c_1", "AJ_1", "what was said")
    taken = await calls.claim(a_call(epoch=2), a_job("AJ_2"))
    assert taken == Claim("taken", checkpoint="what was said")
    assert not await calls.save_checkpoint("c_1", "AJ_1", "what was said since")
    assert await calls.save_checkpoint("c_1", "AJ_2", "what was said since")


async def test_a_job_that_serves_no_more_changes_nothing(calls: Calls) -> None:
    """It may have been cut off from everything for a while."""
    await calls.claim(a_call(), a_job("AJ_1"))
    await calls.claim(a_call(epoch=2), a_job("AJ_2"))
    await calls.record_turn("c_1", Turn(1, "greeting", caller_text="new"), job_id="AJ_2")
    await calls.record_turn("c_1", Turn(1, "greeting", caller_text="stale"), job_id="AJ_1")
    await calls.stage_entered("c_1", StageEntry("closing", datetime.now(UTC)), job_id="AJ_1")
    await calls.set_language("c_1", "fr", job_id="AJ_1")
    await calls.set_caller("c_1", "phone", "stale", job_id="AJ_1")
    assert not await calls.end("c_1", ending.CALLER_LEFT, datetime.now(UTC), job_id="AJ_1")
    record = await calls.get("c_1")
    assert record is not None
    assert [turn.caller_text for turn in record.turns] == ["new"]
    assert record.stages == ()
    assert (record.language, record.caller.kind, record.ending) == ("en", "browser", None)
    assert [job.how for job in record.jobs] == ["caller_left", None]


async def test_a_job_and_its_call_are_over_at_once(calls: Calls) -> None:
    """Nobody finds one of them ended and the other not."""
    await calls.claim(a_call(), a_job("AJ_1"))
    assert await calls.end("c_1", ending.GOODBYE, datetime.now(UTC), job_id="AJ_1")
    record = await calls.get("c_1")
    assert record is not None
    assert (record.ending, record.jobs[0].how) == (ending.GOODBYE, "goodbye")
    assert not await lost(calls, "AJ_1"), "its process ends after that"
    assert await calls.claim(a_call(epoch=2), a_job("AJ_2")) == Claim("over")


async def test_a_job_that_took_another_call_than_it_was_sent_for_loses_that(calls: Calls) -> None:
    """A token that is used again leads to a new call in the same room."""
    await calls.claim(a_call(), a_job("AJ_1"))
    await calls.end("c_1", ending.GOODBYE, datetime.now(UTC), job_id="AJ_1")
    await calls.claim(replace(a_call(), call_id="c_RM_1"), a_job("AJ_2"))
    assert await lost(calls, "AJ_2"), "lost says that it was sent for c_1"
    again = await calls.claim(replace(a_call(epoch=2), call_id="c_RM_1"), a_job("AJ_3"))
    assert (again.outcome, again.cause) == ("taken", "job_died")


async def test_an_older_epoch_comes_too_late(calls: Calls) -> None:
    """A dispatch that a dead worker sat on for ten seconds changes nothing."""
    await calls.claim(a_call(epoch=3), a_job("AJ_3"))
    assert (await calls.claim(a_call(epoch=2), a_job("AJ_2"))).outcome == "served"


async def test_a_lost_job_leaves_a_provisional_ending_until_the_next_one_comes(calls: Calls) -> None:
    """Nobody may ever come."""
    await calls.claim(a_call(), a_job("AJ_1"))
    assert await lost(calls, "AJ_1")
    assert not await lost(calls, "AJ_1"), "no news"
    record = await calls.get("c_1")
    assert record is not None
    assert record.ending == ending.JOB_DIED
    assert (await calls.claim(a_call(epoch=2), a_job("AJ_2"))).losses == 1
    record = await calls.get("c_1")
    assert record is not None
    assert (record.ending, record.ended_at) == (None, None)
    assert [(job.job_id, job.how) for job in record.jobs] == [("AJ_1", "job_died"), ("AJ_2", None)]


async def test_a_job_that_was_superseded_dies_alone(calls: Calls) -> None:
    """The call is served."""
    await calls.claim(a_call(), a_job("AJ_1"))
    await calls.claim(a_call(epoch=2), a_job("AJ_2"))
    await lost(calls, "AJ_1")
    record = await calls.get("c_1")
    assert record is not None
    assert record.ending is None


async def test_a_job_that_found_the_call_served_leaves_no_trace(calls: Calls) -> None:
    """Its worker sees its process end, as that of any other."""
    await calls.claim(a_call(), a_job("AJ_1"))
    assert (await calls.claim(a_call(), a_job("AJ_2"))).outcome == "served"
    assert not await lost(calls, "AJ_2")
    record = await calls.get("c_1")
    assert record is not None
    assert [job.job_id for job in record.jobs] == ["AJ_1"]
    assert record.ending is None


async def test_a_job_that_died_before_its_claim_is_in_the_record(calls: Calls) -> None:
    """The call is still to be had."""
    await calls.begin(a_call())
    await lost(calls, "AJ_1")
    record = await calls.get("c_1")
    assert record is not None
    assert record.ending == ending.JOB_DIED
    assert (await calls.claim(a_call(), a_job("AJ_2"))).outcome == "taken"


@pytest.mark.parametrize("how", [ending.GOODBYE, ending.PROVIDER_FAILED, ending.CALLER_LEFT])
async def test_a_call_that_has_ended_is_over_and_forgotten(calls: Calls, how: Ending) -> None:
    """Nobody needs to know any more what was said, and no job takes it up."""
    await calls.claim(a_call(), a_job("AJ_1"))
    await calls.save_checkpoint("c_1", "AJ_1", "what was said")
    await calls.end("c_1", how, datetime.now(UTC))
    assert await calls.claim(a_call(epoch=2), a_job("AJ_2")) == Claim("over")
    assert not await calls.save_checkpoint("c_1", "AJ_1", "what was said")


async def test_jobs_that_were_handed_over_are_no_losses(calls: Calls) -> None:
    """Restarts of the pool must not use up a call's patience."""
    await calls.claim(a_call(), a_job("AJ_1"))
    await lost(calls, "AJ_1", ending.WORKER_STOPPED)
    assert (await calls.claim(a_call(epoch=2), a_job("AJ_2"))).losses == 0


@pytest.mark.parametrize("ago_s", [61, -3600])
async def test_losses_are_counted_for_a_minute(calls: Calls, ago_s: float) -> None:
    """A call that loses a job now and then goes on; also after the clock was set back."""
    await calls.claim(a_call(), a_job("AJ_1"))
    long_ago = datetime.now(UTC) - timedelta(seconds=ago_s)
    await calls.lose("c_1", replace(a_job("AJ_1"), started_at=long_ago), ending.JOB_DIED, long_ago)
    assert (await calls.claim(a_call(epoch=2), a_job("AJ_2"))).losses == 0
