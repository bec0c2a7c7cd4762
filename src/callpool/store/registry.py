"""The pool as the store knows it: which workers there are, which calls want a job, who waits."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from callpool import ending
from callpool.ending import Ending
from callpool.pool import Lease, Queue, Serving
from callpool.store.claims import forget, lose_served
from callpool.store.tables import calls, jobs, queues, workers
from callpool.store.transactions import Transactions

_LEASE = tuple(field.name for field in dataclasses.fields(Lease))

SHORT_S = 2.0
"""How long a write is tried while the store is busy or away, seconds: the next one says it better."""


class StoreRegistry(Transactions):
    """`callpool.pool.Registry` in the store, and what workers say there. Every method raises StoreError."""

    async def renew(self, lease: Lease) -> None:
        """The worker lives, and this is how it fares."""
        values = {**vars(lease), "renewed_at": datetime.now(UTC)}

        async def work(connection: AsyncConnection) -> None:
            new = self._insert(workers).values(values)
            known = {name: new.excluded[name] for name in values if name != "worker"}
            await connection.execute(new.on_conflict_do_update(index_elements=["worker"], set_=known))

        await self._write(work, retry_for_s=SHORT_S)

    async def leases(self) -> Sequence[Lease]:
        """Every worker that has a lease, also those whose beats stand still."""
        rows = await self._rows(select(workers))
        return [Lease(*(getattr(row, name) for name in _LEASE)) for row in rows]

    async def lost(self) -> Sequence[Serving]:
        """Calls that go on and whose job is over: they want another one. Few, and cheap to ask for often."""
        query = _serving().where(calls.c.lost.is_(True)).order_by(calls.c.started_at, calls.c.call_id)
        return [_serving_of(row) for row in await self._rows(query)]

    async def serving(self, room: str, agent_name: str) -> Serving | None:
        """The newest call in a room that an agent of this name serves, unless it has ended for good. None: no
        job has ever taken it."""
        goes_on = calls.c.result.is_(None) | calls.c.lost.is_(True)
        query = (
            _serving()
            .where(calls.c.room == room, calls.c.agent_name == agent_name, calls.c.epoch > 0)
            # A call that goes on, whatever its time says: a clock may have been set back since one before it.
            .order_by(goes_on.desc(), calls.c.started_at.desc(), calls.c.call_id.desc())
            .limit(1)
        )
        for row in await self._rows(query):
            if row.result is None or row.lost:
                return _serving_of(row)
        return None

    async def bury(self, worker: str, beat: int | None = None) -> Sequence[Serving]:
        """Declare a worker dead: its lease is taken, its jobs are over. Gives the calls that they served.

        `beat`: its last one; a worker that has beaten again since lives on.
        """
        now = datetime.now(UTC)
        lease = workers.c.worker == worker
        if beat is not None:
            lease &= workers.c.beat == beat

        async def work(connection: AsyncConnection) -> Sequence[Row[Any]]:
            taken = await connection.execute(delete(workers).where(lease))
            if beat is not None and not taken.rowcount:
                return []
            running = (jobs.c.worker == worker, jobs.c.ended_at.is_(None))
            found = await connection.execute(select(jobs.c.job_id).where(*running))
            job_ids = [row.job_id for row in found]
            over = {"ended_at": now, "how": ending.WORKER_DIED.reason}
            await connection.execute(update(jobs).where(*running).values(over))
            await lose_served(connection, job_ids, ending.WORKER_DIED, now)
            served = _serving().where(calls.c.serving_job.in_(job_ids), calls.c.lost.is_(True))
            lost: Sequence[Row[Any]] = (await connection.execute(served)).all()
            return lost

        return [_serving_of(row) for row in await self._write(work)]

    async def leave(self, worker: str) -> None:
        """The worker is no part of the pool any more. Its jobs have ended, or will say so themselves."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(workers).where(workers.c.worker == worker))

        await self._write(work, retry_for_s=SHORT_S)

    async def release(self, call_id: str) -> Ending | None:
        """Nobody waits in the room of a lost call any more: its provisional ending, which is given, stands.

        None: the call goes on, or somebody else has released it.
        """

        async def work(connection: AsyncConnection) -> Ending | None:
            lost = select(calls.c.result, calls.c.reason).where(
                calls.c.call_id == call_id, calls.c.lost.is_(True)
            )
            row = (await connection.execute(lost.with_for_update())).first()
            if row is None:
                return None
            await forget(connection, call_id)
            return Ending(row.result, row.reason)

        return await self._write(work, call_id=call_id)

    async def queue(self, agent_name: str, waiting: Sequence[str]) -> None:
        """Say which rooms wait for an agent, the longest waiting first: workers let nobody overtake them.

        To be said again every second while anybody waits: a queue that stands still does not count.
        """

        async def work(connection: AsyncConnection) -> None:
            new = self._insert(queues).values(agent_name=agent_name, beat=1, rooms=json.dumps(list(waiting)))
            known = {"beat": queues.c.beat + 1, "rooms": new.excluded.rooms}
            await connection.execute(new.on_conflict_do_update(index_elements=["agent_name"], set_=known))

        await self._write(work, retry_for_s=SHORT_S)

    async def queued(self, agent_name: str) -> Queue:
        """Who waits for an agent of this name."""
        for row in await self._rows(select(queues).where(queues.c.agent_name == agent_name)):
            return Queue(row.beat, tuple(json.loads(row.rooms)))
        return Queue(0, ())


def _serving() -> Select[Any]:
    same: ColumnElement[bool] = (jobs.c.call_id == calls.c.call_id) & (jobs.c.job_id == calls.c.serving_job)
    return select(
        calls.c.call_id,
        calls.c.room,
        calls.c.agent_name,
        calls.c.epoch,
        calls.c.serving_job,
        calls.c.result,
        calls.c.lost,
        jobs.c.worker,
        jobs.c.ended_at.label("job_ended_at"),
    ).select_from(calls.outerjoin(jobs, same))


def _serving_of(row: Row[Any]) -> Serving:
    return Serving(
        call_id=row.call_id,
        room=row.room,
        agent_name=row.agent_name,
        epoch=row.epoch,
        job_id=row.serving_job or "",
        worker=row.worker or "",
        alive=not row.lost and row.job_ended_at is None and row.serving_job is not None,
    )
