"""The monthly bulletins, each version as it was made."""

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


def downgrade() -> None:
    op.execute("DROP TABLE bulletin")
