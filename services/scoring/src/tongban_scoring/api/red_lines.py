"""Red-line cases over HTTP, for inspectors only: they name a member of staff."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.clock import new_id
from tongban_common.http import (
    ChangedMeanwhile,
    IfMatch,
    IfMatchMissing,
    Now,
    Paged,
    Reads,
    Router,
    Tx,
    refusals,
)
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_scoring import operations, queries
from tongban_scoring.api.bodies import EvidenceRequest
from tongban_scoring.domain.red_lines import (
    CaseState,
    DecidedAlready,
    GroundsMissing,
    NotManual,
    SamePerson,
)
from tongban_scoring.domain.rules import UnknownRule
from tongban_scoring.store import RedLineCaseNotFound, UnknownUnit, UnknownWindow
from tongban_scoring.store.ledger import Subject

router = Router(prefix="/scoring/v1/red-line-cases", tags=["红线案件"])
_VERDICT_REFUSALS = (
    RedLineCaseNotFound,
    SamePerson,
    GroundsMissing,
    DecidedAlready,
    ChangedMeanwhile,
    IfMatchMissing,
)


class SuspicionRequest(Body):
    red_line_id: str = Field(min_length=1, max_length=20)
    unit_code: str = Field(min_length=1, max_length=64)
    window_code: str | None = Field(default=None, max_length=64)
    staff_code: str = Field(min_length=1, max_length=64)
    evidence: EvidenceRequest


class CaseIdView(BaseModel):
    id: UUID
    state: CaseState


class CaseView(CaseIdView):
    red_line_id: str
    label: str
    window_code: str
    staff_code: str
    opened_at: AwareDatetime
    decided_at: AwareDatetime | None
    version: int


class CasePage(BaseModel):
    items: list[CaseView]
    next: str | None


@router.get("", summary="红线案件")
async def list_cases(
    page: Paged,
    reads: Reads,
    state: Annotated[CaseState | None, Query(description="状态")] = None,
    _: Principal = require("redline:read"),
) -> CasePage:
    found = await queries.red_line_cases(reads, state=state, page=page)
    last = found[-1] if len(found) == page.limit else None
    return CasePage(
        items=[_view(each) for each in found],
        next=last and page.next_cursor([last.opened_at.isoformat(), str(last.id)]),
    )


@router.post(
    "",
    status_code=201,
    summary="红线立案",
    responses=refusals(UnknownRule, NotManual, GroundsMissing, UnknownUnit, UnknownWindow),
)
async def open_case(
    body: SuspicionRequest,
    response: Response,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("redline:open"),
) -> CaseIdView:
    suspicion = operations.Suspicion(
        case_id=new_id(now),
        red_line_id=body.red_line_id,
        subject=Subject(unit_code=body.unit_code, window_code=body.window_code),
        staff_code=body.staff_code,
        evidence=body.evidence.value(),
        actor=who.subject,
    )
    rules = await operations.rules_at(kit, now=now)
    case = await operations.open_red_line(tx, suspicion=suspicion, rules=rules, now=now)
    response.headers["Location"] = f"/scoring/v1/red-line-cases/{case.id}"
    return CaseIdView(id=case.id, state=case.state)


@router.post("/{case_id}/uphold", summary="红线成立", responses=refusals(*_VERDICT_REFUSALS))
async def uphold(
    case_id: UUID,
    body: EvidenceRequest,
    expected: IfMatch,
    tx: Tx,
    now: Now,
    who: Principal = require("redline:decide"),
) -> CaseIdView:
    verdict = _verdict(case_id, body, expected, who, CaseState.UPHELD)
    case = await operations.decide_red_line(tx, verdict=verdict, now=now)
    return CaseIdView(id=case.id, state=case.state)


@router.post("/{case_id}/dismiss", summary="红线不成立", responses=refusals(*_VERDICT_REFUSALS))
async def dismiss(
    case_id: UUID,
    body: EvidenceRequest,
    expected: IfMatch,
    tx: Tx,
    now: Now,
    who: Principal = require("redline:decide"),
) -> CaseIdView:
    verdict = _verdict(case_id, body, expected, who, CaseState.DISMISSED)
    case = await operations.decide_red_line(tx, verdict=verdict, now=now)
    return CaseIdView(id=case.id, state=case.state)


def _verdict(
    case_id: UUID, body: EvidenceRequest, expected: int, who: Principal, state: CaseState
) -> operations.Verdict:
    return operations.Verdict(
        case_id=case_id,
        actor=who.subject,
        grounds=body.value(),
        state=state,
        seen_version=expected,
    )


def _view(line: queries.RedLineLine) -> CaseView:
    decided_at = line.decided_at
    return CaseView(
        id=line.id,
        red_line_id=line.red_line_id,
        label=line.label,
        window_code=line.window_code,
        staff_code=line.staff_code,
        state=line.state,
        opened_at=line.opened_at.astimezone(SHANGHAI),
        decided_at=None if decided_at is None else decided_at.astimezone(SHANGHAI),
        version=line.version,
    )
