"""Tries to look up a ticket by its number."""

from alembic import op

revision = "0031"
down_revision = "0032"

STATEMENTS = (
    """
    CREATE TABLE query_try (
      key BYTEA NOT NULL,
      since TIMESTAMP WITH TIME ZONE NOT NULL,
      tries INTEGER NOT NULL,
      CONSTRAINT pk_query_try PRIMARY KEY (key)
    )
    """,
    "CREATE INDEX ix_query_try_since ON query_try (since)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE query_try")
