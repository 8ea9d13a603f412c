"""吹哨报到: until when a whistled unit is to be on the spot, and since when it is. The duty phone
of each unit, for when it has no contact in post."""

from alembic import op

revision = "0047"
down_revision = "0046"


def upgrade() -> None:
    op.execute("ALTER TABLE assignment ADD COLUMN report_term JSONB")
    op.execute("ALTER TABLE assignment ADD COLUMN reported_at TIMESTAMPTZ")
    op.execute(
        "CREATE TABLE unit_duty_phone ("
        " unit_code TEXT PRIMARY KEY,"
        " phone BYTEA NOT NULL,"
        " filed_at TIMESTAMPTZ NOT NULL,"
        " filed_by TEXT NOT NULL)"
    )


def downgrade() -> None:
    op.execute("DROP TABLE unit_duty_phone")
    op.execute("ALTER TABLE assignment DROP COLUMN reported_at")
    op.execute("ALTER TABLE assignment DROP COLUMN report_term")
