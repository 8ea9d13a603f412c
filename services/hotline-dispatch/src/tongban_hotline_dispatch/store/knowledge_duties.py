"""What units owe the knowledge base, their weekly attestations, and what answers cite of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    insert,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_not
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_common.http import PageRequest
from tongban_common.working_days import Limit, Unit
from tongban_hotline_dispatch.domain.duties import Duty, DutyKind
from tongban_hotline_dispatch.domain.knowledge import PUBLIC
from tongban_hotline_dispatch.store.knowledge import knowledge_version
from tongban_hotline_dispatch.store.reference import metadata, unit

knowledge_duty = Table(
    "knowledge_duty",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("item_id", ForeignKey("knowledge_item.id")),
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column("amount", Integer, nullable=False),
    Column("unit", Text, nullable=False),
    Column("clause", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("policy", Text, nullable=False),
    Column("calendar_version", Text, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("done_at", DateTime(timezone=True)),
    Column("done_by", Text),
    Column("missed_at", DateTime(timezone=True)),
    Column("note", Text),
)
_IS_OPEN = text("done_at IS NULL")
Index("ix_knowledge_duty_newest", knowledge_duty.c.start_at.desc(), knowledge_duty.c.id.desc())
Index("ix_knowledge_duty_item", knowledge_duty.c.item_id, postgresql_where=_IS_OPEN)
Index("ix_knowledge_duty_unit", knowledge_duty.c.unit_code, knowledge_duty.c.start_at)
knowledge_attestation = Table(
    "knowledge_attestation",
    metadata,
    Column("unit_code", Text, primary_key=True),
    Column("week", Text, primary_key=True),
    Column("attested_at", DateTime(timezone=True), nullable=False),
    Column("attested_by", Text, nullable=False),
    Column("is_late", Boolean, nullable=False),
)
knowledge_link = Table(
    "knowledge_link",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("item_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("linked_by", Text, nullable=False),
    Column("linked_at", DateTime(timezone=True), nullable=False),
    ForeignKeyConstraint(
        ["item_id", "number"], ["knowledge_version.item_id", "knowledge_version.number"]
    ),
)


class DutyNotFound(NotFound):
    code = "knowledge.duty_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyFilters:
    unit_code: str | None = None
    kind: DutyKind | None = None
    is_open: bool | None = None
    is_missed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyLine:
    duty: Duty
    unit_name: str | None

    @property
    def key(self) -> list[str]:
        return [self.duty.start_at.isoformat(), str(self.duty.id)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A version that an answer is based on."""

    item_id: UUID
    number: int
    title: str


class Duties:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(self, duty: Duty) -> None:
        await self._tx.connection.execute(insert(knowledge_duty).values(**_values(duty)))

    async def get(self, duty_id: UUID) -> Duty:
        """Locks it. Raises DutyNotFound."""
        rows = await self._tx.connection.execute(
            select(knowledge_duty).where(knowledge_duty.c.id == duty_id).with_for_update()
        )
        row = rows.one_or_none()
        if row is None:
            raise DutyNotFound("没有这个责任事项")
        return _duty(row)

    async def save(self, duty: Duty) -> None:
        await self._tx.connection.execute(
            update(knowledge_duty).where(knowledge_duty.c.id == duty.id).values(**_values(duty))
        )

    async def open_of_item(self, item_id: UUID) -> Sequence[Duty]:
        """Locked, always in the same order."""
        rows = await self._tx.connection.execute(
            select(knowledge_duty)
            .where(knowledge_duty.c.item_id == item_id, knowledge_duty.c.done_at.is_(None))
            .order_by(knowledge_duty.c.id)
            .with_for_update()
        )
        return [_duty(row) for row in rows]

    async def open_attestation(self, unit_code: str, week: str) -> Duty | None:
        rows = await self._tx.connection.execute(
            select(knowledge_duty)
            .where(
                knowledge_duty.c.unit_code == unit_code,
                knowledge_duty.c.kind == DutyKind.ATTESTATION,
                knowledge_duty.c.about == week,
                knowledge_duty.c.done_at.is_(None),
            )
            .with_for_update()
        )
        row = rows.one_or_none()
        return None if row is None else _duty(row)

    async def attest(
        self, unit_code: str, week: str, *, by: str, at: datetime, is_late: bool
    ) -> bool:
        """False where the unit attested this week before."""
        made = await self._tx.connection.execute(
            insert_or_not(knowledge_attestation)
            .values(unit_code=unit_code, week=week, attested_at=at, attested_by=by, is_late=is_late)
            .on_conflict_do_nothing()
            .returning(knowledge_attestation.c.week)
        )
        return made.one_or_none() is not None

    async def unattested(self, week: str, *, begun_at: datetime, everybody: bool) -> Sequence[str]:
        """The active units that owe this week's attestation and did not give it.

        A unit whose first item came within the week owes it from the next one on.
        """
        attested = select(knowledge_attestation.c.unit_code).where(
            knowledge_attestation.c.week == week
        )
        statement = select(unit.c.code).where(unit.c.is_active, unit.c.code.not_in(attested))
        if not everybody:
            with_items = select(knowledge_version.c.unit_code).where(
                knowledge_version.c.state.in_(PUBLIC), knowledge_version.c.published_at < begun_at
            )
            statement = statement.where(unit.c.code.in_(with_items))
        rows = await self._tx.connection.execute(statement.order_by(unit.c.code))
        return list(rows.scalars())

    async def cite(
        self, ticket_id: UUID, cited: Sequence[tuple[UUID, int]], *, by: str, at: datetime
    ) -> None:
        """These versions, in place of whatever was cited before."""
        await self._tx.connection.execute(
            delete(knowledge_link).where(knowledge_link.c.ticket_id == ticket_id)
        )
        if cited:
            await self._tx.connection.execute(
                insert(knowledge_link),
                [
                    {
                        "ticket_id": ticket_id,
                        "item_id": item_id,
                        "number": number,
                        "linked_by": by,
                        "linked_at": at,
                    }
                    for item_id, number in cited
                ],
            )

    async def public_numbers(self, items: Sequence[UUID]) -> dict[UUID, int]:
        """The number of the public version, of each of these items that has one."""
        rows = await self._tx.connection.execute(
            select(knowledge_version.c.item_id, knowledge_version.c.number).where(
                knowledge_version.c.item_id.in_(items), knowledge_version.c.state.in_(PUBLIC)
            )
        )
        return {row.item_id: row.number for row in rows}


