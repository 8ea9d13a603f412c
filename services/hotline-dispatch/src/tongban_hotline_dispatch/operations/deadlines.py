"""What happens when a clock of a ticket is near its end, over, or moved by a new calendar."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tongban_common.db import Transaction
from tongban_common.service import Kit
from tongban_common.timers import Due
from tongban_common.working_days import SHANGHAI, WorkingCalendar
from tongban_hotline_dispatch.domain import asking, callbacks, closing, handling, intake
from tongban_hotline_dispatch.domain.asking import BY_SILENCE, Decision
from tongban_hotline_dispatch.domain.assignment import Clock
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Running, Ticket
from tongban_hotline_dispatch.events.tickets import (
    DeadlineApproaching,
    DeadlineMissed,
    DeadlineRescheduled,
)
from tongban_hotline_dispatch.operations.announcing import told_of
from tongban_hotline_dispatch.operations.performing import (
    PERIODS,
    SYSTEM,
    Command,
    read_subject,
    rules_at,
    settle,
)
from tongban_hotline_dispatch.operations.supervision_issuing import begin_climbing
from tongban_hotline_dispatch.store import Tickets
from tongban_hotline_dispatch.store.callbacks import Callbacks


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A locked ticket, and which of its assignments (or none) a timer is about."""

    ticket: Ticket
    no: int

    def running(self, due: Due) -> Term | None:
        """The term of the clock, if it still runs."""
        return self.ticket.clocks().get(self._key(due))

    def _key(self, due: Due) -> Running:
        return Clock(due.kind), self.no


async def lock_ticket(tx: Transaction, subject: str) -> Held:
    ticket_id, no = read_subject(subject)
    return Held(ticket=await Tickets(tx).get(ticket_id), no=no)


async def warn(tx: Transaction, held: Held, due: Due) -> None:
    key = Clock(due.kind), held.no
    tx.publish(told_of(DeadlineApproaching, held.ticket, key, due.now, due.due_at))


async def miss(tx: Transaction, held: Held, due: Due, kit: Kit) -> None:
    """Told of once, and where the process says what silence means, that is done."""
    clock = Clock(due.kind)
    if clock not in PERIODS:
        tx.publish(told_of(DeadlineMissed, held.ticket, (clock, held.no), due.now, due.due_at))
    if held.running(due) is None:
        return  # it was stopped, only too late
    rules = await rules_at(kit, now=due.now)
    if closing.is_deadline_of_lead(held.ticket, clock, held.no):
        await begin_climbing(tx, held.ticket, rules, now=due.now)
    command = _command(held, clock, rules.pinned(held.ticket.process_version))
    if command is not None:
        await settle(tx, held.ticket, command, actor=SYSTEM, rules=rules, now=due.now)


async def reschedule(tx: Transaction, held: Held, due: Due, old_due: datetime) -> None:
    """A notice on holidays moved an open due moment: the ticket follows its timer."""
    term = held.running(due)
    if term is None:
        return
    clock = Clock(due.kind)
    moved = replace(
        term, due_at=due.due_at, warn_at=due.warn_at, calendar_version=due.calendar_version
    )
    after = held.ticket.redated(clock, held.no, moved)
    await Tickets(tx).save_redated(held.ticket, after)
    await Callbacks(tx).keep(held.ticket, after)
    tx.publish(
        DeadlineRescheduled(
            occurred_at=due.now,
            ticket_id=held.ticket.id,
            clock=clock,
            old_due=old_due.astimezone(SHANGHAI),
            new_due=due.due_at.astimezone(SHANGHAI),
            calendar_version=due.calendar_version,
        )
    )


def due_of(held: Held, due: Due, calendar: WorkingCalendar) -> datetime:
    """With the pauses, caps and floors that start and limit alone do not say."""
    term = held.running(due)
    return due.due_at if term is None else term.due_under(calendar)


_BY_CLOCK: Mapping[Clock, Command] = {
    Clock.SUPPLEMENT: intake.lapse,
    Clock.SUSPENSION: asking.resume,
    Clock.CALLBACK: callbacks.lapse,
    Clock.TRACKER: closing.lapse_promise,
    Clock.ARCHIVE: closing.archive,
}


def _command(held: Held, clock: Clock, rules: Rules) -> Command | None:
    ticket, no = held.ticket, held.no
    if clock is Clock.SIGN:
        return lambda t, rules, at: handling.auto_sign(t, no, rules, at)
    if clock is Clock.DECISION:
        asked = ticket.assignment(no).asking
        if asked is None or asked.kind not in BY_SILENCE:
            return None
        refusal = Decision(kind=asked.kind, is_granted=False, by=None)
        return lambda t, rules, at: asking.decide(t, no, refusal, rules, at)
    if callbacks.is_deadline(ticket, clock, no, rules):
        return closing.open_callback
    return _BY_CLOCK.get(clock)
