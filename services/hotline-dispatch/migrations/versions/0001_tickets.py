"""Tickets, their moves, their complainants, and the units they may be assigned to."""

from alembic import op

from tongban_common.migrations import foundation_sql

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE SEQUENCE ticket_serial
    """,
    """
    CREATE TABLE ticket (
      id UUID NOT NULL,
      ticket_no TEXT NOT NULL,
      query_code TEXT NOT NULL,
      channel TEXT NOT NULL,
      channel_order_no TEXT,
      appeal_type TEXT NOT NULL,
      urgency TEXT NOT NULL,
      matter_code TEXT,
      title TEXT NOT NULL,
      content TEXT NOT NULL,
      registered_at TIMESTAMP WITH TIME ZONE NOT NULL,
      citizen_start_at TIMESTAMP WITH TIME ZONE,
      citizen_amount INTEGER,
      citizen_unit TEXT,
      citizen_clause TEXT,
      citizen_due_at TIMESTAMP WITH TIME ZONE,
      citizen_warn_at TIMESTAMP WITH TIME ZONE,
      citizen_policy TEXT,
      citizen_calendar TEXT,
      status TEXT NOT NULL,
      unit_code TEXT,
      assigned_at TIMESTAMP WITH TIME ZONE,
      reply_start_at TIMESTAMP WITH TIME ZONE,
      reply_amount INTEGER,
      reply_unit TEXT,
      reply_clause TEXT,
      reply_due_at TIMESTAMP WITH TIME ZONE,
      reply_warn_at TIMESTAMP WITH TIME ZONE,
      reply_policy TEXT,
      reply_calendar TEXT,
      replied_at TIMESTAMP WITH TIME ZONE,
      reply TEXT,
      version INTEGER NOT NULL,
      CONSTRAINT pk_ticket PRIMARY KEY (id),
      CONSTRAINT uq_ticket_ticket_no UNIQUE (ticket_no)
    )
    """,
    """
    CREATE INDEX ix_ticket_newest ON ticket (registered_at DESC, id DESC)
    """,
    """
    CREATE INDEX ix_ticket_unit ON ticket (unit_code, registered_at DESC, id DESC)
    """,
    """
    CREATE UNIQUE INDEX uq_ticket_channel_order ON ticket (channel, channel_order_no)
    WHERE channel_order_no IS NOT NULL
    """,
    """
    CREATE TABLE unit (
      code TEXT NOT NULL,
      name TEXT NOT NULL,
      level TEXT NOT NULL,
      is_active BOOLEAN NOT NULL,
      CONSTRAINT pk_unit PRIMARY KEY (code)
    )
    """,
    """
    CREATE TABLE complainant (
      ticket_id UUID NOT NULL,
      name BYTEA,
      phone BYTEA,
      address BYTEA,
      CONSTRAINT pk_complainant PRIMARY KEY (ticket_id),
      CONSTRAINT fk_complainant_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
    """
    CREATE TABLE ticket_move (
      ticket_id UUID NOT NULL,
      version INTEGER NOT NULL,
      status TEXT NOT NULL,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      actor TEXT NOT NULL,
      unit_code TEXT,
      CONSTRAINT pk_ticket_move PRIMARY KEY (ticket_id, version),
      CONSTRAINT fk_ticket_move_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
)
TABLES = ("ticket", "unit", "complainant", "ticket_move")
FOUNDATION = (
    "audit",
    "calendar_year",
    "dead_letter",
    "idempotency",
    "inbox_gap",
    "inbox_watermark",
    "outbox",
    "outbox_cursor",
    "outbox_shard",
    "policy",
    "relay_lease",
    "timer",
)


def upgrade() -> None:
    for statement in (*foundation_sql("0001"), *STATEMENTS):
        op.execute(statement)


def downgrade() -> None:
    for table in (*reversed(TABLES), *FOUNDATION):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP SEQUENCE ticket_serial")
