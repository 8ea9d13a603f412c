"""The contacts of the units, their filings, the nightly check and the quarterly confirmation."""

from alembic import op

revision = "0017"
down_revision = "0016"

STATEMENTS = (
    """
    CREATE TABLE unit_contact (
      id UUID NOT NULL,
      unit_code TEXT NOT NULL,
      role TEXT NOT NULL,
      officer TEXT,
      name BYTEA NOT NULL,
      post TEXT,
      office_phone BYTEA,
      mobile BYTEA,
      email BYTEA,
      valid_from DATE NOT NULL,
      valid_to DATE,
      version INTEGER NOT NULL,
      CONSTRAINT pk_unit_contact PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_unit_contact_unit ON unit_contact (unit_code, role, id)",
    """
    CREATE TABLE contact_filing (
      id UUID NOT NULL,
      unit_code TEXT NOT NULL,
      role TEXT NOT NULL,
      contact_id UUID NOT NULL,
      replaces_id UUID,
      change TEXT NOT NULL,
      completed_on DATE NOT NULL,
      filed_at TIMESTAMP WITH TIME ZONE NOT NULL,
      filed_by TEXT NOT NULL,
      due_at TIMESTAMP WITH TIME ZONE,
      amount INTEGER,
      unit TEXT,
      clause TEXT,
      policy TEXT,
      calendar_version TEXT,
      is_late BOOLEAN NOT NULL,
      handed_over INTEGER NOT NULL,
      CONSTRAINT pk_contact_filing PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_contact_filing_newest ON contact_filing (filed_at DESC, id DESC)",
    "CREATE INDEX ix_contact_filing_contact ON contact_filing (contact_id)",
    """
    CREATE TABLE assignment_officer (
      id BIGINT GENERATED ALWAYS AS IDENTITY,
      ticket_id UUID NOT NULL,
      no INTEGER NOT NULL,
      since TIMESTAMP WITH TIME ZONE NOT NULL,
      unit_code TEXT NOT NULL,
      officer TEXT NOT NULL,
      given_by TEXT NOT NULL,
      until TIMESTAMP WITH TIME ZONE,
      CONSTRAINT pk_assignment_officer PRIMARY KEY (id),
      CONSTRAINT fk_assignment_officer_ticket_id_assignment FOREIGN KEY(ticket_id, no) REFERENCES assignment (ticket_id, no)
    )
    """,
    "CREATE UNIQUE INDEX uq_assignment_officer_current ON assignment_officer (ticket_id, no) WHERE until IS NULL",
    "CREATE INDEX ix_assignment_officer_unit ON assignment_officer (unit_code, officer) WHERE until IS NULL",
    """
    CREATE TABLE contact_check (
      day DATE NOT NULL,
      checked_at TIMESTAMP WITH TIME ZONE NOT NULL,
      units INTEGER NOT NULL,
      missing INTEGER NOT NULL,
      CONSTRAINT pk_contact_check PRIMARY KEY (day)
    )
    """,
    """
    CREATE TABLE unit_without_contact (
      unit_code TEXT NOT NULL,
      roles TEXT[] NOT NULL,
      since DATE NOT NULL,
      found_on DATE NOT NULL,
      nights INTEGER NOT NULL,
      CONSTRAINT pk_unit_without_contact PRIMARY KEY (unit_code)
    )
    """,
    """
    CREATE TABLE contact_round (
      quarter TEXT NOT NULL,
      opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
      due_at TIMESTAMP WITH TIME ZONE NOT NULL,
      closed_at TIMESTAMP WITH TIME ZONE,
      CONSTRAINT pk_contact_round PRIMARY KEY (quarter)
    )
    """,
    """
    CREATE TABLE contact_confirmation (
      quarter TEXT NOT NULL,
      unit_code TEXT NOT NULL,
      confirmed_at TIMESTAMP WITH TIME ZONE,
      confirmed_by TEXT,
      missed_at TIMESTAMP WITH TIME ZONE,
      CONSTRAINT pk_contact_confirmation PRIMARY KEY (quarter, unit_code)
    )
    """,
)
TABLES = (
    "unit_contact",
    "contact_filing",
    "assignment_officer",
    "contact_check",
    "unit_without_contact",
    "contact_round",
    "contact_confirmation",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DELETE FROM timer WHERE kind LIKE 'contacts-%'")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
