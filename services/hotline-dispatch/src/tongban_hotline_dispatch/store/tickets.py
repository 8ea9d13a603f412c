"""The tables of a ticket: its row, and its moves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Row,
    Sequence,
    Table,
    Text,
    Uuid,
    bindparam,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from tongban_common.db import Transaction
from tongban_common.errors import Conflict, NotFound
from tongban_common.working_days import SHANGHAI, Limit, Unit
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.ticket import Status, Ticket
from tongban_hotline_dispatch.store.reference import metadata


def _term_columns(clock: str) -> list[Column[Any]]:
    return [
        Column(f"{clock}_start_at", DateTime(timezone=True)),
        Column(f"{clock}_amount", Integer),
        Column(f"{clock}_unit", Text),
        Column(f"{clock}_clause", Text),
        Column(f"{clock}_due_at", DateTime(timezone=True)),
        Column(f"{clock}_warn_at", DateTime(timezone=True)),
        Column(f"{clock}_policy", Text),
        Column(f"{clock}_calendar", Text),
    ]


ticket = Table(
    "ticket",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_no", Text, nullable=False, unique=True),
    Column("query_code", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("channel_order_no", Text),
    Column("appeal_type", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("matter_code", Text),
    Column("title", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    *_term_columns("citizen"),
    Column("status", Text, nullable=False),
    Column("unit_code", Text),
    Column("assigned_at", DateTime(timezone=True)),
    *_term_columns("reply"),
    Column("replied_at", DateTime(timezone=True)),
    Column("reply", Text),
    Column("version", Integer, nullable=False),
)
serial = Sequence("ticket_serial", metadata=metadata)
Index(
    "uq_ticket_channel_order",
    ticket.c.channel,
    ticket.c.channel_order_no,
    unique=True,
    postgresql_where=text("channel_order_no IS NOT NULL"),
)
Index("ix_ticket_newest", ticket.c.registered_at.desc(), ticket.c.id.desc())
Index("ix_ticket_unit", ticket.c.unit_code, ticket.c.registered_at.desc(), ticket.c.id.desc())
ticket_move = Table(
    "ticket_move",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("status", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),  # the subject of a token, never a name
    Column("unit_code", Text),
)

# Built once: a statement that is put together anew for each call costs more than its execution.
_FIXED = {
    "id",
    "ticket_no",
    "query_code",
    "channel",
    "channel_order_no",
    "appeal_type",
    "urgency",
    "matter_code",
    "title",
    "content",
    "registered_at",
}


def _bound(*columns: Column[Any]) -> dict[str, BindParameter[Any]]:
    return {
        each.name: bindparam(f"{each.table.name}_{each.name}", None, each.type) for each in columns
    }


_LOCK = select(ticket).where(ticket.c.id == bindparam("ticket_id")).with_for_update()
_ADDED = (
    insert_or_not(ticket)
    .values(_bound(*ticket.c))
    .on_conflict_do_nothing(
        index_elements=["channel", "channel_order_no"],
        index_where=text("channel_order_no IS NOT NULL"),
    )
    .returning(ticket.c.id)
    .cte("added")
)
_ADD = (
    insert(ticket_move)
    .from_select(
        [each.name for each in ticket_move.c],
        select(*_bound(*ticket_move.c).values()).select_from(_ADDED),
    )
    .returning(ticket_move.c.version)
)
_CHANGE = (
    update(ticket)
    .where(ticket.c.id == bindparam("ticket_id"))
    .values(_bound(*(each for each in ticket.c if each.name not in _FIXED)))
)
_MOVE = insert(ticket_move).values(_bound(*ticket_move.c)).add_cte(_CHANGE.cte("changed"))
_NUMBER = select(serial.next_value())


class TicketNotFound(NotFound):
    code = "ticket.not_found"


class AlreadyTakenIn(Conflict):
    code = "ticket.already_taken_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One line of a ticket's history: who acted, when."""

    actor: str
    at: datetime


