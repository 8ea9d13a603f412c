"""Assessments by HTTP: run, run again, read by group and unit, see what a figure is made of."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.http import (
    ChangedMeanwhile,
    IfMatch,
    IfMatchMissing,
    LocalTime,
    Now,
    Paged,
    Reads,
    Router,
    Tx,
    refusals,
    tag,
)
from tongban_common.policies import NoPolicy
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.domain.assessment import UnknownGroup, UnknownInput
from tongban_hotline_dispatch.domain.periods import BadPeriod, NotBegun, Period, PeriodType
from tongban_hotline_dispatch.operations import acts_for, assessment, viewer_of
from tongban_hotline_dispatch.operations.assessment import NotByHand, Wanted
from tongban_hotline_dispatch.store import AssessmentNotFound, UnitNotFound
from tongban_hotline_dispatch.store import assessment_reads as reading
from tongban_hotline_dispatch.store.assessment import AlreadyAssessed, Assessed, Noted, Run
from tongban_hotline_dispatch.store.assessment_reads import Asked, Figure, UnitLine

router = Router(prefix="/hotline/v1/assessments", tags=["考核"])
others = Router(prefix="/hotline/v1", tags=["考核"])
AssessmentId = Annotated[UUID, Path(description="考核标识")]
UnitCode = Annotated[str, Path(max_length=64, description="承办单位编码")]
RunNo = Annotated[int | None, Query(alias="run", ge=1, le=1_000_000, description="第几次核算")]


class Side(StrEnum):
    NUMERATOR = "numerator"
    DENOMINATOR = "denominator"
    MISSING = "missing"  # in the denominator, and not in the numerator


ONLY_MET = {Side.NUMERATOR: True, Side.DENOMINATOR: None, Side.MISSING: False}


class RunRequest(Body):
    policy_version: int | None = Field(default=None, ge=1, lt=2**31, description="考核办法版本")


class AssessRequest(RunRequest):
    period: str = Field(
        min_length=4, max_length=10, description="2026-09-21、2026-09、2026Q3、2026"
    )


class InputRequest(Body):
    kind: str = Field(min_length=1, max_length=64)
    unit_code: str = Field(min_length=1, max_length=64)
    on_day: date
    ref: str = Field(
        min_length=1, max_length=64, pattern=r"^[\w〔〕（）()./:-]+$", description="文号"
    )


class NotedView(BaseModel):
    is_new: bool


class GroupRequest(Body):
    group: str = Field(min_length=1, max_length=32)


class AssessmentView(BaseModel):
    id: UUID
    period_type: PeriodType
    period_code: str
    starts_on: date
    ends_on: date
    runs: int

    @classmethod
    def of(cls, found: Assessed) -> "AssessmentView":
        return cls(**_period(found))


class RunView(AssessmentView):
    run: int
    policy_version: int
    mode: str
    as_of: LocalTime
    watermark: dict[str, int]


class FigureView(BaseModel):
    numerator: int | None
    denominator: int
    rate: str | None
    is_withheld: bool

    @classmethod
    def of(cls, figure: Figure) -> "FigureView":
        return cls(
            numerator=figure.numerator,
            denominator=figure.denominator,
            rate=_text(figure.rate),
            is_withheld=figure.is_withheld,
        )


Figures = dict[str, FigureView]


class UnitView(BaseModel):
    unit_code: str
    unit_name: str
    group: str
    total: str | None
    base: str | None
    bonus: str | None
    lines: list[dict[str, str | int]]
    tier: str | None
    rank: int | None
    listed: str | None
    needs_rectification: bool
    figures: Figures

    @classmethod
    def of(cls, line: UnitLine) -> "UnitView":
        return cls(**_unit(line))


class WholeView(RunView):
    groups: dict[str, Figures]
    units: list[UnitView]


class UnitInFull(UnitView):
    by_type: dict[str, Figures]


class BehindView(BaseModel):
    ref: str
    ticket_id: UUID | None
    ticket_no: str | None
    appeal_type: str | None
    excluded_for: str | None
    numerator: int
    denominator: int


class BehindPage(BaseModel):
    items: list[BehindView]
    next: str | None


class AssessmentPage(BaseModel):
    items: list[AssessmentView]
    next: str | None


@router.post(
    "",
    status_code=201,
    summary="核算一期",
    responses=refusals(BadPeriod, NotBegun, NoPolicy, AlreadyAssessed),
)
async def assess(
    body: AssessRequest,
    response: Response,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("assessment:run"),
) -> RunView:
    period = Period.of(body.period)
    standard = await assessment.standard_of(kit, period.ends_on, body.policy_version)
    wanted = Wanted(actor=who.subject)
    assessed, run = await assessment.assess(
        tx, period=period, wanted=wanted, standard=standard, now=now
    )
    tag(response, assessed.runs)
    return _run_view(assessed, run)


@router.post(
    "/{assessment_id}/recompute",
    summary="重新核算",
    responses=refusals(AssessmentNotFound, NoPolicy, ChangedMeanwhile, IfMatchMissing),
)
async def recompute(
    assessment_id: AssessmentId,
    body: RunRequest,
    expected: IfMatch,
    response: Response,
    reads: Reads,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("assessment:run"),
) -> RunView:
    """The version of the policy that was in force on the period's last day, unless one is named."""
    known, _ = await reading.run_of(reads, assessment_id, None)
    standard = await assessment.standard_of(kit, known.period.ends_on, body.policy_version)
    assessed, run = await assessment.recompute(
        tx,
        assessment_id=assessment_id,
        wanted=Wanted(actor=who.subject, seen_runs=expected),
        standard=standard,
        now=now,
    )
    tag(response, assessed.runs)
    return _run_view(assessed, run)


