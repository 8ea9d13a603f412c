"""Looking at cases over HTTP: staff see them whole, the public asks how far one has come."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.http import BadCursor, Now, Paged, Reads, Router, Tx, no_store, refusals, tag
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_common.working_days import Unit
from tongban_intake import operations, queries
from tongban_intake.api.moves import CaseView, Local, case_view
from tongban_intake.domain.case import RefusalReason, Result, Status
from tongban_intake.domain.deadlines import Clock
from tongban_intake.queries import CaseFilter, ClockView
from tongban_intake.store import CaseNotFound

router = Router(prefix="/intake/v1", tags=["办件"])


def _chosen(
    unit: Annotated[str | None, Query(max_length=64, description="办理机构编码")] = None,
    window: Annotated[str | None, Query(max_length=64, description="受理窗口编码")] = None,
    item: Annotated[str | None, Query(max_length=64, description="实施编码")] = None,
    status: Annotated[Status | None, Query(description="办件状态")] = None,
    overdue: Annotated[bool | None, Query(description="超过承诺时限")] = None,
) -> CaseFilter:
    return CaseFilter(
        unit_code=unit, window_code=window, item_code=item, status=status, is_overdue=overdue
    )


Chosen = Annotated[CaseFilter, Depends(_chosen)]


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ProgressRequest(Body):
    number: str = Field(min_length=1, max_length=50, description="办件编号")
    query_code: str = Field(min_length=1, max_length=20, description="查询码")


class MoveView(_View):
    version: int
    status: Status
    at: Local
    actor: str


class ApplicantView(_View):
    name: str
    id_type: str
    id_number: str
    phone: str


class GroundsView(_View):
    reason: RefusalReason
    text: str
    remedy: str


class DetailView(BaseModel):
    case: CaseView
    unit_name: str
    window_name: str
    is_overdue: bool
    overdue_working_days: int
    grounds: GroundsView | None
    applicant: ApplicantView
    moves: list[MoveView]


class SummaryView(_View):
    id: UUID
    number: str
    item_code: str
    item_name: str
    unit_code: str
    unit_name: str
    window_code: str
    window_name: str
    status: Status
    result: Result | None
    accepted_at: Local
    promise_due_at: Local
    is_overdue: bool
    version: int


class CasePage(BaseModel):
    items: list[SummaryView]
    next: str | None


class DayView(_View):
    day: date
    counted: bool
    number: int | None
    reason: str


class DeadlineView(BaseModel):
    clock: Clock
    start: Local
    due: Local
    amount: int
    unit: Unit
    clause: str
    calendar_version: str
    provisional: bool
    is_running: bool
    rule: str
    days: list[DayView]


class ProgressView(_View):
    number: str
    item_name: str
    unit_name: str
    window_name: str
    status: Status
    result: Result | None
    accepted_at: Local
    promise_due_at: Local
    decided_at: Local | None
    completed_at: Local | None
    delivered_at: Local | None


RECALENDARED = "按办理当时的放假安排计算，此后安排有变，不再逐日列出"


@router.get("/cases", summary="办件列表，新的在前", responses=refusals(BadCursor))
async def list_cases(
    chosen: Chosen,
    page: Paged,
    reads: Reads,
    now: Now,
    _: Principal = require("case:read"),
) -> CasePage:
    rows, following = await queries.list_cases(reads, chosen, page, now=now)
    return CasePage(items=[SummaryView.model_validate(row) for row in rows], next=following)


@router.get("/cases/{case_id}", summary="一个办件", responses=refusals(CaseNotFound))
async def one_case(
    case_id: UUID,
    response: Response,
    reads: Reads,
    kit: Parts,
    now: Now,
    _: Principal = require("case:read"),
) -> DetailView:
    calendar = await kit.calendars.current()
    detail = await queries.one_case(reads, case_id, calendar=calendar, now=now)
    who = await queries.masked_applicant(reads, case_id, Sealer(kit.secret))
    decision = detail.case.decision
    tag(response, detail.case.version)
    no_store(response)
    return DetailView(
        case=case_view(detail.case),
        unit_name=detail.unit_name,
        window_name=detail.window_name,
        is_overdue=detail.overdue.is_overdue,
        overdue_working_days=detail.overdue.working_days,
        grounds=None
        if decision is None or decision.grounds is None
        else GroundsView.model_validate(decision.grounds),
        applicant=ApplicantView.model_validate(who),
        moves=[MoveView.model_validate(move) for move in detail.moves],
    )


@router.get(
    "/cases/{case_id}/applicant",
    summary="申请人（明文；查看留痕）",
    responses=refusals(CaseNotFound),
)
async def applicant(
    case_id: UUID,
    response: Response,
    tx: Tx,
    kit: Parts,
    now: Now,
    who: Principal = require("applicant:read"),
) -> ApplicantView:
    found = await operations.see_applicant(
        tx, case_id=case_id, actor=who.subject, sealer=Sealer(kit.secret), now=now
    )
    no_store(response)
    return ApplicantView.model_validate(found)


@router.get(
    "/cases/{case_id}/deadlines",
    summary="办件的各项时限，逐日说明",
    responses=refusals(CaseNotFound),
)
async def deadlines(
    case_id: UUID,
    reads: Reads,
    kit: Parts,
    now: Now,
    _: Principal = require("case:read"),
) -> list[DeadlineView]:
    calendar = await kit.calendars.current()
    detail = await queries.one_case(reads, case_id, calendar=calendar, now=now)
    return [_deadline_view(each) for each in queries.clocks_of(detail.case, calendar)]


@router.post("/progress", summary="办件进度（公开）", responses=refusals(CaseNotFound))
async def progress(body: ProgressRequest, response: Response, reads: Reads) -> ProgressView:
    """By number and query code, in the body: neither belongs in an address that is logged."""
    row = await queries.progress(reads, number=body.number, query_code=body.query_code)
    no_store(response)
    return ProgressView.model_validate(row)


def _deadline_view(clock: ClockView) -> DeadlineView:
    term, explained = clock.term, clock.explanation
    return DeadlineView(
        clock=clock.clock,
        start=term.start_at,
        due=term.due_at,
        amount=term.limit.amount,
        unit=term.limit.unit,
        clause=term.limit.clause,
        calendar_version=term.calendar_version,
        provisional=explained is not None and explained.provisional,
        is_running=clock.is_running,
        rule=RECALENDARED if explained is None else explained.rule,
        days=[] if explained is None else [DayView.model_validate(day) for day in explained.days],
    )
