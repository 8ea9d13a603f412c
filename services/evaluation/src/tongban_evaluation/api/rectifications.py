"""The rectification of bad reviews: a list, one with its deadlines explained, four actions."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Query, Response
from pydantic import BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.http import (
    BadCursor,
    ChangedMeanwhile,
    IfMatch,
    IfMatchMissing,
    LocalTime,
    Now,
    Paged,
    Reads,
    Router,
    Tx,
    no_store,
    refusals,
    tag,
)
from tongban_common.working_days import Unit
from tongban_evaluation import operations, queries
from tongban_evaluation.api.reviews import Book, View
from tongban_evaluation.domain.deadlines import Grade, Stage
from tongban_evaluation.domain.invitation import MatterKind
from tongban_evaluation.domain.rectification import (
    Answer,
    CauseMissing,
    Findings,
    IllegalMove,
    NothingToRectify,
    NotRectified,
    Outcome,
    Rectification,
    RootCause,
    Status,
)
from tongban_evaluation.domain.review import Channel
from tongban_evaluation.operations import Act, NotYourUnit
from tongban_evaluation.queries import Wanted
from tongban_evaluation.store.rectifications import RectificationNotFound

router = Router(prefix="/evaluation/v1/rectifications", tags=["差评整改"])

Note = Annotated[str, Field(min_length=1, max_length=2000)]


class VerifyRequest(Body):
    is_factual: bool = Field(description="所述事实是否属实")
    is_reasonable: bool = Field(description="诉求是否合理")
    note: Note = Field(description="核实情况；查不属实的，写明解释意见")
    root_cause: RootCause | None = Field(default=None, description="属实的必填")
    grade: Grade | None = Field(default=None, description="属实的必填，决定整改时限")


class RectifyRequest(Body):
    measures: Note = Field(description="整改措施与结果")


class CallBackRequest(Body):
    answer: Answer
    note: Note | None = None


class MovedView(View):
    id: UUID
    status: Status
    hearing: int
    version: int
    stage: Stage | None
    due_at: LocalTime | None


class SummaryView(View):
    id: UUID
    status: Status
    hearing: int
    level: int
    unit_code: str
    unit_name: str | None
    window_code: str | None
    opened_at: LocalTime
    closed_at: LocalTime | None
    stage: Stage | None
    due_at: LocalTime | None
    is_missed: bool | None
    version: int


class SummaryPage(BaseModel):
    items: list[SummaryView]
    next: str | None


class LimitView(View):
    amount: int
    unit: Unit
    clause: str


class DayView(View):
    day: date
    counted: bool
    number: int | None
    reason: str


class ExplanationView(View):
    rule: str
    provisional: bool
    calendar_version: str
    days: list[DayView]


class ClockView(View):
    stage: Stage
    hearing: int
    start_at: LocalTime
    limit: LimitView
    due_at: LocalTime
    calendar_version: str
    stopped_at: LocalTime | None
    is_overdue: bool
    explanation: ExplanationView | None


class StepView(View):
    action: str
    at: LocalTime
    actor: str | None
    facts: dict[str, Any]


class DossierView(View):
    id: UUID
    review_id: UUID
    status: Status
    hearing: int
    level: int
    tags: list[str]
    tag_set_version: int
    comment: str | None
    channel: Channel
    submitted_at: LocalTime
    matter_kind: MatterKind
    matter_id: UUID
    title: str
    unit_code: str
    unit_name: str | None
    window_code: str | None
    is_factual: bool | None
    is_reasonable: bool | None
    finding: str | None
    root_cause: RootCause | None
    grade: Grade | None
    measures: str | None
    answer: Answer | None
    outcome: Outcome | None
    opened_at: LocalTime
    closed_at: LocalTime | None
    version: int
    clocks: list[ClockView]
    steps: list[StepView]


@router.get("", summary="差评整改列表，新的在前", responses=refusals(BadCursor))
async def list_rectifications(
    page: Paged,
    reads: Reads,
    status: Annotated[Status | None, Query(description="环节")] = None,
    unit: Annotated[str | None, Query(max_length=64, description="承办单位编码")] = None,
    who: Principal = require("rectification:read"),
) -> SummaryPage:
    scope = operations.scope_of(who)
    wanted = Wanted(unit_code=unit if scope is None else scope, status=status)
    rows, following = await queries.rectifications(reads, wanted, page)
    return SummaryPage(items=[SummaryView.model_validate(row) for row in rows], next=following)


@router.get(
    "/{rectification_id}",
    summary="一个差评整改：评价、经过、逐日说明的时限",
    responses=refusals(RectificationNotFound, NotYourUnit),
)
async def show_rectification(
    rectification_id: UUID,
    response: Response,
    reads: Reads,
    now: Now,
    book: Book,
    who: Principal = require("rectification:read"),
) -> DossierView:
    found = await queries.dossier(reads, rectification_id)
    operations.check_unit(operations.scope_of(who), found.row.unit_code)
    clocks = found.explained(await book.calendars.current(), now=now)
    tag(response, found.row.version)
    no_store(response)
    return DossierView.model_validate(
        {
            **found.row._asdict(),
            "outcome": found.outcome,
            "clocks": [ClockView.model_validate(each) for each in clocks],
            "steps": [StepView.model_validate(each) for each in found.steps],
        }
    )


def _act(permission: str) -> Any:
    """Who acts, on which version, when: the same of every action."""

    async def act(
        rectification_id: Annotated[UUID, Path()],
        expected: IfMatch,
        now: Now,
        who: Principal = require(permission),
    ) -> Act:
        return Act(
            rectification_id=rectification_id,
            expected=expected,
            actor=who.subject,
            scope=operations.scope_of(who),
            at=now,
        )

    return Depends(act)


Verifying = Annotated[Act, _act("rectification:verify")]
Rectifying = Annotated[Act, _act("rectification:rectify")]
CallingBack = Annotated[Act, _act("rectification:call_back")]
Closing = Annotated[Act, _act("rectification:close")]
_ACTION_REFUSALS = (
    RectificationNotFound,
    NotYourUnit,
    IllegalMove,
    IfMatchMissing,
    ChangedMeanwhile,
)


@router.post(
    "/{rectification_id}/verify",
    summary="核实",
    responses=refusals(*_ACTION_REFUSALS, CauseMissing),
)
async def verify(
    body: VerifyRequest,
    response: Response,
    tx: Tx,
    book: Book,
    act: Verifying,
) -> MovedView:
    findings = Findings(
        is_factual=body.is_factual,
        is_reasonable=body.is_reasonable,
        note=body.note,
        root_cause=body.root_cause,
        grade=body.grade,
    )
    return _moved(response, await operations.verify(tx, act, findings, book=book))


@router.post(
    "/{rectification_id}/rectify",
    summary="整改",
    responses=refusals(*_ACTION_REFUSALS, NothingToRectify),
)
async def rectify(
    body: RectifyRequest,
    response: Response,
    tx: Tx,
    book: Book,
    act: Rectifying,
) -> MovedView:
    return _moved(response, await operations.rectify(tx, act, body.measures, book=book))


@router.post(
    "/{rectification_id}/call-back",
    summary="回访",
    responses=refusals(*_ACTION_REFUSALS, NotRectified),
)
async def call_back(
    body: CallBackRequest,
    response: Response,
    tx: Tx,
    book: Book,
    act: CallingBack,
) -> MovedView:
    moved = await operations.call_back(tx, act, body.answer, body.note, book=book)
    return _moved(response, moved)


@router.post(
    "/{rectification_id}/close",
    summary="办结",
    responses=refusals(*_ACTION_REFUSALS),
)
async def close(response: Response, tx: Tx, book: Book, act: Closing) -> MovedView:
    return _moved(response, await operations.close(tx, act, book=book))


def _moved(response: Response, moved: Rectification) -> MovedView:
    tag(response, moved.version)
    return MovedView(
        id=moved.id,
        status=moved.status,
        hearing=moved.hearing,
        version=moved.version,
        stage=None if moved.clock is None else moved.clock.stage,
        due_at=None if moved.clock is None else moved.clock.term.due_at,
    )
