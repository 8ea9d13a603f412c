"""Bulletins of the hotline's assessment: by unit and group, as often as it was computed."""

from alembic import op

revision = "0022"
down_revision = "0001"

UP = (
    """
    ALTER TABLE bulletin
      ADD COLUMN kind TEXT NOT NULL DEFAULT 'windows',
      ADD COLUMN run INTEGER NOT NULL DEFAULT 1,
      ADD COLUMN labels JSONB NOT NULL DEFAULT '{}',
      DROP CONSTRAINT uq_bulletin_period_id,
      ADD CONSTRAINT uq_bulletin_period_id_run UNIQUE (period_id, run)
    """,
    """
    ALTER TABLE bulletin
      ALTER COLUMN kind DROP DEFAULT, ALTER COLUMN run DROP DEFAULT,
      ALTER COLUMN labels DROP DEFAULT
    """,
    """
    CREATE TABLE bulletin_result (
      bulletin_id UUID NOT NULL,
      position INTEGER NOT NULL,
      unit_code TEXT NOT NULL,
      "group" TEXT NOT NULL,
      tier TEXT,
      rank INTEGER,
      listed TEXT,
      indicators JSONB NOT NULL,
      needs_rectification BOOLEAN NOT NULL,
      CONSTRAINT pk_bulletin_result PRIMARY KEY (bulletin_id, position),
      CONSTRAINT fk_bulletin_result_bulletin_id_bulletin FOREIGN KEY(bulletin_id)
        REFERENCES bulletin (id)
    )
    """,
)
# What was there before knows nothing of the hotline's bulletins.
DOWN = (
    "DROP TABLE bulletin_result",
    "DELETE FROM timer WHERE subject IN (SELECT id::text FROM bulletin WHERE kind = 'hotline')",
    "DELETE FROM bulletin WHERE kind = 'hotline'",
    """
    ALTER TABLE bulletin
      DROP CONSTRAINT uq_bulletin_period_id_run, DROP COLUMN kind, DROP COLUMN run,
      DROP COLUMN labels, ADD CONSTRAINT uq_bulletin_period_id UNIQUE (period_id)
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
