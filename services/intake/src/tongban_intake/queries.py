"""Read models for GET: lists and single views, without locks."""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.http import PageRequest
from tongban_common.privacy import Sealer, mask_name, mask_phone
from tongban_common.working_days import SHANGHAI, Explanation, WorkingCalendar
from tongban_intake.domain.case import Applicant, Case, Overdue, Status
from tongban_intake.domain.catalogue import NOT_APPLIED_FOR
from tongban_intake.domain.deadlines import Clock, Term
from tongban_intake.domain.directory import Level
from tongban_intake.store import (
    CaseNotFound,
    applicant,
    applicant_of,
    case_file,
    case_move,
    case_of,
    division,
    item,
    staff,
    unit,
    window,
)

RowPage = tuple[Sequence[Row[Any]], str | None]  # the rows of a page, the cursor of the next


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """None: whichever."""

    unit_code: str | None = None
    window_code: str | None = None
    item_code: str | None = None
    status: Status | None = None
    is_overdue: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockView:
    """One clock of a case: what it says, whether it still runs, and every day of it.

    `explanation` is None where the calendar was corrected after the clock had stopped.
    """

    clock: Clock
    term: Term
    is_running: bool
    explanation: Explanation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDetail:
    case: Case
    unit_name: str
    window_name: str
    overdue: Overdue
    moves: Sequence[Row[Any]]  # version, status, at, actor


_SUMMARY = (
    case_file.c.id,
    case_file.c.number,
    case_file.c.item_code,
    case_file.c.item_name,
    case_file.c.unit_code,
    unit.c.name.label("unit_name"),
    case_file.c.window_code,
    window.c.name.label("window_name"),
    case_file.c.status,
    case_file.c.result,
    case_file.c.accepted_at,
    case_file.c.promise_due_at,
    case_file.c.legal_due_at,
    case_file.c.delivery_due_at,
    case_file.c.decided_at,
    case_file.c.completed_at,
    case_file.c.delivered_at,
    case_file.c.version,
)
_NEWEST = (case_file.c.accepted_at, case_file.c.id)


async def list_cases(
    reads: AsyncConnection, chosen: CaseFilter, page: PageRequest, *, now: datetime
) -> RowPage:
    """Newest first."""
    statement = _with_names(select(*_SUMMARY, _is_overdue(now).label("is_overdue")))
    for condition in _conditions(chosen, now):
        statement = statement.where(condition)
    if page.after is not None:
        accepted_at, case_id = page.after
        key = (datetime.fromisoformat(accepted_at), UUID(case_id))
        statement = statement.where(tuple_(*_NEWEST) < key)
    order = [column.desc() for column in _NEWEST]
    rows = (await reads.execute(statement.order_by(*order).limit(page.limit + 1))).all()
    return _page(rows, page, lambda last: [last.accepted_at.isoformat(), str(last.id)])


async def one_case(
    reads: AsyncConnection, case_id: UUID, *, calendar: WorkingCalendar, now: datetime
) -> CaseDetail:
    """Raises CaseNotFound."""
    names = (unit.c.name.label("unit_name"), window.c.name.label("window_name"))
    statement = _with_names(select(case_file, *names)).where(case_file.c.id == case_id)
    row = (await reads.execute(statement)).one_or_none()
    if row is None:
        raise CaseNotFound("没有这个办件")
    moves = await reads.execute(
        select(case_move).where(case_move.c.case_id == case_id).order_by(case_move.c.version)
    )
    case = case_of(row)
    return CaseDetail(
        case=case,
        unit_name=row.unit_name,
        window_name=row.window_name,
        overdue=case.overdue(calendar, at=now),
        moves=moves.all(),
    )


def clocks_of(case: Case, calendar: WorkingCalendar) -> list[ClockView]:
    """Each clock explained day by day, under the calendar as it is known now."""
    terms = {Clock.PROMISE: case.promise, Clock.LEGAL: case.legal}
    if case.delivery is not None:
        terms[Clock.DELIVERY] = case.delivery
    running = case.running()
    views = []
    for clock, term in terms.items():
        explained = term.explain(calendar)
        views.append(
            ClockView(
                clock=clock,
                term=term,
                is_running=clock in running,
                explanation=explained if explained.due == term.due_at else None,
            )
        )
    return views


