"""The knowledge base: items with versions, their search index, what units owe it, what is cited."""

from alembic import op

revision = "0018"
down_revision = "0017"

STATEMENTS = (
    """
    CREATE TABLE knowledge_item (
      id UUID NOT NULL,
      last_number INTEGER NOT NULL,
      source_ticket UUID,
      revision INTEGER NOT NULL,
      CONSTRAINT pk_knowledge_item PRIMARY KEY (id)
    )
    """,
    "CREATE UNIQUE INDEX uq_knowledge_item_source ON knowledge_item (source_ticket) WHERE source_ticket IS NOT NULL",
    """
    CREATE TABLE knowledge_version (
      item_id UUID NOT NULL,
      number INTEGER NOT NULL,
      state TEXT NOT NULL,
      title TEXT NOT NULL,
      title_key TEXT NOT NULL,
      content TEXT NOT NULL,
      unit_code TEXT NOT NULL,
      category TEXT NOT NULL,
      material TEXT NOT NULL,
      keywords TEXT[] NOT NULL,
      author TEXT NOT NULL,
      edited_at TIMESTAMP WITH TIME ZONE NOT NULL,
      submitted_by TEXT,
      reviewed_by TEXT,
      published_at TIMESTAMP WITH TIME ZONE,
      review_start_at TIMESTAMP WITH TIME ZONE,
      review_amount INTEGER,
      review_unit TEXT,
      review_clause TEXT,
      review_due_at TIMESTAMP WITH TIME ZONE,
      review_warn_at TIMESTAMP WITH TIME ZONE,
      review_policy TEXT,
      review_calendar TEXT,
      remark TEXT,
      CONSTRAINT pk_knowledge_version PRIMARY KEY (item_id, number),
      CONSTRAINT fk_knowledge_version_item_id_knowledge_item FOREIGN KEY(item_id) REFERENCES knowledge_item (id)
    )
    """,
    "CREATE UNIQUE INDEX uq_knowledge_version_title_in_work ON knowledge_version (title_key) WHERE state IN ('draft', 'submitted', 'reviewed')",
    "CREATE UNIQUE INDEX uq_knowledge_version_title_standing ON knowledge_version (title_key) WHERE state IN ('published', 'expiring', 'expired')",
    "CREATE INDEX ix_knowledge_version_newest ON knowledge_version (edited_at DESC, item_id DESC)",
    "CREATE INDEX ix_knowledge_version_unit ON knowledge_version (unit_code, state)",
    """
    CREATE TABLE knowledge_move (
      item_id UUID NOT NULL,
      revision INTEGER NOT NULL,
      number INTEGER NOT NULL,
      move TEXT NOT NULL,
      actor TEXT NOT NULL,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      note TEXT,
      CONSTRAINT pk_knowledge_move PRIMARY KEY (item_id, revision),
      CONSTRAINT fk_knowledge_move_item_id_knowledge_item FOREIGN KEY(item_id) REFERENCES knowledge_item (id)
    )
    """,
    """
    CREATE TABLE knowledge_index (
      item_id UUID NOT NULL,
      number INTEGER NOT NULL,
      title TEXT NOT NULL,
      unit_code TEXT NOT NULL,
      category TEXT NOT NULL,
      material TEXT NOT NULL,
      words TSVECTOR NOT NULL,
      length INTEGER NOT NULL,
      CONSTRAINT pk_knowledge_index PRIMARY KEY (item_id)
    )
    """,
    "CREATE INDEX ix_knowledge_index_words ON knowledge_index USING gin (words)",
    """
    CREATE FUNCTION knowledge_hits(lexemes TEXT[], queries TEXT[], inside TEXT, cap INTEGER)
    RETURNS TABLE (lexeme TEXT, query TSQUERY, item_id UUID)
    LANGUAGE sql STABLE SET enable_seqscan = off AS $$
      SELECT term.lexeme, term.query::tsquery, found.item_id
      FROM unnest(lexemes, queries) AS term(lexeme, query) CROSS JOIN LATERAL (
        SELECT i.item_id FROM knowledge_index AS i
        WHERE i.words @@ term.query::tsquery
          AND (inside IS NULL OR i.category = inside OR starts_with(i.category, inside || '/'))
        LIMIT cap
      ) AS found
    $$
    """,
    """
    CREATE TABLE knowledge_duty (
      id UUID NOT NULL,
      kind TEXT NOT NULL,
      unit_code TEXT NOT NULL,
      about TEXT NOT NULL,
      item_id UUID,
      start_at TIMESTAMP WITH TIME ZONE NOT NULL,
      amount INTEGER NOT NULL,
      unit TEXT NOT NULL,
      clause TEXT NOT NULL,
      due_at TIMESTAMP WITH TIME ZONE NOT NULL,
      policy TEXT NOT NULL,
      calendar_version TEXT NOT NULL,
      opened_by TEXT NOT NULL,
      done_at TIMESTAMP WITH TIME ZONE,
      done_by TEXT,
      missed_at TIMESTAMP WITH TIME ZONE,
      note TEXT,
      CONSTRAINT pk_knowledge_duty PRIMARY KEY (id),
      CONSTRAINT fk_knowledge_duty_item_id_knowledge_item FOREIGN KEY(item_id) REFERENCES knowledge_item (id)
    )
    """,
    "CREATE INDEX ix_knowledge_duty_newest ON knowledge_duty (start_at DESC, id DESC)",
    "CREATE INDEX ix_knowledge_duty_item ON knowledge_duty (item_id) WHERE done_at IS NULL",
    "CREATE INDEX ix_knowledge_duty_unit ON knowledge_duty (unit_code, start_at)",
    """
    CREATE TABLE knowledge_attestation (
      unit_code TEXT NOT NULL,
      week TEXT NOT NULL,
      attested_at TIMESTAMP WITH TIME ZONE NOT NULL,
      attested_by TEXT NOT NULL,
      is_late BOOLEAN NOT NULL,
      CONSTRAINT pk_knowledge_attestation PRIMARY KEY (unit_code, week)
    )
    """,
    """
    CREATE TABLE knowledge_link (
      ticket_id UUID NOT NULL,
      item_id UUID NOT NULL,
      number INTEGER NOT NULL,
      linked_by TEXT NOT NULL,
      linked_at TIMESTAMP WITH TIME ZONE NOT NULL,
      CONSTRAINT pk_knowledge_link PRIMARY KEY (ticket_id, item_id, number),
      CONSTRAINT fk_knowledge_link_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id),
      CONSTRAINT fk_knowledge_link_item_id_knowledge_version FOREIGN KEY(item_id, number) REFERENCES knowledge_version (item_id, number)
    )
    """,
)
TABLES = (
    "knowledge_item",
    "knowledge_version",
    "knowledge_move",
    "knowledge_index",
    "knowledge_duty",
    "knowledge_attestation",
    "knowledge_link",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DELETE FROM timer WHERE kind LIKE 'knowledge-%'")
    op.execute("DROP FUNCTION knowledge_hits")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
