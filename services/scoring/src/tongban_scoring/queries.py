"""Read models of scoring for GET: no locks, no moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.http import PageRequest
from tongban_scoring.domain.entries import Evidence, Responsibility, State
from tongban_scoring.domain.red_lines import CaseState
from tongban_scoring.store import (
    HotlineResult,
    PeriodNotFound,
    ScorecardNotFound,
    entry,
    hotline_result,
    period,
    red_line_case,
    scorecard,
    scorecard_line,
    service_window,
    unit,
)
from tongban_scoring.store.ledger import evidence_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodLine:
    id: UUID
    code: str
    starts_on: date
    ends_on: date
    rule_book: str
    rule_book_version: int
    finished_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLine:
    """A card in the list of its period, the best first."""

    id: UUID
    window_code: str
    window_name: str
    unit_code: str
    unit_name: str
    score: Decimal
    grade: str
    rank: int | None
    bonus: Decimal
    deduction: Decimal
    correction: Decimal
    formula: str
    handled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointLine:
    """One line of a card, without the member of staff: cards are public."""

    rule_id: str
    label: str
    clause: str
    side: str
    quantity: Decimal
    amount: Decimal
    points: Decimal
    day: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    id: UUID
    window_code: str
    rule_id: str
    amount: Decimal
    quantity: Decimal
    occurred_at: datetime
    fact: str
    state: State
    staff_code: str | None
    evidence: Evidence | None
    responsibility: Responsibility | None
    reverses: UUID | None
    needs_attribution: bool
    counted_in: str | None
    recorded_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RedLineLine:
    id: UUID
    red_line_id: str
    label: str
    window_code: str
    staff_code: str
    state: CaseState
    opened_at: datetime
    decided_at: datetime | None
    version: int


async def hotline_results(
    reads: AsyncConnection, unit_code: str, page: PageRequest
) -> Sequence[HotlineResult]:
    """What the hotline's assessment said of one unit, the latest period first."""
    table = hotline_result
    order = (table.c.starts_on, table.c.assessment_id)
    query = (
        select(table)
        .where(table.c.unit_code == unit_code)
        .order_by(*(each.desc() for each in order))
        .limit(page.limit)
    )
    if page.after is not None:
        day, assessment_id = page.after
        query = query.where(tuple_(*order) < (date.fromisoformat(day), UUID(assessment_id)))
    rows = await reads.execute(query)
    return [HotlineResult(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's


_CARD = (
    select(
        scorecard.c.id,
        scorecard.c.window_code,
        service_window.c.name.label("window_name"),
        scorecard.c.unit_code,
        unit.c.name.label("unit_name"),
        scorecard.c.score,
        scorecard.c.grade,
        scorecard.c.rank,
        scorecard.c.bonus,
        scorecard.c.deduction,
        scorecard.c.correction,
        scorecard.c.formula,
        scorecard.c.handled,
        scorecard.c.period_id,
    )
    .select_from(scorecard)
    .outerjoin(service_window, service_window.c.code == scorecard.c.window_code)
    .outerjoin(unit, unit.c.code == scorecard.c.unit_code)
)


async def periods(reads: AsyncConnection, *, unpublished: bool) -> Sequence[PeriodLine]:
    """The latest first; for the public only those whose bulletin is out."""
    statement = select(period).order_by(period.c.ends_on.desc(), period.c.code)
    if not unpublished:
        statement = statement.where(period.c.bulletin_id.is_not(None))
    return [_period(row) for row in await reads.execute(statement)]


async def one_period(reads: AsyncConnection, code: str, *, unpublished: bool) -> PeriodLine:
    """Raises PeriodNotFound."""
    row = (await reads.execute(select(period).where(period.c.code == code))).one_or_none()
    if row is None or not (unpublished or row.bulletin_id):
        raise PeriodNotFound("没有这个考核周期，或者尚未公布")
    return _period(row)


async def cards(reads: AsyncConnection, period_id: UUID) -> Sequence[CardLine]:
    rows = await reads.execute(
        _CARD.where(scorecard.c.period_id == period_id).order_by(
            scorecard.c.score.desc(), scorecard.c.rank.nulls_last(), scorecard.c.window_code
        )
    )
    return [_card(row) for row in rows]


async def card(
    reads: AsyncConnection, scorecard_id: UUID, *, unpublished: bool
) -> tuple[CardLine, PeriodLine, Sequence[PointLine]]:
    """Raises ScorecardNotFound."""
    row = (await reads.execute(_CARD.where(scorecard.c.id == scorecard_id))).one_or_none()
    if row is None:
        raise ScorecardNotFound("没有这张记分卡，或者尚未公布")
    of = (await reads.execute(select(period).where(period.c.id == row.period_id))).one()
    if not (unpublished or of.bulletin_id):
        raise ScorecardNotFound("没有这张记分卡，或者尚未公布")
    lines = await reads.execute(
        select(scorecard_line)
        .where(scorecard_line.c.scorecard_id == scorecard_id)
        .order_by(scorecard_line.c.position)
    )
    return _card(row), _period(of), [_point(line) for line in lines]


async def red_line_cases(
    reads: AsyncConnection, *, state: CaseState | None, page: PageRequest
) -> Sequence[RedLineLine]:
    """Newest first."""
    order = (red_line_case.c.opened_at, red_line_case.c.id)
    statement = select(red_line_case).order_by(*(each.desc() for each in order)).limit(page.limit)
    if state is not None:
        statement = statement.where(red_line_case.c.state == state)
    if page.after is not None:
        at, case_id = page.after
        statement = statement.where(tuple_(*order) < (datetime.fromisoformat(at), UUID(case_id)))
    return [
        RedLineLine(
            id=row.id,
            red_line_id=row.red_line_id,
            label=row.label,
            window_code=row.window_code,
            staff_code=row.staff_code,
            state=CaseState(row.state),
            opened_at=row.opened_at,
            decided_at=row.decided_at,
            version=row.version,
        )
        for row in await reads.execute(statement)
    ]


async def entries(
    reads: AsyncConnection, *, state: State | None, window_code: str | None, page: PageRequest
) -> Sequence[EntryLine]:
    """Newest first."""
    order = (entry.c.recorded_at, entry.c.id)
    statement = select(entry).order_by(*(each.desc() for each in order)).limit(page.limit)
    if state is not None:
        statement = statement.where(entry.c.state == state)
    if window_code is not None:
        statement = statement.where(entry.c.window_code == window_code)
    if page.after is not None:
        at, entry_id = page.after
        statement = statement.where(tuple_(*order) < (datetime.fromisoformat(at), UUID(entry_id)))
    return [_entry(row) for row in await reads.execute(statement)]


async def window_names(reads: AsyncConnection) -> dict[str, str]:
    """The name of each service window by its code."""
    rows = await reads.execute(select(service_window.c.code, service_window.c.name))
    return {row.code: row.name for row in rows}


def _period(row: Any) -> PeriodLine:
    return PeriodLine(
        id=row.id,
        code=row.code,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        rule_book=row.rule_book,
        rule_book_version=row.rule_book_version,
        finished_at=row.finished_at,
    )


def _card(row: Any) -> CardLine:
    return CardLine(
        id=row.id,
        window_code=row.window_code,
        window_name=row.window_name or row.window_code,
        unit_code=row.unit_code,
        unit_name=row.unit_name or row.unit_code,
        score=row.score,
        grade=row.grade,
        rank=row.rank,
        bonus=row.bonus,
        deduction=row.deduction,
        correction=row.correction,
        formula=row.formula,
        handled=row.handled,
    )


def _point(row: Any) -> PointLine:
    return PointLine(
        rule_id=row.rule_id,
        label=row.label,
        clause=row.clause,
        side=row.side,
        quantity=row.quantity,
        amount=row.amount,
        points=row.points,
        day=row.day,
        notes=tuple(row.notes),
    )


def _entry(row: Any) -> EntryLine:
    return EntryLine(
        id=row.id,
        window_code=row.window_code,
        rule_id=row.rule_id,
        amount=row.amount,
        quantity=row.quantity,
        occurred_at=row.occurred_at,
        fact=row.fact,
        state=State(row.state),
        staff_code=row.staff_code,
        evidence=evidence_of(row.evidence),
        responsibility=None if row.responsibility is None else Responsibility(row.responsibility),
        reverses=row.reverses,
        needs_attribution=row.rule is not None and row.rule["waives"] is not None,
        counted_in=row.counted_in,
        recorded_at=row.recorded_at,
        version=row.version,
    )
