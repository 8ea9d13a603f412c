"""Invitations, reviews, rectifications with their clocks and steps; names of units."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from tongban_common.migrations import foundation_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in foundation_sql("0001"):
        op.execute(statement)
    _create_reviews()
    _create_rectifications()
    op.create_table(
        "unit",
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_unit"),
    )


def downgrade() -> None:
    for table in (
        "unit",
        "rectification_step",
        "rectification_clock",
        "rectification",
        "review",
        "invitation",
    ):
        op.drop_table(table)
    for statement in reversed(foundation_sql("0001")):
        if statement.startswith("CREATE TABLE"):
            op.drop_table(statement.split()[2])


def _create_reviews() -> None:
    op.create_table(
        "invitation",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("matter_kind", sa.Text, nullable=False),
        sa.Column("matter_id", sa.Uuid, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("unit_code", sa.Text, nullable=False),
        sa.Column("window_code", sa.Text),
        sa.Column("staff_code", sa.Text),
        sa.Column("limits_version", sa.Integer, nullable=False),
        *_term(),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("matter_kind", "matter_id", name="uq_invitation_matter_kind_matter_id"),
    )
    op.create_table(
        "review",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("matter_kind", sa.Text, nullable=False),
        sa.Column("matter_id", sa.Uuid, nullable=False),
        sa.Column("unit_code", sa.Text, nullable=False),
        sa.Column("window_code", sa.Text),
        sa.Column("staff_code", sa.Text),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("tag_set_version", sa.Integer, nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("proof_kind", sa.Text),
        sa.Column("proof_ref", sa.Text),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
        sa.UniqueConstraint("matter_kind", "matter_id", name="uq_review_matter_kind_matter_id"),
        sa.CheckConstraint("level BETWEEN 1 AND 5", name="ck_review_level"),
        sa.CheckConstraint(
            "(origin = 'active') = (proof_kind IS NOT NULL AND proof_ref IS NOT NULL)",
            name="ck_review_proof",
        ),
    )


def _create_rectifications() -> None:
    op.create_table(
        "rectification",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("review_id", sa.Uuid, nullable=False),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("unit_code", sa.Text, nullable=False),
        sa.Column("window_code", sa.Text),
        sa.Column("staff_code", sa.Text),
        sa.Column("limits_version", sa.Integer, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("hearing", sa.SmallInteger, nullable=False),
        sa.Column("is_factual", sa.Boolean),
        sa.Column("is_reasonable", sa.Boolean),
        sa.Column("finding", sa.Text),
        sa.Column("root_cause", sa.Text),
        sa.Column("grade", sa.Text),
        sa.Column("measures", sa.Text),
        sa.Column("answer", sa.Text),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rectification"),
        sa.UniqueConstraint("review_id", name="uq_rectification_review_id"),
        sa.ForeignKeyConstraint(
            ["review_id"], ["review.id"], name="fk_rectification_review_id_review"
        ),
    )
    op.create_index("ix_rectification_opened_at_id", "rectification", ["opened_at", "id"])
    op.create_index(
        "ix_rectification_unit_code_opened_at_id",
        "rectification",
        ["unit_code", "opened_at", "id"],
    )
    op.create_table(
        "rectification_clock",
        sa.Column("rectification_id", sa.Uuid, nullable=False),
        sa.Column("hearing", sa.SmallInteger, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        *_term(),
        sa.Column("stopped_at", sa.DateTime(timezone=True)),
        sa.Column("missed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint(
            "rectification_id", "hearing", "stage", name="pk_rectification_clock"
        ),
        sa.ForeignKeyConstraint(
            ["rectification_id"],
            ["rectification.id"],
            name="fk_rectification_clock_rectification_id_rectification",
        ),
    )
    op.create_index(
        "uq_rectification_clock_running",
        "rectification_clock",
        ["rectification_id"],
        unique=True,
        postgresql_where=sa.text("stopped_at IS NULL"),
    )
    op.create_table(
        "rectification_step",
        sa.Column("rectification_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text),
        sa.Column("facts", postgresql.JSONB, nullable=False),
        sa.PrimaryKeyConstraint("rectification_id", "version", name="pk_rectification_step"),
        sa.ForeignKeyConstraint(
            ["rectification_id"],
            ["rectification.id"],
            name="fk_rectification_step_rectification_id_rectification",
        ),
    )


def _term() -> list[sa.Column[object]]:
    return [
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.Integer, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("clause", sa.Text, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("calendar_version", sa.Text, nullable=False),
    ]
