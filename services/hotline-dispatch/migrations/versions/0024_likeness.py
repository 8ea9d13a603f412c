"""What tickets are compared by, matters brought again, votes, and hot issues."""

from alembic import op

revision = "0024"
down_revision = "0020"

STATEMENTS = (
    """
    CREATE TABLE likeness (
      ticket_id UUID NOT NULL,
      no BIGINT GENERATED ALWAYS AS IDENTITY,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      matter_code TEXT,
      person BYTEA,
      place BYTEA,
      words TEXT[] COLLATE "C" NOT NULL,
      weights DOUBLE PRECISION[] NOT NULL,
      issue_id UUID,
      head_id UUID,
      is_grouped BOOLEAN NOT NULL,
      CONSTRAINT pk_likeness PRIMARY KEY (ticket_id),
      CONSTRAINT fk_likeness_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id),
      CONSTRAINT uq_likeness_no UNIQUE (no)
    )
    """,
    "CREATE INDEX ix_likeness_person ON likeness (person, no) WHERE person IS NOT NULL",
    "CREATE INDEX ix_likeness_place ON likeness (place, no) WHERE place IS NOT NULL",
    "CREATE INDEX ix_likeness_waiting ON likeness (no) WHERE NOT is_grouped",
    "CREATE INDEX ix_likeness_issue ON likeness (issue_id, at) WHERE issue_id IS NOT NULL",
    "CREATE INDEX ix_likeness_hot ON likeness (at) WHERE issue_id IS NOT NULL",
    "CREATE INDEX ix_likeness_head ON likeness (head_id) WHERE head_id IS NOT NULL",
    """
    CREATE TABLE likeness_word (
      word TEXT COLLATE "C" NOT NULL,
      no BIGINT NOT NULL,
      CONSTRAINT pk_likeness_word PRIMARY KEY (word, no)
    )
    """,
    "CREATE INDEX ix_likeness_word_no ON likeness_word (no)",
    """
    CREATE TABLE ticket_repeat (
      ticket_id UUID NOT NULL,
      no INTEGER NOT NULL,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      actor TEXT NOT NULL,
      has_new_facts BOOLEAN NOT NULL,
      CONSTRAINT pk_ticket_repeat PRIMARY KEY (ticket_id, no),
      CONSTRAINT fk_ticket_repeat_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
    """
    CREATE TABLE ticket_link (
      ticket_id UUID NOT NULL,
      earlier_id UUID NOT NULL,
      CONSTRAINT pk_ticket_link PRIMARY KEY (ticket_id),
      CONSTRAINT fk_ticket_link_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id),
      CONSTRAINT fk_ticket_link_earlier_id_ticket FOREIGN KEY(earlier_id) REFERENCES ticket (id)
    )
    """,
    "CREATE INDEX ix_ticket_link_earlier ON ticket_link (earlier_id)",
    """
    CREATE TABLE ticket_vote (
      ticket_id UUID NOT NULL,
      supports INTEGER NOT NULL,
      opposes INTEGER NOT NULL,
      at TIMESTAMP WITH TIME ZONE NOT NULL,
      CONSTRAINT pk_ticket_vote PRIMARY KEY (ticket_id),
      CONSTRAINT fk_ticket_vote_ticket_id_ticket FOREIGN KEY(ticket_id) REFERENCES ticket (id)
    )
    """,
    """
    CREATE TABLE hot_issue (
      id UUID NOT NULL,
      words TEXT[] COLLATE "C" NOT NULL,
      weights DOUBLE PRECISION[] NOT NULL,
      size INTEGER NOT NULL,
      first_at TIMESTAMP WITH TIME ZONE NOT NULL,
      last_at TIMESTAMP WITH TIME ZONE NOT NULL,
      into_id UUID,
      raised_at TIMESTAMP WITH TIME ZONE,
      CONSTRAINT pk_hot_issue PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_hot_issue_into ON hot_issue (into_id) WHERE into_id IS NOT NULL",
)
TABLES = (
    "hot_issue",
    "ticket_vote",
    "ticket_link",
    "ticket_repeat",
    "likeness_word",
    "likeness",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DELETE FROM timer WHERE kind = 'hot-issues'")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
