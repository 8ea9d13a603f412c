"""Exclusions by HTTP: propose, hear, decide, withdraw, draw a sample, look at it."""

from datetime import date
from typing import Annotated
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
from tongban_hotline_dispatch.domain.exclusions import (
    BadSeed,
    EvidenceMissing,
    Exclusion,
    HearingNeeded,
    IllegalExclusionMove,
    OwnUnit,
    Person,
    SamePerson,
    State,
    UnknownExclusionReason,
)
from tongban_hotline_dispatch.domain.periods import BadPeriod, NotBegun, Period
from tongban_hotline_dispatch.domain.ticket import NotYourTicket
from tongban_hotline_dispatch.operations import acts_for, assessment, exclusions, viewer_of
from tongban_hotline_dispatch.operations.exclusions import Lot, Proposal, Turn
from tongban_hotline_dispatch.store import ExclusionNotFound, TicketNotFound
from tongban_hotline_dispatch.store import exclusions as reading
from tongban_hotline_dispatch.store.exclusions import AlreadyDrawn, AlreadyProposed, NotDrawn

router = Router(prefix="/hotline/v1/exclusions", tags=["不计入考核"])
audits = Router(prefix="/hotline/v1/exclusion-audits", tags=["不计入考核"])
ExclusionId = Annotated[UUID, Path(description="申请标识")]
_MOVES = (ExclusionNotFound, IllegalExclusionMove, ChangedMeanwhile, IfMatchMissing)
_PANEL = (*_MOVES, SamePerson, OwnUnit)


class ProposeRequest(Body):
    ticket_id: UUID
    unit_code: str | None = Field(default=None, min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=64, description="规则所列情形")
    grounds: str = Field(min_length=1, max_length=5000, description="事实和依据")
    evidence: list[str] = Field(default_factory=list, max_length=50, description="证据材料的编号")


class HearingRequest(Body):
    on: date = Field(description="听证日期")


class WordsRequest(Body):
    words: str = Field(min_length=1, max_length=5000)


class DrawRequest(Body):
    period: str = Field(min_length=4, max_length=10)
    seed: str | None = Field(default=None, min_length=1, max_length=64, description="抽样种子")


class FindingRequest(Body):
    is_right: bool
    note: str = Field(min_length=1, max_length=2000)


class MoveView(BaseModel):
    act: str
    at: LocalTime
    actor: str


class ExclusionView(BaseModel):
    id: UUID
    ticket_id: UUID
    unit_code: str
    reason: str
    grounds: str
    evidence: list[str]
    state: State
    proposed_at: LocalTime
    hearing_on: date | None
    hearing_record: str | None
    decided_at: LocalTime | None
    note: str | None
    version: int

    @classmethod
    def of(cls, each: Exclusion) -> "ExclusionView":
        return cls(
            id=each.id,
            ticket_id=each.ticket_id,
            unit_code=each.unit_code,
            reason=each.reason,
            grounds=each.grounds,
            evidence=list(each.evidence),
            state=each.state,
            proposed_at=each.proposed_at,
            hearing_on=each.hearing_on,
            hearing_record=each.hearing_record,
            decided_at=each.decided_at,
            note=each.note,
            version=each.version,
        )


class ExclusionInFull(ExclusionView):
    history: list[MoveView]


class ExclusionPage(BaseModel):
    items: list[ExclusionView]
    next: str | None


class FindingView(BaseModel):
    exclusion_id: UUID
    result: str | None
    note: str | None
    audited_at: LocalTime | None


class AuditView(BaseModel):
    period_code: str
    seed: str
    share: str
    population: list[UUID]
    drawn_at: LocalTime
    items: list[FindingView]


@router.post(
    "",
    status_code=201,
    summary="申请不计入考核",
    responses=refusals(
        TicketNotFound,
        NotYourTicket,
        UnknownExclusionReason,
        EvidenceMissing,
        AlreadyProposed,
        NoPolicy,
    ),
)
async def propose(
    body: ProposeRequest,
    response: Response,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("exclusion:propose"),
) -> ExclusionView:
    """A unit for itself; the hub for the unit that it names."""
    given = Proposal(
        ticket_id=body.ticket_id,
        unit_code=acts_for(who) or body.unit_code or "",
        reason=body.reason,
        grounds=body.grounds,
        evidence=tuple(body.evidence),
    )
    standard = await assessment.standard_of(kit, now.astimezone(SHANGHAI).date())
    new = await exclusions.propose(tx, given, by=_person(who), standard=standard, now=now)
    return _told(response, new)


@router.get("", summary="不计入考核的申请")
async def list_exclusions(
    page: Paged,
    reads: Reads,
    state: State | None = None,
    unit: Annotated[str | None, Query(max_length=64)] = None,
    who: Principal = require("assessment:read"),
) -> ExclusionPage:
    found = await reading.listed(reads, page, seen_by=viewer_of(who), unit=unit, state=state)
    last = found[-1] if len(found) == page.limit else None
    key = None if last is None else [last.proposed_at.isoformat(), str(last.id)]
    return ExclusionPage(
        items=[ExclusionView.of(each) for each in found],
        next=None if key is None else page.next_cursor(key),
    )