async def duties(
    reads: AsyncConnection, *, filters: DutyFilters, page: PageRequest
) -> Sequence[DutyLine]:
    """Newest first."""
    table = knowledge_duty
    order = (table.c.start_at, table.c.id)
    statement = (
        select(table, unit.c.name.label("unit_name"))
        .outerjoin(unit, unit.c.code == table.c.unit_code)
        .order_by(*(each.desc() for each in order))
        .limit(page.limit)
    )
    if filters.unit_code is not None:
        statement = statement.where(table.c.unit_code == filters.unit_code)
    if filters.kind is not None:
        statement = statement.where(table.c.kind == filters.kind)
    if filters.is_open is not None:
        is_open = table.c.done_at.is_(None)
        statement = statement.where(is_open if filters.is_open else ~is_open)
    if filters.is_missed is not None:
        is_missed = table.c.missed_at.is_not(None)
        statement = statement.where(is_missed if filters.is_missed else ~is_missed)
    if page.after is not None:
        at, duty_id = page.after
        statement = statement.where(tuple_(*order) < (datetime.fromisoformat(at), UUID(duty_id)))
    return [
        DutyLine(duty=_duty(row), unit_name=row.unit_name) for row in await reads.execute(statement)
    ]


async def duty(reads: AsyncConnection, duty_id: UUID, *, unit_code: str | None) -> Duty:
    """Raises DutyNotFound, also for one of another unit."""
    statement = select(knowledge_duty).where(knowledge_duty.c.id == duty_id)
    if unit_code is not None:
        statement = statement.where(knowledge_duty.c.unit_code == unit_code)
    row = (await reads.execute(statement)).one_or_none()
    if row is None:
        raise DutyNotFound("没有这项更新责任")
    return _duty(row)


async def cited_by(reads: AsyncConnection, ticket_id: UUID) -> Sequence[Cited]:
    rows = await reads.execute(
        select(knowledge_link.c.item_id, knowledge_link.c.number, knowledge_version.c.title)
        .join(
            knowledge_version,
            (knowledge_version.c.item_id == knowledge_link.c.item_id)
            & (knowledge_version.c.number == knowledge_link.c.number),
        )
        .where(knowledge_link.c.ticket_id == ticket_id)
        .order_by(knowledge_link.c.item_id)
    )
    return [Cited(item_id=row.item_id, number=row.number, title=row.title) for row in rows]


def _duty(row: Row[Any]) -> Duty:
    return Duty(
        id=row.id,
        kind=DutyKind(row.kind),
        unit_code=row.unit_code,
        about=row.about,
        item_id=row.item_id,
        start_at=row.start_at,
        limit=Limit(amount=row.amount, unit=Unit(row.unit), clause=row.clause),
        due_at=row.due_at,
        policy=row.policy,
        calendar_version=row.calendar_version,
        opened_by=row.opened_by,
        done_at=row.done_at,
        done_by=row.done_by,
        missed_at=row.missed_at,
        note=row.note,
    )


def _values(duty: Duty) -> dict[str, object]:
    return {
        "id": duty.id,
        "kind": duty.kind,
        "unit_code": duty.unit_code,
        "about": duty.about,
        "item_id": duty.item_id,
        "start_at": duty.start_at,
        "amount": duty.limit.amount,
        "unit": duty.limit.unit,
        "clause": duty.limit.clause,
        "due_at": duty.due_at,
        "policy": duty.policy,
        "calendar_version": duty.calendar_version,
        "opened_by": duty.opened_by,
        "done_at": duty.done_at,
        "done_by": duty.done_by,
        "missed_at": duty.missed_at,
        "note": duty.note,
    }
