"""What is shown of the assessment: periods, runs, units, and what is behind a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, Text, cast, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.http import PageRequest
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.periods import Period
from tongban_hotline_dispatch.store.assessment import (
    Assessed,
    AssessmentNotFound,
    Run,
    assessment,
    assessment_figure,
    assessment_item,
    assessment_run,
    assessment_unit,
)
from tongban_hotline_dispatch.store.guard import visible_to
from tongban_hotline_dispatch.store.reference import unit
from tongban_hotline_dispatch.store.tickets import ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measure: the numerator of what is withheld is not told, the rate would follow from it."""

    numerator: int | None
    denominator: int
    rate: Decimal | None
    is_withheld: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitLine:
    unit_code: str
    unit_name: str
    group: str
    total: Decimal | None
    base: Decimal | None
    bonus: Decimal | None
    lines: Sequence[Mapping[str, Any]]
    tier: str | None
    rank: int | None
    listed: str | None
    needs_rectification: bool
    figures: Mapping[str, Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """One thing that a figure counts: a ticket, or a fact that somebody noted."""

    ref: str
    no: int
    ticket_id: UUID | None
    ticket_no: str | None
    appeal_type: str | None
    reason: str | None
    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose figure, and which side of it."""

    unit_code: str
    measure: str
    appeal_type: str = ""
    only_met: bool | None = None  # True: the numerator; False: what is missing from it


async def assessments(reads: AsyncConnection, page: PageRequest) -> Sequence[Assessed]:
    """The latest period first."""
    order = (assessment.c.starts_on, assessment.c.id)
    query = select(assessment).order_by(*(each.desc() for each in order)).limit(page.limit)
    if page.after is not None:
        day, found_id = page.after
        query = query.where(tuple_(*order) < (date.fromisoformat(day), UUID(found_id)))
    return [_assessed(row) for row in await reads.execute(query)]


async def of_code(reads: AsyncConnection, code: str | None) -> Assessed | None:
    """The period of a code, or the latest one."""
    query = select(assessment).order_by(assessment.c.starts_on.desc(), assessment.c.id.desc())
    if code is not None:
        query = query.where(assessment.c.period_code == code)
    row = (await reads.execute(query.limit(1))).one_or_none()
    return None if row is None else _assessed(row)


async def run_of(
    reads: AsyncConnection, assessment_id: UUID, no: int | None
) -> tuple[Assessed, Run]:
    """The run asked for, or the last. Raises AssessmentNotFound."""
    query = (
        select(assessment_run, assessment.c.period_code, assessment.c.runs)
        .join_from(assessment_run, assessment)
        .where(assessment_run.c.assessment_id == assessment_id)
        .order_by(assessment_run.c.no.desc())
        .limit(1)
    )
    if no is not None:
        query = query.where(assessment_run.c.no == no)
    row = (await reads.execute(query)).one_or_none()
    if row is None:
        raise AssessmentNotFound("没有这次核算")
    run = Run(**{name: getattr(row, name) for name in Run.__dataclass_fields__})
    assessed = Assessed(id=assessment_id, period=Period.of(row.period_code), runs=row.runs)
    return assessed, run


async def unit_lines(
    reads: AsyncConnection, run_id: UUID, *, unit_code: str | None
) -> list[UnitLine]:
    """By group, the best first, without score last; one unit alone where it is given."""
    table = assessment_unit
    query = (
        select(table, unit.c.name)
        .select_from(table.outerjoin(unit, unit.c.code == table.c.unit_code))
        .where(table.c.run_id == run_id)
        .order_by(table.c.group_code, table.c.total.desc().nulls_last(), table.c.unit_code)
    )
    if unit_code is not None:
        query = query.where(table.c.unit_code == unit_code)
    rows = (await reads.execute(query)).all()
    figures = await _figures(reads, run_id, unit_code)
    return [_line(row, figures.get(row.unit_code, {})) for row in rows]


async def group_figures(reads: AsyncConnection, run_id: UUID) -> Mapping[str, Mapping[str, Figure]]:
    """Group → measure → figure, over all types."""
    table = assessment_figure
    rows = await reads.execute(
        _of_run(run_id).where(table.c.unit_code == "", table.c.appeal_type == "")
    )
    found: dict[str, dict[str, Figure]] = {}
    for row in rows:
        found.setdefault(row.group_code, {})[row.measure] = _figure(row)
    return found


async def by_type(
    reads: AsyncConnection, run_id: UUID, unit_code: str
) -> Mapping[str, Mapping[str, Figure]]:
    """Appeal type → measure → figure of one unit."""
    table = assessment_figure
    rows = await reads.execute(
        _of_run(run_id).where(table.c.unit_code == unit_code, table.c.appeal_type != "")
    )
    found: dict[str, dict[str, Figure]] = {}
    for row in rows:
        found.setdefault(row.appeal_type, {})[row.measure] = _figure(row)
    return found


async def behind(
    reads: AsyncConnection, run_id: UUID, asked: Asked, page: PageRequest, *, seen_by: Viewer
) -> list[Behind]:
    """What a figure of one unit is made of, less what is kept from the viewer; keyset by reference
    and number."""
    item = assessment_item
    counts = item.c.counts[asked.measure]
    met, due = counts[0].as_integer(), counts[1].as_integer()
    query = (
        select(item, ticket.c.ticket_no, met.label("met"), due.label("due"))
        .select_from(item.outerjoin(ticket, ticket.c.id == item.c.ticket_id))
        .where(
            item.c.run_id == run_id,
            item.c.unit_code == asked.unit_code,
            item.c.counts.op("?")(cast(asked.measure, Text)),
            or_(ticket.c.id.is_(None), visible_to(seen_by)),
        )
        .order_by(item.c.ref, item.c.no)
        .limit(page.limit)
    )
    if asked.appeal_type:
        query = query.where(item.c.appeal_type == asked.appeal_type)
    if asked.only_met is not None:
        query = query.where(met != 0 if asked.only_met else met == 0)
    if page.after is not None:
        query = query.where(tuple_(item.c.ref, item.c.no) > tuple(page.after))
    return [
        Behind(
            ref=row.ref,
            no=row.no,
            ticket_id=row.ticket_id,
            ticket_no=row.ticket_no,
            appeal_type=row.appeal_type,
            reason=row.reason,
            numerator=row.met,
            denominator=row.due,
        )
        for row in await reads.execute(query)
    ]


def _of_run(run_id: UUID) -> Select[Any]:
    return select(assessment_figure).where(assessment_figure.c.run_id == run_id)


async def _figures(
    reads: AsyncConnection, run_id: UUID, unit_code: str | None
) -> Mapping[str, Mapping[str, Figure]]:
    table = assessment_figure
    query = _of_run(run_id).where(table.c.unit_code != "", table.c.appeal_type == "")
    if unit_code is not None:
        query = query.where(table.c.unit_code == unit_code)
    found: dict[str, dict[str, Figure]] = {}
    for row in await reads.execute(query):
        found.setdefault(row.unit_code, {})[row.measure] = _figure(row)
    return found


def _figure(row: Row[Any]) -> Figure:
    return Figure(
        numerator=None if row.is_withheld else row.numerator,
        denominator=row.denominator,
        rate=row.rate,
        is_withheld=row.is_withheld,
    )


def _line(row: Row[Any], figures: Mapping[str, Figure]) -> UnitLine:
    return UnitLine(
        unit_code=row.unit_code,
        unit_name=row.name or row.unit_code,
        group=row.group_code,
        total=row.total,
        base=row.base,
        bonus=row.bonus,
        lines=row.lines,
        tier=row.tier,
        rank=row.rank,
        listed=row.listed,
        needs_rectification=row.needs_rectification,
        figures=figures,
    )


def _assessed(row: Row[Any]) -> Assessed:
    return Assessed(id=row.id, period=Period.of(row.period_code), runs=row.runs)
