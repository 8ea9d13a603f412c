"""The tables of exclusions and their audits, the only writer to them, and what lists show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Row,
    Select,
    Table,
    Text,
    Uuid,
    insert,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as insert_or_not
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.errors import Conflict, NotFound
from tongban_common.http import PageRequest
from tongban_hotline_dispatch.domain.exclusions import Act, Exclusion, State
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.periods import Period
from tongban_hotline_dispatch.store.guard import visible_to
from tongban_hotline_dispatch.store.reference import metadata
from tongban_hotline_dispatch.store.tickets import ticket

_MOMENT = DateTime(timezone=True)
exclusion = Table(
    "exclusion",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", ForeignKey("ticket.id"), nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("grounds", Text, nullable=False),  # masked before it is kept
    Column("evidence", JSONB, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", _MOMENT, nullable=False),
    Column("state", Text, nullable=False),
    Column("hearing_on", Date),
    Column("hearing_record", Text),
    Column("seconded_by", Text),
    Column("decided_by", Text),
    Column("decided_at", _MOMENT),
    Column("note", Text),
    Column("version", Integer, nullable=False),
)
# One at a time for a unit's share of a ticket.
Index(
    "uq_exclusion_live",
    exclusion.c.ticket_id,
    exclusion.c.unit_code,
    unique=True,
    postgresql_where=text("state IN ('proposed', 'hearing', 'seconded', 'approved')"),
)
Index("ix_exclusion_newest", exclusion.c.proposed_at.desc(), exclusion.c.id.desc())
Index("ix_exclusion_decided", exclusion.c.decided_at)
exclusion_move = Table(
    "exclusion_move",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("exclusion_id", ForeignKey("exclusion.id"), nullable=False),
    Column("act", Text, nullable=False),
    Column("at", _MOMENT, nullable=False),
    Column("actor", Text, nullable=False),
)
Index("ix_exclusion_move_of", exclusion_move.c.exclusion_id, exclusion_move.c.id)
exclusion_audit = Table(
    "exclusion_audit",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("period_code", Text, nullable=False, unique=True),  # drawn once, whatever comes of it
    Column("seed", Text, nullable=False),
    Column("share", Numeric(5, 4), nullable=False),
    Column("population", JSONB, nullable=False),  # of which it was drawn, so that anybody can again
    Column("drawn_by", Text, nullable=False),
    Column("drawn_at", _MOMENT, nullable=False),
)
exclusion_audit_item = Table(
    "exclusion_audit_item",
    metadata,
    Column("audit_id", ForeignKey("exclusion_audit.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("exclusion_id", ForeignKey("exclusion.id"), nullable=False, unique=True),
    Column("result", Text),  # confirmed, overturned; null: not looked at yet
    Column("note", Text),
    Column("audited_by", Text),
    Column("audited_at", _MOMENT),
)


class ExclusionNotFound(NotFound):
    code = "exclusion.not_found"


class AlreadyProposed(Conflict):
    code = "exclusion.already_proposed"


class AlreadyDrawn(Conflict):
    code = "exclusion.already_drawn"


class NotDrawn(NotFound):
    code = "exclusion.not_drawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    id: UUID
    period_code: str
    seed: str
    share: Decimal
    population: Sequence[UUID]
    drawn_by: str
    drawn_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the third person found."""

    exclusion_id: UUID
    is_right: bool
    note: str
    by: str
    at: datetime


