"""What people look at: the list of all tickets, and import."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query, Request, UploadFile
from fastapi.responses import HTMLResponse

from tongban_common.auth import Principal, require
from tongban_common.http import Now, Paged, PageRequest, Reads, Router
from tongban_common.service import Parts
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.importing import COLUMNS, REQUIRED, BadFile
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.particulars import FLAG_NAMES, Flag
from tongban_hotline_dispatch.operations import acts_for, viewer_of
from tongban_hotline_dispatch.pages.desks import pages

router = Router(prefix="/hotline")


def _filters(
    who: Principal = require("ticket:read"),
    status: Annotated[str, Query(max_length=20)] = "",
    unit: Annotated[str, Query(max_length=64)] = "",
    overdue: Annotated[str, Query(max_length=5)] = "",
    flag: Annotated[str, Query(max_length=20)] = "",
    region: Annotated[str, Query(max_length=12)] = "",
) -> queries.Filters:
    """A form sends what was left open as an empty text."""
    viewer = viewer_of(who)
    return queries.Filters(
        viewer=viewer,
        status=Status(status) if status in set(Status) else None,
        unit_code=viewer.unit or unit or None,
        is_overdue=True if overdue else None,
        flag=Flag(flag) if flag in set(Flag) else None,
        region_code=region or None,
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
        units=await queries.units(reads) if acts_for(who) is None else (),
        filters=filters,
        flags=FLAG_NAMES,
        next_cursor=_next(found, page),
    )


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


def _import_form(request: Request, *, status: int = 200, **context: object) -> HTMLResponse:
    optional = [zh for name, zh in COLUMNS.items() if name not in REQUIRED]
    values: dict[str, object] = {"report": None, "fault": None, **context}
    required = [COLUMNS[name] for name in REQUIRED]
    return pages.render(
        request, "import.html", status=status, required=required, optional=optional, **values
    )


def _next(found: Sequence[queries.TicketLine], page: PageRequest) -> str | None:
    return page.next_cursor(found[-1].key) if len(found) == page.limit else None


def _chips(line: queries.TicketLine, now: datetime) -> list[tuple[str, str]]:
    """What to say about a ticket's flags and deadlines, and in which tone."""
    chips = [(FLAG_NAMES[each], "warning") for each in line.flags]
    if line.is_overdue(now):
        chips.append(("超期", "danger"))
    elif line.is_near_due(now):
        chips.append(("临期", "warning"))
    if line.is_late_for_citizen(now):
        chips.append(("超过市民等候期限", "danger"))
    return chips
