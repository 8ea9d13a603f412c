"""HTTP in, HTTP out. Translates; decides nothing."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response, UploadFile
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tongban_common.auth import NotPermitted, Principal, require
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
    no_store,
    refusals,
    tag,
)
from tongban_common.privacy import Sealer
from tongban_common.service import Parts
from tongban_common.working_days import SHANGHAI, Explanation
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.rows import BadFile
from tongban_hotline_dispatch.domain.ticket import (
    Appeal,
    AppealType,
    Channel,
    IllegalMove,
    NotYourTicket,
    Status,
    Ticket,
    Urgency,
)
from tongban_hotline_dispatch.operations import Step
from tongban_hotline_dispatch.store import Complainant, TicketNotFound, UnitNotFound
from tongban_hotline_dispatch.store.tickets import AlreadyTakenIn

router = Router(prefix="/hotline/v1/tickets", tags=["工单"])
imports = Router(prefix="/hotline/v1/imports", tags=["批量导入"])
public = Router(prefix="/hotline/v1/progress", tags=["进度查询"])

_MOVE_REFUSALS = (TicketNotFound, IllegalMove, ChangedMeanwhile, IfMatchMissing, NotYourTicket)
TicketId = Annotated[UUID, Path(description="工单标识")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class PersonRequest(_Request):
    """诉求人. Stored under seal and shown masked."""

    name: str | None = Field(default=None, max_length=100)
    phone: str | None = Field(default=None, pattern=r"^[0-9+\-]{5,20}$")
    address: str | None = Field(default=None, max_length=300)


class RegisterRequest(_Request):
    channel: Channel
    channel_order_no: str | None = Field(default=None, min_length=1, max_length=64)
    appeal_type: AppealType
    urgency: Urgency = Urgency.NORMAL
    title: str = Field(min_length=1, max_length=200)
    content: str = Field(min_length=1, max_length=20_000)
    person: PersonRequest = PersonRequest()
    wants_reply: bool = True


class AssignRequest(_Request):
    unit_code: str = Field(min_length=1, max_length=64, description="承办单位编码")


class ReplyRequest(_Request):
    text: str = Field(min_length=1, max_length=20_000, description="答复内容")


class TicketView(BaseModel):
    id: UUID
    ticket_no: str
    channel: Channel
    appeal_type: AppealType
    urgency: Urgency
    title: str
    content: str
    status: Status
    unit_code: str | None
    registered_at: AwareDatetime
    assigned_at: AwareDatetime | None
    citizen_due: AwareDatetime | None
    reply_due: AwareDatetime | None
    replied_at: AwareDatetime | None
    reply: str | None
    is_overdue: bool
    version: int

    @classmethod
    def of(cls, ticket: Ticket, *, now: datetime) -> "TicketView":
        return cls(
            id=ticket.id,
            ticket_no=ticket.ticket_no,
            channel=ticket.appeal.channel,
            appeal_type=ticket.appeal.appeal_type,
            urgency=ticket.appeal.urgency,
            title=ticket.appeal.title,
            content=ticket.appeal.content,
            status=ticket.status,
            unit_code=ticket.unit_code,
            registered_at=_local(ticket.registered_at),
            assigned_at=_local(ticket.assigned_at),
            citizen_due=ticket.citizen_term and _local(ticket.citizen_term.due_at),
            reply_due=ticket.reply_term and _local(ticket.reply_term.due_at),
            replied_at=_local(ticket.replied_at),
            reply=ticket.reply,
            is_overdue=ticket.is_overdue(at=now),
            version=ticket.version,
        )


class RegisteredView(TicketView):
    """The one answer that holds the query code (查询码): whoever has both numbers sees progress."""

    query_code: str


class LineView(BaseModel):
    id: UUID
    ticket_no: str
    title: str
    appeal_type: str
    urgency: str
    status: Status
    unit_code: str | None
    unit_name: str | None
    registered_at: AwareDatetime
    reply_due: AwareDatetime | None
    replied_at: AwareDatetime | None
    is_overdue: bool
    version: int


class PageView(BaseModel):
    items: list[LineView]
    next: str | None


class DayView(BaseModel):
    day: str
    counted: bool
    number: int | None
    reason: str


class DeadlineView(BaseModel):
    clock: str
    rule: str
    clause: str
    start_at: AwareDatetime
    due_at: AwareDatetime
    calendar_version: str
    is_provisional: bool
    days: list[DayView]

    @classmethod
    def of(cls, clock: str, explained: Explanation) -> "DeadlineView":
        return cls(
            clock=clock,
            rule=explained.rule,
            clause=explained.limit.clause,
            start_at=explained.start,
            due_at=explained.due,
            calendar_version=explained.calendar_version,
            is_provisional=explained.provisional,
            days=[
                DayView(
                    day=each.day.isoformat(),
                    counted=each.counted,
                    number=each.number,
                    reason=each.reason,
                )
                for each in explained.days
            ],
        )


class ProgressView(BaseModel):
    """What the citizen sees: no content, no person."""

    ticket_no: str
    title: str
    status: Status
    registered_at: AwareDatetime
    citizen_due: AwareDatetime | None
    reply: str | None


class RowView(BaseModel):
    line: int
    outcome: str
    reason: str | None
    ticket_no: str | None


class ImportView(BaseModel):
    taken: int
    known: int
    refused: int
    rows: list[RowView]


@router.post(
    "",
    status_code=201,
    summary="登记诉求",
    responses=refusals(AlreadyTakenIn),
)
async def register(
    body: RegisterRequest,
    response: Response,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:register"),
) -> RegisteredView:
    new = operations.Registration(
        ticket_id=new_id(now),
        ticket_no=operations.new_ticket_no(now),
        query_code=operations.new_query_code(),
        appeal=Appeal(
            channel=body.channel,
            channel_order_no=body.channel_order_no,
            appeal_type=body.appeal_type,
            urgency=body.urgency,
            title=body.title,
            content=body.content,
        ),
        person=Complainant(**body.person.model_dump()),
        actor=who.subject,
        wants_reply=body.wants_reply,
    )
    rules = await operations.rules_at(kit, now=now)
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
    who: Principal = require("ticket:read"),
) -> PageView:
    filters = queries.Filters(status=status, unit_code=who.unit or unit, is_overdue=overdue)
    found = await queries.tickets(reads, filters=filters, page=page, now=now)
    items = [line_view(each, now) for each in found]
    last = found[-1] if len(found) == page.limit else None
    return PageView(
        items=items,
        next=last and page.next_cursor([last.registered_at.isoformat(), str(last.id)]),
    )


@router.get("/{ticket_id}", summary="查看工单", responses=refusals(TicketNotFound))
async def read(
    ticket_id: TicketId,
    response: Response,
    reads: Reads,
    now: Now,
    who: Principal = require("ticket:read"),
) -> TicketView:
    ticket = await seen_by(reads, ticket_id, who)
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@router.get("/{ticket_id}/deadlines", summary="期限逐日说明", responses=refusals(TicketNotFound))
async def deadlines(
    ticket_id: TicketId, reads: Reads, kit: Parts, who: Principal = require("ticket:read")
) -> list[DeadlineView]:
    ticket = await seen_by(reads, ticket_id, who)
    calendar = await kit.calendars.current()
    return [
        DeadlineView.of(clock, term.explain(calendar))
        for clock, term in (("citizen", ticket.citizen_term), ("unit", ticket.reply_term))
        if term is not None
    ]


@router.post(
    "/{ticket_id}/assign", summary="派单", responses=refusals(*_MOVE_REFUSALS, UnitNotFound)
)
async def assign(
    ticket_id: TicketId,
    body: AssignRequest,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:assign"),
) -> TicketView:
    step = Step(ticket_id=ticket_id, actor=who.subject, seen_version=expected)
    rules = await operations.rules_at(kit, now=now)
    ticket = await operations.assign(tx, step=step, unit_code=body.unit_code, rules=rules, now=now)
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@router.post("/{ticket_id}/sign", summary="签收", responses=refusals(*_MOVE_REFUSALS))
async def sign(
    ticket_id: TicketId,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:sign"),
) -> TicketView:
    ticket = await operations.sign(tx, step=_unit_step(ticket_id, who, expected), now=now)
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@router.post("/{ticket_id}/reply", summary="答复", responses=refusals(*_MOVE_REFUSALS))
async def reply(
    ticket_id: TicketId,
    body: ReplyRequest,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:reply"),
) -> TicketView:
    ticket = await operations.reply(
        tx,
        step=_unit_step(ticket_id, who, expected),
        text=body.text,
        calendar=await kit.calendars.current(),
        now=now,
    )
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@router.post("/{ticket_id}/close", summary="办结", responses=refusals(*_MOVE_REFUSALS))
async def close(
    ticket_id: TicketId,
    expected: IfMatch,
    response: Response,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:close"),
) -> TicketView:
    step = Step(ticket_id=ticket_id, actor=who.subject, seen_version=expected)
    ticket = await operations.close(tx, step=step, now=now)
    tag(response, ticket.version)
    return TicketView.of(ticket, now=now)


@imports.post("", summary="批量导入（CSV、XLSX）", responses=refusals(BadFile))
async def import_file(
    file: UploadFile,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:import"),
) -> ImportView:
    """Rows are taken each for itself: a bad one is named with its line, the rest are taken."""
    report = await operations.import_file(
        kit, name=file.filename or "", content=await file.read(), actor=who.subject, now=now
    )
    return ImportView(
        taken=report.taken,
        known=report.known,
        refused=report.refused,
        rows=[
            RowView(
                line=each.line,
                outcome=each.outcome,
                reason=each.reason,
                ticket_no=each.ticket_no,
            )
            for each in report.rows
        ],
    )


@public.get("", summary="按工单编号和查询码查询进度", responses=refusals(TicketNotFound))
async def progress(
    response: Response,
    reads: Reads,
    ticket_no: Annotated[str, Query(max_length=40, description="工单编号")],
    query_code: Annotated[str, Query(max_length=20, description="查询码")],
) -> ProgressView:
    ticket = await queries.progress(reads, ticket_no=ticket_no, query_code=query_code)
    no_store(response)
    return ProgressView(
        ticket_no=ticket.ticket_no,
        title=ticket.appeal.title,
        status=ticket.status,
        registered_at=ticket.registered_at.astimezone(SHANGHAI),
        citizen_due=ticket.citizen_term and _local(ticket.citizen_term.due_at),
        reply=ticket.reply,
    )


def line_view(line: queries.TicketLine, now: datetime) -> LineView:
    return LineView(
        id=line.id,
        ticket_no=line.ticket_no,
        title=line.title,
        appeal_type=line.appeal_type,
        urgency=line.urgency,
        status=line.status,
        unit_code=line.unit_code,
        unit_name=line.unit_name,
        registered_at=line.registered_at.astimezone(SHANGHAI),
        reply_due=_local(line.reply_due),
        replied_at=_local(line.replied_at),
        is_overdue=line.is_overdue(now),
        version=line.version,
    )


async def seen_by(reads: Reads, ticket_id: UUID, who: Principal) -> Ticket:
    """A unit sees its own tickets; another's is as if it were not there."""
    ticket = await queries.one(reads, ticket_id)
    if who.unit is not None and ticket.unit_code != who.unit:
        raise TicketNotFound("没有这个工单")
    return ticket


def _unit_step(ticket_id: UUID, who: Principal, expected: int) -> Step:
    """Units act for themselves; only the hub's administrators act for any."""
    if who.unit is None and "admin" not in who.roles:
        raise NotPermitted("您的身份没有所属承办单位")
    return Step(ticket_id=ticket_id, actor=who.subject, unit=who.unit, seen_version=expected)


def _local(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(SHANGHAI)
