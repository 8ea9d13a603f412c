"""Open311: keys, requests, news of them; a complainant's mail, sealed like the rest."""

from alembic import op

revision = "0013"
down_revision = "0001"

STATEMENTS = (
    """
    ALTER TABLE complainant ADD COLUMN email BYTEA
    """,
    """
    CREATE INDEX ix_ticket_move_at ON ticket_move (at)
    """,
    """
    CREATE TABLE open311_key (
      id BIGINT GENERATED ALWAYS AS IDENTITY,
      client TEXT NOT NULL,
      digest BYTEA NOT NULL,
      created_at TIMESTAMP WITH TIME ZONE NOT NULL,
      revoked_at TIMESTAMP WITH TIME ZONE,
      minute TIMESTAMP WITH TIME ZONE,
      used INTEGER DEFAULT 0 NOT NULL,
      CONSTRAINT pk_open311_key PRIMARY KEY (id),
      CONSTRAINT uq_open311_key_digest UNIQUE (digest)
    )
    """,
    """
    CREATE TABLE open311_request (
      ticket_id UUID NOT NULL,
      client TEXT NOT NULL,
      external_id TEXT,
      jurisdiction TEXT NOT NULL,
      service_code TEXT NOT NULL,
      service_name TEXT NOT NULL,
      kind TEXT NOT NULL,
      description TEXT,
      address TEXT,
      address_id TEXT,
      lat NUMERIC(9, 6),
      long NUMERIC(9, 6),
      media_url TEXT,
      notice TEXT,
      token TEXT,
      requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
      CONSTRAINT pk_open311_request PRIMARY KEY (ticket_id),
      CONSTRAINT fk_open311_request_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id),
      CONSTRAINT uq_open311_request_client_external_id UNIQUE (client, external_id),
      CONSTRAINT uq_open311_request_token UNIQUE (token)
    )
    """,
    """
    CREATE INDEX ix_open311_request_newest ON open311_request (requested_at DESC, ticket_id DESC)
    """,
    """
    CREATE TABLE open311_news (
      id BIGINT GENERATED ALWAYS AS IDENTITY,
      client TEXT NOT NULL,
      update_id TEXT NOT NULL,
      ticket_id UUID NOT NULL,
      status TEXT NOT NULL,
      description TEXT NOT NULL,
      media_url TEXT,
      updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
      received_at TIMESTAMP WITH TIME ZONE NOT NULL,
      CONSTRAINT pk_open311_news PRIMARY KEY (id),
      CONSTRAINT fk_open311_news_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id),
      CONSTRAINT uq_open311_news_client_update_id UNIQUE (client, update_id)
    )
    """,
    """
    CREATE INDEX ix_open311_news_ticket_id ON open311_news (ticket_id)
    """,
)


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in ("open311_news", "open311_request", "open311_key"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP INDEX ix_ticket_move_at")
    op.execute("ALTER TABLE complainant DROP COLUMN email")
