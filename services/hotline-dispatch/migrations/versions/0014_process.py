"""The full process: each unit's assignment by itself, stages, callbacks, notes, merged tickets."""

from alembic import op

revision = "0014"
down_revision = "0013"

_TERM = """jsonb_build_object(
      'start_at', {clock}_start_at, 'amount', {clock}_amount, 'unit', {clock}_unit,
      'clause', {clock}_clause, 'due_at', {clock}_due_at, 'warn_at', {clock}_warn_at,
      'policy', {clock}_policy, 'calendar', {clock}_calendar, 'pauses', '[]'::jsonb,
      'extended_by', 0, 'cap_at', NULL, 'floor_at', NULL)"""
_STATES = """CASE status WHEN 'assigned' THEN 'waiting' WHEN 'signed' THEN 'signed'
      WHEN 'replied' THEN 'replied' ELSE 'done' END"""

UP = (
    """
    ALTER TABLE ticket
      ADD COLUMN upstream_due_at TIMESTAMP WITH TIME ZONE,
      ADD COLUMN statutory_due_at TIMESTAMP WITH TIME ZONE,
      ADD COLUMN wants_reply BOOLEAN NOT NULL DEFAULT true,
      ADD COLUMN wants_callback BOOLEAN NOT NULL DEFAULT true,
      ADD COLUMN has_contact BOOLEAN NOT NULL DEFAULT false,
      ADD COLUMN citizen JSONB,
      ADD COLUMN stage JSONB,
      ADD COLUMN process_version INTEGER,
      ADD COLUMN first_replied_at TIMESTAMP WITH TIME ZONE,
      ADD COLUMN returns INTEGER NOT NULL DEFAULT 0,
      ADD COLUMN rework_rounds INTEGER NOT NULL DEFAULT 0,
      ADD COLUMN callback JSONB,
      ADD COLUMN suspension JSONB,
      ADD COLUMN phase JSONB,
      ADD COLUMN is_supervised BOOLEAN NOT NULL DEFAULT false,
      ADD COLUMN disposition TEXT,
      ADD COLUMN parent_id UUID,
      ADD COLUMN children INTEGER NOT NULL DEFAULT 0,
      ADD COLUMN closed_at TIMESTAMP WITH TIME ZONE,
      ADD CONSTRAINT fk_ticket_parent_id_ticket FOREIGN KEY(parent_id) REFERENCES ticket (id)
    """,
    """
    CREATE INDEX ix_ticket_parent ON ticket (parent_id) WHERE parent_id IS NOT NULL
    """,
    """
    CREATE TABLE assignment (
      ticket_id UUID NOT NULL,
      no INTEGER NOT NULL,
      unit_code TEXT NOT NULL,
      role TEXT NOT NULL,
      state TEXT NOT NULL,
      parent_no INTEGER,
      is_forced BOOLEAN NOT NULL,
      assigned_at TIMESTAMP WITH TIME ZONE NOT NULL,
      due_at TIMESTAMP WITH TIME ZONE NOT NULL,
      reply_term JSONB NOT NULL,
      sign_term JSONB NOT NULL,
      return_term JSONB NOT NULL,
      contact_term JSONB,
      signed_at TIMESTAMP WITH TIME ZONE,
      is_auto_signed BOOLEAN NOT NULL,
      contacted_at TIMESTAMP WITH TIME ZONE,
      replied_at TIMESTAMP WITH TIME ZONE,
      was_late BOOLEAN NOT NULL,
      reply JSONB,
      extensions INTEGER NOT NULL,
      asks JSONB NOT NULL,
      asking TEXT,
      CONSTRAINT pk_assignment PRIMARY KEY (ticket_id, no),
      CONSTRAINT fk_assignment_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
    """
    CREATE INDEX ix_assignment_unit ON assignment (unit_code, due_at, ticket_id)
    """,
    """
    CREATE INDEX ix_assignment_asking ON assignment (asking) WHERE asking IS NOT NULL
    """,
    """
    CREATE TABLE ticket_note (
      ticket_id UUID NOT NULL,
      version INTEGER NOT NULL,
      kind TEXT NOT NULL,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      words TEXT,
      sealed BYTEA,
      CONSTRAINT pk_ticket_note PRIMARY KEY (ticket_id, version),
      CONSTRAINT fk_ticket_note_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
    """
    ALTER TABLE ticket_move
      ADD COLUMN act TEXT,
      ADD COLUMN facts JSONB NOT NULL DEFAULT '{}'
    """,
    "UPDATE ticket_move SET act = status",
    # What was assigned before has the unit's term for every limit that was not kept then.
    f"""
    INSERT INTO assignment
    SELECT id, 1, unit_code, 'lead', {_STATES}, NULL, false, assigned_at, reply_due_at,
      {_TERM.format(clock="reply")}, {_TERM.format(clock="reply")}, {_TERM.format(clock="reply")},
      NULL, NULL, false, NULL, replied_at, coalesce(replied_at > reply_due_at, false),
      CASE WHEN reply IS NOT NULL THEN jsonb_build_object('internal', reply, 'public', reply,
        'citations', '[]'::jsonb, 'evidence', '[]'::jsonb, 'is_resolved', true) END,
      0, '[]', NULL
    FROM ticket WHERE reply_due_at IS NOT NULL
    """,
    f"""
    UPDATE ticket SET
      citizen = CASE WHEN citizen_due_at IS NOT NULL THEN {_TERM.format(clock="citizen")} END,
      wants_reply = citizen_due_at IS NOT NULL,
      has_contact = EXISTS (
        SELECT FROM complainant c WHERE c.ticket_id = ticket.id AND c.phone IS NOT NULL),
      process_version = CASE WHEN unit_code IS NOT NULL THEN 1 END,
      first_replied_at = replied_at,
      closed_at = CASE WHEN status = 'closed' THEN replied_at END
    """,
    # The unit's clock belongs to its assignment now.
    "UPDATE timer SET subject = subject || '\\:1' WHERE kind = 'unit'",
    """
    ALTER TABLE ticket
      DROP COLUMN citizen_start_at, DROP COLUMN citizen_amount, DROP COLUMN citizen_unit,
      DROP COLUMN citizen_clause, DROP COLUMN citizen_warn_at, DROP COLUMN citizen_policy,
      DROP COLUMN citizen_calendar,
      DROP COLUMN reply_start_at, DROP COLUMN reply_amount, DROP COLUMN reply_unit,
      DROP COLUMN reply_clause, DROP COLUMN reply_policy, DROP COLUMN reply_calendar,
      ALTER COLUMN wants_reply DROP DEFAULT, ALTER COLUMN wants_callback DROP DEFAULT,
      ALTER COLUMN has_contact DROP DEFAULT, ALTER COLUMN returns DROP DEFAULT,
      ALTER COLUMN rework_rounds DROP DEFAULT, ALTER COLUMN is_supervised DROP DEFAULT,
      ALTER COLUMN children DROP DEFAULT
    """,
    """
    ALTER TABLE ticket_move ALTER COLUMN act SET NOT NULL, ALTER COLUMN facts DROP DEFAULT
    """,
)


def _columns(clock: str) -> str:
    return f"""
      ADD COLUMN {clock}_start_at TIMESTAMP WITH TIME ZONE, ADD COLUMN {clock}_amount INTEGER,
      ADD COLUMN {clock}_unit TEXT, ADD COLUMN {clock}_clause TEXT,
      ADD COLUMN {clock}_policy TEXT, ADD COLUMN {clock}_calendar TEXT"""


def _from(term: str, clock: str) -> str:
    return f"""
      {clock}_start_at = ({term}->>'start_at')::timestamptz,
      {clock}_amount = ({term}->>'amount')::integer,
      {clock}_unit = {term}->>'unit', {clock}_clause = {term}->>'clause',
      {clock}_policy = {term}->>'policy', {clock}_calendar = {term}->>'calendar'"""


# Only the five moves of before are known there: what went further keeps its status as a word.
DOWN = (
    f"""
    ALTER TABLE ticket {_columns("citizen")}, {_columns("reply")},
      ADD COLUMN citizen_warn_at TIMESTAMP WITH TIME ZONE
    """,
    f"""
    UPDATE ticket SET citizen_warn_at = (citizen->>'warn_at')::timestamptz,
      {_from("citizen", "citizen")}
    WHERE citizen IS NOT NULL
    """,
    f"""
    UPDATE ticket SET {_from("a.reply_term", "reply")}
    FROM (
      SELECT DISTINCT ON (ticket_id) ticket_id, reply_term FROM assignment
      WHERE role = 'lead' AND state NOT IN ('returned', 'cancelled')
      ORDER BY ticket_id, no DESC
    ) a WHERE a.ticket_id = ticket.id
    """,
    """
    DELETE FROM timer WHERE state = 'armed' AND
      (kind NOT IN ('unit', 'citizen') OR (kind = 'unit' AND subject NOT LIKE '%\\:1'))
    """,
    "UPDATE timer SET subject = split_part(subject, ':', 1)",
    "ALTER TABLE ticket_move DROP COLUMN act, DROP COLUMN facts",
    "DROP TABLE ticket_note",
    "DROP TABLE assignment",
    "DROP INDEX ix_ticket_parent",
    """
    ALTER TABLE ticket
      DROP COLUMN upstream_due_at, DROP COLUMN statutory_due_at, DROP COLUMN wants_reply,
      DROP COLUMN wants_callback, DROP COLUMN has_contact, DROP COLUMN citizen, DROP COLUMN stage,
      DROP COLUMN process_version, DROP COLUMN first_replied_at, DROP COLUMN returns,
      DROP COLUMN rework_rounds, DROP COLUMN callback, DROP COLUMN suspension, DROP COLUMN phase,
      DROP COLUMN is_supervised, DROP COLUMN disposition, DROP COLUMN parent_id,
      DROP COLUMN children, DROP COLUMN closed_at
    """,
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
