"""Read models: lists, one rectification with its history, one invitation. No locks."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.http import PageRequest
from tongban_common.working_days import Explanation, Limit, WorkingCalendar
from tongban_evaluation.domain.deadlines import Stage
from tongban_evaluation.domain.invitation import MatterKind
from tongban_evaluation.domain.rectification import Outcome, Status
from tongban_evaluation.store.keys import rating_key
from tongban_evaluation.store.rectifications import (
    RectificationNotFound,
    clock_of,
    rectification,
    rectification_clock,
    rectification_of,
    rectification_step,
)
from tongban_evaluation.store.reviews import InvitationNotFound, invitation, review
from tongban_evaluation.store.units import unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rectifications to list. `unit_code` None means every unit."""

    unit_code: str | None
    status: Status | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedClock:
    """A clock, run out or running, and how its due day was counted."""

    stage: Stage
    hearing: int
    start_at: datetime
    limit: Limit
    due_at: datetime
    calendar_version: str
    stopped_at: datetime | None
    is_overdue: bool
    # None where a later notice on holidays would count otherwise than was counted then
    explanation: Explanation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One rectification with all that belongs to it."""

    row: Row[Any]
    clocks: Sequence[Row[Any]]
    steps: Sequence[Row[Any]]

    @property
    def outcome(self) -> Outcome | None:
        closed = self.row.status == Status.CLOSED
        return rectification_of(self.row, None).outcome if closed else None

    def explained(self, calendar: WorkingCalendar, *, now: datetime) -> list[ExplainedClock]:
        return [_explained(row, calendar, now) for row in self.clocks]


async def rectifications(
    connection: AsyncConnection, wanted: Wanted, page: PageRequest
) -> tuple[Sequence[Row[Any]], str | None]:
    """The newest first, and the cursor of the next page."""
    order = (rectification.c.opened_at, rectification.c.id)
    statement = _summary().order_by(*(column.desc() for column in order)).limit(page.limit)
    if wanted.unit_code is not None:
        statement = statement.where(rectification.c.unit_code == wanted.unit_code)
    if wanted.status is not None:
        statement = statement.where(rectification.c.status == wanted.status)
    if page.after is not None:
        opened_at, last_id = page.after
        after = (datetime.fromisoformat(opened_at), UUID(last_id))
        statement = statement.where(tuple_(*order) < after)
    rows = (await connection.execute(statement)).all()
    if len(rows) < page.limit:
        return rows, None
    return rows, page.next_cursor([rows[-1].opened_at.isoformat(), str(rows[-1].id)])


async def dossier(connection: AsyncConnection, rectification_id: UUID) -> Dossier:
    """Raises RectificationNotFound."""
    statement = (
        select(
            rectification,
            unit.c.name.label("unit_name"),
            review.c.matter_kind,
            review.c.matter_id,
            review.c.channel,
            review.c.tags,
            review.c.tag_set_version,
            review.c.comment,
            review.c.submitted_at,
            invitation.c.title,
        )
        .join(review, review.c.id == rectification.c.review_id)
        .join(invitation, _same_matter())
        .outerjoin(unit, unit.c.code == rectification.c.unit_code)
        .where(rectification.c.id == rectification_id)
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise RectificationNotFound("没有这个差评整改")
    clocks = await connection.execute(
        select(rectification_clock)
        .where(rectification_clock.c.rectification_id == rectification_id)
        .order_by(rectification_clock.c.start_at, rectification_clock.c.hearing)
    )
    steps = await connection.execute(
        select(rectification_step)
        .where(rectification_step.c.rectification_id == rectification_id)
        .order_by(rectification_step.c.version)
    )
    return Dossier(row=row, clocks=clocks.all(), steps=steps.all())


async def invitation_for(
    connection: AsyncConnection, *, kind: MatterKind, matter_id: UUID
) -> Row[Any]:
    """Raises InvitationNotFound."""
    statement = select(invitation).where(
        invitation.c.matter_kind == kind, invitation.c.matter_id == matter_id
    )
    return _found((await connection.execute(statement)).one_or_none())


async def invitation_by_key(connection: AsyncConnection, key: str) -> Row[Any]:
    """Of the ticket whose complainant has this key. Raises InvitationNotFound."""
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
    statement = (
        select(invitation)
        .join(rating_key, rating_key.c.ticket_id == invitation.c.matter_id)
        .where(rating_key.c.digest == digest, invitation.c.matter_kind == MatterKind.TICKET)
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        raise InvitationNotFound("评价还没有开放：工单刚办结的请稍后再试，链接有误的请重新查询进度")
    return row


async def invitation_with_review(connection: AsyncConnection, invitation_id: UUID) -> Row[Any]:
    """What the page behind the link shows: the matter, and the review where there is one.

    Raises InvitationNotFound.
    """
    statement = (
        select(
            invitation,
            unit.c.name.label("unit_name"),
            review.c.level,
            review.c.tags,
            review.c.tag_set_version,
            review.c.comment,
            review.c.submitted_at,
        )
        .outerjoin(review, _same_matter())
        .outerjoin(unit, unit.c.code == invitation.c.unit_code)
        .where(invitation.c.id == invitation_id)
    )
    return _found((await connection.execute(statement)).one_or_none())


def _found(row: Row[Any] | None) -> Row[Any]:
    if row is None:
        raise InvitationNotFound("没有这个评价邀请")
    return row


def _summary() -> Select[Any]:
    running = and_(
        rectification_clock.c.rectification_id == rectification.c.id,
        rectification_clock.c.stopped_at.is_(None),
    )
    return (
        select(
            rectification.c.id,
            rectification.c.status,
            rectification.c.hearing,
            rectification.c.level,
            rectification.c.unit_code,
            unit.c.name.label("unit_name"),
            rectification.c.window_code,
            rectification.c.opened_at,
            rectification.c.closed_at,
            rectification.c.version,
            rectification_clock.c.stage,
            rectification_clock.c.due_at,
            rectification_clock.c.missed_at.is_not(None).label("is_missed"),
        )
        .outerjoin(rectification_clock, running)
        .outerjoin(unit, unit.c.code == rectification.c.unit_code)
    )


def _same_matter() -> Any:
    return and_(
        review.c.matter_kind == invitation.c.matter_kind,
        review.c.matter_id == invitation.c.matter_id,
    )


def _explained(row: Row[Any], calendar: WorkingCalendar, now: datetime) -> ExplainedClock:
    clock = clock_of(row)
    explanation = calendar.explain(clock.term.start_at, clock.term.limit)
    return ExplainedClock(
        stage=clock.stage,
        hearing=row.hearing,
        start_at=clock.term.start_at,
        limit=clock.term.limit,
        due_at=clock.term.due_at,
        calendar_version=clock.term.calendar_version,
        stopped_at=row.stopped_at,
        is_overdue=clock.is_overdue(at=row.stopped_at or now),
        explanation=explanation if explanation.due == clock.term.due_at else None,
    )
