"""吹哨报到: until when a whistled unit is to be on the spot, and since when it is."""

from alembic import op

revision = "0047"
down_revision = "0046"


def upgrade() -> None:
    op.execute("ALTER TABLE assignment ADD COLUMN report_term JSONB")
    op.execute("ALTER TABLE assignment ADD COLUMN reported_at TIMESTAMPTZ")


def downgrade() -> None:
    op.execute("ALTER TABLE assignment DROP COLUMN reported_at")
    op.execute("ALTER TABLE assignment DROP COLUMN report_term")
