"""Moving cases over HTTP: accepted at a window, decided, completed, delivered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response
from pydantic import AfterValidator, BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.http import (
    RECEIPT,
    BadIfMatch,
    ChangedMeanwhile,
    IfMatch,
    IfMatchMissing,
    Now,
    Router,
    Tx,
    no_store,
    refusals,
    tag,
)
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_intake import operations
from tongban_intake.domain.case import (
    Applicant,
    Case,
    DeliveryMethod,
    Grounds,
    GroundsMissing,
    IllegalMove,
    RefusalReason,
    Result,
    Status,
)
from tongban_intake.domain.catalogue import (
    ItemCancelled,
    NotAppliedFor,
    NotPublished,
)
from tongban_intake.domain.receipt import SerialsExhausted
from tongban_intake.operations import (
    NewCase,
    Rules,
    Step,
    UnitClosed,
    WrongWindow,
)
from tongban_intake.store import (
    CaseNotFound,
    ItemNotFound,
    StaffNotFound,
    WindowClosed,
    WindowNotFound,
)

router = Router(prefix="/intake/v1/cases", tags=["办件"])

Code = Annotated[str, Field(min_length=1, max_length=64)]
Free = Annotated[str, Field(min_length=1, max_length=2000)]
Local = Annotated[datetime, AfterValidator(lambda moment: moment.astimezone(SHANGHAI))]
STALE = (IfMatchMissing, BadIfMatch, ChangedMeanwhile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What an action needs beside what was asked: its transaction, the rules, the moment."""

    tx: Transaction
    rules: Rules
    sealer: Sealer
    now: datetime


async def _desk(kit: Parts, tx: Tx, now: Now) -> Desk:
    rules = await operations.rules_at(kit, now=now)
    return Desk(tx=tx, rules=rules, sealer=Sealer(kit.secret), now=now)


Acting = Annotated[Desk, Depends(_desk)]


class ApplicantRequest(Body):
    name: str = Field(min_length=1, max_length=100, description="姓名或者名称")
    id_type: str = Field(pattern=r"^\d{3}$", description="证件类型代码（GA/T 2000.156）")
    id_number: str = Field(min_length=4, max_length=40)
    phone: str = Field(pattern=r"^[0-9+\- ]{5,20}$")


class AcceptRequest(Body):
    item_code: Code = Field(description="实施编码")
    window_code: Code
    staff_code: Code | None = None
    applicant: ApplicantRequest


class GroundsRequest(Body):
    reason: RefusalReason
    text: Free = Field(description="理由")
    remedy: Free = Field(description="复议、诉讼权利的告知")


class DecideRequest(Body):
    result: Result
    grounds: GroundsRequest | None = Field(default=None, description="不予时必填")


class DeliverRequest(Body):
    method: DeliveryMethod


class CaseView(BaseModel):
    id: UUID
    number: str
    item_code: str
    item_version: int
    item_name: str
    unit_code: str
    window_code: str
    staff_code: str | None
    status: Status
    result: Result | None
    accepted_at: Local
    promise_due: Local
    legal_due: Local
    delivery_due: Local | None
    decided_at: Local | None
    completed_at: Local | None
    delivered_at: Local | None
    delivery_method: DeliveryMethod | None
    version: int


class ReceiptView(CaseView):
    """The one answer that holds the query code: it is printed on the receipt."""

    query_code: str


@router.post(
    "",
    status_code=201,
    summary="受理",
    responses=refusals(
        ItemNotFound,
        NotAppliedFor,
        NotPublished,
        ItemCancelled,
        WindowNotFound,
        WindowClosed,
        WrongWindow,
        UnitClosed,
        StaffNotFound,
        SerialsExhausted,
    ),
    dependencies=[RECEIPT],
)
async def accept(
    body: AcceptRequest,
    response: Response,
    desk: Acting,
    who: Principal = require("case:accept"),
) -> ReceiptView:
    case = await operations.accept(
        desk.tx,
        new=NewCase(
            case_id=new_id(desk.now),
            query_code=operations.new_query_code(),
            item_code=body.item_code,
            window_code=body.window_code,
            staff_code=body.staff_code,
            applicant=Applicant(**body.applicant.model_dump()),
            actor=who.subject,
        ),
        rules=desk.rules,
        sealer=desk.sealer,
        now=desk.now,
    )
    tag(response, case.version)
    no_store(response)
    response.headers["Location"] = f"/intake/v1/cases/{case.id}"
    return ReceiptView(**case_view(case).model_dump(), query_code=case.query_code)


@router.post(
    "/{case_id}/decide",
    summary="决定",
    responses=refusals(CaseNotFound, IllegalMove, GroundsMissing, *STALE),
)
async def decide(
    case_id: UUID,
    body: DecideRequest,
    seen: IfMatch,
    response: Response,
    desk: Acting,
    who: Principal = require("case:decide"),
) -> CaseView:
    case = await operations.decide(
        desk.tx,
        step=Step(case_id=case_id, actor=who.subject, seen_version=seen),
        result=body.result,
        grounds=None if body.grounds is None else Grounds(**body.grounds.model_dump()),
        rules=desk.rules,
        now=desk.now,
    )
    tag(response, case.version)
    return case_view(case)


@router.post(
    "/{case_id}/complete",
    summary="办结",
    responses=refusals(CaseNotFound, IllegalMove, *STALE),
)
async def complete(
    case_id: UUID,
    seen: IfMatch,
    response: Response,
    desk: Acting,
    who: Principal = require("case:complete"),
) -> CaseView:
    step = Step(case_id=case_id, actor=who.subject, seen_version=seen)
    case = await operations.complete(desk.tx, step=step, rules=desk.rules, now=desk.now)
    tag(response, case.version)
    return case_view(case)


@router.post(
    "/{case_id}/deliver",
    summary="送达",
    responses=refusals(CaseNotFound, IllegalMove, *STALE),
)
async def deliver(
    case_id: UUID,
    body: DeliverRequest,
    seen: IfMatch,
    response: Response,
    desk: Acting,
    who: Principal = require("case:deliver"),
) -> CaseView:
    step = Step(case_id=case_id, actor=who.subject, seen_version=seen)
    case = await operations.deliver(desk.tx, step=step, method=body.method, now=desk.now)
    tag(response, case.version)
    return case_view(case)


def case_view(case: Case) -> CaseView:
    decision, delivery = case.decision, case.delivery
    return CaseView(
        id=case.id,
        number=case.number,
        item_code=case.item_code,
        item_version=case.item_version,
        item_name=case.item_name,
        unit_code=case.unit_code,
        window_code=case.window_code,
        staff_code=case.staff_code,
        status=case.status,
        result=None if decision is None else decision.result,
        accepted_at=case.accepted_at,
        promise_due=case.promise.due_at,
        legal_due=case.legal.due_at,
        delivery_due=None if delivery is None else delivery.due_at,
        decided_at=None if decision is None else decision.at,
        completed_at=case.completed_at,
        delivered_at=case.delivered_at,
        delivery_method=case.delivery_method,
        version=case.version,
    )
