"""A unit's counts read an index of its open assignments alone, and of the few odd tickets."""

from alembic import op

revision = "0037"
down_revision = "0036"

OPEN = "state IN ('waiting', 'signed', 'contacted', 'return_requested', 'rework')"
KEY = "ON assignment (unit_code, due_at, ticket_id, no)"
STATEMENTS = (
    "ALTER TABLE assignment ADD COLUMN warn_at TIMESTAMP WITH TIME ZONE",
    f"UPDATE assignment SET warn_at = (reply_term->>'warn_at')::timestamptz WHERE {OPEN}",
    "DROP INDEX ix_assignment_open",
    f"CREATE INDEX ix_assignment_open {KEY} INCLUDE (state, warn_at) WHERE {OPEN}",
    """
    CREATE INDEX ix_ticket_odd ON ticket (id) INCLUDE (status, recused, target_unit_code)
    WHERE closed_at IS NULL
      AND (status = 'suspended' OR recused IS NOT NULL OR target_unit_code IS NOT NULL)
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX ix_ticket_odd")
    op.execute("DROP INDEX ix_assignment_open")
    op.execute("ALTER TABLE assignment DROP COLUMN warn_at")
    op.execute(f"CREATE INDEX ix_assignment_open {KEY} WHERE {OPEN}")
