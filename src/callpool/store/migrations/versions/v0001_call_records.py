"""Calls with their jobs, stages, turns, tool uses and costs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)


def call_id() -> sa.Column[str]:
    return sa.Column("call_id", sa.Text, sa.ForeignKey("calls.call_id", ondelete="CASCADE"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("call_id", sa.Text, primary_key=True),
        sa.Column("room", sa.Text, nullable=False),
        sa.Column("agent_name", sa.Text, nullable=False),
        sa.Column("caller_kind", sa.Text, nullable=False),
        sa.Column("caller_identity", sa.Text),
        sa.Column("language", sa.Text),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("result", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("trace_id", sa.Text),
    )
    op.create_index("ix_calls_started_at", "calls", ["started_at", "call_id"])
    op.create_index("ix_calls_room", "calls", ["room", "started_at"])
    op.create_index(
        "ix_calls_unended",
        "calls",
        ["started_at", "call_id"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "jobs",
        call_id(),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("how", sa.Text),
        sa.UniqueConstraint("call_id", "job_id", name="uq_jobs"),
    )
    op.create_table(
        "stages",
        sa.Column("id", sa.Integer, primary_key=True),
        call_id(),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("entered_at", TIME, nullable=False),
        sa.Column("profile", sa.Text),
        sa.Column("skipped", sa.Boolean, nullable=False),
        sa.UniqueConstraint("call_id", "entered_at", "stage", name="uq_stages"),
    )
    op.create_table(
        "turns",
        call_id(),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("caller_text", sa.Text),
        sa.Column("agent_text", sa.Text),
        sa.Column("interrupted", sa.Boolean, nullable=False),
        sa.Column("end_of_turn_ms", sa.Double),
        sa.Column("stt_final_ms", sa.Double),
        sa.Column("llm_first_token_ms", sa.Double),
        sa.Column("tts_first_audio_ms", sa.Double),
        sa.Column("total_ms", sa.Double),
        sa.Column("cost_usd", sa.Double),
        sa.Column("trace_id", sa.Text),
        sa.UniqueConstraint("call_id", "n", name="uq_turns"),
    )
    op.create_table(
        "tool_uses",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("turn_n", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("ok", sa.Boolean, nullable=False),
        sa.Column("ms", sa.Double),
        sa.ForeignKeyConstraint(["call_id", "turn_n"], ["turns.call_id", "turns.n"], ondelete="CASCADE"),
    )
    op.create_index("ix_tool_uses_turn", "tool_uses", ["call_id", "turn_n"])
    op.create_table(
        "cost_items",
        sa.Column("id", sa.Integer, primary_key=True),
        call_id(),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("quantity", sa.Double, nullable=False),
        sa.Column("usd", sa.Double, nullable=False),
    )
    op.create_index("ix_cost_items_call", "cost_items", ["call_id", "job_id"])


def downgrade() -> None:
    for table in ("cost_items", "tool_uses", "turns", "stages", "jobs", "calls"):
        op.drop_table(table)
