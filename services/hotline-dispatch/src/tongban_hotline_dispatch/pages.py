"""What people look at: tickets, one with its history and deadlines, import, progress."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Form, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import Principal, require
from tongban_common.errors import Refusal
from tongban_common.http import Now, Paged, Reads, Router, Tx, no_store
from tongban_common.privacy import Sealer, mask_text
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_common.working_days import Explanation, WorkingCalendar
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.rows import BadFile
from tongban_hotline_dispatch.domain.ticket import (
    APPEAL_NAMES,
    CHANNEL_NAMES,
    STATUS_NAMES,
    Status,
    Ticket,
)
from tongban_hotline_dispatch.operations import Step
from tongban_hotline_dispatch.store import TicketNotFound

router = Router(prefix="/hotline", tags=["页面"])
pages = templates("tongban_hotline_dispatch")
_NEAR = timedelta(days=2)
_DONE = {
    Status.REGISTERED: "登记",
    Status.ASSIGNED: "派单",
    Status.SIGNED: "签收",
    Status.REPLIED: "答复",
    Status.CLOSED: "办结",
}


@dataclass(frozen=True, slots=True)
class Happened:
    """A line of the history as the timeline shows it."""

    at: datetime
    title: str
    actor: str
    note: str


@router.get("/tickets", summary="工单列表页")
async def ticket_list(
    request: Request,
    page: Paged,
    reads: Reads,
    now: Now,
    status: Annotated[str, Query(max_length=20)] = "",
    overdue: Annotated[str, Query(max_length=5)] = "",
    who: Principal = require("ticket:read"),
) -> HTMLResponse:
    filters = queries.Filters(
        status=Status(status) if status in set(Status) else None,
        unit_code=who.unit,
        is_overdue=True if overdue else None,
    )
    found = await queries.tickets(reads, filters=filters, page=page, now=now)
    last = found[-1] if len(found) == page.limit else None
    return pages.render(
        request,
        "tickets.html",
        tickets=[(each, _chip(each, now)) for each in found],
        statuses=STATUS_NAMES,
        types=APPEAL_NAMES,
        chosen=status,
        overdue=overdue,
        next_cursor=last and page.next_cursor([last.registered_at.isoformat(), str(last.id)]),
    )


@router.get("/tickets/{ticket_id}", summary="工单页")
async def ticket_page(
    request: Request,
    ticket_id: UUID,
    reads: Reads,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:read"),
    said: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    ticket = await queries.one(reads, ticket_id)
    if who.unit is not None and ticket.unit_code != who.unit:
        raise TicketNotFound("没有这个工单")
    calendar = await kit.calendars.current()
    units = dict(await queries.units(reads))
    happened = [
        Happened(each.at, _DONE[each.status], each.actor, each.unit_name or "")
        for each in await queries.history(reads, ticket_id)
    ]
    return pages.render(
        request,
        "ticket.html",
        ticket=ticket,
        content=mask_text(ticket.appeal.content),
        unit_name=units.get(ticket.unit_code or "", ticket.unit_code),
        person=await queries.person(reads, ticket_id, Sealer(kit.secret)),
        policy=await queries.policy_version(reads, ticket_id),
        statuses=STATUS_NAMES,
        types=APPEAL_NAMES,
        channels=CHANNEL_NAMES,
        happened=happened,
        is_overdue=ticket.is_overdue(at=now),
        deadlines=_deadlines(ticket, calendar),
        units=list(units.items()),
        moves=_moves(ticket, who),
        flash={"done": "已办理"}.get(said),
    )


@router.post("/tickets/{ticket_id}/{move}", summary="在工单页办理")
async def act(
    ticket_id: UUID,
    move: str,
    tx: Tx,
    now: Now,
    kit: Parts,
    version: Annotated[int, Form(ge=1)],
    unit_code: Annotated[str, Form(max_length=64)] = "",
    text: Annotated[str, Form(max_length=20_000)] = "",
    who: Principal = require("ticket:read"),
) -> Response:
    """One form for every move; each needs the permission that its API route needs."""
    if move not in _PERMISSIONS or not who.may(_PERMISSIONS[move]):
        raise TicketNotFound("没有这个办理事项，或者您的身份不能办理")
    step = Step(ticket_id=ticket_id, actor=who.subject, unit=who.unit, seen_version=version)
    if move == "assign":
        rules = await operations.rules_at(kit, now=now)
        await operations.assign(tx, step=step, unit_code=unit_code, rules=rules, now=now)
    elif move == "sign":
        await operations.sign(tx, step=step, now=now)
    elif move == "reply":
        calendar = await kit.calendars.current()
        answer = text.strip() or "（未填写答复内容）"
        await operations.reply(tx, step=step, text=answer, calendar=calendar, now=now)
    else:
        await operations.close(tx, step=step, now=now)
    return RedirectResponse(f"/hotline/tickets/{ticket_id}?said=done", status_code=303)


@router.get("/import", summary="批量导入页")
async def import_page(request: Request, _: Principal = require("ticket:import")) -> HTMLResponse:
    return pages.render(request, "import.html", report=None, fault=None)


@router.post("/import", summary="批量导入")
async def import_file(
    request: Request,
    file: UploadFile,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:import"),
) -> HTMLResponse:
    try:
        report = await operations.import_file(
            kit, name=file.filename or "", content=await file.read(), actor=who.subject, now=now
        )
    except BadFile as refusal:
        return pages.render(request, "import.html", report=None, fault=refusal.message, status=400)
    return pages.render(request, "import.html", report=report, fault=None)


@router.get("/progress", summary="工单进度查询页")
async def progress_page(
    request: Request,
    reads: Reads,
    ticket_no: Annotated[str, Query(max_length=40)] = "",
    query_code: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    ticket, fault = None, None
    if ticket_no or query_code:
        try:
            ticket = await queries.progress(
                reads, ticket_no=ticket_no.strip(), query_code=query_code.strip()
            )
        except Refusal as refusal:
            fault = refusal.message
    answer = pages.render(
        request,
        "progress.html",
        ticket=ticket,
        fault=fault,
        ticket_no=ticket_no,
        statuses=STATUS_NAMES,
    )
    no_store(answer)
    return answer


_PERMISSIONS = {
    "assign": "ticket:assign",
    "sign": "ticket:sign",
    "reply": "ticket:reply",
    "close": "ticket:close",
}
_NEXT = {
    Status.REGISTERED: "assign",
    Status.ASSIGNED: "sign",
    Status.SIGNED: "reply",
    Status.REPLIED: "close",
}


def _moves(ticket: Ticket, who: Principal) -> str | None:
    """The move that this person may make now, if any."""
    move = _NEXT.get(ticket.status)
    return move if move is not None and who.may(_PERMISSIONS[move]) else None


def _deadlines(ticket: Ticket, calendar: WorkingCalendar) -> list[tuple[str, Explanation]]:
    terms = (("承办单位答复期限", ticket.reply_term), ("市民等候期限", ticket.citizen_term))
    return [(title, term.explain(calendar)) for title, term in terms if term is not None]


def _chip(line: queries.TicketLine, now: datetime) -> tuple[str, str] | None:
    """What to say about the deadline of an open ticket, and in which tone."""
    if line.reply_due is None:
        return None
    if line.is_overdue(now):
        return "超期", "danger"
    if line.status in queries.OPEN and line.reply_due - now < _NEAR:
        return "临期", "warning"
    return None