@router.get("/{exclusion_id}", summary="一项申请", responses=refusals(ExclusionNotFound))
async def read(
    exclusion_id: ExclusionId,
    response: Response,
    reads: Reads,
    who: Principal = require("assessment:read"),
) -> ExclusionInFull:
    found, moves = await reading.one(reads, exclusion_id, seen_by=viewer_of(who))
    tag(response, found.version)
    return ExclusionInFull(
        **ExclusionView.of(found).model_dump(),
        history=[MoveView(act=row.act, at=row.at, actor=row.actor) for row in moves],
    )


@router.post("/{exclusion_id}/hearing", summary="决定听证", responses=refusals(*_PANEL))
async def open_hearing(
    exclusion_id: ExclusionId,
    body: HearingRequest,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    who: Principal = require("exclusion:decide"),
) -> ExclusionView:
    turn = _turn(exclusion_id, who, expected)
    return _told(response, await exclusions.open_hearing(tx, turn=turn, on=body.on, now=now))


@router.post("/{exclusion_id}/hearing/held", summary="听证结束", responses=refusals(*_PANEL))
async def hold_hearing(
    exclusion_id: ExclusionId,
    body: WordsRequest,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    who: Principal = require("exclusion:decide"),
) -> ExclusionView:
    turn = _turn(exclusion_id, who, expected)
    moved = await exclusions.hold_hearing(tx, turn=turn, record=body.words, now=now)
    return _told(response, moved)


@router.post(
    "/{exclusion_id}/approve",
    summary="同意排除",
    responses=refusals(*_PANEL, HearingNeeded, NoPolicy),
)
async def approve(
    exclusion_id: ExclusionId,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("exclusion:decide"),
) -> ExclusionView:
    """Two people, one after the other."""
    standard = await assessment.standard_of(kit, now.astimezone(SHANGHAI).date())
    turn = _turn(exclusion_id, who, expected)
    return _told(response, await exclusions.approve(tx, turn=turn, standard=standard, now=now))


@router.post("/{exclusion_id}/reject", summary="不予排除", responses=refusals(*_PANEL))
async def reject(
    exclusion_id: ExclusionId,
    body: WordsRequest,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    who: Principal = require("exclusion:decide"),
) -> ExclusionView:
    turn = _turn(exclusion_id, who, expected)
    return _told(response, await exclusions.reject(tx, turn=turn, note=body.words, now=now))


@router.post(
    "/{exclusion_id}/withdraw", summary="撤回申请", responses=refusals(*_MOVES, NotYourTicket)
)
async def withdraw(
    exclusion_id: ExclusionId,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    who: Principal = require("exclusion:propose"),
) -> ExclusionView:
    turn = _turn(exclusion_id, who, expected)
    return _told(response, await exclusions.withdraw(tx, turn=turn, now=now))


@router.post(
    "/{exclusion_id}/audit", summary="核查抽中的申请", responses=refusals(*_PANEL, NotDrawn)
)
async def look_at(
    exclusion_id: ExclusionId,
    body: FindingRequest,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    who: Principal = require("exclusion:audit"),
) -> ExclusionView:
    """By somebody who agreed to nothing."""
    turn = _turn(exclusion_id, who, expected)
    moved = await exclusions.look_at(tx, turn=turn, is_right=body.is_right, note=body.note, now=now)
    return _told(response, moved)


@audits.post(
    "",
    status_code=201,
    summary="抽样",
    responses=refusals(BadPeriod, NotBegun, BadSeed, AlreadyDrawn, NoPolicy),
)
async def draw(
    body: DrawRequest,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("exclusion:audit"),
) -> AuditView:
    """Once for a period; ascending SHA-256 of `seed:id`, so anybody can draw the same again."""
    period = Period.of(body.period)
    standard = await assessment.standard_of(kit, period.ends_on)
    drawn, chosen = await exclusions.draw(
        tx, period=period, lot=Lot(by=who.subject, seed=body.seed), standard=standard, now=now
    )
    return AuditView(
        period_code=drawn.period_code,
        seed=drawn.seed,
        share=str(drawn.share),
        population=list(drawn.population),
        drawn_at=drawn.drawn_at,
        items=[
            FindingView(exclusion_id=each, result=None, note=None, audited_at=None)
            for each in chosen
        ],
    )


@audits.get("/{period_code}", summary="一期的抽样核查", responses=refusals(NotDrawn))
async def read_audit(
    period_code: Annotated[str, Path(max_length=10)],
    reads: Reads,
    _: Principal = require("exclusion:audit"),
) -> AuditView:
    found, items = await reading.audits(reads, period_code)
    return AuditView(
        period_code=found.period_code,
        seed=found.seed,
        share=str(found.share.normalize()),
        population=found.population,
        drawn_at=found.drawn_at,
        items=[
            FindingView(
                exclusion_id=row.exclusion_id,
                result=row.result,
                note=row.note,
                audited_at=row.audited_at,
            )
            for row in items
        ],
    )


def _person(who: Principal) -> Person:
    return Person(subject=who.subject, unit=who.unit)


def _turn(exclusion_id: UUID, who: Principal, expected: int) -> Turn:
    return Turn(exclusion_id=exclusion_id, by=_person(who), seen_version=expected)


def _told(response: Response, each: Exclusion) -> ExclusionView:
    tag(response, each.version)
    return ExclusionView.of(each)
