"""Reappraisals (复核) by HTTP: a unit contests a bad mark, the county reviews, the city decides."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body, FreeText
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
from tongban_common.privacy import mask_text
from tongban_hotline_dispatch.api.tickets import InForce, TicketId
from tongban_hotline_dispatch.domain.reappraisal import (
    Application,
    IllegalReappraisalMove,
    Judgement,
    NothingToContest,
    NotSignedOff,
    NotYourReappraisal,
    Reappraisal,
    SamePerson,
    State,
    TooLateToContest,
    Track,
    Verdict,
    VerdictMissing,
)
from tongban_hotline_dispatch.domain.reappraisal_rules import UnknownGround
from tongban_hotline_dispatch.domain.ticket import NotYourTicket
from tongban_hotline_dispatch.operations import acts_for, reappraisals, viewer_of
from tongban_hotline_dispatch.operations.reappraisals import Act
from tongban_hotline_dispatch.store import TicketNotFound
from tongban_hotline_dispatch.store.callback_reads import ReappraisalLine, one_reappraisal
from tongban_hotline_dispatch.store.callback_reads import reappraisals as listed
from tongban_hotline_dispatch.store.reappraisals import (
    AlreadyContested,
    NothingRated,
    ReappraisalNotFound,
)

router = Router(prefix="/hotline/v1", tags=["复核"])
ReappraisalId = Annotated[UUID, Path(description="复核标识")]
Reference = Annotated[FreeText, Field(min_length=1, max_length=200)]
_MOVES = (
    ReappraisalNotFound,
    NotYourReappraisal,
    IllegalReappraisalMove,
    ChangedMeanwhile,
    IfMatchMissing,
)


class ApplyRequest(Body):
    tracks: list[Track] = Field(min_length=1, max_length=2, description="满意度、解决情况")
    ground: str = Field(min_length=1, max_length=64, description="规则所列理由")
    words: str = Field(min_length=1, max_length=5000)
    evidence: list[Reference] = Field(default=[], max_length=50, description="证据材料的编号")
    is_signed_off: bool = Field(description="分管领导已审签")

    def application(self, by: str) -> Application:
        return Application(
            tracks=frozenset(self.tracks),
            ground=self.ground,
            words=self.words,
            evidence=tuple(self.evidence),
            by=by,
            is_signed_off=self.is_signed_off,
        )


class ReviewRequest(Body):
    is_passed: bool
    note: str | None = Field(default=None, max_length=2000)


class DecideRequest(Body):
    verdicts: dict[Track, Verdict] = Field(min_length=1)
    is_assessable: bool = Field(description="该评价是否纳入考核")
    is_reasonable: bool = Field(description="差评是否合理")
    reason: str = Field(min_length=1, max_length=5000)
    evidence: list[Reference] = Field(default=[], max_length=50)


class CountyView(BaseModel):
    is_passed: bool
    is_by_silence: bool
    at: LocalTime
    note: str | None


class CityView(BaseModel):
    verdicts: dict[Track, Verdict]
    is_assessable: bool
    is_reasonable: bool | None
    is_by_silence: bool
    at: LocalTime
    reason: str | None
    evidence: list[str]


class ReappraisalView(BaseModel):
    id: UUID
    ticket_id: UUID
    unit_code: str
    tracks: list[Track]
    ground: str
    words: str
    evidence: list[str]
    state: State
    requested_at: LocalTime
    due: LocalTime | None = Field(description="目前这一级复核的期限")
    county: CountyView | None
    city: CityView | None
    is_assessable: bool
    version: int

    @classmethod
    def of(cls, one: Reappraisal) -> "ReappraisalView":
        county, city = one.county, one.city
        return cls(
            id=one.id,
            ticket_id=one.contested.ticket_id,
            unit_code=one.contested.unit_code,
            tracks=sorted(one.application.tracks),
            ground=one.application.ground,
            words=mask_text(one.application.words),
            evidence=list(one.application.evidence),
            state=one.state,
            requested_at=one.requested_at,
            due=one.stage and one.stage.due_at,
            county=county
            and CountyView(
                is_passed=county.is_passed,
                is_by_silence=county.by is None,
                at=county.at,
                note=county.note,
            ),
            city=city
            and CityView(
                verdicts=dict(city.verdicts),
                is_assessable=city.is_assessable,
                is_reasonable=city.is_reasonable,
                is_by_silence=city.by is None,
                at=city.at,
                reason=city.reason,
                evidence=list(city.evidence),
            ),
            is_assessable=one.is_assessable,
            version=one.version,
        )


class ReappraisalLineView(ReappraisalView):
    ticket_no: str
    title: str
    unit_name: str | None

    @classmethod
    def of_line(cls, line: ReappraisalLine) -> "ReappraisalLineView":
        view = ReappraisalView.of(line.reappraisal).model_dump()
        title = mask_text(line.title)
        return cls(**view, ticket_no=line.ticket_no, title=title, unit_name=line.unit_name)


class ReappraisalPageView(BaseModel):
    items: list[ReappraisalLineView]
    next: str | None


@router.post(
    "/tickets/{ticket_id}/reappraisals",
    status_code=201,
    summary="申请复核",
    responses=refusals(
        TicketNotFound,
        NotYourTicket,
        NotYourReappraisal,
        NothingRated,
        NothingToContest,
        UnknownGround,
        NotSignedOff,
        TooLateToContest,
        AlreadyContested,
    ),
)
async def apply(
    ticket_id: TicketId,
    body: ApplyRequest,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("reappraisal:request"),
) -> ReappraisalView:
    """Within its days, on what was marked badly; a rating is contested once."""
    one = await reappraisals.apply(
        tx,
        ticket_id=ticket_id,
        given=body.application(who.subject),
        unit=acts_for(who),
        rules=rules,
        now=now,
    )
    return _told(response, one)


@router.get("/reappraisals", summary="复核申请")
async def list_them(
    page: Paged,
    reads: Reads,
    state: Annotated[State | None, Query()] = None,
    who: Principal = require("reappraisal:read"),
) -> ReappraisalPageView:
    """Newest first; a unit its own, the county's centre those of the units below it."""
    found = await listed(
        reads,
        viewer=viewer_of(who),
        state=state,
        after=page.after,
        most=page.limit,
        with_below=who.may("reappraisal:review"),
    )
    last = found[-1] if len(found) == page.limit else None
    return ReappraisalPageView(
        items=[ReappraisalLineView.of_line(each) for each in found],
        next=last and page.next_cursor(last.key),
    )


