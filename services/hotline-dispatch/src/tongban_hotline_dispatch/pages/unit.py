"""承办台: a unit's own tickets by due time, under a traffic light, with the next step at hand."""

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.http import Now, Paged, Reads, Router
from tongban_common.service import Parts
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.domain.desks import Lamp, lamp
from tongban_hotline_dispatch.domain.moves import State, Status
from tongban_hotline_dispatch.operations import Step, acts_for, rules_at, sign_offs, viewer_of
from tongban_hotline_dispatch.pages.desks import pages
from tongban_hotline_dispatch.store import desk_lists
from tongban_hotline_dispatch.store.attachments import counts
from tongban_hotline_dispatch.store.desk_lists import ShareLine
from tongban_hotline_dispatch.store.sign_offs import WHAT_NAMES, pending

router = Router(prefix="/hotline/desk/unit")
_MOST = 50
STATES = (State.WAITING, State.SIGNED, State.CONTACTED, State.REWORK, State.RETURN_REQUESTED)


@dataclass(frozen=True, slots=True)
class Mine:
    """One assignment with its lamp, what to do next, and until when."""

    line: ShareLine
    lamp: Lamp | None
    next_lamp: Lamp | None


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def unit_page(
    request: Request,
    page: Paged,
    reads: Reads,
    now: Now,
    state: Annotated[str, Query(max_length=20)] = "",
    who: Principal = require("ticket:sign"),
) -> HTMLResponse:
    viewer = viewer_of(who)
    if viewer.unit is None:
        raise NotPermitted("承办台只对承办单位开放，中心请用派单台")
    chosen = State(state) if state in set(STATES) else None
    found = await desk_lists.shares(reads, viewer, chosen, after=page.after, most=page.limit)
    cursor = page.next_cursor(found[-1].key) if len(found) == page.limit else None
    return pages.render(
        request,
        "unit_desk.html",
        lines=[_mine(each, now) for each in found],
        counts=await desk_lists.unit_counts(reads, viewer, now),
        files=await counts(reads, [each.ticket.id for each in found]),
        state=chosen,
        offered=STATES,
        next_cursor=cursor,
        to_sign=await pending(reads, viewer, most=_MOST) if who.may("ticket:sign_off") else (),
        what_names=WHAT_NAMES,
        units=dict(await queries.units(reads)),
        flash={"done": "已办理"}.get(request.query_params.get("said", "")),
    )


@router.post("/sign-offs/{ticket_id}", response_class=HTMLResponse, include_in_schema=False)
async def sign_off(
    ticket_id: UUID,
    now: Now,
    kit: Parts,
    version: Annotated[int, Form(ge=1, le=1_000_000)],
    verdict: Annotated[Literal["yes", "no"], Form()],
    who: Principal = require("ticket:sign_off"),
) -> Response:
    rules = await rules_at(kit, now=now)
    step = Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who), seen_version=version)
    async with kit.db.transaction() as tx:
        if verdict == "yes":
            await sign_offs.sign_off(tx, step=step, rules=rules, now=now)
        else:
            await sign_offs.refuse(tx, step=step, now=now)
    return RedirectResponse("/hotline/desk/unit?said=done", status_code=303)


def _mine(line: ShareLine, now: Now) -> Mine:
    is_held = line.ticket.status is Status.SUSPENDED
    own = None if is_held else lamp(line.due_at, line.warn_at, now)
    due = None
    if line.state is State.WAITING:
        due = line.sign_due
    elif line.state is State.SIGNED and line.contact_due is not None:
        due = line.contact_due
    return Mine(line, own, None if due is None or is_held else lamp(due, None, now))
