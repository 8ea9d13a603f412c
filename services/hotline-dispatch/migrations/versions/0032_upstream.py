"""What upper platforms pushed down, and what waits to be pulled up."""

from alembic import op

revision = "0032"
down_revision = "0025"

STATEMENTS = (
    """
    CREATE TABLE upstream_push (
      ticket_id UUID NOT NULL,
      digest BYTEA NOT NULL,
      pushed_at TIMESTAMP WITH TIME ZONE NOT NULL,
      pushed_by TEXT NOT NULL,
      CONSTRAINT pk_upstream_push PRIMARY KEY (ticket_id),
      CONSTRAINT fk_upstream_push_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
    """
    CREATE TABLE upstream_report (
      ticket_id UUID NOT NULL,
      version INTEGER NOT NULL,
      channel TEXT NOT NULL,
      channel_order_no TEXT NOT NULL,
      outcome TEXT NOT NULL,
      words TEXT,
      unit_code TEXT,
      promised_on TEXT,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      acknowledged_at TIMESTAMP WITH TIME ZONE,
      CONSTRAINT pk_upstream_report PRIMARY KEY (ticket_id, version),
      CONSTRAINT fk_upstream_report_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
    """
    CREATE INDEX ix_upstream_report_waiting ON upstream_report (channel, at, ticket_id, version)
      WHERE acknowledged_at IS NULL
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE upstream_report")
    op.execute("DROP TABLE upstream_push")
