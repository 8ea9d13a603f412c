"""Who asks: hidden where wanted, every look on record; whom a ticket is kept from; its files."""

from alembic import op

revision = "0035"
down_revision = "0034"

APPEND_ONLY = ("identity_view", "ticket_guard")
ATTACHMENTS = ("attachment", "attachment_piece", "attachment_content")
UP = (
    "ALTER TABLE ticket ADD COLUMN hides_identity BOOLEAN DEFAULT false NOT NULL",
    # 举报默认隐藏身份, also for what was taken in before
    "UPDATE ticket SET hides_identity = true WHERE appeal_type = 'report'",
    "ALTER TABLE unit ADD COLUMN parent_code TEXT",
    "ALTER TABLE ticket ADD COLUMN target_unit_code TEXT",
    "ALTER TABLE ticket ADD COLUMN recused TEXT[]",
    "ALTER TABLE ticket ADD COLUMN public_title TEXT",
    "ALTER TABLE ticket ADD COLUMN public_content TEXT",
    """
    CREATE TABLE ticket_guard (
      id BIGINT GENERATED ALWAYS AS IDENTITY,
      ticket_id UUID NOT NULL,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      act TEXT NOT NULL,
      actor TEXT NOT NULL,
      unit_code TEXT,
      staff TEXT,
      reason TEXT NOT NULL,
      note TEXT,
      CONSTRAINT pk_ticket_guard PRIMARY KEY (id),
      CONSTRAINT fk_ticket_guard_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
    "CREATE INDEX ix_ticket_guard_ticket ON ticket_guard (ticket_id, id)",
    """
    CREATE TABLE attachment_content (
      digest BYTEA NOT NULL,
      size INTEGER NOT NULL,
      CONSTRAINT pk_attachment_content PRIMARY KEY (digest)
    )
    """,
    """
    CREATE TABLE attachment_piece (
      digest BYTEA NOT NULL,
      no INTEGER NOT NULL,
      sealed BYTEA NOT NULL,
      CONSTRAINT pk_attachment_piece PRIMARY KEY (digest, no),
      CONSTRAINT fk_attachment_piece_digest_attachment_content FOREIGN KEY(digest)
        REFERENCES attachment_content (digest)
    )
    """,
    # what is sealed cannot be compressed
    "ALTER TABLE attachment_piece ALTER COLUMN sealed SET STORAGE EXTERNAL",
    """
    CREATE TABLE attachment (
      id UUID NOT NULL,
      ticket_id UUID NOT NULL,
      group_code TEXT NOT NULL,
      kind TEXT NOT NULL,
      name BYTEA NOT NULL,
      digest BYTEA NOT NULL,
      added_at TIMESTAMP WITH TIME ZONE NOT NULL,
      added_by TEXT NOT NULL,
      unit_code TEXT,
      CONSTRAINT pk_attachment PRIMARY KEY (id),
      CONSTRAINT fk_attachment_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id),
      CONSTRAINT fk_attachment_digest_attachment_content FOREIGN KEY(digest)
        REFERENCES attachment_content (digest)
    )
    """,
    "CREATE INDEX ix_attachment_ticket ON attachment (ticket_id, added_at, id)",
    "CREATE INDEX ix_attachment_digest ON attachment (digest)",
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
    *(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
          FOR EACH ROW EXECUTE FUNCTION identity_append_only()
        """
        for table in APPEND_ONLY
    ),
)


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for table in (*ATTACHMENTS, *APPEND_ONLY):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION identity_append_only()")
    for column in (
        "hides_identity",
        "target_unit_code",
        "recused",
        "public_title",
        "public_content",
    ):
        op.execute(f"ALTER TABLE ticket DROP COLUMN {column}")
    op.execute("ALTER TABLE unit DROP COLUMN parent_code")
