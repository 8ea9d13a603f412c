"""HTTP in, HTTP out. Translates; decides nothing."""

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tongban_common.auth import Principal, require
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
from tongban_scoring.domain.entries import Evidence, EvidenceMissing, IllegalMove, State
from tongban_scoring.domain.period import BadPeriod, Period
from tongban_scoring.domain.rules import AmountOutOfRange, UnknownRule
from tongban_scoring.operations.entries import NotReversible, RecordedAlready
from tongban_scoring.store import EntryNotFound, PeriodNotFound, ScorecardNotFound
from tongban_scoring.store.ledger import Subject
from tongban_scoring.store.policies import RULE_BOOK, RuleBookPolicy

entries = Router(prefix="/scoring/v1/entries", tags=["考核台账"])
periods = Router(prefix="/scoring/v1/periods", tags=["考核周期"])
cards = Router(prefix="/scoring/v1/scorecards", tags=["记分卡"])
rules = Router(prefix="/scoring/v1/rule-book", tags=["考核细则"])

_DECISION_REFUSALS = (
    EntryNotFound,
    EvidenceMissing,
    IllegalMove,
    ChangedMeanwhile,
    IfMatchMissing,
)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class EvidenceRequest(_Request):
    """证据: what was seen, where and when, and the numbers or hashes of what was kept."""

    text: str = Field(min_length=1, max_length=2000)
    references: list[str] = Field(default_factory=list, max_length=20)

    def value(self) -> Evidence:
        return Evidence(text=self.text, references=tuple(self.references))


class RecordRequest(_Request):
    rule_id: str = Field(min_length=1, max_length=20)
    unit_code: str = Field(min_length=1, max_length=64)
    window_code: str | None = Field(default=None, max_length=64)
    staff_code: str | None = Field(default=None, max_length=64)
    occurred_at: AwareDatetime
    fact: str = Field(min_length=1, max_length=200, description="同一事实的标识，用于不重复计分")
    quantity: Decimal = Field(default=Decimal(1), gt=0, le=100, decimal_places=2)
    amount: Decimal | None = Field(default=None, gt=0, decimal_places=2)
    level: str | None = Field(default=None, max_length=20)
    evidence: EvidenceRequest


class FinishRequest(_Request):
    code: str = Field(pattern=r"^[0-9A-Za-z_.\-]{1,40}$")
    starts_on: date
    ends_on: date


class EntryView(BaseModel):
    id: UUID
    window_code: str
    rule_id: str
    amount: str
    quantity: str
    occurred_at: AwareDatetime
    fact: str
    state: State
    staff_code: str | None
    counted_in: str | None
    version: int


class EntryPage(BaseModel):
    items: list[EntryView]
    next: str | None


class EntryIdView(BaseModel):
    id: UUID
    state: State


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


@entries.get("", summary="考核台账")
async def list_entries(
    page: Paged,
    reads: Reads,
    state: Annotated[State | None, Query(description="状态")] = None,
    window: Annotated[str | None, Query(max_length=64, description="窗口编码")] = None,
    _: Principal = require("entry:read"),
) -> EntryPage:
    found = await queries.entries(reads, state=state, window_code=window, page=page)
    last = found[-1] if len(found) == page.limit else None
    return EntryPage(
        items=[_entry_view(each) for each in found],
        next=last and page.next_cursor([last.recorded_at.isoformat(), str(last.id)]),
    )