@router.get("", summary="各期考核")
async def list_assessments(
    page: Paged, reads: Reads, _: Principal = require("assessment:read")
) -> AssessmentPage:
    found = await reading.assessments(reads, page)
    last = found[-1] if len(found) == page.limit else None
    key = None if last is None else [last.period.starts_on.isoformat(), str(last.id)]
    return AssessmentPage(
        items=[AssessmentView.of(each) for each in found],
        next=None if key is None else page.next_cursor(key),
    )


@router.get("/{assessment_id}", summary="一期考核", responses=refusals(AssessmentNotFound))
async def read(
    assessment_id: AssessmentId,
    response: Response,
    reads: Reads,
    no: RunNo = None,
    who: Principal = require("assessment:read"),
) -> WholeView:
    """By group; a unit sees its own line. The last run, unless another is asked for."""
    assessed, run = await reading.run_of(reads, assessment_id, no)
    mine = acts_for(who)
    groups = {} if mine else await reading.group_figures(reads, run.id)
    lines = await reading.unit_lines(reads, run.id, unit_code=mine)
    tag(response, assessed.runs)
    return WholeView(
        **_run_view(assessed, run).model_dump(),
        groups={code: _figures(each) for code, each in groups.items()},
        units=[UnitView.of(line) for line in lines],
    )


@router.get(
    "/{assessment_id}/units/{unit_code}",
    summary="一个单位的考核",
    responses=refusals(AssessmentNotFound),
)
async def read_unit(
    assessment_id: AssessmentId,
    unit_code: UnitCode,
    reads: Reads,
    no: RunNo = None,
    who: Principal = require("assessment:read"),
) -> UnitInFull:
    assessment.check_own(who, unit_code)
    _, run = await reading.run_of(reads, assessment_id, no)
    lines = await reading.unit_lines(reads, run.id, unit_code=unit_code)
    if not lines:
        raise AssessmentNotFound("该单位本期没有考核结果")
    types = await reading.by_type(reads, run.id, unit_code)
    return UnitInFull(
        **_unit(lines[0]), by_type={kind: _figures(each) for kind, each in types.items()}
    )


