"""`Calls` writes call records as the calls go on, and reads them back.

Every method that writes is one short transaction, and may be repeated: the second time changes nothing.
Writes through one `Calls` happen in the order in which they were asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, delete, exists, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from callpool.call import Call, CallerKind
from callpool.cost import CostItem
from callpool.ending import Ending
from callpool.errors import StoreError
from callpool.pool import LEASE_S
from callpool.privacy.masking import mask
from callpool.store import schema
from callpool.store.claims import PROVISIONAL, Claims, first_row, forget, serves
from callpool.store.engine import explained, shown
from callpool.store.reading import job_of, read
from callpool.store.record import CallRecord, Event, Job, StageEntry, Turn
from callpool.store.tables import calls, cost_items, events, jobs, stages, tool_uses, turns, workers

T = TypeVar("T")

RECENT_S = 3 * LEASE_S
"""A worker whose last beat is younger than this, seconds, is not known to be dead."""


class Calls(Claims):
    """The store at a URL with an asynchronous driver (`settings.store_url`). Connects when it is first used.

    `plain_texts` keeps what was said as it was said; else it is masked. Every method raises StoreError, with
    one line, for a database that cannot be used. A `job_id` beside what is to be written: only as long as
    that job serves the call, or nobody does.
    """

    def __init__(self, url: str, *, plain_texts: bool = False) -> None:
        super().__init__(url)
        self._keep: Callable[[str], str] = str if plain_texts else mask

    async def open(self, *, migrate: bool = True) -> None:
        """See to it that the schema is right. An empty or older SQLite file is migrated if `migrate`.

        Needed once, by the process that starts others; its jobs can do without. Raises StoreError, with what
        to do, for a database that needs `callpool db upgrade`, or that a newer version made.
        """
        try:
            await schema.prepare(self._engine, migrate=migrate)
        except BaseException:
            await self._engine.dispose()
            raise

    async def begin(self, call: Call) -> None:
        """Start the record of a call. Where there is one, as after a resumption, only fill what is empty."""
        values = first_row(call)
        adds = ("caller_identity", "language", "trace_id")

        async def work(connection: AsyncConnection) -> None:
            new = self._insert(calls).values(values)
            kept = {name: func.coalesce(calls.c[name], new.excluded[name]) for name in adds}
            await connection.execute(new.on_conflict_do_update(index_elements=["call_id"], set_=kept))

        await self._write_call(call.call_id, work)

    async def stage_entered(self, call_id: str, entry: StageEntry, *, job_id: str | None = None) -> None:
        """The call entered a stage; again with the same stage and time: what is now known of it."""

        async def work(connection: AsyncConnection) -> None:
            new = self._insert(stages).values(call_id=call_id, **vars(entry))
            known = {
                "profile": func.coalesce(new.excluded.profile, stages.c.profile),
                "skipped": new.excluded.skipped,
            }
            await connection.execute(
                new.on_conflict_do_update(index_elements=["call_id", "entered_at", "stage"], set_=known)
            )

        await self._write_served(call_id, job_id, work)

    async def record_turn(self, call_id: str, turn: Turn, *, job_id: str | None = None) -> None:
        """Write a turn, or what has become known of it since: None and empty `tools` leave what is there.

        Texts are masked here, before they reach the database.
        """
        values: dict[str, Any] = {
            "stage": turn.stage,
            "caller_text": None if turn.caller_text is None else self._keep(turn.caller_text),
            "agent_text": None if turn.agent_text is None else self._keep(turn.agent_text),
            "interrupted": turn.interrupted,
            **{f"{name}_ms": value for name, value in vars(turn.latency_ms).items()},
            "cost_usd": turn.cost_usd,
            "trace_id": turn.trace_id,
            "started_at": turn.started_at,
            "spoken_ms": turn.spoken_ms,
        }

        async def work(connection: AsyncConnection) -> None:
            new = self._insert(turns).values(call_id=call_id, n=turn.n, **values)
            known = {name: func.coalesce(new.excluded[name], turns.c[name]) for name in values}
            await connection.execute(new.on_conflict_do_update(index_elements=["call_id", "n"], set_=known))
            if turn.tools:
                here = (tool_uses.c.call_id == call_id, tool_uses.c.turn_n == turn.n)
                await connection.execute(delete(tool_uses).where(*here))
                rows = [{"call_id": call_id, "turn_n": turn.n, **vars(tool)} for tool in turn.tools]
                await connection.execute(insert(tool_uses), rows)

        await self._write_served(call_id, job_id, work)

    async def record_cost(self, call_id: str, job_id: str, items: Sequence[CostItem]) -> None:
        """What a job has used so far. Replaces what the same job said before; other jobs' items stay."""

        async def work(connection: AsyncConnection) -> None:
            here = (cost_items.c.call_id == call_id, cost_items.c.job_id == job_id)
            await connection.execute(delete(cost_items).where(*here))
            if items:
                rows = [{"call_id": call_id, "job_id": job_id, **vars(item)} for item in items]
                await connection.execute(insert(cost_items), rows)

        await self._write_call(call_id, work)

    async def record_event(self, call_id: str, event: Event, *, job_id: str | None = None) -> None:
        """Something happened. Written a second time it changes nothing."""

        async def work(connection: AsyncConnection) -> None:
            here = [
                events.c.call_id == call_id,
                *(events.c[key] == value for key, value in vars(event).items()),
            ]
            if not await connection.scalar(select(exists().where(*here))):
                await connection.execute(insert(events).values(call_id=call_id, **vars(event)))

        await self._write_served(call_id, job_id, work)

    async def set_caller(
        self, call_id: str, kind: CallerKind, identity: str, *, job_id: str | None = None
    ) -> None:
        """The caller is in the room."""

        async def work(connection: AsyncConnection) -> None:
            known = {"caller_kind": kind, "caller_identity": identity}
            await connection.execute(update(calls).where(calls.c.call_id == call_id).values(known))

        await self._write_served(call_id, job_id, work)

    async def set_language(self, call_id: str, language: str, *, job_id: str | None = None) -> None:
        """The caller speaks this language."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                update(calls).where(calls.c.call_id == call_id).values(language=language)
            )

        await self._write_served(call_id, job_id, work)

    async def end(
        self, call_id: str, ending: Ending, ended_at: datetime, *, job_id: str | None = None
    ) -> bool:
        """End the call, and the job `job_id` with it: nobody ever finds the one without the other.

        The first ending stands, unless it was a weaker, provisional one (see PROVISIONAL). False: another job
        serves the call, which goes on.
        """
        weaker = itertools.takewhile(lambda result: result != ending.result, PROVISIONAL)
        replaceable: ColumnElement[bool] = calls.c.result.is_(None) | calls.c.result.in_(list(weaker))
        final = {"result": ending.result, "reason": ending.reason, "ended_at": ended_at}

        async def work(connection: AsyncConnection) -> bool:
            if job_id is not None:
                here = (jobs.c.call_id == call_id, jobs.c.job_id == job_id, jobs.c.ended_at.is_(None))
                over = {"ended_at": ended_at, "how": ending.reason}
                await connection.execute(update(jobs).where(*here).values(over))
                if not await serves(connection, call_id, job_id):
                    return False
            await connection.execute(
                update(calls).where(calls.c.call_id == call_id, replaceable).values(final)
            )
            await forget(connection, call_id)
            return True

        return await self._write_call(call_id, work)

    async def get(self, id_or_room: str) -> CallRecord | None:
        """The call with this id, else the newest one in this room."""
        by_id = calls.c.call_id == id_or_room
        by_room = calls.c.room == id_or_room
        return next(iter(await self._read(by_id, limit=1) or await self._read(by_room, limit=1)), None)

    async def list(self, limit: int) -> Sequence[CallRecord]:
        """The newest calls, newest first."""
        return await self._read(true(), limit=limit)

    async def reading(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Read with queries of one's own."""
        with explained(self._engine):
            async with self._engine.connect() as connection:
                return await work(connection)

    async def last_jobs(self, host: str) -> Sequence[tuple[str, Job]]:
        """The last job, with its call id, of each call that goes on, where it has not ended and is on `host`.

        Those are the jobs that run there, and those whose processes died without a word. Not those of a
        worker that has beaten a moment ago: it may be in another container that shares the host's name, and
        when it is dead, the dispatcher sees that.
        """
        recently = datetime.now(UTC) - timedelta(seconds=RECENT_S)
        beats = exists().where(workers.c.worker == jobs.c.worker, workers.c.renewed_at > recently)
        later = jobs.alias("later")
        follows = (later.c.started_at > jobs.c.started_at) | (
            (later.c.started_at == jobs.c.started_at) & (later.c.job_id > jobs.c.job_id)
        )
        query = (
            select(jobs)
            .join(calls)
            .where(calls.c.ended_at.is_(None), jobs.c.host == host, jobs.c.ended_at.is_(None), ~beats)
            .where(~exists().where(later.c.call_id == jobs.c.call_id, follows))
        )
        with explained(self._engine):
            async with self._engine.connect() as connection:
                return [(row.call_id, job_of(row)) for row in await connection.execute(query)]

    async def _read(self, where: ColumnElement[bool], limit: int | None = None) -> Sequence[CallRecord]:
        with explained(self._engine):
            async with self._engine.connect() as connection:
                return await read(connection, where, limit)

    async def _write_served(
        self, call_id: str, job_id: str | None, work: Callable[[AsyncConnection], Awaitable[None]]
    ) -> None:
        async def fenced(connection: AsyncConnection) -> None:
            if job_id is None or await serves(connection, call_id, job_id):
                await work(connection)

        await self._write_call(call_id, fenced)

    async def _write_call(self, call_id: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        try:
            return await self._write(work, call_id=call_id)
        except StoreError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise StoreError(
                    f"call {call_id} has no record in {shown(self._engine)}: it must begin first"
                ) from error
            raise
