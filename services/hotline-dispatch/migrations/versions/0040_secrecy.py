"""隔离封存: of an append-only record the words may give way to those that stand for them."""

from alembic import op

revision = "0040"
down_revision = "0037"

_REFUSED = "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;"
# Nothing else may differ than the words of a guard's line, and nothing else may stand there.
_ALLOWED = """
      IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'ticket_guard' AND NOT EXISTS (
        SELECT 1
        FROM jsonb_each_text(to_jsonb(NEW)) AS is_now
        JOIN jsonb_each_text(to_jsonb(OLD)) AS was ON was.key = is_now.key
        WHERE is_now.value IS DISTINCT FROM was.value
          AND (is_now.key NOT IN ('reason', 'note') OR was.value IS NULL
            OR is_now.value IS DISTINCT FROM '（内容已隔离封存）')
      ) THEN
        RETURN NEW;
      END IF;
"""


def _replace(body: str) -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION identity_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN {body} END $$"
    )


def upgrade() -> None:
    _replace(_ALLOWED + _REFUSED)


def downgrade() -> None:
    _replace(_REFUSED)
