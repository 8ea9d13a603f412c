"""The one way in which a ticket moves: held, checked, moved, saved, its clocks wound, told."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from tongban_common import timers
from tongban_common.db import Transaction
from tongban_common.http import check_version
from tongban_common.service import Kit
from tongban_common.timers import Deadline
from tongban_common.working_days import SHANGHAI, WorkingCalendar
from tongban_hotline_dispatch.domain import callbacks, joining
from tongban_hotline_dispatch.domain.assignment import Clock
from tongban_hotline_dispatch.domain.callback_rules import CallbackBook
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import OF_TICKET, NotYourTicket, Running, Ticket
from tongban_hotline_dispatch.events.tickets import (
    DeadlineMissed,
)
from tongban_hotline_dispatch.operations.announcing import announced, told_of
from tongban_hotline_dispatch.operations.consultations import note_closed
from tongban_hotline_dispatch.operations.ratings import RatingKeys, offer_rating
from tongban_hotline_dispatch.operations.reporting_up import report_up
from tongban_hotline_dispatch.operations.supervision_issuing import LADDER, take_flag, winding
from tongban_hotline_dispatch.store import Tickets
from tongban_hotline_dispatch.store.callback_policy import CALLBACK
from tongban_hotline_dispatch.store.callbacks import Callbacks
from tongban_hotline_dispatch.store.counter import COUNTER
from tongban_hotline_dispatch.store.guard import is_below
from tongban_hotline_dispatch.store.identity_policy import IDENTITY
from tongban_hotline_dispatch.store.likeness_rules import LIKENESS
from tongban_hotline_dispatch.store.policies import LIMITS
from tongban_hotline_dispatch.store.process import PROCESS
from tongban_hotline_dispatch.store.supervision_policy import SUPERVISION
from tongban_hotline_dispatch.store.surge import SURGE
from tongban_hotline_dispatch.store.tickets import Move
from tongban_hotline_dispatch.store.upstream_policy import UPSTREAM

# A command on the ticket as it stands, under the rules that it is pinned to.
Command = Callable[[Ticket, Rules, datetime], Ticket]
SYSTEM = "timer"
CITIZEN = "complainant"  # 诉求人, without a sign-in
# The end of these is no failure of anybody's: the act that it leads to says enough.
PERIODS = frozenset({Clock.SUPPLEMENT, Clock.SUSPENSION, Clock.CALLBACK, Clock.ARCHIVE})
_ANSWERED = frozenset({Status.CALLBACK, Status.CLOSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Who acts on which ticket, for which unit, and which version of it they saw."""

    ticket_id: UUID
    actor: str
    unit: str | None = None  # None: acts for the hub
    seen_version: int | None = None  # None: whichever it is


async def rules_at(kit: Kit, *, now: datetime) -> Rules:
    day = now.astimezone(SHANGHAI).date()
    shelf = kit.policy(PROCESS)
    limits = await kit.policy(LIMITS).at(day)
    return Rules(
        calendar=await kit.calendars.current(),
        limits=limits.reply_limits,
        process=(await shelf.at(day)).process,
        editions={each.version: each.process for each in await shelf.all()},
        supervision=(await kit.policy(SUPERVISION).at(day)).rules,
        surges=(await kit.policy(SURGE).at(day)).surges,
        likeness=(await kit.policy(LIKENESS).at(day)).rules,
        upstream=(await kit.policy(UPSTREAM).at(day)).rules,
        callback=await _callback_rules(kit, day),
        at_once=(await kit.policy(COUNTER).at(day)).ends_at_once,
        identity=(await kit.policy(IDENTITY).at(day)).rules,
        rating_digest=RatingKeys(kit.secret).digest,
    )


async def _callback_rules(kit: Kit, day: date) -> CallbackBook:
    shelf = kit.policy(CALLBACK)
    return CallbackBook(
        current=(await shelf.at(day)).rules,
        editions={each.version: each.rules for each in await shelf.all()},
    )


async def perform(
    tx: Transaction, *, step: Step, command: Command, rules: Rules, now: datetime
) -> Ticket:
    ticket = await locked(tx, step)
    return await settle(tx, ticket, command, actor=step.actor, rules=rules, now=now)


async def locked(tx: Transaction, step: Step) -> Ticket:
    """The ticket, held by this transaction. Raises NotYourTicket, Recused, ChangedMeanwhile."""
    ticket = await Tickets(tx).get(step.ticket_id)
    ticket.check_not_recused(step.actor)
    ticket.check_unit(step.unit)
    if step.unit is not None and await _is_accused(tx, step.unit, ticket):
        raise NotYourTicket("该工单未派给本单位")
    if step.seen_version is not None:
        check_version(expected=step.seen_version, actual=ticket.version)
    return ticket


