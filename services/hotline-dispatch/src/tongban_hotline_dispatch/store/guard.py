"""Whom a ticket is kept from, as a condition of every list, and the record of how that came about.

The condition reads two columns of the ticket's own row: a list pays no join for it. Who is below
the accused unit is asked of the directory each time, so a unit that moves below it is shut out too.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Select,
    Table,
    Text,
    all_,
    and_,
    any_,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_hotline_dispatch.domain.guard import GuardAct, Viewer
from tongban_hotline_dispatch.store.reference import metadata, unit
from tongban_hotline_dispatch.store.tickets import ticket

ticket_guard = Table(
    "ticket_guard",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("ticket_id", ForeignKey("ticket.id"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("act", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("unit_code", Text),  # the unit complained of
    Column("staff", Text),  # who is to keep away
    Column("reason", Text, nullable=False),
    Column("note", Text),  # masked
)
Index("ix_ticket_guard_ticket", ticket_guard.c.ticket_id, ticket_guard.c.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLine:
    """One thing that happened to who may see a ticket."""

    ticket_id: UUID
    at: datetime
    act: GuardAct
    actor: str
    reason: str
    unit_code: str | None = None
    staff: str | None = None
    note: str | None = None


class Guards:
    """The ticket is held by the caller."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(self, line: GuardLine) -> None:
        await self._tx.connection.execute(insert(ticket_guard).values(asdict(line)))

    async def set_target(self, ticket_id: UUID, unit_code: str | None) -> None:
        await self._change(ticket_id, target_unit_code=unit_code)

    async def set_recused(self, ticket_id: UUID, recused: Sequence[str]) -> None:
        await self._change(ticket_id, recused=sorted(recused) or None)

    async def _change(self, ticket_id: UUID, **values: Any) -> None:
        await self._tx.connection.execute(
            update(ticket).where(ticket.c.id == ticket_id).values(**values)
        )


def kept_from(viewer: Viewer) -> ColumnElement[bool]:
    """The condition, of a query that has `ticket` in it, that the person keeps away from it."""
    return literal(viewer.subject) == any_(ticket.c.recused)


def visible_to(viewer: Viewer) -> ColumnElement[bool]:
    """The condition of a query that has `ticket` in it."""
    recused = ticket.c.recused
    may_see = or_(recused.is_(None), literal(viewer.subject) != all_(recused))
    if viewer.unit is None:
        return may_see
    target = ticket.c.target_unit_code
    return and_(may_see, or_(target.is_(None), target.not_in(_line(viewer.unit))))


async def is_below(reads: AsyncConnection, unit_code: str, target: str) -> bool:
    """Whether a unit is the other one, or anywhere below it."""
    found = await reads.execute(_line(unit_code))
    return target in {unit_code, *found.scalars()}


def below(code: str) -> Select[Any]:
    """A unit and all below it, to whatever depth."""
    own = select(unit.c.code).where(unit.c.code == code)
    line = own.cte("below_unit", recursive=True)
    under = unit.alias("under")
    line = line.union(select(under.c.code).join(line, under.c.parent_code == line.c.code))
    return select(line.c.code)


async def lines(reads: AsyncConnection, ticket_id: UUID) -> list[GuardLine]:
    """In the order in which they happened."""
    rows = await reads.execute(
        select(ticket_guard)
        .where(ticket_guard.c.ticket_id == ticket_id)
        .order_by(ticket_guard.c.id)
    )
    return [
        GuardLine(
            ticket_id=row.ticket_id,
            at=row.at,
            act=GuardAct(row.act),
            actor=row.actor,
            reason=row.reason,
            unit_code=row.unit_code,
            staff=row.staff,
            note=row.note,
        )
        for row in rows
    ]


def _line(code: str) -> Select[Any]:
    """A unit and all above it. UNION, not UNION ALL: a circle in the directory ends."""
    own = select(unit.c.code, unit.c.parent_code).where(unit.c.code == code)
    line = own.cte("line_of_unit", recursive=True)
    above = unit.alias("above")
    line = line.union(
        select(above.c.code, above.c.parent_code).join(line, above.c.code == line.c.parent_code)
    )
    return select(line.c.code)
