"""The table of the units' assignments (承办单)."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from tongban_hotline_dispatch.domain.assignment import Assignment, Role
from tongban_hotline_dispatch.domain.moves import State
from tongban_hotline_dispatch.store.reference import metadata
from tongban_hotline_dispatch.store.terms import (
    ask_document,
    ask_of,
    reply_document,
    reply_of,
    sure_term,
    term_document,
    term_of,
)

_JSON = JSONB(none_as_null=True)
_MOMENT = DateTime(timezone=True)
assignment = Table(
    "assignment",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("unit_code", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("parent_no", Integer),
    Column("is_forced", Boolean, nullable=False),
    Column("assigned_at", _MOMENT, nullable=False),
    Column("due_at", _MOMENT, nullable=False),  # of reply_term, for lists
    Column("reply_term", _JSON, nullable=False),
    Column("sign_term", _JSON, nullable=False),
    Column("return_term", _JSON, nullable=False),
    Column("contact_term", _JSON),
    Column("signed_at", _MOMENT),
    Column("is_auto_signed", Boolean, nullable=False),
    Column("contacted_at", _MOMENT),
    Column("replied_at", _MOMENT),
    Column("was_late", Boolean, nullable=False),
    Column("reply", _JSON),
    Column("extensions", Integer, nullable=False),
    Column("asks", _JSON, nullable=False),
    Column("asking", Text),  # the kind of the ask that waits for a decision
    Column("warn_at", _MOMENT),  # of reply_term, as due_at
    Column("contact_way", Text),  # 先行联系, see store/first_contacts.py
    Column("contact_number", LargeBinary),  # under seal; none: the number that was registered
    Column("draft", _JSON),  # 待审签, see store/sign_offs.py
    Column("report_term", _JSON),  # 吹哨报到
    Column("reported_at", _MOMENT),
)
Index("ix_assignment_draft", assignment.c.unit_code, postgresql_where=text("draft IS NOT NULL"))
Index("ix_assignment_unit", assignment.c.unit_code, assignment.c.due_at, assignment.c.ticket_id)
Index("ix_assignment_asking", assignment.c.asking, postgresql_where=text("asking IS NOT NULL"))


def documents(ticket_id: UUID, changed: Iterable[Assignment]) -> list[dict[str, Any]]:
    return [_document(ticket_id, each) for each in changed]


def _document(ticket_id: UUID, each: Assignment) -> dict[str, Any]:
    return {
        "ticket_id": str(ticket_id),
        "no": each.no,
        "unit_code": each.unit_code,
        "role": each.role,
        "state": each.state,
        "parent_no": each.parent_no,
        "is_forced": each.is_forced,
        "assigned_at": each.assigned_at,
        "due_at": each.reply_term.due_at,
        "reply_term": term_document(each.reply_term),
        "sign_term": term_document(each.sign_term),
        "return_term": term_document(each.return_term),
        "contact_term": term_document(each.contact_term),
        "signed_at": each.signed_at,
        "is_auto_signed": each.is_auto_signed,
        "contacted_at": each.contacted_at,
        "replied_at": each.replied_at,
        "was_late": each.was_late,
        "reply": reply_document(each.reply),
        "extensions": each.extensions,
        "asks": [ask_document(ask) for ask in each.asks],
        "asking": each.asking and each.asking.kind,
        "warn_at": each.reply_term.warn_at,
        "report_term": term_document(each.report_term),
        "reported_at": each.reported_at,
    }


def assignment_of(row: Row[Any]) -> Assignment:
    return Assignment(
        no=row.no,
        unit_code=row.unit_code,
        role=Role(row.role),
        assigned_at=row.assigned_at,
        reply_term=sure_term(row.reply_term),
        sign_term=sure_term(row.sign_term),
        return_term=sure_term(row.return_term),
        state=State(row.state),
        parent_no=row.parent_no,
        is_forced=row.is_forced,
        contact_term=term_of(row.contact_term),
        signed_at=row.signed_at,
        is_auto_signed=row.is_auto_signed,
        contacted_at=row.contacted_at,
        replied_at=row.replied_at,
        was_late=row.was_late,
        reply=reply_of(row.reply),
        extensions=row.extensions,
        asks=tuple(ask_of(each) for each in row.asks),
        report_term=term_of(row.report_term),
        reported_at=row.reported_at,
    )
