"""Read models of callbacks and reappraisals for GET: no locks, no moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Select, exists, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_hotline_dispatch.domain.appeal import Urgency
from tongban_hotline_dispatch.domain.callback import Cause, Mark, Outcome, Resolved
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.reappraisal import Reappraisal, State
from tongban_hotline_dispatch.store.callbacks import callback_task
from tongban_hotline_dispatch.store.guard import below, visible_to
from tongban_hotline_dispatch.store.reappraisals import (
    CONTESTABLE,
    ReappraisalNotFound,
    reappraisal,
    reappraisal_of,
)
from tongban_hotline_dispatch.store.reference import unit
from tongban_hotline_dispatch.store.tickets import SHOWN_TITLE, ticket

Key = Sequence[str] | None  # where the page before ended
_T = callback_task.c
MOST_MARKS = 100


class What(StrEnum):
    """Which of the open callbacks."""

    CALL = "call"  # 待回访: there is a reply to ask about
    SILENT = "silent"  # 到期未答复: the time is over, and the unit silent
    BAD = "bad"  # 差评待处理: rated badly by the person, to be decided on
    MINE = "mine"  # 我领取的


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A callback that is not done."""

    ticket_id: UUID
    no: int
    ticket_no: str
    title: str
    urgency: Urgency
    version: int
    cause: Cause
    unit_code: str | None
    unit_name: str | None
    opened_at: datetime
    attempts: int
    attempted_at: datetime | None
    call_due: datetime | None
    due: datetime | None
    own_mark: Mark | None  # 自行评价 that waits for a decision
    own_level: int | None
    taken_by: str | None
    taken_at: datetime | None

    @property
    def key(self) -> list[str]:
        return [self.due.isoformat() if self.due else "", str(self.ticket_id), str(self.no)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One callback of a ticket, done or not."""

    no: int
    cause: Cause
    opened_at: datetime
    attempts: int
    outcome: Outcome | None
    resolved: Resolved | None
    result: Mark | None
    process: Mark | None
    replied: bool | None
    note: str | None
    done_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadMark:
    """A mark that its unit may contest, as far as it was not before."""

    ticket_id: UUID
    ticket_no: str
    result: Mark | None
    resolved: Resolved | None
    rated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReappraisalLine:
    """One reappraisal, with what people call its ticket and unit."""

    reappraisal: Reappraisal
    ticket_no: str
    title: str
    unit_name: str | None
    hides_identity: bool

    @property
    def key(self) -> list[str]:
        return [self.reappraisal.requested_at.isoformat(), str(self.reappraisal.id)]


async def tasks(
    reads: AsyncConnection,
    *,
    viewer: Viewer,
    now: datetime,
    after: Key,
    most: int,
    what: What | None = None,
) -> Sequence[Task]:
    """Everything that may be called about by now, the end of its window first."""
    order = (_T.due_at, _T.ticket_id, _T.no)
    query = _tasks().where(_is_open(viewer, now)).order_by(*order).limit(most)
    if what is not None:
        query = query.where(_is(what, viewer.subject))
    if after is not None:
        due, ticket_id, no = after
        moment = literal(datetime.fromisoformat(due), DateTime(timezone=True))
        query = query.where(tuple_(*order) > tuple_(moment, UUID(ticket_id), int(no)))
    return [_task(row) for row in await reads.execute(query)]


async def task_of(
    reads: AsyncConnection, ticket_id: UUID, *, viewer: Viewer, now: datetime
) -> Task | None:
    """The open one of a ticket."""
    found = await reads.execute(_tasks().where(_is_open(viewer, now), _T.ticket_id == ticket_id))
    row = found.one_or_none()
    return None if row is None else _task(row)


async def counts(reads: AsyncConnection, *, viewer: Viewer, now: datetime) -> dict[What, int]:
    wanted = [func.count().filter(_is(each, viewer.subject)).label(each.value) for each in What]
    joined = callback_task.join(ticket, ticket.c.id == _T.ticket_id)
    query = select(*wanted).select_from(joined).where(_is_open(viewer, now))
    row = (await reads.execute(query)).one()
    return {each: getattr(row, each.value) for each in What}


async def rounds(reads: AsyncConnection, ticket_id: UUID) -> Sequence[Round]:
    """Every one of a ticket, the first one first."""
    found = await reads.execute(
        select(callback_task).where(_T.ticket_id == ticket_id).order_by(_T.no)
    )
    return [_round(row) for row in found]


async def contestable(reads: AsyncConnection, viewer: Viewer, *, since: datetime) -> list[BadMark]:
    """The bad marks of the viewer's unit that it has not contested, the newest first."""
    rated = select(_T.ticket_id).where(_T.unit_code == viewer.unit, _T.rated_at >= since, _BAD_TASK)
    found = CONTESTABLE.where(ticket.c.id.in_(rated), visible_to(viewer)).subquery()
    is_bad = (found.c.result == Mark.DISSATISFIED) | (found.c.resolved == Resolved.NO)
    is_contested = exists().where(
        reappraisal.c.ticket_id == found.c.ticket_id, reappraisal.c.rated_at == found.c.rated_at
    )
    query = select(found).where(found.c.unit_code == viewer.unit, is_bad, ~is_contested)
    rows = await reads.execute(query.order_by(found.c.rated_at.desc()).limit(MOST_MARKS))
    return [
        BadMark(
            ticket_id=row.ticket_id,
            ticket_no=row.ticket_no,
            result=None if row.result is None else Mark(row.result),
            resolved=None if row.resolved is None else Resolved(row.resolved),
            rated_at=row.rated_at,
        )
        for row in rows
    ]


async def reappraisals(
    reads: AsyncConnection,
    *,
    viewer: Viewer,
    state: State | None,
    after: Key,
    most: int,
    with_below: bool = False,
) -> Sequence[ReappraisalLine]:
    """Newest first; of a unit its own, and with those of the units below for who reviews them."""
    c = reappraisal.c
    order = (c.requested_at, c.id)
    query = _LINES.where(visible_to(viewer)).order_by(*(each.desc() for each in order)).limit(most)
    if viewer.unit is not None:
        query = query.where(_of_unit(viewer.unit, with_below=with_below))
    if state is not None:
        query = query.where(c.state == state)
    if after is not None:
        at, last = after
        query = query.where(tuple_(*order) < (datetime.fromisoformat(at), UUID(last)))
    return [_line(row) for row in await reads.execute(query)]


async def one_reappraisal(
    reads: AsyncConnection, reappraisal_id: UUID, *, seen_by: Viewer, with_below: bool = False
) -> ReappraisalLine:
    """Another unit's is as if it were not there. Raises ReappraisalNotFound."""
    query = _LINES.where(reappraisal.c.id == reappraisal_id, visible_to(seen_by))
    if seen_by.unit is not None:
        query = query.where(_of_unit(seen_by.unit, with_below=with_below))
    row = (await reads.execute(query)).one_or_none()
    if row is None:
        raise ReappraisalNotFound("没有这项复核申请")
    return _line(row)


_LINES = select(
    *reappraisal.c, unit.c.level.label("unit_level"), unit.c.name.label("unit_name")
).add_columns(ticket.c.ticket_no, SHOWN_TITLE, ticket.c.hides_identity)
_LINES = _LINES.select_from(
    reappraisal.join(ticket, ticket.c.id == reappraisal.c.ticket_id).outerjoin(
        unit, unit.c.code == reappraisal.c.unit_code
    )
)


# As the index of bad marks has it.
_BAD_TASK = (_T.result == Mark.DISSATISFIED) | (_T.resolved == Resolved.NO)


def _of_unit(code: str, *, with_below: bool) -> ColumnElement[bool]:
    column = reappraisal.c.unit_code
    return column.in_(below(code)) if with_below else column == code


def _tasks() -> Select[Any]:
    return select(
        *callback_task.c,
        ticket.c.ticket_no,
        SHOWN_TITLE,
        ticket.c.urgency,
        ticket.c.version,
        unit.c.name.label("unit_name"),
    ).select_from(
        callback_task.join(ticket, ticket.c.id == _T.ticket_id).outerjoin(
            unit, unit.c.code == _T.unit_code
        )
    )


def _is_open(viewer: Viewer, now: datetime) -> ColumnElement[bool]:
    is_begun = _T.done_at.is_(None) & (_T.opened_at <= now) & _T.due_at.is_not(None)
    return is_begun & visible_to(viewer)


def _is(what: What, actor: str) -> ColumnElement[bool]:
    is_rated = _T.rated_at.is_not(None)
    tests: dict[What, ColumnElement[bool]] = {
        What.CALL: _T.answered_at.is_not(None) & ~is_rated,
        What.SILENT: _T.answered_at.is_(None) & ~is_rated,
        What.BAD: is_rated,
        What.MINE: _T.taken_by == actor,
    }
    return tests[what]


def _round(row: Any) -> Round:
    return Round(
        no=row.no,
        cause=Cause(row.cause),
        opened_at=row.opened_at,
        attempts=row.attempts,
        outcome=None if row.outcome is None else Outcome(row.outcome),
        resolved=None if row.resolved is None else Resolved(row.resolved),
        result=None if row.result is None else Mark(row.result),
        process=None if row.process is None else Mark(row.process),
        replied=row.replied,
        note=row.note,
        done_at=row.done_at,
    )


def _task(row: Any) -> Task:
    return Task(
        ticket_id=row.ticket_id,
        no=row.no,
        ticket_no=row.ticket_no,
        title=row.title,
        urgency=Urgency(row.urgency),
        version=row.version,
        cause=Cause(row.cause),
        unit_code=row.unit_code,
        unit_name=row.unit_name,
        opened_at=row.opened_at,
        attempts=row.attempts,
        attempted_at=row.attempted_at,
        call_due=row.call_due_at,
        due=row.due_at,
        own_mark=None if row.review_id is None or row.result is None else Mark(row.result),
        own_level=None if row.review_id is None else row.result_level,
        taken_by=row.taken_by,
        taken_at=row.taken_at,
    )


def _line(row: Any) -> ReappraisalLine:
    return ReappraisalLine(
        reappraisal=reappraisal_of(row),
        ticket_no=row.ticket_no,
        title=row.title,
        unit_name=row.unit_name,
        hides_identity=row.hides_identity,
    )
