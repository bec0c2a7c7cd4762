"""The tables of the store. A change here needs a migration in `migrations/versions`."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC. SQLite drops the time zone, so it is put back when reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData()

calls = Table(
    "calls",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("room", Text, nullable=False),
    Column("agent_name", Text, nullable=False),
    Column("caller_kind", Text, nullable=False),
    Column("caller_identity", Text),
    Column("language", Text),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("result", Text),
    Column("reason", Text),
    Column("trace_id", Text),
    # Who serves the call: each job that is dispatched for it carries an epoch, which one job can claim.
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("serving_job", Text),
    # Whether that job is over while the call goes on: it wants another one.
    Column("lost", Boolean, nullable=False, server_default=false()),
)
Index("ix_calls_started_at", calls.c.started_at, calls.c.call_id)
Index("ix_calls_result", calls.c.result, calls.c.started_at, calls.c.call_id)
Index("ix_calls_reason", calls.c.reason, calls.c.started_at, calls.c.call_id)
Index("ix_calls_room", calls.c.room, calls.c.started_at)
Index(
    "ix_calls_unended",
    calls.c.started_at,
    calls.c.call_id,
    sqlite_where=calls.c.ended_at.is_(None),
    postgresql_where=calls.c.ended_at.is_(None),
)
Index(
    "ix_calls_lost",
    calls.c.started_at,
    calls.c.call_id,
    sqlite_where=calls.c.lost.is_(True),
    postgresql_where=calls.c.lost.is_(True),
)
Index(
    "ix_calls_serving_job",
    calls.c.serving_job,
    sqlite_where=calls.c.serving_job.is_not(None),
    postgresql_where=calls.c.serving_job.is_not(None),
)


def _call_id() -> Column[str]:
    return Column("call_id", Text, ForeignKey("calls.call_id", ondelete="CASCADE"), nullable=False)


jobs = Table(
    "jobs",
    metadata,
    _call_id(),
    Column("job_id", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("how", Text),
    UniqueConstraint("call_id", "job_id", name="uq_jobs"),
)
Index("ix_jobs_job_id", jobs.c.job_id)
Index(
    "ix_jobs_running",
    jobs.c.worker,
    sqlite_where=jobs.c.ended_at.is_(None),
    postgresql_where=jobs.c.ended_at.is_(None),
)

stages = Table(
    "stages",
    metadata,
    Column("id", Integer, primary_key=True),
    _call_id(),
    Column("stage", Text, nullable=False),
    Column("entered_at", UtcTime, nullable=False),
    Column("profile", Text),
    Column("skipped", Boolean, nullable=False),
    UniqueConstraint("call_id", "entered_at", "stage", name="uq_stages"),
)

turns = Table(
    "turns",
    metadata,
    _call_id(),
    Column("n", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("caller_text", Text),
    Column("agent_text", Text),
    Column("interrupted", Boolean, nullable=False),
    Column("end_of_turn_ms", Double),
    Column("stt_final_ms", Double),
    Column("llm_first_token_ms", Double),
    Column("tts_first_audio_ms", Double),
    Column("total_ms", Double),
    Column("playout_ms", Double),
    Column("cost_usd", Double),
    Column("trace_id", Text),
    Column("started_at", UtcTime),
    Column("spoken_ms", Double),
    UniqueConstraint("call_id", "n", name="uq_turns"),
)

tool_uses = Table(
    "tool_uses",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("call_id", Text, nullable=False),
    Column("turn_n", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("ms", Double),
    Column("started_at", UtcTime),
    ForeignKeyConstraint(["call_id", "turn_n"], ["turns.call_id", "turns.n"], ondelete="CASCADE"),
)
Index("ix_tool_uses_turn", tool_uses.c.call_id, tool_uses.c.turn_n)

cost_items = Table(
    "cost_items",
    metadata,
    Column("id", Integer, primary_key=True),
    _call_id(),
    Column("job_id", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("quantity", Double, nullable=False),
    # Both are empty where no price is known.
    Column("unit_price_usd", Double),
    Column("usd", Double),
)
Index("ix_cost_items_call", cost_items.c.call_id, cost_items.c.job_id)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    _call_id(),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("turn_n", Integer, nullable=False),
    Column("detail", Text, nullable=False),
)
Index("ix_events_call", events.c.call_id, events.c.at)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("call_id", Text, ForeignKey("calls.call_id", ondelete="CASCADE"), primary_key=True),
    # What was said, as it was said: a job that takes the call up needs it. Gone when the call has ended.
    Column("document", Text, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("worker", Text, primary_key=True),
    Column("agent_name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("running", Integer, nullable=False),
    Column("draining", Boolean, nullable=False),
    Column("beat", Integer, nullable=False),
    Column("renewed_at", UtcTime, nullable=False),
)

queues = Table(
    "queues",
    metadata,
    Column("agent_name", Text, primary_key=True),
    # Grows with each renewal: a queue that stands still is that of a dispatcher that is gone.
    Column("beat", Integer, nullable=False),
    # The rooms that wait for an agent, as a JSON array, the longest waiting first.
    Column("rooms", Text, nullable=False),
)