@entries.post(
    "",
    status_code=201,
    summary="人工记录",
    responses=refusals(UnknownRule, AmountOutOfRange, EvidenceMissing, RecordedAlready),
)
async def record(
    body: RecordRequest,
    response: Response,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("entry:record"),
) -> EntryIdView:
    entry_id = new_id(now)
    manual = operations.Manual(
        entry_id=entry_id,
        fact=operations.Fact(
            rule_id=body.rule_id,
            subject=Subject(unit_code=body.unit_code, window_code=body.window_code),
            fact=body.fact,
            source=f"manual:{entry_id}",
            occurred_at=body.occurred_at,
            quantity=body.quantity,
            staff_code=body.staff_code,
        ),
        evidence=body.evidence.value(),
        actor=who.subject,
        amount=body.amount,
        level=body.level,
    )
    rules_now = await operations.rules_at(kit, now=body.occurred_at)
    entry = await operations.record_manual(tx, manual=manual, rules=rules_now, now=now)
    response.headers["Location"] = f"/scoring/v1/entries/{entry_id}"
    return EntryIdView(id=entry_id, state=entry.state)


@entries.post("/{entry_id}/confirm", summary="确认线索", responses=refusals(*_DECISION_REFUSALS))
async def confirm(
    entry_id: UUID,
    body: EvidenceRequest,
    expected: IfMatch,
    tx: Tx,
    now: Now,
    who: Principal = require("entry:decide"),
) -> EntryIdView:
    decision = _decision(entry_id, body, expected, who)
    entry = await operations.confirm(tx, decision=decision, now=now)
    return EntryIdView(id=entry.id, state=entry.state)


@entries.post("/{entry_id}/reject", summary="不予认定", responses=refusals(*_DECISION_REFUSALS))
async def reject(
    entry_id: UUID,
    body: EvidenceRequest,
    expected: IfMatch,
    tx: Tx,
    now: Now,
    who: Principal = require("entry:decide"),
) -> EntryIdView:
    decision = _decision(entry_id, body, expected, who)
    entry = await operations.reject(tx, decision=decision, now=now)
    return EntryIdView(id=entry.id, state=entry.state)


@entries.post(
    "/{entry_id}/reverse",
    status_code=201,
    summary="冲销",
    responses=refusals(*_DECISION_REFUSALS, NotReversible, RecordedAlready),
)
async def reverse(
    entry_id: UUID,
    body: EvidenceRequest,
    expected: IfMatch,
    tx: Tx,
    now: Now,
    who: Principal = require("entry:decide"),
) -> EntryIdView:
    decision = _decision(entry_id, body, expected, who)
    entry = await operations.reverse(tx, decision=decision, entry_id=new_id(now), now=now)
    return EntryIdView(id=entry.id, state=entry.state)


@periods.post("", status_code=201, summary="结算考核周期", responses=refusals(BadPeriod))
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
    rules_then = await operations.rules_at(kit, now=period.end)
    finished = await operations.finish_period(tx, period=period, rules=rules_then, now=now)
    return FinishedView(period_id=finished.period_id, scorecards=finished.scorecards)


@cards.get("", summary="一个周期的记分卡", responses=refusals(PeriodNotFound))
async def list_cards(
    reads: Reads, period: Annotated[str, Query(max_length=40, description="周期编码")]
) -> list[CardView]:
    of = await queries.one_period(reads, period)
    return [CardView.of(each) for each in await queries.cards(reads, of.id)]


@cards.get("/{scorecard_id}", summary="记分卡及每一分的来历", responses=refusals(ScorecardNotFound))
async def read_card(scorecard_id: UUID, reads: Reads) -> CardWithPoints:
    card, of, points = await queries.card(reads, scorecard_id)
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


def _decision(
    entry_id: UUID, body: EvidenceRequest, expected: int, who: Principal
) -> operations.Decision:
    return operations.Decision(
        entry_id=entry_id, actor=who.subject, evidence=body.value(), seen_version=expected
    )


def _entry_view(line: queries.EntryLine) -> EntryView:
    return EntryView(
        id=line.id,
        window_code=line.window_code,
        rule_id=line.rule_id,
        amount=f"{line.amount:f}",
        quantity=f"{line.quantity:f}",
        occurred_at=line.occurred_at.astimezone(SHANGHAI),
        fact=line.fact,
        state=line.state,
        staff_code=line.staff_code,
        counted_in=line.counted_in,
        version=line.version,
    )