async def masked_applicant(reads: AsyncConnection, case_id: UUID, sealer: Sealer) -> Applicant:
    """Who applied, as everybody who may read the case sees it. Raises CaseNotFound."""
    rows = await reads.execute(select(applicant).where(applicant.c.case_id == case_id))
    row = rows.one_or_none()
    if row is None:
        raise CaseNotFound("没有这个办件")
    who = applicant_of(row, sealer)
    return Applicant(
        name=mask_name(who.name),
        id_type=who.id_type,
        id_number=mask_phone(who.id_number),  # the first three and the last four
        phone=mask_phone(who.phone),
    )


async def progress(reads: AsyncConnection, *, number: str, query_code: str) -> Row[Any]:
    """For the public. A wrong code and an unknown number are told apart by nobody."""
    statement = _with_names(select(*_SUMMARY, case_file.c.query_code))
    found = await reads.execute(statement.where(case_file.c.number == number.upper()))
    row: Row[Any] | None = found.one_or_none()
    expected = "" if row is None else row.query_code
    matches = hmac.compare_digest(expected.encode(), query_code.upper().encode())
    if row is None or not matches:
        raise CaseNotFound("办件编号或者查询码不正确")
    return row


async def list_divisions(reads: AsyncConnection, page: PageRequest) -> RowPage:
    return await _by_code(reads, select(division), division.c.code, page)


async def list_units(reads: AsyncConnection, page: PageRequest, *, level: Level | None) -> RowPage:
    statement = select(unit)
    if level is not None:
        statement = statement.where(unit.c.level == level)
    return await _by_code(reads, statement, unit.c.code, page)


async def list_windows(
    reads: AsyncConnection, page: PageRequest, *, unit_code: str | None
) -> RowPage:
    statement = select(window)
    if unit_code is not None:
        statement = statement.where(window.c.unit_code == unit_code)
    return await _by_code(reads, statement, window.c.code, page)


async def list_staff(
    reads: AsyncConnection, page: PageRequest, *, unit_code: str | None
) -> RowPage:
    statement = select(staff)
    if unit_code is not None:
        statement = statement.where(staff.c.unit_code == unit_code)
    return await _by_code(reads, statement, staff.c.code, page)


async def list_items(reads: AsyncConnection, page: PageRequest, *, now: datetime) -> RowPage:
    """What may be applied for today: the version in force of each item, unless it is cancelled."""
    today = now.astimezone(SHANGHAI).date()
    newest = (
        select(item)
        .where(item.c.published_on <= today)
        .ext(distinct_on(item.c.code))
        .order_by(item.c.code, item.c.version.desc())
        .subquery()
    )
    open_today = select(newest).where(
        or_(newest.c.cancelled_on.is_(None), newest.c.cancelled_on > today),
        newest.c.type.not_in(NOT_APPLIED_FOR),
    )
    return await _by_code(reads, open_today, newest.c.code, page)


async def _by_code(
    reads: AsyncConnection, statement: Select[Any], code: ColumnElement[str], page: PageRequest
) -> RowPage:
    if page.after is not None:
        statement = statement.where(code > page.after[0])
    rows = (await reads.execute(statement.order_by(code).limit(page.limit + 1))).all()
    return _page(rows, page, lambda last: [last.code])


def _page(
    rows: Sequence[Row[Any]], page: PageRequest, key: Callable[[Row[Any]], list[object]]
) -> RowPage:
    """One row more than the page was asked for: is there another page?"""
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    return shown, page.next_cursor(key(shown[-1])) if more else None


def _with_names(statement: Select[Any]) -> Select[Any]:
    return statement.join(unit, unit.c.code == case_file.c.unit_code).join(
        window, window.c.code == case_file.c.window_code
    )


def _is_overdue(now: datetime) -> ColumnElement[bool]:
    return func.coalesce(case_file.c.completed_at, now) > case_file.c.promise_due_at


def _conditions(chosen: CaseFilter, now: datetime) -> list[ColumnElement[bool]]:
    equal = {
        case_file.c.unit_code: chosen.unit_code,
        case_file.c.window_code: chosen.window_code,
        case_file.c.item_code: chosen.item_code,
        case_file.c.status: chosen.status,
    }
    conditions = [column == value for column, value in equal.items() if value is not None]
    if chosen.is_overdue is not None:
        conditions.append(_is_overdue(now) == chosen.is_overdue)
    return conditions
