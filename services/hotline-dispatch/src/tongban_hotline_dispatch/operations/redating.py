"""What is open, by the limits in force now (时限规则修订): what a ticket pinned is let go of.

New versions of the limits and of the process leave open tickets as they were assigned. Where a
city decides that they hold for them too, this moves every clock of theirs, each from its own
start: of the citizen, of each unit, and of the stage. Each clock that moved is announced.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.assignment import Assignment, Clock
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.moves import State
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import OF_TICKET, STAGES, Running, Ticket
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
    after, has_moved = _pinned_anew(before, rules), False
    for key, old, new in _changes(before, rules, levels):
        after = after.redated(*key, new)
        if new.due_at != old.due_at:
            has_moved = True
            tx.publish(_told(before, key[0], old, new, now))
    if after == before:
        return False
    await Tickets(tx).save_redated(before, after)
    await wind(tx, before, after, rules, now)
    return has_moved


def _pinned_anew(ticket: Ticket, rules: Rules) -> Ticket:
    """With the process in force now, and the days within which a unit may return the ticket."""
    if ticket.process_version is None:
        return ticket
    shares = tuple(
        replace(each, return_term=_stage("return", each.return_term, ticket, rules))
        if each.is_open
        else each
        for each in ticket.assignments
    )
    return replace(ticket, assignments=shares, process_version=rules.process.version)


def _changes(
    ticket: Ticket, rules: Rules, levels: dict[str, str]
) -> Iterator[tuple[Running, Term, Term]]:
    """Each clock that runs or stands still. What a callback has of its own (人工回访, the window of
    one at the deadline) goes by the edition of the callback's rules that it opened under."""
    citizen = ticket.citizen_term
    if citizen is not None and ticket.first_replied_at is None:
        fresh = rules.citizen_term(ticket.appeal, citizen.start_at)
        yield (Clock.CITIZEN, OF_TICKET), citizen, rules.carried_over(fresh, citizen)
    if ticket.stage is not None and ticket.status in STAGES:
        clock = STAGES[ticket.status]
        yield (clock, OF_TICKET), ticket.stage, _stage(clock, ticket.stage, ticket, rules)
    replies: dict[int, Term] = {}
    for share in ticket.assignments:
        replies[share.no] = share.reply_term
        if not share.is_open:
            continue
        fresh = _reply_term(ticket, share, replies, rules, levels)
        replies[share.no] = rules.carried_over(fresh, share.reply_term)
        yield (Clock.UNIT, share.no), share.reply_term, replies[share.no]
        for clock, term in share.clocks():
            if clock is not Clock.UNIT:
                yield (clock, share.no), term, _stage(_limit_of(clock, share), term, ticket, rules)


def _reply_term(
    ticket: Ticket,
    share: Assignment,
    replies: Mapping[int, Term],
    rules: Rules,
    levels: Mapping[str, str],
) -> Term:
    """As it would have begun today: with what was named for it when it was shared out."""
    start = share.reply_term.start_at
    if share.state is State.REWORK:
        return rules.stage_term("rework", ticket.appeal, start)
    if share.parent_no is None:
        return rules.reply_term(ticket.appeal, levels[share.unit_code], start)
    above, was = replies[share.parent_no], ticket.assignment(share.parent_no).reply_term
    counted = rules.pinned(ticket.process_version).co_term(was, start, None)
    is_named = counted.limit.amount != share.reply_term.limit.amount
    days = share.reply_term.limit.amount if is_named else None
    return rules.co_term(above, start, days)


def _limit_of(clock: Clock, share: Assignment) -> str:
    """The name of the limit in the process: what the hub decides has one by what was asked."""
    if clock is not Clock.DECISION or share.asking is None:
        return clock
    return f"{share.asking.kind}_decision"


def _stage(name: str, old: Term, ticket: Ticket, rules: Rules) -> Term:
    if name not in rules.process.limits:
        return old  # the new rules have no such stage
    fresh = rules.stage_term(name, ticket.appeal, old.start_at)
    fresh = replace(fresh, cap_at=old.cap_at)
    return replace(rules.carried_over(fresh, old), warn_at=None)


def _told(ticket: Ticket, clock: Clock, old: Term, new: Term, now: datetime) -> DeadlineRescheduled:
    return DeadlineRescheduled(
        occurred_at=now,
        ticket_id=ticket.id,
        clock=clock,
        old_due=old.due_at.astimezone(SHANGHAI),
        new_due=new.due_at.astimezone(SHANGHAI),
        calendar_version=new.calendar_version,
    )
