"""Periods, scorecards and the rule book over HTTP; the last two are for everybody."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.http import (
    Now,
    Reads,
    Router,
    Tx,
    Who,
    refusals,
)
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_scoring import operations, queries
from tongban_scoring.domain.period import BadPeriod, Period
from tongban_scoring.store import PeriodNotFound, ScorecardNotFound
from tongban_scoring.store.cards import PeriodOverlaps
from tongban_scoring.store.policies import RULE_BOOK, RuleBookPolicy

periods = Router(prefix="/scoring/v1/periods", tags=["考核周期"])
cards = Router(prefix="/scoring/v1/scorecards", tags=["记分卡"])
rules = Router(prefix="/scoring/v1/rule-book", tags=["考核细则"])


class FinishRequest(Body):
    code: str = Field(min_length=4, max_length=17)
    starts_on: date
    ends_on: date


class FinishedView(BaseModel):
    period_id: UUID | None
    scorecards: int


class CardView(BaseModel):
    id: UUID
    window_code: str
    window_name: str
    unit_code: str
    unit_name: str
    score: str
    grade: str
    rank: int | None
    bonus: str
    deduction: str
    correction: str
    formula: str
    handled: int

    @classmethod
    def of(cls, line: queries.CardLine) -> "CardView":
        return cls(
            id=line.id,
            window_code=line.window_code,
            window_name=line.window_name,
            unit_code=line.unit_code,
            unit_name=line.unit_name,
            score=f"{line.score:f}",
            grade=line.grade,
            rank=line.rank,
            bonus=f"{line.bonus:f}",
            deduction=f"{line.deduction:f}",
            correction=f"{line.correction:f}",
            formula=line.formula,
            handled=line.handled,
        )


class PointView(BaseModel):
    rule_id: str
    label: str
    clause: str
    side: str
    quantity: str
    amount: str
    points: str
    day: str
    notes: list[str]


class CardWithPoints(CardView):
    period_code: str
    starts_on: date
    ends_on: date
    rule_book: str
    rule_book_version: int
    points: list[PointView]


@periods.post(
    "", status_code=201, summary="结算考核周期", responses=refusals(BadPeriod, PeriodOverlaps)
)
async def finish(
    body: FinishRequest,
    tx: Tx,
    now: Now,
    kit: Parts,
    _: Principal = require("period:finish"),
) -> FinishedView:
    """Finishing a period again changes nothing and answers with no cards."""
    period = Period(code=body.code, starts_on=body.starts_on, ends_on=body.ends_on)
    if period.end > now:
        raise BadPeriod(f"考核周期{period.ends_on:%Y年%m月%d日}才结束，不能提前结算")
    rules_then = await operations.rules_at(kit, now=period.last_moment)
    finished = await operations.finish_period(tx, period=period, rules=rules_then, now=now)
    return FinishedView(period_id=finished.period_id, scorecards=finished.scorecards)


@cards.get("", summary="一个周期的记分卡", responses=refusals(PeriodNotFound))
async def list_cards(
    reads: Reads, who: Who, period: Annotated[str, Query(max_length=40, description="周期编码")]
) -> list[CardView]:
    of = await queries.one_period(reads, period, unpublished=operations.sees_unpublished(who))
    return [CardView.of(each) for each in await queries.cards(reads, of.id)]


@cards.get("/{scorecard_id}", summary="记分卡及每一分的来历", responses=refusals(ScorecardNotFound))
async def read_card(scorecard_id: UUID, reads: Reads, who: Who) -> CardWithPoints:
    card, of, points = await queries.card(
        reads, scorecard_id, unpublished=operations.sees_unpublished(who)
    )
    return CardWithPoints(
        **CardView.of(card).model_dump(),
        period_code=of.code,
        starts_on=of.starts_on,
        ends_on=of.ends_on,
        rule_book=of.rule_book,
        rule_book_version=of.rule_book_version,
        points=[
            PointView(
                rule_id=each.rule_id,
                label=each.label,
                clause=each.clause,
                side=each.side,
                quantity=f"{each.quantity:f}",
                amount=f"{each.amount:f}",
                points=f"{each.points:f}",
                day=each.day,
                notes=list(each.notes),
            )
            for each in points
        ],
    )


@rules.get("", summary="现行考核细则")
async def rule_book(now: Now, kit: Parts) -> RuleBookPolicy:
    return await kit.policy(RULE_BOOK).at(now.astimezone(SHANGHAI).date())
