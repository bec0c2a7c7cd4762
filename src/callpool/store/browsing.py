"""The list of calls for staff: newest first, page by page, narrowed down by what they look for.

A page is found by an index and reads no more calls than it shows; what is summed up for each of them is read
for the calls of the page alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from callpool.store.tables import calls, cost_items, events, jobs, stages, turns

PAGE = 50
"""Calls on a page."""


@dataclass(frozen=True)
class Search:
    """What calls are looked for. Empty: all."""

    result: str = ""
    reason: str = ""
    caller_kind: str = ""
    language: str = ""
    agent_name: str = ""
    stage: str = ""
    """One that the call has come to."""
    since: datetime | None = None
    until: datetime | None = None
    live: bool = False
    """Only those that go on."""
    failing: bool = False
    """Only those in which a provider failed."""
    named: str = ""
    """The id or the room of a call, exactly."""


@dataclass(frozen=True)
class Place:
    """Where a page ends: the next one begins after this call."""

    started_at: datetime
    call_id: str


@dataclass(frozen=True)
class Line:
    """A call in the list. Nothing of it is personal."""

    call_id: str
    agent_name: str
    caller_kind: str
    language: str | None
    started_at: datetime
    ended_at: datetime | None
    result: str | None
    reason: str | None
    turns: int = 0
    worst_ms: float | None = None
    """The longest that the caller waited for an answer."""
    barge_ins: int = 0
    failures: int = 0
    """Of providers."""
    jobs: int = 0
    usd: float | None = None


async def page(
    connection: AsyncConnection, search: Search, after: Place | None = None
) -> tuple[Sequence[Line], Place | None]:
    """The calls of a page, and where the next one begins; None: there is none."""
    rows = (await connection.execute(query(search, after))).all()
    shown, more = rows[:PAGE], len(rows) > PAGE
    ids = [row.call_id for row in shown]
    sums = await _sums(connection, ids)
    lines = [
        Line(
            row.call_id,
            row.agent_name,
            row.caller_kind,
            row.language,
            row.started_at,
            row.ended_at,
            row.result,
            row.reason,
            **sums[row.call_id],
        )
        for row in shown
    ]
    return lines, Place(lines[-1].started_at, lines[-1].call_id) if more else None


def query(search: Search, after: Place | None = None) -> Select[Any]:
    """One more call than a page has, so that it is known whether there is another page."""
    columns = (
        calls.c.call_id,
        calls.c.agent_name,
        calls.c.caller_kind,
        calls.c.language,
        calls.c.started_at,
        calls.c.ended_at,
        calls.c.result,
        calls.c.reason,
    )
    order = (calls.c.started_at.desc(), calls.c.call_id.desc())
    return select(*columns).where(*_conditions(search, after)).order_by(*order).limit(PAGE + 1)


def _conditions(search: Search, after: Place | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        calls.c[name] == value
        for name in ("result", "reason", "caller_kind", "language", "agent_name")
        if (value := getattr(search, name))
    ]
    if search.named:
        found.append(or_(calls.c.call_id == search.named, calls.c.room == search.named))
    if search.since is not None:
        found.append(calls.c.started_at >= search.since)
    if search.until is not None:
        found.append(calls.c.started_at < search.until)
    if search.live:
        found.append(calls.c.ended_at.is_(None))
    if search.stage:
        found.append(exists().where(stages.c.call_id == calls.c.call_id, stages.c.stage == search.stage))
    if search.failing:
        failed = (events.c.call_id == calls.c.call_id, events.c.kind == "provider_error")
        found.append(exists().where(*failed))
    if after is not None:
        earlier = calls.c.started_at < after.started_at
        same = and_(calls.c.started_at == after.started_at, calls.c.call_id < after.call_id)
        # The first condition is what an index can use; the second one alone would be right.
        found += [calls.c.started_at <= after.started_at, or_(earlier, same)]
    return found


async def _sums(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    sums: dict[str, dict[str, Any]] = {call_id: {} for call_id in ids}
    if not ids:
        return sums

    async def add(
        name: str, value: ColumnElement[Any], owner: ColumnElement[str], *where: ColumnElement[bool]
    ) -> None:
        asked = select(owner, value).where(owner.in_(ids), *where).group_by(owner)
        for call_id, found in await connection.execute(asked):
            sums[call_id][name] = found

    await add("turns", func.count(), turns.c.call_id, turns.c.n > 0)
    await add("worst_ms", func.max(turns.c.total_ms), turns.c.call_id)
    await add("barge_ins", func.count(), events.c.call_id, events.c.kind == "barge_in")
    await add("failures", func.count(), events.c.call_id, events.c.kind == "provider_error")
    await add("jobs", func.count(), jobs.c.call_id)
    await add("usd", func.sum(cost_items.c.usd), cost_items.c.call_id)
    return sums
