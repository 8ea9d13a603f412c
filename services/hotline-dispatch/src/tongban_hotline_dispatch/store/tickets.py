"""The tables of a ticket: its row, its moves, and the complainant under seal."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    Uuid,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from tongban_common.db import Transaction
from tongban_common.errors import Conflict, NotFound
from tongban_common.privacy import Sealer
from tongban_common.working_days import Limit, Unit
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.ticket import (
    Appeal,
    AppealType,
    Channel,
    Status,
    Ticket,
    Urgency,
)
from tongban_hotline_dispatch.store.reference import metadata


def _term_columns(clock: str) -> list[Column[Any]]:
    return [
        Column(f"{clock}_start_at", DateTime(timezone=True)),
        Column(f"{clock}_amount", Integer),
        Column(f"{clock}_unit", Text),
        Column(f"{clock}_clause", Text),
        Column(f"{clock}_due_at", DateTime(timezone=True)),
        Column(f"{clock}_warn_at", DateTime(timezone=True)),
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
    Column("title", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("registered_at", DateTime(timezone=True), nullable=False),
    *_term_columns("citizen"),
    Column("status", Text, nullable=False),
    Column("unit_code", Text),
    Column("assigned_at", DateTime(timezone=True)),
    *_term_columns("reply"),
    Column("policy_version", Text),
    Column("replied_at", DateTime(timezone=True)),
    Column("reply", Text),
    Column("version", Integer, nullable=False),
)
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
complainant = Table(
    "complainant",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("name", LargeBinary),
    Column("phone", LargeBinary),
    Column("address", LargeBinary),
)


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
        rows = await self._tx.connection.execute(
            select(ticket).where(ticket.c.id == ticket_id).with_for_update()
        )
        row = rows.one_or_none()
        if row is None:
            raise TicketNotFound("没有这个工单")
        return ticket_of(row)

    async def add(self, new: Ticket, move: Move) -> None:
        """Raises AlreadyTakenIn when the channel's number has a ticket: nothing is taken twice."""
        added = await self._tx.connection.execute(
            insert_or_not(ticket)
            .values(_values(new))
            .on_conflict_do_nothing(
                index_elements=["channel", "channel_order_no"],
                index_where=text("channel_order_no IS NOT NULL"),
            )
            .returning(ticket.c.id)
        )
        if added.one_or_none() is None:
            raise AlreadyTakenIn("该渠道编号的诉求已受理，不重复登记")
        await self._note(new, move)

    async def save(self, moved: Ticket, move: Move, **pinned: str) -> None:
        """After a move; `pinned` are the versions that the move fixed."""
        await self._tx.connection.execute(
            update(ticket).where(ticket.c.id == moved.id).values({**_changing(moved), **pinned})
        )
        await self._note(moved, move)

    async def save_redated(self, redated: Ticket) -> None:
        await self._tx.connection.execute(
            update(ticket).where(ticket.c.id == redated.id).values(_changing(redated))
        )

    async def _note(self, moved: Ticket, move: Move) -> None:
        await self._tx.connection.execute(
            insert(ticket_move).values(
                ticket_id=moved.id,
                version=moved.version,
                status=moved.status,
                at=move.at,
                actor=move.actor,
                unit_code=moved.unit_code,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Complainant:
    """诉求人, in clear only inside this process."""

    name: str | None = None
    phone: str | None = None
    address: str | None = None

    @property
    def is_anonymous(self) -> bool:
        return not (self.name or self.phone or self.address)


class Complainants:
    def __init__(self, tx: Transaction, sealer: Sealer) -> None:
        self._tx = tx
        self._sealer = sealer

    async def add(self, ticket_id: UUID, person: Complainant) -> None:
        if person.is_anonymous:
            return
        await self._tx.connection.execute(
            insert(complainant).values(
                ticket_id=ticket_id,
                name=self._seal(person.name, ticket_id, "name"),
                phone=self._seal(person.phone, ticket_id, "phone"),
                address=self._seal(person.address, ticket_id, "address"),
            )
        )

    def _seal(self, value: str | None, ticket_id: UUID, field: str) -> bytes | None:
        if not value:
            return None
        return self._sealer.seal(value, context=f"complainant:{ticket_id}:{field}")


def opened(row: Row[Any] | None, ticket_id: UUID, sealer: Sealer) -> Complainant:
    """A sealed row to a person."""
    if row is None:
        return Complainant()

    def clear(field: str) -> str | None:
        sealed = getattr(row, field)
        if sealed is None:
            return None
        return sealer.open(sealed, context=f"complainant:{ticket_id}:{field}")

    return Complainant(name=clear("name"), phone=clear("phone"), address=clear("address"))


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
        "id": new.id,
        "ticket_no": new.ticket_no,
        "query_code": new.query_code,
        "channel": new.appeal.channel,
        "channel_order_no": new.appeal.channel_order_no,
        "appeal_type": new.appeal.appeal_type,
        "urgency": new.appeal.urgency,
        "title": new.appeal.title,
        "content": new.appeal.content,
        "registered_at": new.registered_at,
        **_changing(new),
    }


def _changing(moved: Ticket) -> dict[str, object]:
    return {
        "status": moved.status,
        "unit_code": moved.unit_code,
        "assigned_at": moved.assigned_at,
        "replied_at": moved.replied_at,
        "reply": moved.reply,
        "version": moved.version,
        **_term_values("citizen", moved.citizen_term),
        **_term_values("reply", moved.reply_term),
    }


def _term_values(clock: str, term: Term | None) -> dict[str, object]:
    if term is None:
        return {}
    return {
        f"{clock}_start_at": term.start_at,
        f"{clock}_amount": term.limit.amount,
        f"{clock}_unit": term.limit.unit,
        f"{clock}_clause": term.limit.clause,
        f"{clock}_due_at": term.due_at,
        f"{clock}_warn_at": term.warn_at,
        f"{clock}_calendar": term.calendar_version,
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
        calendar_version=row[f"{clock}_calendar"],
    )
