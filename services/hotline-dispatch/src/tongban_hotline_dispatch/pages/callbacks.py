"""回访台: whom to call by what is due, one call with its number and questions, bad reviews."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tongban_common.auth import Principal, require
from tongban_common.http import Now, Paged, Reads, Router, Tx, no_store
from tongban_common.privacy import Sealer
from tongban_common.service import Kit, Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import operations, queries
from tongban_hotline_dispatch.domain.callback import Callback, Cause
from tongban_hotline_dispatch.domain.desks import Lamp, lamp
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.operations import Step, acts_for, viewer_of
from tongban_hotline_dispatch.operations.callbacks import CallbackDesk
from tongban_hotline_dispatch.pages.desks import pages
from tongban_hotline_dispatch.pages.move_table import offered
from tongban_hotline_dispatch.pages.moves import Seen
from tongban_hotline_dispatch.pages.ticket import options_of
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store import callback_reads as reading
from tongban_hotline_dispatch.store.callback_reads import What

router = Router(prefix="/hotline/desk/callbacks")


async def _rules_in_force(kit: Parts, now: Now) -> Rules:
    return await operations.rules_at(kit, now=now)


# Stands before Tx where both are parameters: read before the transaction takes its connection.
InForce = Annotated[Rules, Depends(_rules_in_force)]
WHAT_NAMES = {
    What.CALL: "待回访",
    What.SILENT: "到期未答复",
    What.BAD: "差评待处理",
    What.MINE: "我领取的",
}
CAUSE_NAMES = {Cause.REPLIED: "已答复", Cause.DEADLINE: "办理时限届满"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One call with its lamps: until when somebody calls, and when the window ends."""

    line: reading.Task
    call: Lamp | None
    window: Lamp | None
    is_free: bool  # nobody else has it in hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Who looks at which call; `person` in clear once the number was asked for."""

    request: Request
    kit: Kit
    who: Principal
    ticket_id: UUID
    now: datetime
    person: Complainant | None = None


@router.get("", response_class=HTMLResponse, include_in_schema=False)
async def queue_page(
    request: Request,
    page: Paged,
    reads: Reads,
    now: Now,
    kit: Parts,
    what: Annotated[str, Query(max_length=20)] = What.CALL,
    who: Principal = require("ticket:callback"),
) -> HTMLResponse:
    chosen = What(what) if what in set(What) else What.CALL
    rules = await operations.rules_at(kit, now=now)
    viewer = viewer_of(who)
    found = await reading.tasks(
        reads, viewer=viewer, now=now, after=page.after, most=page.limit, what=chosen
    )
    full = len(found) == page.limit
    return pages.render(
        request,
        "callbacks.html",
        tasks=[_task(each, who, rules, now) for each in found],
        counts=await reading.counts(reads, viewer=viewer, now=now),
        state_names=WHAT_NAMES,
        causes=CAUSE_NAMES,
        what=chosen,
        next_cursor=page.next_cursor(found[-1].key) if full else None,
        flash={"done": "已办理"}.get(request.query_params.get("said", "")),
    )


@router.get("/{ticket_id}", response_class=HTMLResponse, include_in_schema=False)
async def call_page(
    request: Request,
    ticket_id: UUID,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:callback"),
) -> HTMLResponse:
    sheet = Sheet(request=request, kit=kit, who=who, ticket_id=ticket_id, now=now)
    return await _shown(sheet)


@router.post("/{ticket_id}/take", response_class=HTMLResponse, include_in_schema=False)
async def take(
    ticket_id: UUID,
    rules: InForce,
    tx: Tx,
    now: Now,
    who: Principal = require("ticket:callback"),
) -> Response:
    step = Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who))
    await CallbackDesk(tx, step=step, rules=rules, now=now).take()
    return RedirectResponse(f"/hotline/desk/callbacks/{ticket_id}", status_code=303)


@router.post("/{ticket_id}/number", response_class=HTMLResponse, include_in_schema=False)
async def number(
    request: Request,
    ticket_id: UUID,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:callback"),
) -> HTMLResponse:
    """Posted: a viewing is an act, and its page is kept by no cache."""
    rules = await operations.rules_at(kit, now=now)
    step = Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who))
    async with kit.db.transaction() as tx:
        desk = CallbackDesk(tx, step=step, rules=rules, now=now)
        person = await desk.number(Sealer(kit.secret))
    shown = await _shown(
        Sheet(request=request, kit=kit, who=who, ticket_id=ticket_id, now=now, person=person)
    )
    no_store(shown)
    return shown


async def _shown(sheet: Sheet) -> HTMLResponse:
    rules = await operations.rules_at(sheet.kit, now=sheet.now)
    sealer, viewer = Sealer(sheet.kit.secret), viewer_of(sheet.who)
    async with sheet.kit.db.reading() as reads:
        ticket = await queries.one(reads, sheet.ticket_id, seen_by=viewer)
        task = await reading.task_of(reads, ticket.id, viewer=viewer, now=sheet.now)
        rounds = await reading.rounds(reads, ticket.id)
        units = dict(await queries.units(reads))
        masked = await queries.person(reads, ticket, sealer, seen_by=viewer.unit)
    rules = rules.pinned(ticket.process_version)
    seen = Seen(ticket=ticket, share=None, rules=rules, now=sheet.now)
    moves = [each for each in offered(seen, sheet.who) if each.path.startswith("callback-")]
    return pages.render(
        sheet.request,
        "callback.html",
        ticket=ticket,
        person=sheet.person or masked,
        is_clear=sheet.person is not None,
        task=None if task is None else _task(task, sheet.who, rules, sheet.now),
        rounds=rounds,
        tried=_tried(ticket.callback, rules),
        moves=moves,
        options=options_of(units, rules),
        units=units,
        causes=CAUSE_NAMES,
        hides_notes=False,
    )


def _task(line: reading.Task, who: Principal, rules: Rules, now: datetime) -> Task:
    call = None if line.attempts or line.own_mark else line.call_due
    return Task(
        line=line,
        call=None if call is None else lamp(call, None, now),
        window=None if line.due is None else lamp(line.due, None, now),
        is_free=line.taken_by in {None, who.subject} or not _is_held(line, rules, now),
    )


def _is_held(line: reading.Task, rules: Rules, now: datetime) -> bool:
    if line.taken_at is None or rules.callback is None:
        return False
    minutes = (now - line.taken_at).total_seconds() / 60
    return minutes < rules.callback.current.lease_minutes


def _tried(current: Callback | None, rules: Rules) -> list[tuple[datetime, str]]:
    """Each attempt and the band that it counts in; none for one outside all of them."""
    if current is None or rules.callback is None:
        return []
    bands = rules.callback.of(current).attempts.listed
    return [
        (each.astimezone(SHANGHAI), next((band.name for band in bands if band.holds(each)), ""))
        for each in current.attempts
    ]