@router.get(
    "/reappraisals/{reappraisal_id}", summary="查看复核", responses=refusals(ReappraisalNotFound)
)
async def read(
    reappraisal_id: ReappraisalId,
    response: Response,
    reads: Reads,
    who: Principal = require("reappraisal:read"),
) -> ReappraisalLineView:
    line = await one_reappraisal(
        reads, reappraisal_id, seen_by=viewer_of(who), with_below=who.may("reappraisal:review")
    )
    tag(response, line.reappraisal.version)
    return ReappraisalLineView.of_line(line)


@router.post(
    "/reappraisals/{reappraisal_id}/review", summary="县级复核", responses=refusals(*_MOVES)
)
async def review(
    reappraisal_id: ReappraisalId,
    body: ReviewRequest,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("reappraisal:review"),
) -> ReappraisalView:
    """By the centre of the county (县级中心) that the unit is below, or by the city's."""
    one = await reappraisals.review(
        tx,
        _act(reappraisal_id, who, expected),
        is_passed=body.is_passed,
        note=body.note,
        rules=rules,
        now=now,
    )
    return _told(response, one)


@router.post(
    "/reappraisals/{reappraisal_id}/decide",
    summary="市级复核",
    responses=refusals(*_MOVES, VerdictMissing, SamePerson),
)
async def decide(
    reappraisal_id: ReappraisalId,
    body: DecideRequest,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("reappraisal:decide"),
) -> ReappraisalView:
    """Satisfaction and resolution apart; by another person than the county's."""
    given = Judgement(
        verdicts=body.verdicts,
        is_assessable=body.is_assessable,
        is_reasonable=body.is_reasonable,
        by=who.subject,
        at=now,
        reason=body.reason,
        evidence=tuple(body.evidence),
    )
    act = _act(reappraisal_id, who, expected)
    return _told(response, await reappraisals.decide(tx, act, given, rules=rules, now=now))


@router.post(
    "/reappraisals/{reappraisal_id}/withdraw", summary="撤回复核", responses=refusals(*_MOVES)
)
async def withdraw(
    reappraisal_id: ReappraisalId,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("reappraisal:request"),
) -> ReappraisalView:
    act = _act(reappraisal_id, who, expected)
    return _told(response, await reappraisals.withdraw(tx, act, rules=rules, now=now))


def _act(reappraisal_id: UUID, who: Principal, expected: int) -> Act:
    return Act(
        reappraisal_id=reappraisal_id,
        actor=who.subject,
        unit=acts_for(who),
        seen_version=expected,
    )


def _told(response: Response, one: Reappraisal) -> ReappraisalView:
    tag(response, one.version)
    return ReappraisalView.of(one)
