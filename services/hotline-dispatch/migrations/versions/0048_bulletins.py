"""The monthly bulletins, each version as it was made; the callbacks of a period by an index."""

from alembic import op

revision = "0048"
down_revision = "0047"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE bulletin ("
        " id UUID PRIMARY KEY,"
        " period_code TEXT NOT NULL,"
        " version INTEGER NOT NULL,"
        " run_id UUID NOT NULL,"
        " made_at TIMESTAMPTZ NOT NULL,"
        " made_by TEXT NOT NULL,"
        " document JSONB NOT NULL,"
        " CONSTRAINT uq_bulletin_period_code_version UNIQUE (period_code, version))"
    )
    op.execute(
        "CREATE INDEX ix_callback_task_done ON callback_task (done_at) WHERE done_at IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_callback_task_done")
    op.execute("DROP TABLE bulletin")
