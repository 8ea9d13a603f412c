"""Callback rounds as tasks, what evaluation holds of a ticket, and reappraisals of bad marks."""

from alembic import op

revision = "0034"
down_revision = "0032"

STATEMENTS = (
    """
    CREATE TABLE callback_task (
      ticket_id UUID NOT NULL,
      no INTEGER NOT NULL,
      cause TEXT NOT NULL,
      unit_code TEXT,
      opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
      answered_at TIMESTAMP WITH TIME ZONE,
      attempts INTEGER NOT NULL,
      attempted_at TIMESTAMP WITH TIME ZONE,
      call_due_at TIMESTAMP WITH TIME ZONE,
      due_at TIMESTAMP WITH TIME ZONE,
      rules_version INTEGER,
      outcome TEXT,
      reason TEXT,
      resolved TEXT,
      result TEXT,
      process TEXT,
      result_level SMALLINT,
      process_level SMALLINT,
      replied BOOLEAN,
      no_redo TEXT,
      note TEXT,
      review_id UUID,
      rated_at TIMESTAMP WITH TIME ZONE,
      done_at TIMESTAMP WITH TIME ZONE,
      taken_by TEXT,
      taken_at TIMESTAMP WITH TIME ZONE,
      CONSTRAINT pk_callback_task PRIMARY KEY (ticket_id, no),
      CONSTRAINT fk_callback_task_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
    """
    CREATE INDEX ix_callback_task_queue ON callback_task (due_at, ticket_id, no)
      WHERE done_at IS NULL
    """,
    """
    CREATE INDEX ix_callback_task_bad ON callback_task (unit_code, rated_at DESC)
      WHERE result = 'dissatisfied' OR resolved = 'unresolved'
    """,
    """
    CREATE TABLE ticket_review (
      ticket_id UUID NOT NULL,
      review_id UUID NOT NULL,
      unit_code TEXT NOT NULL,
      channel TEXT NOT NULL,
      level SMALLINT NOT NULL,
      mark TEXT NOT NULL,
      rules_version INTEGER NOT NULL,
      submitted_at TIMESTAMP WITH TIME ZONE NOT NULL,
      CONSTRAINT pk_ticket_review PRIMARY KEY (ticket_id)
    )
    """,
    """
    CREATE TABLE reappraisal (
      id UUID NOT NULL,
      ticket_id UUID NOT NULL,
      unit_code TEXT NOT NULL,
      tracks TEXT[] NOT NULL,
      ground TEXT NOT NULL,
      words TEXT NOT NULL,
      evidence TEXT[] NOT NULL,
      rated_at TIMESTAMP WITH TIME ZONE NOT NULL,
      requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
      requested_by TEXT NOT NULL,
      state TEXT NOT NULL,
      stage JSONB,
      due_at TIMESTAMP WITH TIME ZONE,
      rules_version INTEGER NOT NULL,
      county JSONB,
      city JSONB,
      decided_at TIMESTAMP WITH TIME ZONE,
      version INTEGER NOT NULL,
      CONSTRAINT pk_reappraisal PRIMARY KEY (id),
      CONSTRAINT fk_reappraisal_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id),
      CONSTRAINT uq_reappraisal_ticket_id_rated_at UNIQUE (ticket_id, rated_at)
    )
    """,
    """
    CREATE INDEX ix_reappraisal_newest ON reappraisal (requested_at DESC, id DESC)
    """,
    """
    CREATE INDEX ix_reappraisal_unit ON reappraisal (unit_code, requested_at DESC, id DESC)
    """,
    # What was open already has no round of its own; it becomes one with its next move.
    """
    INSERT INTO callback_task (ticket_id, no, cause, unit_code, opened_at, answered_at, attempts,
      outcome, resolved, result, process, no_redo, note, rated_at, done_at)
    SELECT id, version, callback->>'cause', unit_code, (callback->>'opened_at')::timestamptz,
      CASE WHEN callback->>'cause' = 'replied' THEN (callback->>'opened_at')::timestamptz END,
      jsonb_array_length(callback->'attempts'),
      CASE WHEN callback->'heard' <> 'null' THEN 'reached' ELSE 'no_answer' END,
      callback->'heard'->>'resolved', callback->'heard'->>'result', callback->'heard'->>'process',
      callback->'heard'->>'no_redo', callback->'heard'->>'note',
      (callback->>'done_at')::timestamptz, (callback->>'done_at')::timestamptz
    FROM ticket WHERE callback->>'done_at' IS NOT NULL
    """,
)


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DELETE FROM timer WHERE state = 'armed' AND kind IN ('call', 'reappraisal')")
    for table in ("reappraisal", "ticket_review", "callback_task"):
        op.execute(f"DROP TABLE {table}")
