"""Puts call records together from the rows of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from callpool.call import Caller
from callpool.cost import Cost, CostItem
from callpool.ending import Ending
from callpool.store.record import (
    CallRecord,
    Event,
    Job,
    LatencyMs,
    StageEntry,
    ToolUse,
    Turn,
)
from callpool.store.tables import calls, cost_items, events, jobs, stages, tool_uses, turns

BATCH = 500
"""Calls read at once: databases bound the number of values in a query."""

Rows = dict[str, list[Row[Any]]]
"""The rows of one table, for each call id."""


async def read(
    connection: AsyncConnection, where: ColumnElement[bool], limit: int | None
) -> Sequence[CallRecord]:
    """The calls that match, newest first, at most `limit` of them."""
    query = select(calls).where(where).order_by(calls.c.started_at.desc(), calls.c.call_id.desc())
    found = (await connection.execute(query.limit(limit))).all()
    records: list[CallRecord] = []
    for start in range(0, len(found), BATCH):
        batch = found[start : start + BATCH]
        ids = [row.call_id for row in batch]
        parts = {
            table.name: await _rows(connection, table, order, ids)
            for table, order in (
                (jobs, (jobs.c.started_at, jobs.c.job_id)),
                (stages, (stages.c.entered_at, stages.c.id)),
                (turns, (turns.c.n,)),
                (tool_uses, (tool_uses.c.id,)),
                (cost_items, (cost_items.c.id,)),
                (events, (events.c.at, events.c.id)),
            )
        }
        records += [
            _record(row, {name: rows.get(row.call_id, []) for name, rows in parts.items()}) for row in batch
        ]
    return records


async def _rows(
    connection: AsyncConnection, table: Table, order: Sequence[ColumnElement[Any]], ids: Sequence[str]
) -> Rows:
    result = await connection.execute(select(table).where(table.c.call_id.in_(ids)).order_by(*order))
    rows: Rows = {}
    for row in result:
        rows.setdefault(row.call_id, []).append(row)
    return rows


def _record(row: Row[Any], parts: Rows) -> CallRecord:
    tools: dict[int, list[ToolUse]] = {}
    for use in parts["tool_uses"]:
        tools.setdefault(use.turn_n, []).append(ToolUse(use.name, use.ok, use.ms, use.started_at))
    return CallRecord(
        call_id=row.call_id,
        room=row.room,
        agent_name=row.agent_name,
        caller=Caller(row.caller_kind, row.caller_identity or ""),
        language=row.language,
        started_at=row.started_at,
        ended_at=row.ended_at,
        ending=Ending(row.result, row.reason) if row.result else None,
        stages=tuple(StageEntry(x.stage, x.entered_at, x.profile, x.skipped) for x in parts["stages"]),
        turns=tuple(_turn(x, tools.get(x.n, [])) for x in parts["turns"]),
        cost=Cost(
            tuple(
                CostItem(x.stage, x.provider, x.model, x.unit, x.quantity, x.usd, x.unit_price_usd)
                for x in parts["cost_items"]
            )
        ),
        events=tuple(Event(x.at, x.kind, x.turn_n, x.detail) for x in parts["events"]),
        jobs=tuple(map(job_of, parts["jobs"])),
        trace_id=row.trace_id,
    )


def job_of(row: Row[Any]) -> Job:
    """The job in a row of its table."""
    return Job(row.job_id, row.worker, row.host, row.pid, row.started_at, row.ended_at, row.how)


def _turn(row: Row[Any], tools: Sequence[ToolUse]) -> Turn:
    return Turn(
        n=row.n,
        stage=row.stage,
        caller_text=row.caller_text,
        agent_text=row.agent_text,
        interrupted=row.interrupted,
        tools=tuple(tools),
        latency_ms=LatencyMs(
            end_of_turn=row.end_of_turn_ms,
            stt_final=row.stt_final_ms,
            llm_first_token=row.llm_first_token_ms,
            tts_first_audio=row.tts_first_audio_ms,
            total=row.total_ms,
            playout=row.playout_ms,
        ),
        cost_usd=row.cost_usd,
        trace_id=row.trace_id,
        started_at=row.started_at,
        spoken_ms=row.spoken_ms,
    )
