"""The tickets of one person in clear, for an evidence pack. What is quarantined is not in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.store.complainants import Complainant, complainant, opened
from tongban_hotline_dispatch.store.likeness import ticket_likeness
from tongban_hotline_dispatch.store.tickets import TicketNotFound, ticket

MOST = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    ticket_id: UUID
    ticket_no: str
    registered_at: datetime
    channel: str
    title: str
    content: str
    status: Status
    disposition: str | None
    person: Complainant


async def one(connection: AsyncConnection, ticket_id: UUID, sealer: Sealer) -> Evidence:
    """Raises TicketNotFound."""
    row = (await connection.execute(_rows().where(ticket.c.id == ticket_id))).one_or_none()
    if row is None:
        raise TicketNotFound("没有这个工单")
    return _evidence(row, sealer)


async def of_person(
    connection: AsyncConnection, person: bytes, sealer: Sealer
) -> Sequence[Evidence]:
    """The newest first."""
    rows = await connection.execute(
        _rows()
        .join(ticket_likeness, ticket_likeness.c.ticket_id == ticket.c.id)
        .where(ticket_likeness.c.person == person)
        .order_by(ticket_likeness.c.no.desc())
        .limit(MOST)
    )
    return [_evidence(row, sealer) for row in rows]


def _rows() -> Select[Any]:
    return select(
        ticket.c.id,
        ticket.c.ticket_no,
        ticket.c.registered_at,
        ticket.c.channel,
        ticket.c.title,
        ticket.c.content,
        ticket.c.status,
        ticket.c.disposition,
        *(each for each in complainant.c if each.name != "ticket_id"),
    ).select_from(ticket.outerjoin(complainant, complainant.c.ticket_id == ticket.c.id))


def _evidence(row: Row[Any], sealer: Sealer) -> Evidence:
    return Evidence(
        ticket_id=row.id,
        ticket_no=row.ticket_no,
        registered_at=row.registered_at,
        channel=row.channel,
        title=row.title,
        content=row.content,
        status=Status(row.status),
        disposition=row.disposition,
        person=opened(row, row.id, sealer),
    )
