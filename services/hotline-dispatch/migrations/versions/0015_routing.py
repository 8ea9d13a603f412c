"""The catalogues of matters and of dispatch, and how people routed tickets."""

from alembic import op

revision = "0015"
down_revision = "0014"

STATEMENTS = (
    "SET lock_timeout = '5s'",
    """
    CREATE TABLE matter_catalogue (
      version INTEGER NOT NULL,
      effective_from DATE NOT NULL,
      source TEXT NOT NULL,
      digest TEXT NOT NULL,
      matters INTEGER NOT NULL,
      leaves INTEGER NOT NULL,
      loaded_at TIMESTAMP WITH TIME ZONE NOT NULL,
      loaded_by TEXT NOT NULL,
      CONSTRAINT pk_matter_catalogue PRIMARY KEY (version)
    )
    """,
    """
    CREATE TABLE matter (
      version INTEGER NOT NULL,
      code TEXT NOT NULL,
      position INTEGER NOT NULL,
      parent_code TEXT,
      level SMALLINT NOT NULL,
      path TEXT[] NOT NULL,
      keywords TEXT[] NOT NULL,
      is_leaf BOOLEAN NOT NULL,
      CONSTRAINT pk_matter PRIMARY KEY (version, code),
      CONSTRAINT fk_matter_version_matter_catalogue FOREIGN KEY(version)
        REFERENCES matter_catalogue (version)
    )
    """,
    "CREATE INDEX ix_matter_code ON matter (version, code text_pattern_ops)",
    "CREATE INDEX ix_matter_parent ON matter (version, parent_code, position)",
    """
    CREATE TABLE dispatch_catalogue (
      version INTEGER NOT NULL,
      effective_from DATE NOT NULL,
      source TEXT NOT NULL,
      digest TEXT NOT NULL,
      rules INTEGER NOT NULL,
      loaded_at TIMESTAMP WITH TIME ZONE NOT NULL,
      loaded_by TEXT NOT NULL,
      CONSTRAINT pk_dispatch_catalogue PRIMARY KEY (version)
    )
    """,
    """
    CREATE TABLE dispatch_rule (
      version INTEGER NOT NULL,
      line INTEGER NOT NULL,
      matter_code TEXT,
      places TEXT[] NOT NULL,
      keywords TEXT[] NOT NULL,
      unit_code TEXT NOT NULL,
      basis TEXT NOT NULL,
      valid_from DATE,
      valid_to DATE,
      CONSTRAINT pk_dispatch_rule PRIMARY KEY (version, line),
      CONSTRAINT fk_dispatch_rule_version_dispatch_catalogue FOREIGN KEY(version)
        REFERENCES dispatch_catalogue (version)
    )
    """,
    """
    CREATE TABLE routing_decision (
      id UUID NOT NULL,
      ticket_id UUID NOT NULL,
      decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
      actor TEXT NOT NULL,
      title TEXT NOT NULL,
      content TEXT NOT NULL,
      matter_version INTEGER,
      matter_code TEXT,
      matter_path TEXT[] NOT NULL,
      unit_code TEXT,
      proposed_matter TEXT,
      proposed_unit TEXT,
      source TEXT,
      confidence NUMERIC(5, 4),
      made_with JSONB NOT NULL,
      is_correction BOOLEAN,
      CONSTRAINT pk_routing_decision PRIMARY KEY (id),
      CONSTRAINT fk_routing_decision_ticket_id_ticket FOREIGN KEY(ticket_id)
        REFERENCES ticket (id)
    )
    """,
    "CREATE INDEX ix_routing_decision_ticket ON routing_decision (ticket_id, decided_at)",
    "CREATE INDEX ix_routing_decision_at ON routing_decision (decided_at)",
)
TABLES = ("matter_catalogue", "matter", "dispatch_catalogue", "dispatch_rule", "routing_decision")


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
