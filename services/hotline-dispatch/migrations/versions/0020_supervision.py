"""Supervision: records, notices, history; cards, which nothing may change; the nightly round."""

from alembic import op

revision = "0020"
down_revision = "0018"

UP = (
    """
    CREATE TABLE supervision (
      id UUID NOT NULL,
      kind TEXT NOT NULL,
      level TEXT,
      form TEXT,
      state TEXT NOT NULL,
      cause TEXT NOT NULL,
      legal_basis TEXT NOT NULL,
      words TEXT,
      issuer TEXT NOT NULL,
      ticket_ids UUID[] NOT NULL,
      units TEXT[] NOT NULL,
      issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
      policy_version INTEGER NOT NULL,
      reply_due_at TIMESTAMP WITH TIME ZONE,
      reply_term JSONB,
      round INTEGER NOT NULL,
      answers JSONB NOT NULL,
      was_missed BOOLEAN NOT NULL,
      decisions JSONB NOT NULL,
      closed_at TIMESTAMP WITH TIME ZONE,
      closing_note TEXT,
      is_published BOOLEAN NOT NULL,
      version INTEGER NOT NULL,
      CONSTRAINT pk_supervision PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_supervision_newest ON supervision (issued_at DESC, id DESC)",
    "CREATE INDEX ix_supervision_level ON supervision (level, issued_at DESC, id DESC)",
    """
    CREATE TABLE supervision_unit (
      supervision_id UUID NOT NULL,
      unit_code TEXT NOT NULL,
      issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
      CONSTRAINT pk_supervision_unit PRIMARY KEY (supervision_id, unit_code),
      CONSTRAINT fk_supervision_unit_supervision_id_supervision FOREIGN KEY(supervision_id) REFERENCES supervision (id)
    )
    """,
    """
    CREATE INDEX ix_supervision_unit_newest ON supervision_unit (unit_code, issued_at DESC, supervision_id DESC)
    """,
    """
    CREATE TABLE supervision_ticket (
      supervision_id UUID NOT NULL,
      ticket_id UUID NOT NULL,
      rung TEXT NOT NULL,
      no INTEGER,
      since TIMESTAMP WITH TIME ZONE,
      CONSTRAINT pk_supervision_ticket PRIMARY KEY (supervision_id, ticket_id, rung),
      CONSTRAINT fk_supervision_ticket_supervision_id_supervision FOREIGN KEY(supervision_id) REFERENCES supervision (id),
      CONSTRAINT fk_supervision_ticket_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
    "CREATE INDEX ix_supervision_ticket_ticket_id ON supervision_ticket (ticket_id)",
    """
    CREATE UNIQUE INDEX uq_supervision_ticket_rung ON supervision_ticket (ticket_id, no, since, rung)
      WHERE since IS NOT NULL
    """,
    """
    CREATE TABLE supervision_notice (
      supervision_id UUID NOT NULL,
      version INTEGER NOT NULL,
      template TEXT NOT NULL,
      template_version INTEGER NOT NULL,
      audience TEXT[] NOT NULL,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      body TEXT NOT NULL,
      CONSTRAINT pk_supervision_notice PRIMARY KEY (supervision_id, version),
      CONSTRAINT fk_supervision_notice_supervision_id_supervision FOREIGN KEY(supervision_id) REFERENCES supervision (id)
    )
    """,
    """
    CREATE TABLE supervision_move (
      supervision_id UUID NOT NULL,
      version INTEGER NOT NULL,
      deed TEXT NOT NULL,
      state TEXT NOT NULL,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      actor TEXT NOT NULL,
      facts JSONB NOT NULL,
      CONSTRAINT pk_supervision_move PRIMARY KEY (supervision_id, version),
      CONSTRAINT fk_supervision_move_supervision_id_supervision FOREIGN KEY(supervision_id) REFERENCES supervision (id)
    )
    """,
    """
    CREATE TABLE supervision_card (
      id UUID NOT NULL,
      supervision_id UUID NOT NULL,
      unit_code TEXT NOT NULL,
      colour TEXT NOT NULL,
      issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
      issuer TEXT NOT NULL,
      contest_limit JSONB NOT NULL,
      CONSTRAINT pk_supervision_card PRIMARY KEY (id),
      CONSTRAINT fk_supervision_card_supervision_id_supervision FOREIGN KEY(supervision_id) REFERENCES supervision (id)
    )
    """,
    "CREATE INDEX ix_supervision_card_supervision_id ON supervision_card (supervision_id)",
    "CREATE INDEX ix_supervision_card_colour ON supervision_card (colour, unit_code, issued_at)",
    """
    CREATE TABLE supervision_card_line (
      card_id UUID NOT NULL,
      no INTEGER NOT NULL,
      act TEXT NOT NULL,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      actor TEXT NOT NULL,
      unit_code TEXT,
      reason TEXT,
      words TEXT,
      CONSTRAINT pk_supervision_card_line PRIMARY KEY (card_id, no),
      CONSTRAINT fk_supervision_card_line_card_id_supervision_card FOREIGN KEY(card_id) REFERENCES supervision_card (id)
    )
    """,
    """
    CREATE FUNCTION supervision_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END $$
    """,
    *(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
          FOR EACH ROW EXECUTE FUNCTION supervision_append_only()
        """
        for table in ("supervision_card", "supervision_card_line")
    ),
    """
    CREATE INDEX ix_ticket_move_signal ON ticket_move (act, at)
      WHERE act IN ('auto_signed', 'return_rejected', 'callback_completed')
    """,
    # The first nightly round; each one arms the next.
    """
    INSERT INTO timer (kind, subject, start_at, amount, unit, clause, calendar_version, due_at, state)
    SELECT 'supervision_round', 'supervision', night - interval '1 day', 24, 'hours', 'nightly', '', night, 'armed'
    FROM (SELECT (date_trunc('day', now() AT TIME ZONE 'Asia/Shanghai') + interval '26 hours')
                 AT TIME ZONE 'Asia/Shanghai' AS night) AS next_one
    """,
)


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("DELETE FROM timer WHERE kind IN ('ladder', 'supervision', 'supervision_round')")
    op.execute("DROP INDEX ix_ticket_move_signal")
    for table in (
        "supervision_card_line",
        "supervision_card",
        "supervision_move",
        "supervision_notice",
        "supervision_ticket",
        "supervision_unit",
        "supervision",
    ):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION supervision_append_only()")