@router.get(
    "/{assessment_id}/units/{unit_code}/figures/{measure}/tickets",
    summary="指标所依据的工单",
    responses=refusals(AssessmentNotFound),
)
async def behind(
    assessment_id: AssessmentId,
    unit_code: UnitCode,
    measure: Annotated[str, Path(pattern=r"^[a-z_]{1,40}$", description="指标或者加减分项")],
    page: Paged,
    reads: Reads,
    side: Side = Side.DENOMINATOR,
    appeal_type: AppealType | None = None,
    no: RunNo = None,
    who: Principal = require("assessment:read"),
) -> BehindPage:
    assessment.check_own(who, unit_code)
    _, run = await reading.run_of(reads, assessment_id, no)
    asked = Asked(
        unit_code=unit_code,
        measure=measure,
        appeal_type=appeal_type or "",
        only_met=ONLY_MET[side],
    )
    found = await reading.behind(reads, run.id, asked, page, seen_by=viewer_of(who))
    last = found[-1] if len(found) == page.limit else None
    return BehindPage(
        items=[
            BehindView(
                ref=each.ref,
                ticket_id=each.ticket_id,
                ticket_no=each.ticket_no,
                appeal_type=each.appeal_type,
                excluded_for=each.reason,
                numerator=each.numerator,
                denominator=each.denominator,
            )
            for each in found
        ],
        next=None if last is None else page.next_cursor([last.ref, last.no]),
    )


@others.post(
    "/assessment-inputs",
    status_code=201,
    summary="记录考核事实",
    responses=refusals(UnknownInput, NotByHand, UnitNotFound),
)
async def note(
    body: InputRequest, tx: Tx, now: Now, who: Principal = require("assessment:note")
) -> NotedView:
    """What people establish: a leak, thanks, an adopted suggestion; each with its document."""
    fact = Noted(kind=body.kind, unit_code=body.unit_code, on_day=body.on_day, ref=body.ref)
    is_new = await assessment.note_by_hand(tx, fact, by=who.subject, now=now)
    return NotedView(is_new=is_new)


@others.put(
    "/assessment-groups/{unit_code}",
    status_code=204,
    summary="单位的考核分组",
    responses=refusals(UnknownGroup, UnitNotFound, NoPolicy),
)
async def put_into_group(
    unit_code: UnitCode,
    body: GroupRequest,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("assessment:run"),
) -> None:
    standard = await assessment.standard_of(kit, now.astimezone(SHANGHAI).date())
    await assessment.put_into_group(
        tx, unit_code=unit_code, group=body.group, standard=standard, by=who.subject, now=now
    )


def _run_view(assessed: Assessed, run: Run) -> RunView:
    return RunView(
        **_period(assessed),
        run=run.no,
        policy_version=run.policy_version,
        mode=run.mode,
        as_of=run.as_of,
        watermark=dict(run.watermark),
    )


def _period(found: Assessed) -> dict[str, Any]:
    period = found.period
    return {
        "id": found.id,
        "period_type": period.type,
        "period_code": period.code,
        "starts_on": period.starts_on,
        "ends_on": period.ends_on,
        "runs": found.runs,
    }


def _unit(line: UnitLine) -> dict[str, Any]:
    return {
        "unit_code": line.unit_code,
        "unit_name": line.unit_name,
        "group": line.group,
        "total": _text(line.total),
        "base": _text(line.base),
        "bonus": _text(line.bonus),
        "lines": [dict(each) for each in line.lines],
        "tier": line.tier,
        "rank": line.rank,
        "listed": line.listed,
        "needs_rectification": line.needs_rectification,
        "figures": _figures(line.figures),
    }


def _figures(found: Any) -> Figures:
    return {measure: FigureView.of(each) for measure, each in found.items()}


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