class Tickets:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def get(self, ticket_id: UUID) -> Ticket:
        """Locks the ticket: moves on one ticket come one after the other. Raises TicketNotFound."""
        rows = await self._tx.connection.execute(_LOCK, {"ticket_id": ticket_id})
        row = rows.one_or_none()
        if row is None:
            raise TicketNotFound("没有这个工单")
        return ticket_of(row)

    async def new_number(self, now: datetime) -> str:
        """yyMMddHHmmss and six digits; unique, however many are drawn within one second."""
        drawn = (await self._tx.connection.execute(_NUMBER)).scalar_one()
        return f"{now.astimezone(SHANGHAI):%y%m%d%H%M%S}{drawn % 10**6:06}"

    async def add(self, new: Ticket, move: Move) -> None:
        """Raises AlreadyTakenIn when the channel's number has a ticket: nothing is taken twice."""
        added = await self._tx.connection.execute(_ADD, {**_values(new), **_noted(new, move)})
        if added.one_or_none() is None:
            raise AlreadyTakenIn("该渠道编号的诉求已受理，不重复登记")

    async def save(self, moved: Ticket, move: Move) -> None:
        """The ticket after a move, and the move in its history, in one statement."""
        await self._tx.connection.execute(_MOVE, {**_changes(moved), **_noted(moved, move)})

    async def save_redated(self, redated: Ticket) -> None:
        await self._tx.connection.execute(_CHANGE, _changes(redated))


def ticket_of(row: Row[Any]) -> Ticket:
    found = row._mapping  # noqa: SLF001 - SQLAlchemy's public name
    return Ticket(
        id=row.id,
        ticket_no=row.ticket_no,
        query_code=row.query_code,
        appeal=Appeal(
            channel=Channel(row.channel),
            channel_order_no=row.channel_order_no,
            appeal_type=AppealType(row.appeal_type),
            urgency=Urgency(row.urgency),
            matter_code=row.matter_code,
            title=row.title,
            content=row.content,
        ),
        registered_at=row.registered_at,
        citizen_term=_term(found, "citizen"),
        status=Status(row.status),
        unit_code=row.unit_code,
        assigned_at=row.assigned_at,
        reply_term=_term(found, "reply"),
        replied_at=row.replied_at,
        reply=row.reply,
        version=row.version,
    )


def _values(new: Ticket) -> dict[str, object]:
    return {
        "ticket_ticket_no": new.ticket_no,
        "ticket_query_code": new.query_code,
        "ticket_channel": new.appeal.channel,
        "ticket_channel_order_no": new.appeal.channel_order_no,
        "ticket_appeal_type": new.appeal.appeal_type,
        "ticket_urgency": new.appeal.urgency,
        "ticket_matter_code": new.appeal.matter_code,
        "ticket_title": new.appeal.title,
        "ticket_content": new.appeal.content,
        "ticket_registered_at": new.registered_at,
        **_changes(new),
    }


def _changes(moved: Ticket) -> dict[str, object]:
    return {
        "ticket_id": moved.id,
        "ticket_status": moved.status,
        "ticket_unit_code": moved.unit_code,
        "ticket_assigned_at": moved.assigned_at,
        "ticket_replied_at": moved.replied_at,
        "ticket_reply": moved.reply,
        "ticket_version": moved.version,
        **_term_values("ticket_citizen", moved.citizen_term),
        **_term_values("ticket_reply", moved.reply_term),
    }


def _noted(moved: Ticket, move: Move) -> dict[str, object]:
    return {
        "ticket_move_ticket_id": moved.id,
        "ticket_move_version": moved.version,
        "ticket_move_status": moved.status,
        "ticket_move_at": move.at,
        "ticket_move_actor": move.actor,
        "ticket_move_unit_code": moved.unit_code,
    }


def _term_values(clock: str, term: Term | None) -> dict[str, object]:
    return {
        f"{clock}_start_at": term and term.start_at,
        f"{clock}_amount": term and term.limit.amount,
        f"{clock}_unit": term and term.limit.unit,
        f"{clock}_clause": term and term.limit.clause,
        f"{clock}_due_at": term and term.due_at,
        f"{clock}_warn_at": term and term.warn_at,
        f"{clock}_policy": term and term.policy,
        f"{clock}_calendar": term and term.calendar_version,
    }


def _term(row: Mapping[Any, Any], clock: str) -> Term | None:
    if row[f"{clock}_due_at"] is None:
        return None
    return Term(
        start_at=row[f"{clock}_start_at"],
        limit=Limit(
            amount=row[f"{clock}_amount"],
            unit=Unit(row[f"{clock}_unit"]),
            clause=row[f"{clock}_clause"],
        ),
        due_at=row[f"{clock}_due_at"],
        warn_at=row[f"{clock}_warn_at"],
        policy=row[f"{clock}_policy"],
        calendar_version=row[f"{clock}_calendar"],
    )
