"""The directory, the catalogue, cases with their moves and applicants."""

import sqlalchemy as sa
from alembic import op

from tongban_common.migrations import foundation_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in foundation_sql("0001"):
        op.execute(statement)
    _create_reference()
    _create_cases()


def downgrade() -> None:
    for table in (
        "receipt_serial",
        "case_move",
        "applicant",
        "case_file",
        "item_announced",
        "staff",
        "service_window",
        "item",
        "unit",
        "division",
    ):
        op.drop_table(table)
    for statement in reversed(foundation_sql("0001")):
        if statement.startswith("CREATE TABLE"):
            op.drop_table(statement.split()[2])


def _create_reference() -> None:
    op.create_table(
        "division",
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("parent_code", sa.Text),
        sa.ForeignKeyConstraint(
            ["parent_code"],
            ["division.code"],
            name="fk_division_parent_code_division",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("code", name="pk_division"),
    )
    op.create_table(
        "unit",
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("division_code", sa.Text, nullable=False),
        sa.Column("parent_code", sa.Text),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(
            ["division_code"], ["division.code"], name="fk_unit_division_code_division"
        ),
        sa.ForeignKeyConstraint(
            ["parent_code"],
            ["unit.code"],
            name="fk_unit_parent_code_unit",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("code", name="pk_unit"),
    )
    op.create_table(
        "item",
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("unit_code", sa.Text, nullable=False),
        sa.Column("case_kind", sa.Text, nullable=False),
        sa.Column("legal_amount", sa.Integer),
        sa.Column("legal_unit", sa.Text),
        sa.Column("legal_clause", sa.Text),
        sa.Column("promise_amount", sa.Integer),
        sa.Column("promise_unit", sa.Text),
        sa.Column("promise_clause", sa.Text),
        sa.Column("published_on", sa.Date),
        sa.Column("cancelled_on", sa.Date),
        sa.ForeignKeyConstraint(["unit_code"], ["unit.code"], name="fk_item_unit_code_unit"),
        sa.PrimaryKeyConstraint("code", "version", name="pk_item"),
    )
    op.create_index("ix_item_unit_code", "item", ["unit_code"])
    op.create_table(
        "service_window",
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("unit_code", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_code"], ["unit.code"], name="fk_service_window_unit_code_unit"
        ),
        sa.PrimaryKeyConstraint("code", name="pk_service_window"),
    )
    op.create_index("ix_service_window_unit_code", "service_window", ["unit_code"])
    op.create_table(
        "item_announced",
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(
            ["code", "version"],
            ["item.code", "item.version"],
            name="fk_item_announced_code_version_item",
        ),
        sa.PrimaryKeyConstraint("code", name="pk_item_announced"),
    )
    op.create_table(
        "staff",
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("unit_code", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("window_code", sa.Text),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.ForeignKeyConstraint(["unit_code"], ["unit.code"], name="fk_staff_unit_code_unit"),
        sa.ForeignKeyConstraint(
            ["window_code"], ["service_window.code"], name="fk_staff_window_code_service_window"
        ),
        sa.PrimaryKeyConstraint("code", name="pk_staff"),
    )
    op.create_index("ix_staff_unit_code", "staff", ["unit_code"])


def _create_cases() -> None:
    op.create_table(
        "case_file",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("query_code", sa.Text, nullable=False),
        sa.Column("item_code", sa.Text, nullable=False),
        sa.Column("item_version", sa.Integer, nullable=False),
        sa.Column("item_name", sa.Text, nullable=False),
        sa.Column("unit_code", sa.Text, nullable=False),
        sa.Column("window_code", sa.Text, nullable=False),
        sa.Column("staff_code", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promise_amount", sa.Integer, nullable=False),
        sa.Column("promise_unit", sa.Text, nullable=False),
        sa.Column("promise_clause", sa.Text, nullable=False),
        sa.Column("promise_counts_start_day", sa.Boolean, nullable=False),
        sa.Column("promise_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promise_calendar", sa.Text, nullable=False),
        sa.Column("legal_amount", sa.Integer, nullable=False),
        sa.Column("legal_unit", sa.Text, nullable=False),
        sa.Column("legal_clause", sa.Text, nullable=False),
        sa.Column("legal_counts_start_day", sa.Boolean, nullable=False),
        sa.Column("legal_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("legal_calendar", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("grounds", sa.Text),
        sa.Column("remedy", sa.Text),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("delivery_amount", sa.Integer),
        sa.Column("delivery_unit", sa.Text),
        sa.Column("delivery_clause", sa.Text),
        sa.Column("delivery_counts_start_day", sa.Boolean),
        sa.Column("delivery_due_at", sa.DateTime(timezone=True)),
        sa.Column("delivery_calendar", sa.Text),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.Column("delivered_at", sa.DateTime(timezone=True)),
        sa.Column("delivery_method", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["item_code", "item_version"],
            ["item.code", "item.version"],
            name="fk_case_file_item_code_item_version_item",
        ),
        sa.ForeignKeyConstraint(
            ["staff_code"], ["staff.code"], name="fk_case_file_staff_code_staff"
        ),
        sa.ForeignKeyConstraint(["unit_code"], ["unit.code"], name="fk_case_file_unit_code_unit"),
        sa.ForeignKeyConstraint(
            ["window_code"], ["service_window.code"], name="fk_case_file_window_code_service_window"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_case_file"),
        sa.UniqueConstraint("number", name="uq_case_file_number"),
    )
    op.create_index(
        "ix_case_file_newest",
        "case_file",
        [sa.literal_column("accepted_at DESC"), sa.literal_column("id DESC")],
    )
    op.create_index(
        "ix_case_file_unit",
        "case_file",
        ["unit_code", sa.literal_column("accepted_at DESC"), sa.literal_column("id DESC")],
    )
    op.create_table(
        "applicant",
        sa.Column("case_id", sa.Uuid, nullable=False),
        sa.Column("id_type", sa.Text, nullable=False),
        sa.Column("name", sa.LargeBinary, nullable=False),
        sa.Column("id_number", sa.LargeBinary, nullable=False),
        sa.Column("phone", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case_file.id"], name="fk_applicant_case_id_case_file"
        ),
        sa.PrimaryKeyConstraint("case_id", name="pk_applicant"),
    )
    op.create_table(
        "case_move",
        sa.Column("case_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["case_file.id"], name="fk_case_move_case_id_case_file"
        ),
        sa.PrimaryKeyConstraint("case_id", "version", name="pk_case_move"),
    )
    op.create_table(
        "receipt_serial",
        sa.Column("item_code", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("last", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("item_code", "day", name="pk_receipt_serial"),
    )
