"""Who asks: hidden from units where wanted, and the record of every look in clear."""

from alembic import op

revision = "0030"
down_revision = "0025"

UP = (
    "ALTER TABLE ticket ADD COLUMN hides_identity BOOLEAN DEFAULT false NOT NULL",
    "ALTER TABLE ticket ALTER COLUMN hides_identity DROP DEFAULT",
    # 举报默认隐藏身份, also for what was taken in before
    "UPDATE ticket SET hides_identity = true WHERE appeal_type = 'report'",
    """
    CREATE TABLE identity_view (
      id UUID NOT NULL,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      actor TEXT NOT NULL,
      unit_code TEXT,
      way TEXT NOT NULL,
      ticket_id UUID,
      list_id UUID,
      fields TEXT[] NOT NULL,
      reason TEXT NOT NULL,
      document_no TEXT,
      policy TEXT NOT NULL,
      filters TEXT NOT NULL,
      CONSTRAINT pk_identity_view PRIMARY KEY (id),
      CONSTRAINT fk_identity_view_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
    """
    CREATE INDEX ix_identity_view_newest ON identity_view (at DESC, id DESC)
      WHERE list_id IS NULL
    """,
    """
    CREATE INDEX ix_identity_view_actor ON identity_view (actor, at DESC, id DESC)
      WHERE list_id IS NULL
    """,
    "CREATE INDEX ix_identity_view_ticket ON identity_view (ticket_id, at DESC, id DESC)",
    """
    CREATE FUNCTION identity_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END $$
    """,
    """
    CREATE TRIGGER identity_view_append_only BEFORE UPDATE OR DELETE ON identity_view
      FOR EACH ROW EXECUTE FUNCTION identity_append_only()
    """,
)


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("DROP TABLE identity_view")
    op.execute("DROP FUNCTION identity_append_only()")
    op.execute("ALTER TABLE ticket DROP COLUMN hides_identity")
