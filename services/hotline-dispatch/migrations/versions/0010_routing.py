"""The versions of the matter catalogue (事项目录)."""

from alembic import op

revision = "0010"
down_revision = "0013"

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
)
TABLES = ("matter_catalogue", "matter")


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
