"""The life of a ticket, and the citizen's look at it."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Response
from pydantic import AwareDatetime, Field, StringConstraints

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.clock import new_id
from tongban_common.http import (
    RECEIPT,
    ChangedMeanwhile,
    IfMatch,
    IfMatchMissing,
    Now,
    Paged,
    Reads,
    Router,
    Tx,
    no_store,
    refusals,
    tag,
)
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.api.particulars import ParticularsRequest, PersonRequest
from tongban_hotline_dispatch.api.views import (
    AssignmentView,
    DeadlineView,
    DetailsView,
    HistoryView,
    LineView,
    PageView,
    PersonView,
    ProgressView,
    RegisteredView,
    TicketDetailView,
    TicketView,
)
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.assignment import EmptyReply, Reply
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.citizens import TooManyTries
from tongban_hotline_dispatch.domain.closing import CallbackDue
from tongban_hotline_dispatch.domain.elements import Elements, ElementsMissing
from tongban_hotline_dispatch.domain.guard import COMPLAINANT, AccusedUnit, Recused
from tongban_hotline_dispatch.domain.handling import NotAssignable
from tongban_hotline_dispatch.domain.intake import StrangeDeadline
from tongban_hotline_dispatch.domain.matters import MatterNotInForce
from tongban_hotline_dispatch.domain.moves import IllegalMove, Status
from tongban_hotline_dispatch.domain.particulars import Flag
from tongban_hotline_dispatch.domain.process import NotDelegable, UnknownReason
from tongban_hotline_dispatch.domain.ticket import NotYourTicket
from tongban_hotline_dispatch.operations import Rules, Step, acts_for, citizens, viewer_of
from tongban_hotline_dispatch.store import Complainant, TicketNotFound, UnitNotFound
from tongban_hotline_dispatch.store.counter import COUNTER
from tongban_hotline_dispatch.store.first_contacts import contacts_of
from tongban_hotline_dispatch.store.tickets import AlreadyTakenIn

router = Router(prefix="/hotline/v1/tickets", tags=["工单"])
public = Router(prefix="/hotline/v1/progress", tags=["进度查询"])

MOVE_REFUSALS = (
    TicketNotFound,
    IllegalMove,
    ChangedMeanwhile,
    IfMatchMissing,
    NotYourTicket,
    Recused,
)
Short = Annotated[str, StringConstraints(min_length=1, max_length=500)]
TicketId = Annotated[UUID, Path(description="工单标识")]


async def _rules_in_force(kit: Parts, now: Now) -> Rules:
    return await operations.rules_at(kit, now=now)


# Stands before Tx where both are parameters: read before the transaction takes its connection.
InForce = Annotated[Rules, Depends(_rules_in_force)]


async def _elements_in_force(kit: Parts, now: Now) -> Elements:
    return (await kit.policy(COUNTER).at(now.astimezone(SHANGHAI).date())).elements


ElementsInForce = Annotated[Elements, Depends(_elements_in_force)]


class RegisterRequest(ParticularsRequest):
    channel: Channel
    channel_order_no: str | None = Field(default=None, min_length=1, max_length=64)
    appeal_type: AppealType
    urgency: Urgency = Urgency.NORMAL
    matter_code: str | None = Field(default=None, min_length=1, max_length=64)
    title: str = Field(min_length=1, max_length=200)
    content: str = Field(min_length=1, max_length=20_000)
    person: PersonRequest = PersonRequest()
    wants_reply: bool = True
    wants_callback: bool = True
    target_unit_code: str | None = Field(
        default=None, min_length=1, max_length=64, description="被诉单位编码"
    )
    hides_identity: bool | None = Field(
        default=None, description="对承办单位隐藏身份；不说明的，按诉求类型，举报默认隐藏"
    )
    upstream_due: AwareDatetime | None = Field(default=None, description="上级平台要求的期限")
    statutory_due: AwareDatetime | None = Field(default=None, description="法定期限")
    lacks_facts: bool = Field(default=False, description="要素不全，等待补充")
    disposition: str | None = Field(default=None, max_length=64, description="引导情形")
    line: str | None = Field(default=None, max_length=20, description="紧急警情转接的线路")
    answer: str | None = Field(
        default=None, min_length=1, max_length=20_000, description="直接答复"
    )

    def appeal(self) -> Appeal:
        return Appeal(
            channel=self.channel,
            channel_order_no=self.channel_order_no,
            appeal_type=self.appeal_type,
            urgency=self.urgency,
            matter_code=self.matter_code,
            title=self.title,
            content=self.content,
            upstream_due=self.upstream_due,
            statutory_due=self.statutory_due,
        )


class AssignRequest(Body):
    unit_code: str = Field(min_length=1, max_length=64, description="承办单位编码")


class ReplyRequest(Body):
    text: str = Field(min_length=1, max_length=20_000, description="公开答复内容")
    internal: str | None = Field(default=None, max_length=20_000, description="内部办理情况")
    citations: list[Short] = Field(default=[], max_length=50, description="政策文号")
    evidence: list[Short] = Field(default=[], max_length=50, description="办理凭证")
    is_resolved: bool = True

    def reply(self) -> Reply:
        return Reply(
            internal=self.internal or self.text,
            public=self.text,
            citations=tuple(self.citations),
            evidence=tuple(self.evidence),
            is_resolved=self.is_resolved,
        )


class HeardRequest(Body):
    """回访结果."""

    resolved: Resolved
    result: Mark = Field(description="对结果是否满意")
    process: Mark = Field(description="对过程是否满意")
    no_redo: str | None = Field(default=None, max_length=64, description="不再重办的事由")
    note: str | None = Field(default=None, max_length=2000)

    def heard(self) -> Heard:
        return Heard(
            resolved=self.resolved,
            result=self.result,
            process=self.process,
            no_redo=self.no_redo,
            note=self.note,
        )


class CloseRequest(Body):
    heard: HeardRequest | None = None


@router.post(
    "",
    status_code=201,
    summary="登记诉求",
    responses=refusals(
        AlreadyTakenIn,
        UnknownReason,
        StrangeDeadline,
        MatterNotInForce,
        UnitNotFound,
        ElementsMissing,
    ),
    dependencies=[RECEIPT],
)
async def register(
    body: RegisterRequest,
    response: Response,
    rules: InForce,
    elements: ElementsInForce,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:register"),
) -> RegisteredView:
    new = operations.Registration(
        ticket_id=new_id(now),
        query_code=operations.new_query_code(),
        appeal=body.appeal(),
        person=Complainant(**body.person.model_dump()),
        actor=who.subject,
        wants_reply=body.wants_reply,
        wants_callback=body.wants_callback,
        target_unit=body.target_unit_code,
        hides_identity=body.hides_identity,
        lacks_facts=body.lacks_facts,
        disposition=body.disposition,
        line=body.line,
        answer=body.answer,
        details=body.details(),
    )
    new.check(elements)
    ticket = await operations.register(tx, new=new, rules=rules, sealer=Sealer(kit.secret), now=now)
    response.headers["Location"] = f"/hotline/v1/tickets/{ticket.id}"
    no_store(response)
    tag(response, ticket.version)
    view = TicketView.of(ticket, now=now).model_dump()
    return RegisteredView(**view, query_code=ticket.query_code)


@router.get("", summary="工单列表")
async def list_tickets(
    page: Paged,
    reads: Reads,
    now: Now,
    status: Annotated[Status | None, Query(description="状态")] = None,
    unit: Annotated[str | None, Query(max_length=64, description="承办单位编码")] = None,
    overdue: Annotated[bool | None, Query(description="是否超期")] = None,
    flag: Annotated[Flag | None, Query(description="标记")] = None,
    region: Annotated[str | None, Query(max_length=12, description="事发地行政区划代码")] = None,
    who: Principal = require("ticket:read"),
) -> PageView:
    viewer = viewer_of(who)
    filters = queries.Filters(
        viewer=viewer,
        status=status,
        unit_code=viewer.unit or unit,
        is_overdue=overdue,
        flag=flag,
        region_code=region,
    )
    found = await queries.tickets(reads, filters=filters, page=page, now=now)
    last = found[-1] if len(found) == page.limit else None
    return PageView(
        items=[LineView.of(each, now=now) for each in found],
        next=last and page.next_cursor(last.key),
    )


@router.get("/{ticket_id}", summary="查看工单", responses=refusals(TicketNotFound))
async def read(
    ticket_id: TicketId,
    response: Response,
    reads: Reads,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:read"),
) -> TicketDetailView:
    viewer = viewer_of(who)
    ticket = await queries.one(reads, ticket_id, seen_by=viewer)
    person = await queries.person(reads, ticket, Sealer(kit.secret), seen_by=viewer.unit)
    details = await queries.details(reads, ticket, Sealer(kit.secret), seen_by=viewer.unit)
    is_kept = viewer.unit is not None and ticket.hides_identity
    made = await contacts_of(reads, ticket_id, Sealer(kit.secret), is_kept=is_kept)
    tag(response, ticket.version)
    return TicketDetailView(
        **TicketView.of(ticket, now=now).model_dump(),
        person=PersonView.of(person),
        details=DetailsView.of(details),
        assignments=[AssignmentView.of(each, made.get(each.no)) for each in ticket.assignments],
    )


@router.get("/{ticket_id}/history", summary="办理经过", responses=refusals(TicketNotFound))
async def history(
    ticket_id: TicketId, reads: Reads, who: Principal = require("ticket:read")
) -> list[HistoryView]:
    await queries.one(reads, ticket_id, seen_by=viewer_of(who))
    return [HistoryView.of(line) for line in await queries.history(reads, ticket_id)]


@router.get("/{ticket_id}/deadlines", summary="期限逐日说明", responses=refusals(TicketNotFound))
async def deadlines(
    ticket_id: TicketId, reads: Reads, kit: Parts, who: Principal = require("ticket:read")
) -> list[DeadlineView]:
    """The citizen's clock and each unit's, running or stopped, and every other one that runs."""
    ticket = await queries.one(reads, ticket_id, seen_by=viewer_of(who))
    calendar = await kit.calendars.current()
    imported = await queries.imported_years(reads)
    return [
        DeadlineView.of(ticket, clock, term, term.explain(calendar, imported))
        for clock, term in ticket.shown_terms()
    ]


@router.post(
    "/{ticket_id}/assign",
    summary="派单",
    responses=refusals(*MOVE_REFUSALS, UnitNotFound, NotDelegable, AccusedUnit, NotAssignable),
)
async def assign(
    ticket_id: TicketId,
    body: AssignRequest,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:assign"),
) -> TicketView:
    step = step_of(ticket_id, who, expected)
    ticket = await operations.assign(tx, step=step, unit_code=body.unit_code, rules=rules, now=now)
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@router.post("/{ticket_id}/sign", summary="签收", responses=refusals(*MOVE_REFUSALS))
async def sign(
    ticket_id: TicketId,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:sign"),
) -> TicketView:
    ticket = await operations.sign(tx, step=step_of(ticket_id, who, expected), rules=rules, now=now)
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@router.post("/{ticket_id}/reply", summary="答复", responses=refusals(*MOVE_REFUSALS, EmptyReply))
async def reply(
    ticket_id: TicketId,
    body: ReplyRequest,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:reply"),
) -> TicketView:
    step = step_of(ticket_id, who, expected)
    ticket = await operations.reply(tx, step=step, answer=body.reply(), rules=rules, now=now)
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@router.post(
    "/{ticket_id}/close",
    summary="办结",
    responses=refusals(*MOVE_REFUSALS, CallbackDue, UnknownReason),
)
async def close(
    ticket_id: TicketId,
    expected: IfMatch,
    response: Response,
    rules: InForce,
    tx: Tx,
    now: Now,
    body: CloseRequest | None = None,
    who: Principal = require("ticket:close"),
) -> TicketView:
    """With the callback's result, or without where the policy asks for no callback."""
    heard = None if body is None or body.heard is None else body.heard.heard()
    step = step_of(ticket_id, who, expected)
    ticket = await operations.close(tx, step=step, rules=rules, now=now, heard=heard)
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@public.get(
    "",
    summary="按工单编号和查询码查询进度（改用 /hotline/v1/public/ticket）",
    responses=refusals(TicketNotFound, TooManyTries),
    deprecated=True,
)
async def progress(
    response: Response,
    now: Now,
    kit: Parts,
    ticket_no: Annotated[str, Query(max_length=40, description="工单编号")],
    query_code: Annotated[str, Query(max_length=20, description="查询码")],
) -> ProgressView:
    """An address is logged on its way, and the code with it: the public API takes headers."""
    ticket_id = await citizens.enter(kit, citizens.Numbers(ticket_no, query_code), now=now)
    async with kit.db.reading() as reads:
        ticket = await queries.one(reads, ticket_id, seen_by=COMPLAINANT)
    no_store(response)
    return ProgressView.of(ticket)


def step_of(ticket_id: UUID, who: Principal, expected: int | None) -> Step:
    return Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who), seen_version=expected)
