"""What an appeal says besides its words: whom it is about, when it happened, what is wanted."""

from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    LargeBinary,
    Table,
    Text,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.domain.elements import Details
from tongban_hotline_dispatch.store.reference import metadata

ticket_detail = Table(
    "ticket_detail",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("target_name", LargeBinary),  # under seal: it may be a person
    Column("occurred_at", DateTime(timezone=True)),
    Column("demand", Text),
)
_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 31))")


class TicketDetails:
    def __init__(self, tx: Transaction, sealer: Sealer) -> None:
        self._tx = tx
        self._sealer = sealer

    async def add(self, ticket_id: UUID, details: Details) -> None:
        if details.is_empty:
            return
        target = details.target_name
        context = _context(ticket_id)
        await self._tx.connection.execute(
            insert(ticket_detail).values(
                ticket_id=ticket_id,
                target_name=self._sealer.seal(target, context=context) if target else None,
                occurred_at=details.occurred_at,
                demand=details.demand,
            )
        )


async def details_of(reads: AsyncConnection, ticket_id: UUID, sealer: Sealer) -> Details:
    """In clear; of text that people see, the numbers are masked where it is shown."""
    found = await reads.execute(select(ticket_detail).where(ticket_detail.c.ticket_id == ticket_id))
    row = found.one_or_none()
    if row is None:
        return Details()
    sealed = row.target_name
    return Details(
        target_name=None if sealed is None else sealer.open(sealed, context=_context(ticket_id)),
        occurred_at=row.occurred_at,
        demand=row.demand,
    )


async def hold_form(tx: Transaction, ticket_id: UUID) -> None:
    """A form that is sent twice comes to its ticket one after the other."""
    await tx.connection.execute(_HOLD, {"key": str(ticket_id)})


def _context(ticket_id: UUID) -> str:
    return f"ticket_detail:{ticket_id}:target_name"