class Exclusions:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(self, new: Exclusion) -> None:
        """Raises AlreadyProposed."""
        added = await self._tx.connection.execute(
            insert_or_not(exclusion)
            .values(_values(new))
            .on_conflict_do_nothing()
            .returning(exclusion.c.id)
        )
        if added.one_or_none() is None:
            raise AlreadyProposed("该工单已有不计入考核的申请")
        await self._note(new.id, Act.PROPOSE, new.proposed_by, new.proposed_at)

    async def get(self, exclusion_id: UUID) -> Exclusion:
        """Locks it. Raises ExclusionNotFound."""
        query = select(exclusion).where(exclusion.c.id == exclusion_id).with_for_update()
        return _one((await self._tx.connection.execute(query)).one_or_none())

    async def save(self, moved: Exclusion, act: Act, *, by: str, at: datetime) -> None:
        await self._tx.connection.execute(
            update(exclusion).where(exclusion.c.id == moved.id).values(_values(moved))
        )
        await self._note(moved.id, act, by, at)

    async def approved_in(self, period: Period) -> list[UUID]:
        """Those that no audit has drawn yet, in the order of their ids."""
        drawn = select(exclusion_audit_item.c.exclusion_id)
        rows = await self._tx.connection.execute(
            select(exclusion.c.id)
            .where(
                exclusion.c.state == State.APPROVED,
                exclusion.c.decided_at >= period.starts_at,
                exclusion.c.decided_at < period.ends_at,
                exclusion.c.id.not_in(drawn),
            )
            .order_by(exclusion.c.id)
        )
        return [row.id for row in rows]

    async def draw(self, drawn: Audit, chosen: Sequence[UUID]) -> None:
        """Raises AlreadyDrawn: nobody draws until he likes the sample."""
        values = {name: getattr(drawn, name) for name in Audit.__dataclass_fields__}
        values["population"] = [str(each) for each in drawn.population]
        added = await self._tx.connection.execute(
            insert_or_not(exclusion_audit)
            .values(values)
            .on_conflict_do_nothing(index_elements=["period_code"])
            .returning(exclusion_audit.c.id)
        )
        if added.one_or_none() is None:
            raise AlreadyDrawn("该期已经抽样，不得重抽", period=drawn.period_code)
        rows = [
            {"audit_id": drawn.id, "position": position, "exclusion_id": each}
            for position, each in enumerate(chosen, start=1)
        ]
        if rows:
            await self._tx.connection.execute(insert(exclusion_audit_item), rows)

    async def find(self, found: Finding) -> None:
        """Raises NotDrawn for one that is in no sample, or was looked at already."""
        table = exclusion_audit_item
        settled = await self._tx.connection.execute(
            update(table)
            .where(table.c.exclusion_id == found.exclusion_id, table.c.result.is_(None))
            .values(
                result="confirmed" if found.is_right else "overturned",
                note=found.note,
                audited_by=found.by,
                audited_at=found.at,
            )
            .returning(table.c.position)
        )
        if settled.one_or_none() is None:
            raise NotDrawn("该项不在抽查样本中，或者已经核查")

    async def _note(self, exclusion_id: UUID, act: Act, by: str, at: datetime) -> None:
        await self._tx.connection.execute(
            insert(exclusion_move).values(exclusion_id=exclusion_id, act=act, at=at, actor=by)
        )


async def listed(
    reads: AsyncConnection,
    page: PageRequest,
    *,
    seen_by: Viewer,
    unit: str | None,
    state: State | None,
) -> Sequence[Exclusion]:
    """The newest first, of the tickets that the viewer may see."""
    order = (exclusion.c.proposed_at, exclusion.c.id)
    query = _seen_by(seen_by).order_by(*(each.desc() for each in order)).limit(page.limit)
    unit = seen_by.unit or unit
    if unit is not None:
        query = query.where(exclusion.c.unit_code == unit)
    if state is not None:
        query = query.where(exclusion.c.state == state)
    if page.after is not None:
        at, exclusion_id = page.after
        query = query.where(tuple_(*order) < (datetime.fromisoformat(at), UUID(exclusion_id)))
    return [_one(row) for row in await reads.execute(query)]


async def one(
    reads: AsyncConnection, exclusion_id: UUID, *, seen_by: Viewer
) -> tuple[Exclusion, Sequence[Row[Any]]]:
    """With its history. Raises ExclusionNotFound, also for another unit's."""
    rows = await reads.execute(_seen_by(seen_by).where(exclusion.c.id == exclusion_id))
    found = _one(rows.one_or_none())
    if seen_by.unit is not None and found.unit_code != seen_by.unit:
        raise ExclusionNotFound("没有这项申请")
    moves = await reads.execute(
        select(exclusion_move)
        .where(exclusion_move.c.exclusion_id == exclusion_id)
        .order_by(exclusion_move.c.id)
    )
    return found, moves.all()


async def audits(reads: AsyncConnection, code: str) -> tuple[Row[Any], Sequence[Row[Any]]]:
    """The audit of a period with its sample. Raises NotDrawn."""
    rows = await reads.execute(select(exclusion_audit).where(exclusion_audit.c.period_code == code))
    found = rows.one_or_none()
    if found is None:
        raise NotDrawn("该期尚未抽样")
    items = await reads.execute(
        select(exclusion_audit_item)
        .where(exclusion_audit_item.c.audit_id == found.id)
        .order_by(exclusion_audit_item.c.position)
    )
    return found, items.all()


def _seen_by(viewer: Viewer) -> Select[Any]:
    seen = select(ticket.c.id).where(ticket.c.id == exclusion.c.ticket_id, visible_to(viewer))
    return select(exclusion).where(seen.exists())


def _one(row: Row[Any] | None) -> Exclusion:
    if row is None:
        raise ExclusionNotFound("没有这项申请")
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    return Exclusion(
        **{**values, "state": State(values["state"]), "evidence": tuple(values["evidence"])}
    )


def _values(each: Exclusion) -> dict[str, Any]:
    names: Iterable[str] = Exclusion.__dataclass_fields__
    return {name: getattr(each, name) for name in names} | {"evidence": list(each.evidence)}
