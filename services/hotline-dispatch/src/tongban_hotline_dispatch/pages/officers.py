"""经办人 on a ticket's page: taken in hand, or handed over to a colleague."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Form
from fastapi.responses import RedirectResponse, Response

from tongban_common.auth import Principal, require
from tongban_common.bodies import FreeText
from tongban_common.http import Now, Reads, Router, Tx
from tongban_common.privacy import Sealer
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.ticket import NotYourTicket, Ticket
from tongban_hotline_dispatch.operations import Step, acts_for, officers
from tongban_hotline_dispatch.store.contacts import colleagues
from tongban_hotline_dispatch.store.officers import SETTLED, officer_of

router = Router(prefix="/hotline/tickets")


@dataclass(frozen=True, slots=True, kw_only=True)
class InHand:
    """Who has the share in hand, and to whom it may go: account and masked name."""

    officer: str | None
    is_mine: bool
    others: list[tuple[str, str]]


async def in_hand(
    reads: Reads, ticket: Ticket, who: Principal, now: Now, *, sealer: Sealer
) -> InHand | None:
    """None where the unit has nothing to work on, or whoever looks may not hand it over."""
    unit = acts_for(who)
    if unit is None or not who.may("ticket:take"):
        return None
    try:
        share = ticket.share_of(unit)
    except NotYourTicket:
        return None
    if share.state in SETTLED:
        return None
    officer = await officer_of(reads, ticket.id, unit=unit)
    today = now.astimezone(SHANGHAI).date()
    found = await colleagues(reads, unit, on=today, sealer=sealer)
    others = [(code, label) for code, label in found.items() if code not in (officer, who.subject)]
    return InHand(officer=officer, is_mine=officer == who.subject, others=others)


@router.post("/{ticket_id}/officer", include_in_schema=False)
async def give(
    ticket_id: UUID,
    tx: Tx,
    now: Now,
    officer: Annotated[FreeText, Form(max_length=128)] = "",
    who: Principal = require("ticket:take"),
) -> Response:
    """Without an account: whoever asks takes it."""
    step = Step(ticket_id=ticket_id, actor=who.subject, unit=acts_for(who))
    taker = officer.strip() or who.subject
    await officers.take_in_hand(tx, step=step, officer=taker, now=now)
    return RedirectResponse(f"/hotline/tickets/{ticket_id}?said=done", status_code=303)