async def changeable(tx: Transaction, step: Step) -> Ticket:
    """The ticket, held, for what is no move of it. Raises TicketArchived, and as `locked` does."""
    ticket = await locked(tx, step)
    ticket.check_not_archived()
    return ticket


async def _is_accused(tx: Transaction, unit: str, ticket: Ticket) -> bool:
    target = ticket.target_unit
    return target is not None and await is_below(tx.connection, unit, target)


async def settle(
    tx: Transaction, before: Ticket, command: Command, *, actor: str, rules: Rules, now: datetime
) -> Ticket:
    """What follows once the ticket is held."""
    pinned = rules.pinned(before.process_version)
    after = callbacks.followed(before, command(before, pinned, now), pinned, now)
    await Tickets(tx).save(before, after, Move(actor=actor, at=now))
    await _count_children(tx, before, after)
    await Callbacks(tx).keep(before, after)
    await wind(tx, before, after, rules, now)
    announce(tx, before, after, rules.calendar, now)
    offer_rating(tx, before, after, rules, now)
    await report_up(tx, before, after, pinned, now)
    await note_closed(tx, before, after, now)
    if after.is_supervised and not before.is_supervised:
        await take_flag(tx, after, actor=actor, rules=rules, now=now)
    if after.children and after.status in _ANSWERED and before.status not in _ANSWERED:
        await _tell_children(tx, after, rules, now)
    return after


async def wind(tx: Transaction, before: Ticket, after: Ticket, rules: Rules, now: datetime) -> None:
    """Arm what runs now and did not, disarm what did and does not: clocks follow the state."""
    was, runs = before.clocks(), after.clocks()
    changed = {key: term for key, term in runs.items() if was.get(key) != term}
    gone = [key for key in was if key not in runs]
    ladder = winding(before, after, rules, now)
    clocks = [_deadline(after, key, term, rules.calendar) for key, term in changed.items()]
    overtaken = await timers.wind(
        tx,
        armed=[*clocks, *ladder.armed],
        gone=[*((subject_of(after.id, no), clock) for clock, no in gone), *ladder.gone],
        now=now,
    )
    for late in overtaken:
        if late.kind == LADDER:
            continue  # a rung of what no longer runs
        _, no = read_subject(late.subject)
        clock = Clock(late.kind)
        if clock not in PERIODS:
            tx.publish(told_of(DeadlineMissed, after, (clock, no), now, late.due_at))


def announce(
    tx: Transaction, before: Ticket, after: Ticket, calendar: WorkingCalendar, now: datetime
) -> None:
    for event in announced(before, after, calendar, now):
        tx.publish(event)


def subject_of(ticket_id: UUID, no: int) -> str:
    """The ticket's own clocks go by its id, those of an assignment by its number besides."""
    return str(ticket_id) if no == OF_TICKET else f"{ticket_id}:{no}"


def read_subject(subject: str) -> tuple[UUID, int]:
    ticket_id, _, no = subject.partition(":")
    return UUID(ticket_id), int(no or OF_TICKET)


async def _count_children(tx: Transaction, before: Ticket, after: Ticket) -> None:
    if before.parent_id == after.parent_id:
        return
    for parent_id, by in ((before.parent_id, -1), (after.parent_id, 1)):
        if parent_id is not None:
            await Tickets(tx).join(parent_id, by=by)


async def _tell_children(tx: Transaction, parent: Ticket, rules: Rules, now: datetime) -> None:
    """Those who wait for it, locked after it as merging locks them: the answer is theirs too; of a
    parent that ended without one they are free again.
    """
    is_answered = parent.lead is not None and parent.lead.reply is not None

    def inherit(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
        return joining.inherit(ticket, parent, rules, at)

    follow = inherit if is_answered else joining.unmerge
    for child_id in await Tickets(tx).waiting_for(parent.id):
        child = await Tickets(tx).get(child_id)
        await settle(tx, child, follow, actor=SYSTEM, rules=rules, now=now)


def _deadline(ticket: Ticket, key: Running, term: Term, calendar: WorkingCalendar) -> Deadline:
    clock, no = key
    start_at, left = term.left(calendar)
    return Deadline(
        kind=clock,
        subject=subject_of(ticket.id, no),
        start_at=start_at,
        limit=left,
        due_at=term.due_at,
        warn_at=term.warn_at,
        calendar_version=term.calendar_version,
    )
