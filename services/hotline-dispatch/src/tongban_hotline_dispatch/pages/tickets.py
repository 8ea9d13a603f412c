"""What people look at: tickets, one with its history and deadlines, import, progress."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Query, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.bodies import FreeText
from tongban_common.http import Now, Paged, PageRequest, Reads, Router, Tx, Who, no_store
from tongban_common.privacy import Sealer, mask_text
from tongban_common.service import Parts
from tongban_common.web import templates
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.appeal import APPEAL_NAMES, CHANNEL_NAMES, URGENCY_NAMES
from tongban_hotline_dispatch.domain.assignment import Clock, Reply
from tongban_hotline_dispatch.domain.importing import COLUMNS, REQUIRED, BadFile
from tongban_hotline_dispatch.domain.moves import STATUS_NAMES, Status
from tongban_hotline_dispatch.domain.process_tables import TICKET
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Rules, Step, acts_for
from tongban_hotline_dispatch.store import TicketNotFound

router = Router(prefix="/hotline")
pages = templates("tongban_hotline_dispatch")
pages.environment.filters["mask_text"] = mask_text

_NEXT = {
    Status.REGISTERED: "assign",
    Status.ASSIGNED: "sign",
    Status.SIGNED: "reply",
    Status.REPLIED: "close",
}
_CLOCKS = {Clock.UNIT: "承办单位答复期限", Clock.CITIZEN: "市民等候期限"}


@dataclass(frozen=True, slots=True)
class Happened:
    """A line of the history as the timeline shows it."""

    at: datetime
    title: str
    actor: str
    note: str


async def _rules_in_force(kit: Parts, now: Now) -> Rules:
    return await operations.rules_at(kit, now=now)


def _filters(
    who: Principal = require("ticket:read"),
    status: Annotated[str, Query(max_length=20)] = "",
    unit: Annotated[str, Query(max_length=64)] = "",
    overdue: Annotated[str, Query(max_length=5)] = "",
) -> queries.Filters:
    """A form sends what was left open as an empty text."""
    return queries.Filters(
        status=Status(status) if status in set(Status) else None,
        unit_code=acts_for(who) or unit or None,
        is_overdue=True if overdue else None,
    )


@router.get("/tickets", response_class=HTMLResponse, include_in_schema=False)
async def ticket_list(
    request: Request,
    page: Paged,
    reads: Reads,
    now: Now,
    filters: Annotated[queries.Filters, Depends(_filters)],
    who: Principal = require("ticket:read"),
) -> HTMLResponse:
    found = await queries.tickets(reads, filters=filters, page=page, now=now)
    return pages.render(
        request,
        "tickets.html",
        tickets=[(each, _chips(each, now)) for each in found],
        statuses=STATUS_NAMES,
        types=APPEAL_NAMES,
        units=await queries.units(reads) if acts_for(who) is None else (),
        filters=filters,
        next_cursor=_next(found, page),
    )


@router.get("/tickets/{ticket_id}", response_class=HTMLResponse, include_in_schema=False)
async def ticket_page(
    request: Request,
    ticket_id: UUID,
    reads: Reads,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:read"),
    said: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    ticket = await queries.one(reads, ticket_id, seen_by=acts_for(who))
    calendar = await kit.calendars.current()
    imported = await queries.imported_years(reads)
    units = dict(await queries.units(reads))
    return pages.render(
        request,
        "ticket.html",
        ticket=ticket,
        unit_name=units.get(ticket.unit_code or "", ticket.unit_code),
        person=await queries.person(reads, ticket_id, Sealer(kit.secret)),
        statuses=STATUS_NAMES,
        types=APPEAL_NAMES,
        urgencies=URGENCY_NAMES,
        channels=CHANNEL_NAMES,
        happened=[_happened(each) for each in await queries.history(reads, ticket_id)],
        is_overdue=ticket.is_overdue(at=now),
        deadlines=[
            (_CLOCKS[clock], term.explain(calendar, imported), term.policy)
            for clock, term in ticket.terms.items()
        ],
        units=list(units.items()),
        move=_move(ticket, who),
        flash={"done": "已办理"}.get(said),
    )


@router.post("/tickets/{ticket_id}/{move}", response_class=HTMLResponse, include_in_schema=False)
async def act(
    ticket_id: UUID,
    move: str,
    rules: Annotated[Rules, Depends(_rules_in_force)],
    tx: Tx,
    now: Now,
    version: Annotated[int, Form(ge=1, le=1_000_000)],
    unit_code: Annotated[FreeText, Form(max_length=64)] = "",
    text: Annotated[FreeText, Form(max_length=20_000)] = "",
    who: Principal = require("ticket:read"),
) -> Response:
    """One form for every move; each needs the permission that its API route needs."""
    if move not in _NEXT.values():
        raise TicketNotFound("没有这个办理事项")
    if not who.may(f"ticket:{move}"):
        raise NotPermitted("您没有办理此操作的权限")
    step = Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who), seen_version=version)
    if move == "assign":
        await operations.assign(tx, step=step, unit_code=unit_code, rules=rules, now=now)
    elif move == "sign":
        await operations.sign(tx, step=step, rules=rules, now=now)
    elif move == "reply":
        await operations.reply(tx, step=step, answer=Reply.of(text), rules=rules, now=now)
    else:
        await operations.close(tx, step=step, rules=rules, now=now)
    return RedirectResponse(f"/hotline/tickets/{ticket_id}?said=done", status_code=303)


@router.get("/import", response_class=HTMLResponse, include_in_schema=False)
async def import_page(request: Request, _: Principal = require("ticket:import")) -> HTMLResponse:
    return _import_form(request)


@router.post("/import", response_class=HTMLResponse, include_in_schema=False)
async def import_file(
    request: Request,
    file: UploadFile,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:import"),
) -> HTMLResponse:
    try:
        report = await operations.import_file(
            kit, content=await file.read(), actor=who.subject, now=now
        )
    except BadFile as refusal:
        return _import_form(request, status=400, fault=refusal.message)
    return _import_form(request, report=report)


@router.get("/progress", response_class=HTMLResponse, include_in_schema=False)
async def progress_page(request: Request, _: Who) -> HTMLResponse:
    return _progress(request)


@router.post("/progress", response_class=HTMLResponse, include_in_schema=False)
async def progress(
    request: Request,
    reads: Reads,
    _: Who,
    ticket_no: Annotated[FreeText, Form(max_length=40)] = "",
    query_code: Annotated[FreeText, Form(max_length=20)] = "",
) -> HTMLResponse:
    """Posted, so that the query code stays out of addresses and logs."""
    number = ticket_no.strip()
    try:
        ticket = await queries.progress(reads, ticket_no=number, query_code=query_code.strip())
    except TicketNotFound as refusal:
        return _progress(request, status=404, ticket_no=number, fault=refusal.message)
    return _progress(request, ticket_no=number, ticket=ticket)


def _import_form(request: Request, *, status: int = 200, **context: object) -> HTMLResponse:
    optional = [zh for name, zh in COLUMNS.items() if name not in REQUIRED]
    values: dict[str, object] = {"report": None, "fault": None, **context}
    required = [COLUMNS[name] for name in REQUIRED]
    return pages.render(
        request, "import.html", status=status, required=required, optional=optional, **values
    )


def _progress(request: Request, *, status: int = 200, **context: object) -> HTMLResponse:
    values: dict[str, object] = {"ticket": None, "fault": None, "ticket_no": "", **context}
    shown = pages.render(request, "progress.html", status=status, statuses=STATUS_NAMES, **values)
    no_store(shown)
    return shown


def _next(found: Sequence[queries.TicketLine], page: PageRequest) -> str | None:
    return page.next_cursor(found[-1].key) if len(found) == page.limit else None


def _happened(line: queries.HistoryLine) -> Happened:
    return Happened(line.at, TICKET.name_of(line.act), line.actor, line.unit_name or "")


def _move(ticket: Ticket, who: Principal) -> str | None:
    """The move that this person may make now, if any."""
    move = _NEXT.get(ticket.status)
    return move if move is not None and who.may(f"ticket:{move}") else None


def _chips(line: queries.TicketLine, now: datetime) -> list[tuple[str, str]]:
    """What to say about a ticket's deadlines, and in which tone."""
    chips = []
    if line.is_overdue(now):
        chips.append(("超期", "danger"))
    elif line.is_near_due(now):
        chips.append(("临期", "warning"))
    if line.is_late_for_citizen(now):
        chips.append(("超过市民等候期限", "danger"))
    return chips
