"""Supervision by HTTP: list, one, issue, answer, decide, close; cards; accountability clues."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Query, Response
from pydantic import Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
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
    tag,
)
from tongban_hotline_dispatch.api.supervision_views import (
    SupervisionLineView,
    SupervisionPageView,
    SupervisionRecordView,
    SupervisionView,
)
from tongban_hotline_dispatch.api.tickets import InForce
from tongban_hotline_dispatch.domain.supervision import (
    AlreadyAnswered,
    IllegalStep,
    NeedsTwoPeople,
    NoTarget,
    NotATarget,
    NotByHand,
    Order,
    Supervision,
    SupervisionState,
)
from tongban_hotline_dispatch.domain.supervision_cards import (
    IllegalCardStep,
    JudgeInOwnCause,
    NotYourCard,
    TooLateToContest,
)
from tongban_hotline_dispatch.domain.supervision_rules import Form, Kind, Level, UnknownCause
from tongban_hotline_dispatch.operations import acts_for, viewer_of
from tongban_hotline_dispatch.operations.supervision import (
    SupervisionDesk,
    Visit,
    issue,
    propose_clue,
)
from tongban_hotline_dispatch.operations.supervision_timers import known
from tongban_hotline_dispatch.store import TicketNotFound, UnitNotFound
from tongban_hotline_dispatch.store import supervision_reads as reading
from tongban_hotline_dispatch.store.supervision import SupervisionNotFound
from tongban_hotline_dispatch.store.supervision_cards import CardNotFound

router = Router(prefix="/hotline/v1/supervisions", tags=["督办"])
SupervisionId = Annotated[UUID, Path(description="督办件标识")]
CardId = Annotated[UUID, Path(description="黄牌、红牌标识")]
Code = Annotated[str, Field(min_length=1, max_length=64)]
_STEP = (SupervisionNotFound, IllegalStep, ChangedMeanwhile, IfMatchMissing)
_CARD = (*_STEP, CardNotFound, IllegalCardStep)
_TARGETS = (UnitNotFound, TicketNotFound, UnknownCause, NoTarget)


class _TargetsRequest(Body):
    unit_codes: list[Code] = Field(default=[], max_length=20, description="空：工单的主办单位")
    ticket_ids: list[UUID] = Field(default=[], max_length=100, description="所涉工单")
    words: str | None = Field(default=None, max_length=2000, description="督办要求")

    def order(self, cause: str, clause: str, by: str) -> Order:
        return Order(
            issuer=by,
            cause=cause,
            legal_basis=clause,
            units=tuple(dict.fromkeys(self.unit_codes)),
            ticket_ids=tuple(self.ticket_ids),
            words=self.words or None,
        )


class SupervisionIssueRequest(_TargetsRequest):
    level: Level = Field(description="U1、S1至S4")
    cause: Code = Field(description="规则所列事由")
    has_card: bool = Field(default=False, description="按该层级发牌")


class InspectionRequest(_TargetsRequest):
    form: Form = Field(description="督查方式")
    cause: Code = Field(description="规则所列事由")


class ClueRequest(_TargetsRequest):
    ground: Code = Field(description="规则所列问责情形")


class SupervisionAnswerRequest(Body):
    text: str = Field(min_length=1, max_length=20_000, description="办理情况和原因")


class SupervisionNoteRequest(Body):
    note: str | None = Field(default=None, max_length=2000, description="意见")


class CardContestRequest(Body):
    words: str = Field(min_length=1, max_length=5000, description="申诉理由")


class CardDecisionRequest(SupervisionNoteRequest):
    is_revoked: bool = Field(description="撤销")


class CardWaiveRequest(SupervisionNoteRequest):
    reason: Code = Field(description="规则所列免除事由")


def _desk(permission: str) -> Any:
    async def desk(
        supervision_id: SupervisionId,
        expected: IfMatch,
        rules: InForce,
        tx: Tx,
        now: Now,
        who: Principal = require(permission),
    ) -> SupervisionDesk:
        visit = Visit(
            supervision_id=supervision_id,
            actor=who.subject,
            unit=acts_for(who),
            seen_version=expected,
        )
        return SupervisionDesk(tx, visit=visit, rules=rules, now=now)

    return Depends(desk)


Answering = Annotated[SupervisionDesk, _desk("supervision:answer")]
Deciding = Annotated[SupervisionDesk, _desk("supervision:decide")]
Judging = Annotated[SupervisionDesk, _desk("accountability:decide")]
Contesting = Annotated[SupervisionDesk, _desk("card:contest")]
DecidingCards = Annotated[SupervisionDesk, _desk("card:decide")]


@router.get("", summary="督办件列表")
async def list_supervisions(
    page: Paged,
    reads: Reads,
    now: Now,
    kind: Annotated[Kind | None, Query(description="催办、督办、督查")] = None,
    level: Annotated[Level | None, Query(description="层级")] = None,
    state: Annotated[SupervisionState | None, Query(description="状态")] = None,
    unit: Annotated[str | None, Query(max_length=64, description="被督办单位编码")] = None,
    ticket: Annotated[UUID | None, Query(description="所涉工单标识")] = None,
    who: Principal = require("supervision:read"),
) -> SupervisionPageView:
    filters = reading.Filters(
        unit_code=unit,
        seen_by=acts_for(who),
        kind=kind,
        level=level,
        state=state,
        ticket_id=ticket,
    )
    found = await reading.lines(reads, filters=filters, page=page)
    last = found[-1] if len(found) == page.limit else None
    return SupervisionPageView(
        items=[SupervisionLineView.of(each, now=now) for each in found],
        next=last and page.next_cursor(last.key),
    )


@router.get(
    "/{supervision_id}",
    summary="督办件、通知、黄牌红牌和经过",
    responses=refusals(SupervisionNotFound),
)
async def one(
    supervision_id: SupervisionId,
    response: Response,
    reads: Reads,
    now: Now,
    who: Principal = require("supervision:read"),
) -> SupervisionRecordView:
    found = await reading.one(reads, supervision_id, viewer=viewer_of(who))
    tag(response, found.supervision.version)
    return SupervisionRecordView.of_record(found, now=now)


@router.post("", status_code=201, summary="下达督办", responses=refusals(*_TARGETS, NotByHand))
async def issue_by_hand(
    body: SupervisionIssueRequest,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("supervision:issue"),
) -> SupervisionView:
    clause = known(rules).cause(body.cause).clause
    order = replace(body.order(body.cause, clause, who.subject), level=body.level)
    made = await issue(tx, order, rules=rules, now=now, has_card=body.has_card)
    return _made(made, response, now)


@router.post("/inspections", status_code=201, summary="开展督查", responses=refusals(*_TARGETS))
async def inspect(
    body: InspectionRequest,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("supervision:inspect"),
) -> SupervisionView:
    """政府督查工作条例第七条: only by an authorised actor, which the permission stands for."""
    known(rules).cause(body.cause)
    clause = known(rules).forms[body.form].clause
    order = replace(body.order(body.cause, clause, who.subject), form=body.form)
    made = await issue(tx, order, rules=rules, now=now, has_card=False)
    return _made(made, response, now)


@router.post(
    "/accountability", status_code=201, summary="提出问责线索", responses=refusals(*_TARGETS)
)
async def propose(
    body: ClueRequest,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("accountability:propose"),
) -> SupervisionView:
    """Goes out only when another person approves."""
    clause = known(rules).ground(body.ground).clause
    order = body.order(body.ground, clause, who.subject)
    return _made(await propose_clue(tx, order, rules=rules, now=now), response, now)


@router.post(
    "/{supervision_id}/approve",
    summary="批准移送问责线索",
    responses=refusals(*_STEP, NeedsTwoPeople),
)
async def approve(
    body: SupervisionNoteRequest, response: Response, now: Now, desk: Judging
) -> SupervisionView:
    return _done(await desk.judge_clue(is_approved=True, note=body.note), response, now)


@router.post(
    "/{supervision_id}/refuse",
    summary="不予移送问责线索",
    responses=refusals(*_STEP, NeedsTwoPeople),
)
async def refuse(
    body: SupervisionNoteRequest, response: Response, now: Now, desk: Judging
) -> SupervisionView:
    return _done(await desk.judge_clue(is_approved=False, note=body.note), response, now)


@router.post(
    "/{supervision_id}/answer",
    summary="回复督办",
    responses=refusals(*_STEP, NotATarget, AlreadyAnswered),
)
async def answer(
    body: SupervisionAnswerRequest, response: Response, now: Now, desk: Answering
) -> SupervisionView:
    return _done(await desk.answer(body.text), response, now)


@router.post("/{supervision_id}/accept", summary="认可回复", responses=refusals(*_STEP))
async def accept(
    body: SupervisionNoteRequest, response: Response, now: Now, desk: Deciding
) -> SupervisionView:
    return _done(await desk.decide(is_accepted=True, note=body.note), response, now)


@router.post("/{supervision_id}/reject", summary="退回回复", responses=refusals(*_STEP))
async def reject(
    body: SupervisionNoteRequest, response: Response, now: Now, desk: Deciding
) -> SupervisionView:
    """A new limit to answer; the ladder of its tickets goes on."""
    return _done(await desk.decide(is_accepted=False, note=body.note), response, now)


@router.post("/{supervision_id}/close", summary="督办办结", responses=refusals(*_STEP))
async def close(
    body: SupervisionNoteRequest, response: Response, now: Now, desk: Deciding
) -> SupervisionView:
    return _done(await desk.close(body.note), response, now)


@router.post(
    "/{supervision_id}/cards/{card_id}/contest",
    summary="对黄牌、红牌申诉",
    responses=refusals(*_CARD, NotYourCard, TooLateToContest),
)
async def contest(
    card_id: CardId, body: CardContestRequest, response: Response, now: Now, desk: Contesting
) -> SupervisionView:
    return _done(await desk.contest(card_id, body.words), response, now)


@router.post(
    "/{supervision_id}/cards/{card_id}/decide",
    summary="审核申诉",
    responses=refusals(*_CARD, JudgeInOwnCause),
)
async def decide_card(
    card_id: CardId, body: CardDecisionRequest, response: Response, now: Now, desk: DecidingCards
) -> SupervisionView:
    decided = await desk.decide_card(card_id, is_revoked=body.is_revoked, words=body.note)
    return _done(decided, response, now)


@router.post(
    "/{supervision_id}/cards/{card_id}/waive",
    summary="免除黄牌、红牌",
    responses=refusals(*_CARD, JudgeInOwnCause, UnknownCause),
)
async def waive(
    card_id: CardId, body: CardWaiveRequest, response: Response, now: Now, desk: DecidingCards
) -> SupervisionView:
    waived = await desk.waive(card_id, reason=body.reason, words=body.note)
    return _done(waived, response, now)


def _made(one: Supervision, response: Response, now: datetime) -> SupervisionView:
    response.headers["Location"] = f"/hotline/v1/supervisions/{one.id}"
    return _done(one, response, now)


def _done(one: Supervision, response: Response, now: datetime) -> SupervisionView:
    tag(response, one.version)
    return SupervisionView.of(one, now=now)
