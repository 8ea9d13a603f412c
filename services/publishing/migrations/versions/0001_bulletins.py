"""Bulletins with their scores, and the names of units and windows."""

from alembic import op

from tongban_common.migrations import foundation_sql

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE bulletin (
      id UUID NOT NULL,
      period_id UUID NOT NULL,
      period_code TEXT NOT NULL,
      starts_on DATE NOT NULL,
      ends_on DATE NOT NULL,
      title TEXT NOT NULL,
      drafted_at TIMESTAMP WITH TIME ZONE NOT NULL,
      due_at TIMESTAMP WITH TIME ZONE NOT NULL,
      status TEXT NOT NULL,
      index_no TEXT,
      reviewed_by TEXT,
      reviewed_at TIMESTAMP WITH TIME ZONE,
      approved_by TEXT,
      published_at TIMESTAMP WITH TIME ZONE,
      withdrawn_at TIMESTAMP WITH TIME ZONE,
      withdrawal TEXT,
      version INTEGER NOT NULL,
      CONSTRAINT pk_bulletin PRIMARY KEY (id),
      CONSTRAINT uq_bulletin_period_id UNIQUE (period_id),
      CONSTRAINT uq_bulletin_index_no UNIQUE (index_no)
    )
    """,
    """
    CREATE INDEX ix_bulletin_published ON bulletin (published_at DESC, id DESC)
    """,
    """
    CREATE TABLE name (
      kind TEXT NOT NULL,
      code TEXT NOT NULL,
      name TEXT NOT NULL,
      CONSTRAINT pk_name PRIMARY KEY (kind, code)
    )
    """,
    """
    CREATE TABLE bulletin_score (
      bulletin_id UUID NOT NULL,
      position INTEGER NOT NULL,
      scorecard_id UUID NOT NULL,
      window_code TEXT NOT NULL,
      unit_code TEXT NOT NULL,
      score NUMERIC(8, 2) NOT NULL,
      grade TEXT NOT NULL,
      rank INTEGER,
      CONSTRAINT pk_bulletin_score PRIMARY KEY (bulletin_id, position),
      CONSTRAINT fk_bulletin_score_bulletin_id_bulletin FOREIGN KEY(bulletin_id) REFERENCES bulletin (id)
    )
    """,
)
TABLES = ("bulletin", "name", "bulletin_score")
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
