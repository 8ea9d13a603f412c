"""The counter, and what it saw."""

import sqlalchemy as sa
from alembic import op

from tongban_common.migrations import foundation_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in foundation_sql("0001"):
        op.execute(statement)
    op.create_table(
        "counter",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("value", sa.Integer, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_counter"),
    )
    op.create_table(
        "seen",
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("counter_id", sa.Text, nullable=False),
        sa.Column("value", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_seen"),
    )
