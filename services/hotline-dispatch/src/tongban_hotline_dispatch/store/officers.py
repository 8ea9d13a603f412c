"""Which officer has a unit's share of a ticket in hand (经办人), and who had it before.

A table of its own beside the assignment: who works on it is the unit's business and moves no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    bindparam,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_hotline_dispatch.domain.assignment import Role
from tongban_hotline_dispatch.domain.moves import GONE_STATES, State
from tongban_hotline_dispatch.store.assignments import assignment
from tongban_hotline_dispatch.store.reference import metadata
from tongban_hotline_dispatch.store.tickets import ticket

assignment_officer = Table(
    "assignment_officer",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("ticket_id", Uuid, nullable=False),
    Column("no", Integer, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("officer", Text, nullable=False),
    Column("given_by", Text, nullable=False),
    Column("until", DateTime(timezone=True)),
    ForeignKeyConstraint(["ticket_id", "no"], ["assignment.ticket_id", "assignment.no"]),
)
_IN_HAND = text("until IS NULL")
_SHARE = tuple_(assignment_officer.c.ticket_id, assignment_officer.c.no)
Index(
    "uq_assignment_officer_current",
    assignment_officer.c.ticket_id,
    assignment_officer.c.no,
    unique=True,
    postgresql_where=_IN_HAND,
)
Index(
    "ix_assignment_officer_unit",
    assignment_officer.c.unit_code,
    assignment_officer.c.officer,
    postgresql_where=_IN_HAND,
)
SETTLED = GONE_STATES | {State.DONE}  # in these nobody works on the share any more
_OF_SHARE = (assignment.c.ticket_id == assignment_officer.c.ticket_id) & (
    assignment.c.no == assignment_officer.c.no
)
_OPEN = (
    select(assignment_officer.c.ticket_id, assignment_officer.c.no)
    .join(ticket, ticket.c.id == assignment_officer.c.ticket_id)
    .join(assignment, _OF_SHARE)
    .where(
        assignment_officer.c.unit_code == bindparam("unit"),
        assignment_officer.c.officer == bindparam("from_"),
        assignment_officer.c.until.is_(None),
        assignment.c.state.not_in(SETTLED),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    ticket_id: UUID
    no: int


class Officers:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def open_of(self, unit: str, officer: str) -> list[Share]:
        """The open shares in the officer's hands, their tickets locked, always in one order."""
        rows = await self._tx.connection.execute(
            _OPEN.order_by(assignment_officer.c.ticket_id, assignment_officer.c.no).with_for_update(
                of=ticket
            ),
            {"unit": unit, "from_": officer},
        )
        return [Share(ticket_id=row.ticket_id, no=row.no) for row in rows]

    async def give(
        self, shares: Sequence[Share], *, unit: str, to: str, by: str, now: datetime
    ) -> None:
        """They are in this officer's hands from now on; what was before stays on record."""
        if not shares:
            return
        held = [(each.ticket_id, each.no) for each in shares]
        await self._tx.connection.execute(
            assignment_officer.update()
            .where(_SHARE.in_(held), assignment_officer.c.until.is_(None))
            .values(until=now)
        )
        common = {"since": now, "unit_code": unit, "officer": to, "given_by": by}
        await self._tx.connection.execute(
            assignment_officer.insert(),
            [{"ticket_id": each.ticket_id, "no": each.no, **common} for each in shares],
        )


async def officer_of(reads: AsyncConnection, ticket_id: UUID, *, unit: str | None) -> str | None:
    """Who has the unit's newest share in hand; for the hub, the lead's."""
    statement = (
        select(assignment_officer.c.officer)
        .join(assignment, _OF_SHARE)
        .where(
            assignment_officer.c.ticket_id == ticket_id,
            assignment_officer.c.until.is_(None),
            assignment.c.state.not_in(GONE_STATES),
        )
        .order_by(assignment.c.no.desc())
        .limit(1)
    )
    mine = assignment.c.role == Role.LEAD if unit is None else assignment.c.unit_code == unit
    found: str | None = (await reads.execute(statement.where(mine))).scalar_one_or_none()
    return found
