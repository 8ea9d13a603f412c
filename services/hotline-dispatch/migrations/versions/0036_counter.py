"""Tries to look up a ticket by its number, and what an appeal says besides its words."""

from alembic import op

revision = "0036"
down_revision = "0035"

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
    """
    CREATE TABLE ticket_detail (
      ticket_id UUID NOT NULL,
      target_name BYTEA,
      occurred_at TIMESTAMP WITH TIME ZONE,
      demand TEXT,
      CONSTRAINT pk_ticket_detail PRIMARY KEY (ticket_id),
      CONSTRAINT fk_ticket_detail_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE ticket_detail")
    op.execute("DROP TABLE query_try")
