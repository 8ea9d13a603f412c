"""The ledger over HTTP: records of inspectors, and decisions on candidates."""

from dataclasses import replace
from decimal import Decimal
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
from tongban_common.privacy import mask_text
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_scoring import operations, queries
from tongban_scoring.api.bodies import EvidenceRequest
from tongban_scoring.domain.entries import (
    AttributionMissing,
    Evidence,
    EvidenceMissing,
    IllegalMove,
    NotAttributable,
    Responsibility,
    State,
)
from tongban_scoring.domain.rules import (
    AmountOutOfRange,
    LevelMissing,
    LevelNotApplicable,
    QuantityNotOne,
    StaffMissing,
    UnknownRule,
)
from tongban_scoring.operations.entries import InFuture, NotReversible, RecordedAlready
from tongban_scoring.store import EntryNotFound, UnknownUnit, UnknownWindow
from tongban_scoring.store.ledger import Subject

router = Router(prefix="/scoring/v1/entries", tags=["考核台账"])

_DECISION_REFUSALS = (
    EntryNotFound,
    EvidenceMissing,
    IllegalMove,
    ChangedMeanwhile,
    IfMatchMissing,
)


_RECORD_REFUSALS = (
    UnknownRule,
    UnknownUnit,
    UnknownWindow,
    InFuture,
    AmountOutOfRange,
    LevelMissing,
    LevelNotApplicable,
    QuantityNotOne,
    StaffMissing,
    EvidenceMissing,
    RecordedAlready,
)


class RecordRequest(Body):
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


class AttributionRequest(Body):
    responsibility: Responsibility
    evidence: EvidenceRequest


class EvidenceView(BaseModel):
    """证据, its free text masked."""

    text: str
    references: list[str]

    @classmethod
    def of(cls, evidence: Evidence) -> "EvidenceView":
        return cls(text=mask_text(evidence.text), references=list(evidence.references))


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
    evidence: EvidenceView | None
    responsibility: Responsibility | None
    reverses: UUID | None
    counted_in: str | None
    version: int


class EntryPage(BaseModel):
    items: list[EntryView]
    next: str | None


class EntryIdView(BaseModel):
    id: UUID
    state: State


@router.get("", summary="考核台账")
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


@router.post(
    "",
    status_code=201,
    summary="人工记录",
    responses=refusals(*_RECORD_REFUSALS),
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


@router.post(
    "/{entry_id}/confirm",
    summary="确认线索",
    responses=refusals(*_DECISION_REFUSALS, AttributionMissing),
)
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


@router.post("/{entry_id}/reject", summary="不予认定", responses=refusals(*_DECISION_REFUSALS))
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


@router.post(
    "/{entry_id}/attribute",
    summary="归责",
    responses=refusals(*_DECISION_REFUSALS, NotAttributable),
)
async def attribute(
    entry_id: UUID,
    body: AttributionRequest,
    expected: IfMatch,
    tx: Tx,
    now: Now,
    who: Principal = require("entry:decide"),
) -> EntryIdView:
    """To the window: confirmed. Nobody's fault: the point for the overdue case goes, too."""
    decision = replace(
        _decision(entry_id, body.evidence, expected, who), responsibility=body.responsibility
    )
    entry = await operations.attribute(tx, decision=decision, reversal_id=new_id(now), now=now)
    return EntryIdView(id=entry.id, state=entry.state)


@router.post(
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
        evidence=line.evidence and EvidenceView.of(line.evidence),
        responsibility=line.responsibility,
        reverses=line.reverses,
        counted_in=line.counted_in,
        version=line.version,
    )
