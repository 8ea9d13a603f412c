"""The ledger, periods with their scorecards, and the directory they are about."""

from alembic import op

from tongban_common.migrations import foundation_sql

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE activity (
      window_code TEXT NOT NULL,
      day DATE NOT NULL,
      handled INTEGER NOT NULL,
      CONSTRAINT pk_activity PRIMARY KEY (window_code, day)
    )
    """,
    """
    CREATE TABLE entry (
      id UUID NOT NULL,
      window_code TEXT NOT NULL,
      rule_id TEXT NOT NULL,
      amount NUMERIC(8, 2) NOT NULL,
      quantity NUMERIC(8, 2) NOT NULL,
      occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
      fact TEXT NOT NULL,
      source TEXT NOT NULL,
      state TEXT NOT NULL,
      staff_code TEXT,
      evidence JSONB,
      reverses UUID,
      rule JSONB,
      responsibility TEXT,
      recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
      recorded_by TEXT,
      decided_at TIMESTAMP WITH TIME ZONE,
      decided_by TEXT,
      counted_in TEXT,
      version INTEGER DEFAULT '1' NOT NULL,
      CONSTRAINT pk_entry PRIMARY KEY (id),
      CONSTRAINT uq_entry_rule_id_source_window_code UNIQUE (rule_id, source, window_code),
      CONSTRAINT fk_entry_reverses_entry FOREIGN KEY(reverses) REFERENCES entry (id)
    )
    """,
    """
    CREATE INDEX ix_entry_fact ON entry (fact)
    """,
    """
    CREATE INDEX ix_entry_reverses ON entry (reverses) WHERE reverses IS NOT NULL
    """,
    """
    CREATE INDEX ix_entry_newest ON entry (recorded_at DESC, id DESC)
    """,
    """
    CREATE INDEX ix_entry_open ON entry (occurred_at) WHERE counted_in IS NULL
    """,
    """
    CREATE TABLE period (
      id UUID NOT NULL,
      code TEXT NOT NULL,
      starts_on DATE NOT NULL,
      ends_on DATE NOT NULL,
      rule_book TEXT NOT NULL,
      rule_book_version INTEGER NOT NULL,
      finished_at TIMESTAMP WITH TIME ZONE NOT NULL,
      bulletin_id UUID,
      CONSTRAINT pk_period PRIMARY KEY (id),
      CONSTRAINT uq_period_code UNIQUE (code),
      CONSTRAINT ex_period_days EXCLUDE USING gist (daterange(starts_on, ends_on, '[]') WITH &&)
    )
    """,
    """
    CREATE TABLE service_window (
      code TEXT NOT NULL,
      unit_code TEXT NOT NULL,
      name TEXT NOT NULL,
      is_active BOOLEAN NOT NULL,
      CONSTRAINT pk_service_window PRIMARY KEY (code)
    )
    """,
    """
    CREATE INDEX ix_service_window_unit ON service_window (unit_code, code)
    """,
    """
    CREATE TABLE staff (
      code TEXT NOT NULL,
      unit_code TEXT NOT NULL,
      window_code TEXT,
      is_active BOOLEAN NOT NULL,
      CONSTRAINT pk_staff PRIMARY KEY (code)
    )
    """,
    """
    CREATE TABLE unit (
      code TEXT NOT NULL,
      name TEXT NOT NULL,
      is_active BOOLEAN NOT NULL,
      CONSTRAINT pk_unit PRIMARY KEY (code)
    )
    """,
    """
    CREATE TABLE scorecard (
      id UUID NOT NULL,
      period_id UUID NOT NULL,
      window_code TEXT NOT NULL,
      unit_code TEXT NOT NULL,
      score NUMERIC(8, 2) NOT NULL,
      grade TEXT NOT NULL,
      rank INTEGER,
      bonus NUMERIC(8, 2) NOT NULL,
      deduction NUMERIC(8, 2) NOT NULL,
      correction NUMERIC(8, 2) NOT NULL,
      formula TEXT NOT NULL,
      handled INTEGER NOT NULL,
      CONSTRAINT pk_scorecard PRIMARY KEY (id),
      CONSTRAINT fk_scorecard_period_id_period FOREIGN KEY(period_id) REFERENCES period (id)
    )
    """,
    """
    CREATE UNIQUE INDEX uq_scorecard_period_window ON scorecard (period_id, window_code)
    """,
    """
    CREATE TABLE red_line_case (
      id UUID NOT NULL,
      scorecard_id UUID,
      red_line_id TEXT NOT NULL,
      label TEXT NOT NULL,
      window_code TEXT NOT NULL,
      staff_code TEXT NOT NULL,
      state TEXT NOT NULL,
      opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
      opened_by TEXT,
      evidence JSONB,
      decided_at TIMESTAMP WITH TIME ZONE,
      decided_by TEXT,
      grounds JSONB,
      version INTEGER DEFAULT '1' NOT NULL,
      CONSTRAINT pk_red_line_case PRIMARY KEY (id),
      CONSTRAINT fk_red_line_case_scorecard_id_scorecard FOREIGN KEY(scorecard_id) REFERENCES scorecard (id)
    )
    """,
    """
    CREATE TABLE scorecard_line (
      scorecard_id UUID NOT NULL,
      position INTEGER NOT NULL,
      entry_id UUID NOT NULL,
      rule_id TEXT NOT NULL,
      label TEXT NOT NULL,
      clause TEXT NOT NULL,
      side TEXT NOT NULL,
      quantity NUMERIC(8, 2) NOT NULL,
      amount NUMERIC(8, 2) NOT NULL,
      points NUMERIC(8, 2) NOT NULL,
      day TEXT NOT NULL,
      notes JSONB NOT NULL,
      CONSTRAINT pk_scorecard_line PRIMARY KEY (scorecard_id, position),
      CONSTRAINT fk_scorecard_line_scorecard_id_scorecard FOREIGN KEY(scorecard_id) REFERENCES scorecard (id),
      CONSTRAINT fk_scorecard_line_entry_id_entry FOREIGN KEY(entry_id) REFERENCES entry (id)
    )
    """,
    """
    CREATE INDEX ix_scorecard_line_entry ON scorecard_line (entry_id)
    """,
)
TABLES = (
    "activity",
    "entry",
    "period",
    "service_window",
    "staff",
    "unit",
    "scorecard",
    "red_line_case",
    "scorecard_line",
)
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
