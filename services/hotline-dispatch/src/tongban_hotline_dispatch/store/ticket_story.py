"""The whole history of a ticket for its page: each move with its facts and its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_hotline_dispatch.domain.moves import Act, Status
from tongban_hotline_dispatch.store.notes import ticket_note
from tongban_hotline_dispatch.store.reference import unit
from tongban_hotline_dispatch.store.tickets import ticket, ticket_move


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One move; `words` is what was said with it, unless it is under seal."""

    version: int
    act: Act
    status: Status
    at: datetime
    actor: str
    unit_name: str | None
    facts: Mapping[str, Any]
    words: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A ticket that this one was merged into, or that was merged into it."""

    id: UUID
    ticket_no: str
    status: Status


async def story(reads: AsyncConnection, ticket_id: UUID) -> Sequence[Told]:
    noted = and_(
        ticket_note.c.ticket_id == ticket_move.c.ticket_id,
        ticket_note.c.version == ticket_move.c.version,
    )
    statement = (
        select(ticket_move, unit.c.name.label("unit_name"), ticket_note.c.words)
        .select_from(
            ticket_move.outerjoin(unit, unit.c.code == ticket_move.c.unit_code).outerjoin(
                ticket_note, noted
            )
        )
        .where(ticket_move.c.ticket_id == ticket_id)
        .order_by(ticket_move.c.version)
    )
    return [
        Told(
            version=row.version,
            act=Act(row.act),
            status=Status(row.status),
            at=row.at,
            actor=row.actor,
            unit_name=row.unit_name,
            facts=row.facts,
            words=row.words,
        )
        for row in await reads.execute(statement)
    ]


async def joined(
    reads: AsyncConnection, ticket_id: UUID, parent_id: UUID | None
) -> tuple[Joined | None, Sequence[Joined]]:
    """Its parent, and its first children."""
    columns = (ticket.c.id, ticket.c.ticket_no, ticket.c.status)
    parent = None
    if parent_id is not None:
        row = (await reads.execute(select(*columns).where(ticket.c.id == parent_id))).one()
        parent = _joined(row)
    children = select(*columns).where(ticket.c.parent_id == ticket_id).order_by(ticket.c.id)
    return parent, [_joined(row) for row in await reads.execute(children.limit(50))]


def _joined(row: Any) -> Joined:
    return Joined(id=row.id, ticket_no=row.ticket_no, status=Status(row.status))
