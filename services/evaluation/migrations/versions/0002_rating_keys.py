"""Keys by which complainants of tickets come to their reviews."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "rating_key",
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("ticket_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_rating_key"),
    )


def downgrade() -> None:
    op.drop_table("rating_key")
