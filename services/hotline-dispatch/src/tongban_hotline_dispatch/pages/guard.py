"""The forms of a ticket's page for the unit complained of and for recusal."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form
from fastapi.responses import RedirectResponse, Response

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.bodies import FreeText
from tongban_common.http import Now, Router, Tx
from tongban_common.service import Parts
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.operations import Rules, Step, acts_for, guard, redaction
from tongban_hotline_dispatch.operations.guard import Recusal

router = Router(prefix="/hotline/tickets")


async def _rules_in_force(kit: Parts, now: Now) -> Rules:
    return await operations.rules_at(kit, now=now)


# Stands before Tx where both are parameters: read before the transaction takes its connection.
InForce = Annotated[Rules, Depends(_rules_in_force)]


@router.post("/{ticket_id}/target", include_in_schema=False)
async def name_target(
    ticket_id: UUID,
    tx: Tx,
    now: Now,
    reason: Annotated[FreeText, Form(min_length=1, max_length=500)],
    unit_code: Annotated[FreeText, Form(max_length=64)] = "",
    who: Principal = require("ticket:intake"),
) -> Response:
    await guard.name_target(
        tx, step=_step(ticket_id, who), unit_code=unit_code or None, reason=reason, now=now
    )
    return RedirectResponse(f"/hotline/tickets/{ticket_id}?said=done", status_code=303)


@router.post("/{ticket_id}/public-text", include_in_schema=False)
async def rewrite(
    ticket_id: UUID,
    tx: Tx,
    now: Now,
    title: Annotated[FreeText, Form(min_length=1, max_length=200)],
    content: Annotated[FreeText, Form(min_length=1, max_length=20_000)],
    reason: Annotated[FreeText, Form(min_length=1, max_length=500)],
    who: Principal = require("ticket:intake"),
) -> Response:
    step = _step(ticket_id, who)
    await redaction.rewrite(tx, step=step, title=title, content=content, reason=reason, now=now)
    return RedirectResponse(f"/hotline/tickets/{ticket_id}?said=done", status_code=303)


@router.post("/{ticket_id}/recuse", include_in_schema=False)
async def recuse(
    ticket_id: UUID,
    rules: InForce,
    tx: Tx,
    now: Now,
    reason: Annotated[FreeText, Form(min_length=1, max_length=64)],
    staff: Annotated[FreeText, Form(max_length=128)] = "",
    note: Annotated[FreeText, Form(max_length=500)] = "",
    who: Principal = require("ticket:read"),
) -> Response:
    """Who recuses is led to the desk: the ticket is out of sight."""
    wanted = Recusal(staff=staff.strip() or who.subject, reason=reason, note=note.strip() or None)
    is_own = wanted.staff == who.subject
    if not is_own and not who.may("ticket:recuse"):
        raise NotPermitted("您没有决定他人回避的权限", permission="ticket:recuse")
    await guard.recuse(tx, step=_step(ticket_id, who), wanted=wanted, rules=rules, now=now)
    back = "/hotline/desk" if is_own else f"/hotline/tickets/{ticket_id}?said=done"
    return RedirectResponse(back, status_code=303)


def _step(ticket_id: UUID, who: Principal) -> Step:
    return Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who))
