"""For whom somebody speaks, which call it was, where exactly it is, what drives supervision; what
waits for a leader's sign-off; how the first contact was made."""

from alembic import op

revision = "0046"
down_revision = "0045"

COLUMNS = (
    "complainant_kind TEXT",
    "enterprise_name BYTEA",
    "call_id TEXT",
    "recording_ref TEXT",
    "region_code TEXT",
    "place BYTEA",
    "flags TEXT[]",
)


def upgrade() -> None:
    for column in COLUMNS:
        op.execute(f"ALTER TABLE ticket_detail ADD COLUMN {column}")
    op.execute("CREATE INDEX ix_ticket_detail_flags ON ticket_detail USING gin (flags)")
    op.execute("ALTER TABLE assignment ADD COLUMN contact_way TEXT")
    op.execute("ALTER TABLE assignment ADD COLUMN contact_number BYTEA")
    op.execute("ALTER TABLE assignment ADD COLUMN draft JSONB")
    op.execute("CREATE INDEX ix_assignment_draft ON assignment (unit_code) WHERE draft IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX ix_assignment_draft")
    op.execute("ALTER TABLE assignment DROP COLUMN draft")
    op.execute("ALTER TABLE assignment DROP COLUMN contact_number")
    op.execute("ALTER TABLE assignment DROP COLUMN contact_way")
    op.execute("DROP INDEX ix_ticket_detail_flags")
    for column in reversed(COLUMNS):
        op.execute(f"ALTER TABLE ticket_detail DROP COLUMN {column.split()[0]}")
