"""What is open, by the limits in force now (时限规则修订): what a ticket pinned is let go of.

A new version of the limits leaves open tickets as they were assigned. Where a city decides that it
holds for them too, this moves both of their clocks, each from its own start, and announces it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.assignment import Clock
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import OF_TICKET, Running, Ticket
from tongban_hotline_dispatch.events.tickets import DeadlineRescheduled
from tongban_hotline_dispatch.operations.performing import rules_at, wind
from tongban_hotline_dispatch.store import Tickets, Units

_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Redated:
    looked_at: int
    moved: int


async def redate(
    kit: Kit, *, now: datetime, progress: Callable[[int], object] = lambda _: None
) -> Redated:
    """Every open ticket once, a batch a transaction: one that was cut short is begun again."""
    rules = await rules_at(kit, now=now)
    looked_at = moved = 0
    after: UUID | None = None
    while True:
        async with kit.db.transaction() as tx:
            ids = await Tickets(tx).open_after(after, most=_AT_ONCE)
            for each in ids:
                moved += await _redate(tx, each, rules, now)
        if not ids:
            return Redated(looked_at=looked_at, moved=moved)
        after, looked_at = ids[-1], looked_at + len(ids)
        progress(looked_at)


async def _redate(tx: Transaction, ticket_id: UUID, rules: Rules, now: datetime) -> bool:
    before = await Tickets(tx).get(ticket_id)
    levels = await Units(tx).levels({each.unit_code for each in before.assignments})
    after = before
    for key, old, new in _changes(before, rules, levels):
        after = after.redated(*key, new)
        if new.due_at != old.due_at:
            tx.publish(_told(before, key[0], old, new, now))
    if after == before:
        return False
    await Tickets(tx).save_redated(before, after)
    await wind(tx, before, after, rules, now)
    return True


def _changes(
    ticket: Ticket, rules: Rules, levels: dict[str, str]
) -> Iterator[tuple[Running, Term, Term]]:
    """The two clocks that run or stand still; 重办时限 is of the process, which stays pinned."""
    citizen, lead = ticket.citizen_term, ticket.lead
    if citizen is not None and ticket.first_replied_at is None:
        fresh = rules.citizen_term(ticket.appeal, citizen.start_at)
        yield (Clock.CITIZEN, OF_TICKET), citizen, rules.carried_over(fresh, citizen)
    if lead is not None and lead.is_open and not ticket.rework_rounds:
        level = levels[lead.unit_code]
        fresh = rules.reply_term(ticket.appeal, level, lead.reply_term.start_at)
        yield (Clock.UNIT, lead.no), lead.reply_term, rules.carried_over(fresh, lead.reply_term)


def _told(ticket: Ticket, clock: Clock, old: Term, new: Term, now: datetime) -> DeadlineRescheduled:
    return DeadlineRescheduled(
        occurred_at=now,
        ticket_id=ticket.id,
        clock=clock,
        old_due=old.due_at.astimezone(SHANGHAI),
        new_due=new.due_at.astimezone(SHANGHAI),
        calendar_version=new.calendar_version,
    )
