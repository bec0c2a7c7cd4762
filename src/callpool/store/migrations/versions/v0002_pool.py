"""Who serves which call, what a job needs to take one up, and which workers there are."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("calls", sa.Column("epoch", sa.Integer, nullable=False, server_default="0"))
    op.add_column("calls", sa.Column("serving_job", sa.Text))
    op.add_column("calls", sa.Column("lost", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_calls_lost",
        "calls",
        ["started_at", "call_id"],
        sqlite_where=sa.text("lost IS 1"),
        postgresql_where=sa.text("lost IS true"),
    )
    op.create_index(
        "ix_calls_serving_job",
        "calls",
        ["serving_job"],
        sqlite_where=sa.text("serving_job IS NOT NULL"),
        postgresql_where=sa.text("serving_job IS NOT NULL"),
    )
    op.create_index("ix_jobs_job_id", "jobs", ["job_id"])
    op.create_index(
        "ix_jobs_running",
        "jobs",
        ["worker"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("call_id", sa.Text, sa.ForeignKey("calls.call_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("saved_at", TIME, nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("worker", sa.Text, primary_key=True),
        sa.Column("agent_name", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("capacity", sa.Integer, nullable=False),
        sa.Column("running", sa.Integer, nullable=False),
        sa.Column("draining", sa.Boolean, nullable=False),
        sa.Column("beat", sa.Integer, nullable=False),
        sa.Column("renewed_at", TIME, nullable=False),
    )
    op.create_table(
        "queues",
        sa.Column("agent_name", sa.Text, primary_key=True),
        sa.Column("beat", sa.Integer, nullable=False),
        sa.Column("rooms", sa.Text, nullable=False),
    )
