"""What the desks read: queues by time left, what runs, and a tally for the board."""

from alembic import op

revision = "0016"
down_revision = "0015"

_ENDED = "('closed', 'archived', 'routed_out', 'answered', 'withdrawn', 'terminated', 'merged')"
_WITH_UNIT = "('assigned', 'signed', 'return_review', 'rework', 'hard_case')"
_RUNNING = f"reply_due_at IS NOT NULL AND replied_at IS NULL AND status IN {_WITH_UNIT}"

UP = (
    "ALTER TABLE ticket ADD COLUMN stage_due_at TIMESTAMP WITH TIME ZONE",
    """
    UPDATE ticket SET stage_due_at = (stage->>'due_at')::timestamptz WHERE stage IS NOT NULL
    """,
    f"""
    CREATE INDEX ix_ticket_stage ON ticket (
      status, strpos('critical urgent normal', urgency), stage_due_at, id
    ) WHERE status NOT IN {_ENDED}
    """,
    f"CREATE INDEX ix_ticket_open ON ticket (registered_at, id) WHERE status NOT IN {_ENDED}",
    f"""
    CREATE INDEX ix_ticket_open_unit ON ticket (unit_code, registered_at, id)
    WHERE status NOT IN {_ENDED}
    """,
    f"CREATE INDEX ix_ticket_running ON ticket (reply_due_at, id) WHERE {_RUNNING}",
    f"CREATE INDEX ix_ticket_running_unit ON ticket (unit_code, reply_due_at, id) WHERE {_RUNNING}",
    """
    CREATE INDEX ix_assignment_open ON assignment (unit_code, due_at, ticket_id, no)
    WHERE state IN ('waiting', 'signed', 'contacted', 'return_requested', 'rework')
    """,
    # Counts of one kind are the sum of its rows; who moves a ticket only adds rows, so that no
    # two moves ever wait for each other.
    """
    CREATE TABLE board_tally (
      id BIGINT GENERATED ALWAYS AS IDENTITY,
      kind TEXT NOT NULL,
      key TEXT NOT NULL,
      day DATE,
      n BIGINT NOT NULL,
      CONSTRAINT pk_board_tally PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_board_tally_kind ON board_tally (kind, day)",
    f"""
    CREATE FUNCTION board_marks(t ticket) RETURNS TABLE (kind TEXT, key TEXT, day DATE)
    LANGUAGE sql STABLE AS $$
      SELECT 'status', t.status, NULL::date WHERE t.status NOT IN {_ENDED}
      UNION ALL
      SELECT 'type', t.appeal_type, NULL WHERE t.status NOT IN {_ENDED}
      UNION ALL
      SELECT 'unit', t.unit_code, NULL WHERE t.status NOT IN {_ENDED} AND t.unit_code IS NOT NULL
      UNION ALL
      SELECT 'due', t.unit_code, (t.reply_due_at AT TIME ZONE 'Asia/Shanghai')::date
      WHERE t.reply_due_at IS NOT NULL AND t.replied_at IS NULL AND t.status IN {_WITH_UNIT}
      UNION ALL
      SELECT 'registered', '', (t.registered_at AT TIME ZONE 'Asia/Shanghai')::date
      WHERE t.registered_at IS NOT NULL
      UNION ALL
      SELECT 'closed', '', (t.closed_at AT TIME ZONE 'Asia/Shanghai')::date
      WHERE t.closed_at IS NOT NULL
      UNION ALL
      SELECT 'late', '', (t.reply_due_at AT TIME ZONE 'Asia/Shanghai')::date
      WHERE t.replied_at > t.reply_due_at
    $$
    """,
    """
    CREATE FUNCTION keep_board_tally() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      first BIGINT;
      last BIGINT;
    BEGIN
      WITH added AS (
        INSERT INTO board_tally (kind, key, day, n)
        SELECT m.kind, m.key, m.day, sum(m.n) FROM (
          SELECT n.kind, n.key, n.day, 1 AS n FROM board_marks(NEW) n
          UNION ALL
          SELECT o.kind, o.key, o.day, -1 FROM board_marks(OLD) o
        ) m
        GROUP BY m.kind, m.key, m.day HAVING sum(m.n) <> 0
        RETURNING id
      )
      SELECT min(id), max(id) INTO first, last FROM added;
      -- Every two thousand rows whoever added the last of them folds all into one row a count.
      IF (first - 1) / 2000 < last / 2000 AND pg_try_advisory_xact_lock(1949134444, 25) THEN
        WITH taken AS (DELETE FROM board_tally RETURNING kind, key, day, n)
        INSERT INTO board_tally (kind, key, day, n)
        SELECT kind, key, day, sum(n) FROM taken GROUP BY kind, key, day HAVING sum(n) <> 0;
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER board_tally_added AFTER INSERT OR DELETE ON ticket
    FOR EACH ROW EXECUTE FUNCTION keep_board_tally()
    """,
    """
    CREATE TRIGGER board_tally_moved AFTER UPDATE ON ticket FOR EACH ROW
    WHEN ((OLD.status, OLD.unit_code, OLD.reply_due_at, OLD.replied_at, OLD.closed_at)
      IS DISTINCT FROM
      (NEW.status, NEW.unit_code, NEW.reply_due_at, NEW.replied_at, NEW.closed_at))
    EXECUTE FUNCTION keep_board_tally()
    """,
    """
    INSERT INTO board_tally (kind, key, day, n)
    SELECT m.kind, m.key, m.day, count(*) FROM ticket t, board_marks(t) m
    GROUP BY m.kind, m.key, m.day
    """,
)
DOWN = (
    "DROP TRIGGER board_tally_moved ON ticket",
    "DROP TRIGGER board_tally_added ON ticket",
    "DROP FUNCTION keep_board_tally()",
    "DROP FUNCTION board_marks(ticket)",
    "DROP TABLE board_tally",
    "DROP INDEX ix_assignment_open",
    "DROP INDEX ix_ticket_running_unit",
    "DROP INDEX ix_ticket_running",
    "DROP INDEX ix_ticket_open_unit",
    "DROP INDEX ix_ticket_open",
    "DROP INDEX ix_ticket_stage",
    "ALTER TABLE ticket DROP COLUMN stage_due_at",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
