"""先行联系 (hotline.md 2.3, the reply's payload): in which way, and by which number."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.privacy import Sealer, mask_phone
from tongban_hotline_dispatch.domain.assignment import ContactWay
from tongban_hotline_dispatch.store.assignments import assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstContact:
    """As people see it."""

    way: ContactWay
    masked_number: str | None  # None: the number that was registered, or one that is kept back


async def note_contact(
    tx: Transaction,
    ticket_id: UUID,
    no: int,
    way: ContactWay,
    number: str | None,
    sealer: Sealer,
) -> None:
    """The first one stands."""
    sealed = sealer.seal(number, context=_context(ticket_id, no)) if number else None
    await tx.connection.execute(
        update(assignment)
        .where(assignment.c.ticket_id == ticket_id, assignment.c.no == no)
        .where(assignment.c.contact_way.is_(None))
        .values(contact_way=way, contact_number=sealed)
    )


async def contacts_of(
    reads: AsyncConnection, ticket_id: UUID, sealer: Sealer, *, is_kept: bool
) -> Mapping[int, FirstContact]:
    """By the number of the assignment; `is_kept`: not even the masked number is shown."""
    rows = await reads.execute(
        select(assignment.c.no, assignment.c.contact_way, assignment.c.contact_number).where(
            assignment.c.ticket_id == ticket_id, assignment.c.contact_way.is_not(None)
        )
    )
    found = {}
    for row in rows:
        number = None
        if row.contact_number is not None and not is_kept:
            context = _context(ticket_id, row.no)
            number = mask_phone(sealer.open(row.contact_number, context=context))
        way = ContactWay(row.contact_way)
        found[row.no] = FirstContact(way=way, masked_number=number)
    return found


def _context(ticket_id: UUID, no: int) -> str:
    return f"assignment:{ticket_id}:{no}:contact_number"
