"""What the hotline's assessment said of each unit."""

from alembic import op

revision = "0022"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE hotline_result (
          assessment_id UUID NOT NULL,
          unit_code TEXT NOT NULL,
          period_code TEXT NOT NULL,
          starts_on DATE NOT NULL,
          ends_on DATE NOT NULL,
          policy_version INTEGER NOT NULL,
          run INTEGER NOT NULL,
          "group" TEXT NOT NULL,
          tier TEXT,
          indicators JSONB NOT NULL,
          needs_rectification BOOLEAN NOT NULL,
          CONSTRAINT pk_hotline_result PRIMARY KEY (assessment_id, unit_code)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_hotline_result_unit
        ON hotline_result (unit_code, starts_on DESC, assessment_id DESC)
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE hotline_result")
