"""When turns and tools began, what a unit of each model cost, and what else happened in a call."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("turns", sa.Column("playout_ms", sa.Double))
    op.add_column("turns", sa.Column("started_at", TIME))
    op.add_column("turns", sa.Column("spoken_ms", sa.Double))
    op.add_column("tool_uses", sa.Column("started_at", TIME))
    with op.batch_alter_table("cost_items") as cost_items:
        cost_items.add_column(sa.Column("unit_price_usd", sa.Double))
        cost_items.alter_column("usd", existing_type=sa.Double, nullable=True)
    op.create_index("ix_calls_result", "calls", ["result", "started_at", "call_id"])
    op.create_index("ix_calls_reason", "calls", ["reason", "started_at", "call_id"])
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("call_id", sa.Text, sa.ForeignKey("calls.call_id", ondelete="CASCADE"), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("turn_n", sa.Integer, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("ix_events_call", "events", ["call_id", "at"])
