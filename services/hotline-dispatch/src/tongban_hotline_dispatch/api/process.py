"""Every other move of a ticket by HTTP, as a table: path, permission, request, act, refusals."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import Response
from pydantic import Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.errors import Refusal
from tongban_common.http import IfMatch, Now, Router, Tx, refusals, tag
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.api.tickets import (
    MOVE_REFUSALS,
    HeardRequest,
    InForce,
    TicketId,
    step_of,
)
from tongban_hotline_dispatch.api.views import TicketView
from tongban_hotline_dispatch.domain.asking import (
    ComplainantNotTold,
    Decision,
    ForcedAssignment,
    IncompleteGrounds,
    NotAllowed,
    TooLateToAsk,
)
from tongban_hotline_dispatch.domain.asking import Request as Ask
from tongban_hotline_dispatch.domain.assignment import (
    AlreadyAsked,
    AskKind,
    EmptyReply,
    NothingAsked,
    Role,
)
from tongban_hotline_dispatch.domain.closing import CallbackNotOpen, TooFewAttempts
from tongban_hotline_dispatch.domain.guard import AccusedUnit
from tongban_hotline_dispatch.domain.handling import (
    AlreadyAssigned,
    AlreadyReportedIn,
    LeadOnly,
    NotBelow,
    NotWhistled,
)
from tongban_hotline_dispatch.domain.intake import HasChildren, TooLateToReopen
from tongban_hotline_dispatch.domain.joining import CannotJoin
from tongban_hotline_dispatch.domain.process import NotDelegable, UnknownReason
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Desk
from tongban_hotline_dispatch.store import UnitNotFound

router = Router(prefix="/hotline/v1/tickets", tags=["流转"])


class NothingRequest(Body):
    pass


class WordsRequest(Body):
    words: str = Field(min_length=1, max_length=20_000)


class ReasonRequest(Body):
    reason: str = Field(min_length=1, max_length=64, description="规则所列事由")


class DispositionRequest(Body):
    disposition: str = Field(min_length=1, max_length=64, description="引导情形")
    line: str | None = Field(default=None, max_length=20, description="紧急警情转接的线路")


class UnitRequest(Body):
    unit_code: str = Field(min_length=1, max_length=64, description="承办单位编码")


class AddUnitRequest(UnitRequest):
    role: Role = Role.CO
    days: int | None = Field(default=None, ge=1, le=60, description="协办时限（工作日）")


class DelegateRequest(UnitRequest):
    days: int | None = Field(default=None, ge=1, le=60, description="办理时限（工作日）")


class ParentRequest(Body):
    parent_id: UUID = Field(description="主单标识")


class _AskRequest(Body):
    is_signed_off: bool = Field(description="分管领导已审签")

    def ask(self, kind: AskKind, by: str) -> Ask:
        grounds = self.model_dump(mode="json", exclude={"is_signed_off"})
        return Ask(kind=kind, by=by, grounds=grounds, is_signed_off=self.is_signed_off)


class ReturnRequest(_AskRequest):
    reason: str = Field(min_length=1, max_length=2000, description="退单理由")
    citation: str = Field(min_length=1, max_length=500, description="法律依据")
    suggested_unit: str = Field(min_length=1, max_length=64, description="建议承办单位")


class ExtensionRequest(_AskRequest):
    reason: str = Field(min_length=1, max_length=2000, description="延期理由")
    citation: str = Field(min_length=1, max_length=500, description="依据")
    amount: int = Field(ge=1, le=365, description="延长多少，与原时限同单位")


class SuspensionRequest(_AskRequest):
    reason: str = Field(min_length=1, max_length=2000)
    pause_reason: str = Field(min_length=1, max_length=64, description="规则所列事由")


class PhaseRequest(_AskRequest):
    measures: str = Field(min_length=1, max_length=20_000, description="已采取的措施")
    promised_on: date = Field(description="承诺办结的日期")


class TerminationRequest(_AskRequest):
    reason: str = Field(min_length=1, max_length=2000)
    disposition: str | None = Field(
        default=None, max_length=64, description="办理中发现的不予办理情形"
    )


class DecisionRequest(Body):
    is_granted: bool
    note: str = Field(default="", max_length=2000)


class ExtensionDecisionRequest(DecisionRequest):
    is_told: bool = Field(default=False, description="已告知诉求人")


Does = Callable[[Desk, Any], Awaitable[Ticket]]


@dataclass(frozen=True, slots=True)
class _Route:
    path: str
    summary: str
    permission: str
    body: type[Body]
    does: Does
    refuses: tuple[type[Refusal], ...] = ()


ROUTES: tuple[_Route, ...] = (
    _Route("request-facts", "要求补充", "intake", NothingRequest, lambda d, _: d.request_facts()),
    _Route("supplement", "补充事实", "intake", WordsRequest, lambda d, b: d.supplement(b.words)),
    _Route(
        "answer",
        "直接答复",
        "intake",
        WordsRequest,
        lambda d, b: d.answer(b.words),
        (EmptyReply,),
    ),
    _Route("consult", "派单前会商", "consult", NothingRequest, lambda d, _: d.consult()),
    _Route("conclude", "会商结束", "consult", WordsRequest, lambda d, b: d.conclude(b.words)),
    _Route(
        "transfer",
        "改派",
        "assign",
        UnitRequest,
        lambda d, b: d.transfer(b.unit_code),
        (UnitNotFound, AlreadyAssigned, NotDelegable, AccusedUnit),
    ),
    _Route(
        "add-unit",
        "加派、吹哨",
        "share",
        AddUnitRequest,
        lambda d, b: d.add_unit(b.unit_code, b.role, b.days),
        (UnitNotFound, AlreadyAssigned, LeadOnly, NotDelegable, AccusedUnit),
    ),
    _Route(
        "report-in",
        "吹哨报到",
        "reply",
        NothingRequest,
        lambda d, _: d.report_in(),
        (NotWhistled, AlreadyReportedIn),
    ),
    _Route(
        "delegate",
        "下派",
        "share",
        DelegateRequest,
        lambda d, b: d.delegate(b.unit_code, b.days),
        (UnitNotFound, AlreadyAssigned, NotBelow, NotDelegable, AccusedUnit),
    ),
    _Route("review/pass", "审核通过", "review", NothingRequest, lambda d, _: d.pass_review()),
    _Route("review/fail", "审核退回", "review", NothingRequest, lambda d, _: d.fail_review()),
    _Route("resume", "恢复办理", "ask", NothingRequest, lambda d, _: d.resume()),
    _Route(
        "callback/attempt",
        "回访未通",
        "callback",
        NothingRequest,
        lambda d, _: d.attempt_callback(),
        (CallbackNotOpen,),
    ),
    _Route(
        "callback/complete",
        "回访结果",
        "callback",
        HeardRequest,
        lambda d, b: d.call_back(b.heard()),
        (CallbackNotOpen, UnknownReason),
    ),
    _Route(
        "callback/give-up",
        "回访未果",
        "callback",
        NothingRequest,
        lambda d, _: d.give_up_callback(),
        (CallbackNotOpen, TooFewAttempts),
    ),
    _Route("escalate", "列为疑难", "supervise", ReasonRequest, lambda d, b: d.escalate(b.reason)),
    _Route("supervise", "督办", "supervise", ReasonRequest, lambda d, b: d.supervise(b.reason)),
    _Route(
        "withdraw",
        "撤单",
        "intake",
        NothingRequest,
        lambda d, _: d.withdraw(),
        (HasChildren,),
    ),
    _Route(
        "reopen",
        "重启办理",
        "reopen",
        ReasonRequest,
        lambda d, b: d.reopen(b.reason),
        (UnknownReason, TooLateToReopen),
    ),
    _Route(
        "merge",
        "并单",
        "merge",
        ParentRequest,
        lambda d, b: d.merge(b.parent_id),
        (CannotJoin, HasChildren),
    ),
    _Route("unmerge", "拆单", "merge", NothingRequest, lambda d, _: d.unmerge()),
)
_ASKS: tuple[tuple[AskKind, str, type[_AskRequest]], ...] = (
    (AskKind.RETURN, "退单", ReturnRequest),
    (AskKind.EXTENSION, "延期", ExtensionRequest),
    (AskKind.SUSPENSION, "挂起", SuspensionRequest),
    (AskKind.PHASE, "阶段性办结", PhaseRequest),
    (AskKind.TERMINATION, "终止", TerminationRequest),
)
_ASK_REFUSALS = (
    AlreadyAsked,
    IncompleteGrounds,
    TooLateToAsk,
    NotAllowed,
    ForcedAssignment,
    UnknownReason,
    HasChildren,
)


def _add(route: _Route) -> None:
    given = NothingRequest() if route.body is NothingRequest else ...  # what says nothing may lack

    async def move(
        ticket_id: TicketId,
        expected: IfMatch,
        response: Response,
        rules: InForce,
        tx: Tx,
        now: Now,
        who: Principal = require(f"ticket:{route.permission}"),
        body: route.body = given,  # type: ignore[name-defined]
    ) -> TicketView:
        step = step_of(ticket_id, who, expected)
        ticket = await route.does(Desk(tx, step=step, rules=rules, now=now), body)
        tag(response, ticket.version)
        return TicketView.of(ticket, now=now)

    router.add_api_route(
        f"/{{ticket_id}}/{route.path}",
        move,
        methods=["POST"],
        summary=route.summary,
        name=route.path.replace("/", "_").replace("-", "_"),
        responses=refusals(*MOVE_REFUSALS, *route.refuses),
    )


def _add_ask(kind: AskKind, name: str, body: type[_AskRequest]) -> None:
    async def ask(
        ticket_id: TicketId,
        body: body,  # type: ignore[valid-type]
        expected: IfMatch,
        response: Response,
        rules: InForce,
        tx: Tx,
        now: Now,
        who: Principal = require("ticket:ask"),
    ) -> TicketView:
        asked: _AskRequest = body
        desk = Desk(tx, step=step_of(ticket_id, who, expected), rules=rules, now=now)
        ticket = await desk.ask(asked.ask(kind, who.subject))
        tag(response, ticket.version)
        return TicketView.of(ticket, now=now)

    router.add_api_route(
        f"/{{ticket_id}}/{kind}",
        ask,
        methods=["POST"],
        summary=f"申请{name}",
        name=f"ask_{kind}",
        responses=refusals(*MOVE_REFUSALS, *_ASK_REFUSALS),
    )


def _add_decision(kind: AskKind, name: str) -> None:
    requested = ExtensionDecisionRequest if kind is AskKind.EXTENSION else DecisionRequest

    async def decide(
        ticket_id: TicketId,
        body: requested,  # type: ignore[valid-type]
        expected: IfMatch,
        response: Response,
        rules: InForce,
        tx: Tx,
        now: Now,
        kit: Parts,
        who: Principal = require(f"ticket:decide_{kind}"),
    ) -> TicketView:
        given: DecisionRequest = body
        decision = Decision(
            kind=kind,
            is_granted=given.is_granted,
            by=who.subject,
            note=given.note,
            is_told=isinstance(given, ExtensionDecisionRequest) and given.is_told,
            by_center=who.may("ticket:center"),
        )
        desk = Desk(tx, step=step_of(ticket_id, who, expected), rules=rules, now=now)
        ticket = await desk.decide(decision, sealer=Sealer(kit.secret))
        tag(response, ticket.version)
        return TicketView.of(ticket, now=now)

    router.add_api_route(
        f"/{{ticket_id}}/{kind}/decide",
        decide,
        methods=["POST"],
        summary=f"审核{name}",
        name=f"decide_{kind}",
        responses=refusals(*MOVE_REFUSALS, NothingAsked, ComplainantNotTold, NotAllowed),
    )


for _each in ROUTES:
    _add(_each)
for _kind, _name, _body in _ASKS:
    _add_ask(_kind, _name, _body)
    _add_decision(_kind, _name)


@router.post(
    "/{ticket_id}/route-out",
    summary="引导",
    responses=refusals(*MOVE_REFUSALS, UnknownReason, HasChildren),
)
async def route_out(
    ticket_id: TicketId,
    body: DispositionRequest,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:intake"),
) -> TicketView:
    """不予派单的情形: the person is told why, and the proper route."""
    desk = Desk(tx, step=step_of(ticket_id, who, expected), rules=rules, now=now)
    ticket = await desk.route_out(body.disposition, sealer=Sealer(kit.secret), line=body.line)
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@router.post(
    "/{ticket_id}/designate",
    summary="指定承办",
    responses=refusals(*MOVE_REFUSALS, UnitNotFound, AccusedUnit),
)
async def designate(
    ticket_id: TicketId,
    body: UnitRequest,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:center"),
) -> TicketView:
    """潍坊市条例第二十二条: a designated unit may not return it."""
    ticket = await operations.assign(
        tx,
        step=step_of(ticket_id, who, expected),
        unit_code=body.unit_code,
        rules=rules,
        now=now,
        forced=True,
    )
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)
