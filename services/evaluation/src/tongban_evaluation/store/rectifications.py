"""Rectifications, the clocks that they ran under, and the steps of their history."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Row,
    SmallInteger,
    Table,
    Text,
    Uuid,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_evaluation.domain.deadlines import Clock, Grade, Stage
from tongban_evaluation.domain.rectification import (
    Answer,
    Findings,
    Rectification,
    RootCause,
    Status,
)
from tongban_evaluation.store import metadata
from tongban_evaluation.store.reviews import review, term_of

rectification = Table(
    "rectification",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("review_id", Uuid, ForeignKey(review.c.id), nullable=False, unique=True),
    Column("level", SmallInteger, nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("window_code", Text),
    Column("staff_code", Text),
    Column("limits_version", Integer, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("hearing", SmallInteger, nullable=False),
    Column("is_factual", Boolean),
    Column("is_reasonable", Boolean),
    Column("finding", Text),
    Column("root_cause", Text),
    Column("grade", Text),
    Column("measures", Text),
    Column("answer", Text),
    Column("closed_at", DateTime(timezone=True)),
    Column("version", Integer, nullable=False),
)
Index("ix_rectification_opened_at_id", rectification.c.opened_at, rectification.c.id)
Index(
    "ix_rectification_unit_code_opened_at_id",
    rectification.c.unit_code,
    rectification.c.opened_at,
    rectification.c.id,
)
rectification_clock = Table(
    "rectification_clock",
    metadata,
    Column("rectification_id", Uuid, ForeignKey(rectification.c.id), primary_key=True),
    Column("hearing", SmallInteger, primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("start_at", DateTime(timezone=True), nullable=False),
    Column("amount", Integer, nullable=False),
    Column("unit", Text, nullable=False),
    Column("clause", Text, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("calendar_version", Text, nullable=False),
    Column("stopped_at", DateTime(timezone=True)),
    Column("missed_at", DateTime(timezone=True)),
)
Index(
    "uq_rectification_clock_running",
    rectification_clock.c.rectification_id,
    unique=True,
    postgresql_where=text("stopped_at IS NULL"),
)
rectification_step = Table(
    "rectification_step",
    metadata,
    Column("rectification_id", Uuid, ForeignKey(rectification.c.id), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("action", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text),  # a staff id; the reviewer, who opened it, is nobody here
    Column("facts", JSONB, nullable=False),
)


class RectificationNotFound(NotFound):
    code = "rectification.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was done, by whom, and what it said."""

    action: str
    at: datetime
    actor: str | None
    facts: Mapping[str, str | bool | None]


class Rectifications:
    def __init__(self, tx: Transaction) -> None:
        self._connection = tx.connection

    async def get(self, rectification_id: UUID) -> Rectification:
        """Locked until the transaction ends. Raises RectificationNotFound."""
        found = await self._connection.execute(
            select(rectification).where(rectification.c.id == rectification_id).with_for_update()
        )
        row = found.one_or_none()
        if row is None:
            raise RectificationNotFound("没有这个差评整改")
        running = await self._connection.execute(
            select(rectification_clock).where(*_running(rectification_id))
        )
        return rectification_of(row, running.one_or_none())

    async def add(self, opened: Rectification, step: Step) -> None:
        await self._connection.execute(rectification.insert().values(_values(opened)))
        await self._note(opened, step)
        await self._start(opened)

    async def save(self, before: Rectification, after: Rectification, step: Step) -> None:
        """The next state; a clock that it replaces has stopped at the time of the step."""
        await self._connection.execute(
            rectification.update().where(rectification.c.id == after.id).values(_values(after))
        )
        await self._note(after, step)
        if before.clock != after.clock:
            await self._connection.execute(
                update(rectification_clock).where(*_running(after.id)).values(stopped_at=step.at)
            )
            await self._start(after)

    async def redate(self, moved: Rectification) -> None:
        """The running clock under a corrected calendar."""
        if moved.clock is not None:
            await self._connection.execute(
                update(rectification_clock)
                .where(*_running(moved.id))
                .values(_clock_values(moved.clock))
            )

    async def note_missed(self, rectification_id: UUID, *, now: datetime) -> None:
        await self._connection.execute(
            update(rectification_clock).where(*_running(rectification_id)).values(missed_at=now)
        )

    async def _start(self, started: Rectification) -> None:
        if started.clock is not None:
            await self._connection.execute(
                rectification_clock.insert().values(
                    rectification_id=started.id,
                    hearing=started.hearing,
                    **_clock_values(started.clock),
                )
            )

    async def _note(self, moved: Rectification, step: Step) -> None:
        await self._connection.execute(
            rectification_step.insert().values(
                rectification_id=moved.id,
                version=moved.version,
                action=step.action,
                at=step.at,
                actor=step.actor,
                facts=dict(step.facts),
            )
        )


def _running(rectification_id: UUID) -> tuple[Any, ...]:
    columns = rectification_clock.c
    return columns.rectification_id == rectification_id, columns.stopped_at.is_(None)


def _values(value: Rectification) -> dict[str, Any]:
    findings = value.findings
    return {
        "id": value.id,
        "review_id": value.review_id,
        "level": value.level,
        "unit_code": value.unit_code,
        "window_code": value.window_code,
        "staff_code": value.staff_code,
        "limits_version": value.limits_version,
        "opened_at": value.opened_at,
        "status": value.status,
        "hearing": value.hearing,
        "is_factual": None if findings is None else findings.is_factual,
        "is_reasonable": None if findings is None else findings.is_reasonable,
        "finding": None if findings is None else findings.note,
        "root_cause": None if findings is None else findings.root_cause,
        "grade": None if findings is None else findings.grade,
        "measures": value.measures,
        "answer": value.answer,
        "closed_at": value.closed_at,
        "version": value.version,
    }


def _clock_values(clock: Clock) -> dict[str, Any]:
    term = clock.term
    return {
        "stage": clock.stage,
        "start_at": term.start_at,
        "amount": term.limit.amount,
        "unit": term.limit.unit,
        "clause": term.limit.clause,
        "due_at": term.due_at,
        "calendar_version": term.calendar_version,
    }


def rectification_of(row: Row[Any], running: Row[Any] | None) -> Rectification:
    return Rectification(
        id=row.id,
        review_id=row.review_id,
        level=row.level,
        unit_code=row.unit_code,
        window_code=row.window_code,
        staff_code=row.staff_code,
        limits_version=row.limits_version,
        opened_at=row.opened_at,
        clock=None if running is None else clock_of(running),
        status=Status(row.status),
        hearing=row.hearing,
        findings=_findings_of(row),
        measures=row.measures,
        answer=None if row.answer is None else Answer(row.answer),
        closed_at=row.closed_at,
        version=row.version,
    )


def clock_of(row: Row[Any]) -> Clock:
    return Clock(stage=Stage(row.stage), term=term_of(row))


def _findings_of(row: Row[Any]) -> Findings | None:
    if row.is_factual is None:
        return None
    return Findings(
        is_factual=row.is_factual,
        is_reasonable=row.is_reasonable,
        note=row.finding,
        root_cause=None if row.root_cause is None else RootCause(row.root_cause),
        grade=None if row.grade is None else Grade(row.grade),
    )
