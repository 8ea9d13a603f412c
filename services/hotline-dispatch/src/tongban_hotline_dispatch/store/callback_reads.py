"""Read models of callbacks and reappraisals for GET: no locks, no moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_hotline_dispatch.domain.callback import Cause, Mark
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.reappraisal import Reappraisal, State
from tongban_hotline_dispatch.store.callbacks import callback_task
from tongban_hotline_dispatch.store.guard import visible_to
from tongban_hotline_dispatch.store.reappraisals import (
    ReappraisalNotFound,
    reappraisal,
    reappraisal_of,
)
from tongban_hotline_dispatch.store.reference import unit
from tongban_hotline_dispatch.store.tickets import ticket

Key = Sequence[str] | None  # where the page before ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A callback that is not done."""

    ticket_id: UUID
    no: int
    ticket_no: str
    title: str
    version: int
    cause: Cause
    unit_name: str | None
    opened_at: datetime
    attempts: int
    attempted_at: datetime | None
    call_due: datetime | None
    due: datetime | None
    own_mark: Mark | None  # 自行评价 that waits for a decision
    taken_by: str | None

    @property
    def key(self) -> list[str]:
        return [self.due.isoformat() if self.due else "", str(self.ticket_id), str(self.no)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReappraisalLine:
    """One reappraisal, with what people call its ticket and unit."""

    reappraisal: Reappraisal
    ticket_no: str
    title: str
    unit_name: str | None

    @property
    def key(self) -> list[str]:
        return [self.reappraisal.requested_at.isoformat(), str(self.reappraisal.id)]


async def tasks(
    reads: AsyncConnection, *, viewer: Viewer, now: datetime, after: Key, most: int
) -> Sequence[Task]:
    """Everything that may be called about by now, the end of its window first."""
    c = callback_task.c
    order = (c.due_at, c.ticket_id, c.no)
    query = (
        select(
            *callback_task.c,
            ticket.c.ticket_no,
            ticket.c.title,
            ticket.c.version,
            unit.c.name.label("unit_name"),
        )
        .select_from(
            callback_task.join(ticket, ticket.c.id == c.ticket_id).outerjoin(
                unit, unit.c.code == c.unit_code
            )
        )
        .where(c.done_at.is_(None), c.opened_at <= now, c.due_at.is_not(None), visible_to(viewer))
        .order_by(*order)
        .limit(most)
    )
    if after is not None:
        due, ticket_id, no = after
        moment = literal(datetime.fromisoformat(due), DateTime(timezone=True))
        query = query.where(tuple_(*order) > tuple_(moment, UUID(ticket_id), int(no)))
    return [_task(row) for row in await reads.execute(query)]


async def reappraisals(
    reads: AsyncConnection,
    *,
    viewer: Viewer,
    state: State | None,
    after: Key,
    most: int,
) -> Sequence[ReappraisalLine]:
    """Newest first."""
    c = reappraisal.c
    order = (c.requested_at, c.id)
    query = _LINES.where(visible_to(viewer)).order_by(*(each.desc() for each in order)).limit(most)
    if viewer.unit is not None:
        query = query.where(c.unit_code == viewer.unit)
    if state is not None:
        query = query.where(c.state == state)
    if after is not None:
        at, last = after
        query = query.where(tuple_(*order) < (datetime.fromisoformat(at), UUID(last)))
    return [_line(row) for row in await reads.execute(query)]


async def one_reappraisal(
    reads: AsyncConnection, reappraisal_id: UUID, *, seen_by: Viewer
) -> ReappraisalLine:
    """Another unit's is as if it were not there. Raises ReappraisalNotFound."""
    rows = await reads.execute(
        _LINES.where(reappraisal.c.id == reappraisal_id, visible_to(seen_by))
    )
    row = rows.one_or_none()
    if row is None or seen_by.unit not in {None, row.unit_code}:
        raise ReappraisalNotFound("没有这项复核申请")
    return _line(row)


_LINES = select(
    *reappraisal.c, unit.c.level.label("unit_level"), unit.c.name.label("unit_name")
).add_columns(ticket.c.ticket_no, ticket.c.title)
_LINES = _LINES.select_from(
    reappraisal.join(ticket, ticket.c.id == reappraisal.c.ticket_id).outerjoin(
        unit, unit.c.code == reappraisal.c.unit_code
    )
)


def _task(row: Any) -> Task:
    return Task(
        ticket_id=row.ticket_id,
        no=row.no,
        ticket_no=row.ticket_no,
        title=row.title,
        version=row.version,
        cause=Cause(row.cause),
        unit_name=row.unit_name,
        opened_at=row.opened_at,
        attempts=row.attempts,
        attempted_at=row.attempted_at,
        call_due=row.call_due_at,
        due=row.due_at,
        own_mark=None if row.review_id is None or row.result is None else Mark(row.result),
        taken_by=row.taken_by,
    )


def _line(row: Any) -> ReappraisalLine:
    return ReappraisalLine(
        reappraisal=reappraisal_of(row),
        ticket_no=row.ticket_no,
        title=row.title,
        unit_name=row.unit_name,
    )
