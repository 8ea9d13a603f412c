"""What an appeal says besides its words: whom it is about, when it happened, what is wanted, for
whom, where, and what marks it for supervision."""

from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.domain.elements import Details
from tongban_hotline_dispatch.domain.particulars import ComplainantKind, Coordinates, Flag
from tongban_hotline_dispatch.store.reference import metadata

ticket_detail = Table(
    "ticket_detail",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("target_name", LargeBinary),  # under seal: it may be a person
    Column("occurred_at", DateTime(timezone=True)),
    Column("demand", Text),
    Column("complainant_kind", Text),
    Column("enterprise_name", LargeBinary),  # under seal, as a name is
    Column("call_id", Text),
    Column("recording_ref", Text),
    Column("region_code", Text),
    Column("place", LargeBinary),  # under seal: coordinates are an address
    Column("flags", ARRAY(Text)),
)
Index("ix_ticket_detail_flags", ticket_detail.c.flags, postgresql_using="gin")
_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 31))")


class TicketDetails:
    def __init__(self, tx: Transaction, sealer: Sealer) -> None:
        self._tx = tx
        self._sealer = sealer

    async def add(self, ticket_id: UUID, details: Details) -> None:
        if details.is_empty:
            return
        place = None if details.place is None else str(details.place)
        await self._tx.connection.execute(
            insert(ticket_detail).values(
                ticket_id=ticket_id,
                target_name=self._seal(details.target_name, ticket_id, "target_name"),
                occurred_at=details.occurred_at,
                demand=details.demand,
                complainant_kind=details.complainant_kind,
                enterprise_name=self._seal(details.enterprise_name, ticket_id, "enterprise_name"),
                call_id=details.call_id,
                recording_ref=details.recording_ref,
                region_code=details.region_code,
                place=self._seal(place, ticket_id, "place"),
                flags=sorted(details.flags) or None,
            )
        )

    def _seal(self, value: str | None, ticket_id: UUID, field: str) -> bytes | None:
        return self._sealer.seal(value, context=_context(ticket_id, field)) if value else None


async def details_of(reads: AsyncConnection, ticket_id: UUID, sealer: Sealer) -> Details:
    """In clear; people see what `queries.details` leaves of it."""
    found = await reads.execute(select(ticket_detail).where(ticket_detail.c.ticket_id == ticket_id))
    row = found.one_or_none()
    if row is None:
        return Details()

    def clear(field: str) -> str | None:
        sealed = getattr(row, field)
        if sealed is None:
            return None
        return sealer.open(sealed, context=_context(ticket_id, field))

    kind, place = row.complainant_kind, clear("place")
    return Details(
        target_name=clear("target_name"),
        occurred_at=row.occurred_at,
        demand=row.demand,
        complainant_kind=None if kind is None else ComplainantKind(kind),
        enterprise_name=clear("enterprise_name"),
        call_id=row.call_id,
        recording_ref=row.recording_ref,
        region_code=row.region_code,
        place=None if place is None else Coordinates.read(*place.split(",")),
        flags=frozenset(Flag(each) for each in row.flags or ()),
    )


def is_flagged(ticket_id: ColumnElement[UUID], flag: Flag) -> ColumnElement[bool]:
    marked = select(ticket_detail.c.ticket_id).where(ticket_detail.c.flags.contains([flag.value]))
    return ticket_id.in_(marked)


def is_in_region(ticket_id: ColumnElement[UUID], region_code: str) -> ColumnElement[bool]:
    there = select(ticket_detail.c.ticket_id).where(ticket_detail.c.region_code == region_code)
    return ticket_id.in_(there)


async def hold_form(tx: Transaction, ticket_id: UUID) -> None:
    """A form that is sent twice comes to its ticket one after the other."""
    await tx.connection.execute(_HOLD, {"key": str(ticket_id)})


def _context(ticket_id: UUID, field: str) -> str:
    return f"ticket_detail:{ticket_id}:{field}"
