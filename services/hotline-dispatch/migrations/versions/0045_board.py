"""The board reads the newest cards and what was raised by indexes alone."""

from alembic import op

revision = "0045"
down_revision = "0040"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX ix_supervision_card_newest ON supervision_card (issued_at DESC, id DESC)"
    )
    op.execute(
        "CREATE INDEX ix_hot_issue_raised ON hot_issue (raised_at DESC) WHERE raised_at IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_hot_issue_raised")
    op.execute("DROP INDEX ix_supervision_card_newest")
