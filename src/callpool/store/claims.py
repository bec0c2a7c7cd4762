"""Who serves a call: one job at a time, and the next one with what the last one knew."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import delete, func, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from callpool import ending
from callpool.call import Call
from callpool.ending import Ending, Result
from callpool.store.record import Job
from callpool.store.tables import calls, checkpoints, cost_items, jobs
from callpool.store.transactions import Transactions

PROVISIONAL: Final[tuple[Result, ...]] = ("unknown", "failed")
"""Endings written by somebody who only saw that a job was gone, weakest first. A stronger one replaces them,
and a further job that takes the call up again takes them back. All other endings are final."""

RESTARTS_S = 60.0
"""The time in which the jobs that a call has lost are counted, seconds."""
NO_LOSSES = (ending.WORKER_STOPPED.reason,)
"""Jobs that ended so were handed over, and not lost."""

CLAIM_S = 1.0
"""How long a claim is tried while the store is busy or away, seconds: a caller is waiting."""


@dataclass(frozen=True)
class Claim:
    """What came of a claim."""

    outcome: Literal["taken", "served", "over"]
    """`taken`: the job serves the call; `served`: another one has its epoch, or a later one; `over`: the call
    has ended for good."""
    checkpoint: str | None = None
    """What an earlier job knew; None: there was none, or it knew nothing."""
    losses: int = 0
    """Jobs that the call has lost within RESTARTS_S."""
    cause: str = ""
    """How its last job ended, such as `job_died`; empty: it is the first."""
    spent_usd: float = 0.0
    """What the jobs before this one have used."""


class Claims(Transactions):
    """Claims on calls, and checkpoints of them. Every method raises StoreError."""

    async def claim(self, call: Call, job: Job) -> Claim:
        """Let a job serve a call, unless another one does. Begins the call's record where there is none.

        Repeated for the same job, it gives the same answer.
        """
        return await self._write(
            lambda connection: self._claim(connection, call, job),
            call_id=call.call_id,
            retry_for_s=CLAIM_S,
        )

    async def save_checkpoint(self, call_id: str, job_id: str, document: str) -> bool:
        """Keep what the next job would need. False: another job serves the call, or it is over."""

        async def work(connection: AsyncConnection) -> bool:
            served = select(calls.c.call_id).where(
                calls.c.call_id == call_id, calls.c.serving_job == job_id, calls.c.result.is_(None)
            )
            if (await connection.execute(served.with_for_update())).first() is None:
                return False
            new = self._insert(checkpoints).values(
                call_id=call_id, document=document, saved_at=datetime.now(UTC)
            )
            kept = {"document": new.excluded.document, "saved_at": new.excluded.saved_at}
            await connection.execute(new.on_conflict_do_update(index_elements=["call_id"], set_=kept))
            return True

        return await self._write(work, call_id=call_id)

    async def lose(self, asked_id: str, job: Job, how: Ending, ended_at: datetime) -> bool:
        """A job is over, and its call is not: another job may take it up. Gives whether that is news.

        `how` is the call's ending as long as nobody does, and the job's unless `job` says more. A job that no
        longer serves the call ends alone; one that died before anybody could claim the call leaves its line
        in the record, and one that found the call served leaves none. `call_id` is the dispatch's word: the
        job may have claimed another call in the same room (see `live_call.py`).
        """

        async def work(connection: AsyncConnection) -> bool:
            here = jobs.c.job_id == job.job_id
            query = select(jobs.c.call_id, jobs.c.ended_at).where(here)
            known = (await connection.execute(query)).first()
            if known is not None and known.ended_at is not None:
                return False
            call_id = asked_id if known is None else known.call_id
            served = select(calls.c.call_id).where(calls.c.call_id == call_id, calls.c.epoch > 0)
            if known is None and (await connection.execute(served)).first() is not None:
                return False  # it never served the call
            over = {"ended_at": ended_at, "how": job.how or how.reason}
            new = self._insert(jobs).values(call_id=call_id, **{**vars(job), **over})
            await connection.execute(
                new.on_conflict_do_update(index_elements=["call_id", "job_id"], set_=over)
            )
            await lose_served(connection, [job.job_id], how, ended_at)
            untouched = (calls.c.call_id == call_id, calls.c.epoch == 0, calls.c.result.is_(None))
            await connection.execute(update(calls).where(*untouched).values(_ended(how, ended_at)))
            return True

        return await self._write(work, call_id=asked_id)

    async def _claim(self, connection: AsyncConnection, call: Call, job: Job) -> Claim:
        new = self._insert(calls).values(first_row(call))
        await connection.execute(new.on_conflict_do_nothing(index_elements=["call_id"]))
        here = calls.c.call_id == call.call_id
        row = (await connection.execute(select(calls).where(here).with_for_update())).one()
        if row.result is not None and not row.lost and (row.epoch or row.result not in PROVISIONAL):
            return Claim("over")
        is_ours = row.epoch == call.epoch and row.serving_job == job.job_id and not row.lost
        if row.epoch >= call.epoch and not is_ours:  # ours: the store went away before it could say so
            return Claim("served")
        taken = {"epoch": call.epoch, "serving_job": job.job_id, "lost": False}
        open_again = {"result": None, "reason": None, "ended_at": None}
        taken["trace_id"] = row.trace_id or call.trace_id
        await connection.execute(update(calls).where(here).values(**taken, **open_again))
        added = self._insert(jobs).values(call_id=call.call_id, **vars(job))
        await connection.execute(added.on_conflict_do_nothing(index_elements=["call_id", "job_id"]))
        document = select(checkpoints.c.document).where(checkpoints.c.call_id == call.call_id)
        now, span = datetime.now(UTC), timedelta(seconds=RESTARTS_S)
        losses = select(func.count()).where(
            jobs.c.call_id == call.call_id,
            # Not the future either: clocks are set back, and a loss before that would count for an hour.
            jobs.c.ended_at.between(now - span, now + span),
            jobs.c.how.not_in(NO_LOSSES),
        )
        ended = (jobs.c.call_id == call.call_id, jobs.c.ended_at.is_not(None))
        last = select(jobs.c.how).where(*ended).order_by(jobs.c.ended_at.desc()).limit(1)
        others = (cost_items.c.call_id == call.call_id, cost_items.c.job_id != job.job_id)
        spent = select(func.sum(cost_items.c.usd)).where(*others)
        return Claim(
            "taken",
            checkpoint=(await connection.execute(document)).scalar(),
            losses=(await connection.execute(losses)).scalar_one(),
            cause=(await connection.execute(last)).scalar() or "",
            spent_usd=(await connection.execute(spent)).scalar() or 0.0,
        )


async def serves(connection: AsyncConnection, call_id: str, job_id: str) -> bool:
    """Whether a job still serves a call, or nobody does. Nobody takes it before the transaction is over."""
    query = select(calls.c.serving_job).where(calls.c.call_id == call_id).with_for_update()
    row = (await connection.execute(query)).first()
    return row is None or row.serving_job in (None, job_id)


def first_row(call: Call) -> dict[str, Any]:
    """The row of a call that has just begun."""
    return {
        "call_id": call.call_id,
        "room": call.room,
        "agent_name": call.agent_name,
        "caller_kind": call.caller.kind,
        "caller_identity": call.caller.identity or None,
        "language": call.language or None,
        "started_at": call.started_at,
        "trace_id": call.trace_id,
    }


async def lose_served(
    connection: AsyncConnection, job_ids: Collection[str], how: Ending, ended_at: datetime
) -> None:
    """The calls that these jobs serve want other ones; `how` is their ending as long as nobody comes."""
    await connection.execute(
        update(calls)
        .where(calls.c.serving_job.in_(job_ids), calls.c.result.is_(None))
        .values(lost=True, **_ended(how, ended_at))
    )


def _ended(how: Ending, ended_at: datetime) -> dict[str, Any]:
    return {"result": how.result, "reason": how.reason, "ended_at": ended_at}


async def forget(connection: AsyncConnection, call_id: str) -> None:
    """The call has ended for good: nobody needs to know any more what was said."""
    await connection.execute(
        update(calls).where(calls.c.call_id == call_id).values(lost=False, serving_job=null())
    )
    await connection.execute(delete(checkpoints).where(checkpoints.c.call_id == call_id))
