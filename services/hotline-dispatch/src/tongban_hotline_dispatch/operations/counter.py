"""At the counter (坐席): the caller's earlier matters, and a matter taken in with what follows."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.domain.guard import Viewer
from tongban_hotline_dispatch.domain.repeats import Earlier
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import likeness
from tongban_hotline_dispatch.operations.deciding import Choice, decide
from tongban_hotline_dispatch.operations.likeness import Filed
from tongban_hotline_dispatch.operations.performing import Step
from tongban_hotline_dispatch.operations.process import Desk
from tongban_hotline_dispatch.operations.tickets import Registration, assign
from tongban_hotline_dispatch.store import TicketNotFound, Tickets
from tongban_hotline_dispatch.store.details import hold_form
from tongban_hotline_dispatch.store.likeness import Connection, of_person, phone_key
from tongban_hotline_dispatch.store.routing import Proposed

_NONE = UUID(int=0)  # no ticket is left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the agent wants of a matter besides its being registered."""

    parent_id: UUID | None = None  # 登记并并入
    unit_code: str | None = None
    proposed: Proposed | None = None  # by the suggestion that was shown
    assigns: bool = False  # 登记并派单


async def caller_matters(
    reads: Connection, phone: str, *, viewer: Viewer, sealer: Sealer, most: int
) -> list[Earlier]:
    """The newest first; found by the keyed index of the number, which is stored nowhere."""
    key = phone_key(sealer, phone)
    return [] if key is None else await of_person(reads, key, _NONE, most, viewer.subject)


async def take_in(
    tx: Transaction,
    *,
    new: Registration,
    wish: Wish,
    rules: Rules,
    sealer: Sealer,
    now: datetime,
) -> Filed:
    """A form that is sent again comes to the ticket that it became."""
    await hold_form(tx, new.ticket_id)
    known = await _known(tx, new.ticket_id)
    if known is not None:
        return Filed(ticket=known)
    filed = await likeness.file(
        tx, new=new, new_facts=new.appeal.content, rules=rules, sealer=sealer, now=now
    )
    if filed.repeats is not None or filed.ticket.is_ended:
        return filed
    await _learn(tx, new, wish, sealer, now)
    return Filed(ticket=await _followed(tx, filed.ticket, new.actor, wish, rules, now))


async def _known(tx: Transaction, ticket_id: UUID) -> Ticket | None:
    try:
        return await Tickets(tx).get(ticket_id)
    except TicketNotFound:
        return None


async def _learn(
    tx: Transaction, new: Registration, wish: Wish, sealer: Sealer, now: datetime
) -> None:
    """What was chosen, with or against the suggestion, is what the next one is learnt from."""
    choice = Choice(
        ticket_id=new.ticket_id,
        matter_code=new.appeal.matter_code,
        unit_code=wish.unit_code,
        actor=new.actor,
    )
    if choice.matter_code is not None or choice.unit_code is not None:
        await decide(tx, choice=choice, proposed=wish.proposed, sealer=sealer, now=now)


async def _followed(
    tx: Transaction, ticket: Ticket, actor: str, wish: Wish, rules: Rules, now: datetime
) -> Ticket:
    step = Step(ticket_id=ticket.id, actor=actor)
    if wish.parent_id is not None:
        return await Desk(tx, step=step, rules=rules, now=now).merge(wish.parent_id)
    if wish.assigns and wish.unit_code is not None:
        return await assign(tx, step=step, unit_code=wish.unit_code, rules=rules, now=now)
    return ticket
