"""The use cases of a ticket (工单): its five moves, and what its clocks do."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tongban_common import timers
from tongban_common.db import Transaction
from tongban_common.http import check_version
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_common.timers import Deadline, Due
from tongban_common.working_days import SHANGHAI, Limit, WorkingCalendar
from tongban_hotline_dispatch.domain.appeal import Appeal
from tongban_hotline_dispatch.domain.deadlines import Facts, ReplyLimits, ReplyRule, Term
from tongban_hotline_dispatch.domain.ticket import Clock, Ticket
from tongban_hotline_dispatch.events import (
    DeadlineApproaching,
    DeadlineMissed,
    DeadlineRescheduled,
    TicketAssigned,
    TicketClosed,
    TicketRegistered,
    TicketReplied,
    TicketSigned,
)
from tongban_hotline_dispatch.store import Complainant, Complainants, Tickets, Units
from tongban_hotline_dispatch.store.policies import LIMITS
from tongban_hotline_dispatch.store.tickets import Move


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the clocks of a ticket are computed from, as in force at one moment."""

    calendar: WorkingCalendar
    limits: ReplyLimits

    def with_one_limit(self, limit: Limit) -> "Rules":
        """The same limit for every matter and both clocks: a policy given by value."""
        rules = (ReplyRule(limit=limit),)
        policy = f"one-limit/{limit.amount}-{limit.unit}"
        limits = replace(self.limits, policy=policy, rules=rules, citizen_slack=0)
        return replace(self, limits=limits)

    def citizen_term(self, appeal: Appeal, now: datetime) -> Term:
        limit = self.limits.pick_for_citizen(Facts.of(appeal))
        return self.limits.term(self.calendar, limit, start_at=now)

    def reply_term(self, appeal: Appeal, level: str, now: datetime) -> Term:
        limit = self.limits.pick(Facts.of(appeal, level=level))
        return self.limits.term(self.calendar, limit, start_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What comes in. Its id and the random query code are drawn at the edge."""

    ticket_id: UUID
    query_code: str
    appeal: Appeal
    person: Complainant
    actor: str
    wants_reply: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Who acts on which ticket, for which unit, and which version of it they saw."""

    ticket_id: UUID
    actor: str
    unit: str | None = None  # None: acts for the hub
    seen_version: int | None = None  # None: whichever it is

    def move(self, now: datetime) -> Move:
        return Move(actor=self.actor, at=now)


def new_query_code() -> str:
    return f"{secrets.randbelow(10**8):08}"


async def rules_at(kit: Kit, *, now: datetime) -> Rules:
    policy = await kit.policy(LIMITS).at(now.astimezone(SHANGHAI).date())
    return Rules(calendar=await kit.calendars.current(), limits=policy.limits())


async def register(
    tx: Transaction, *, new: Registration, rules: Rules, sealer: Sealer, now: datetime
) -> Ticket:
    """受理: the citizen's clock starts, and nothing will reset it."""
    tickets = Tickets(tx)
    citizen = rules.citizen_term(new.appeal, now) if new.wants_reply else None
    ticket = Ticket(
        id=new.ticket_id,
        ticket_no=await tickets.new_number(now),
        query_code=new.query_code,
        appeal=new.appeal,
        registered_at=now,
        citizen_term=citizen,
    )
    await tickets.add(ticket, Move(actor=new.actor, at=now))
    await Complainants(tx, sealer).add(ticket.id, new.person)
    if citizen is not None:
        await _arm(tx, ticket, Clock.CITIZEN, citizen)
    tx.publish(
        TicketRegistered(
            occurred_at=now,
            ticket_id=ticket.id,
            ticket_no=ticket.ticket_no,
            channel=new.appeal.channel,
            appeal_type=new.appeal.appeal_type,
            urgency=new.appeal.urgency,
            citizen_due=None if citizen is None else citizen.due_at,
        )
    )
    return ticket


async def assign(
    tx: Transaction, *, step: Step, unit_code: str, rules: Rules, now: datetime
) -> Ticket:
    """派单: give the ticket to one unit and tell the other services when its reply is due."""
    tickets = Tickets(tx)
    ticket = await _get(tickets, step)
    unit = await Units(tx).active(unit_code)

    term = rules.reply_term(ticket.appeal, unit.level, now)
    ticket = ticket.assign(to=unit.code, term=term, at=now)

    await tickets.save(ticket, step.move(now))
    await _arm(tx, ticket, Clock.UNIT, term)
    tx.publish(
        TicketAssigned(
            occurred_at=now,
            ticket_id=ticket.id,
            unit_code=unit.code,
            reply_due=term.due_at,
            policy_version=term.policy,
            calendar_version=term.calendar_version,
        )
    )
    return ticket


async def sign(tx: Transaction, *, step: Step, now: datetime) -> Ticket:
    """签收: the unit acknowledges the ticket; its clock has been running since the assignment."""
    tickets = Tickets(tx)
    ticket = (await _get(tickets, step)).sign()

    await tickets.save(ticket, step.move(now))
    tx.publish(TicketSigned(occurred_at=now, ticket_id=ticket.id, unit_code=_unit_of(ticket)))
    return ticket


async def reply(
    tx: Transaction, *, step: Step, text: str, calendar: WorkingCalendar, now: datetime
) -> Ticket:
    """答复: both clocks stop; in time or not is decided here, once."""
    tickets = Tickets(tx)
    ticket = (await _get(tickets, step)).answer(text=text, at=now)

    await tickets.save(ticket, step.move(now))
    await timers.disarm(tx, subject=str(ticket.id), now=now)
    tx.publish(
        TicketReplied(
            occurred_at=now,
            ticket_id=ticket.id,
            unit_code=_unit_of(ticket),
            is_overdue=ticket.is_overdue(at=now),
            overdue_working_days=_overdue_days(ticket, calendar, now),
        )
    )
    return ticket


async def close(tx: Transaction, *, step: Step, now: datetime) -> Ticket:
    """办结: the hub accepts the reply; the citizen will be invited to review."""
    tickets = Tickets(tx)
    ticket = (await _get(tickets, step)).close()

    await tickets.save(ticket, step.move(now))
    tx.publish(
        TicketClosed(
            occurred_at=now,
            ticket_id=ticket.id,
            ticket_no=ticket.ticket_no,
            unit_code=_unit_of(ticket),
            appeal_type=ticket.appeal.appeal_type,
            is_overdue=ticket.is_overdue(at=now),
        )
    )
    return ticket


async def lock_ticket(tx: Transaction, subject: str) -> Ticket:
    return await Tickets(tx).get(UUID(subject))


async def warn(tx: Transaction, ticket: Ticket, due: Due) -> None:
    tx.publish(
        DeadlineApproaching(
            occurred_at=due.now,
            ticket_id=ticket.id,
            unit_code=ticket.unit_code,
            clock=Clock(due.kind),
            due=due.due_at.astimezone(SHANGHAI),
        )
    )


async def miss(tx: Transaction, ticket: Ticket, due: Due) -> None:
    tx.publish(
        DeadlineMissed(
            occurred_at=due.now,
            ticket_id=ticket.id,
            unit_code=ticket.unit_code,
            clock=Clock(due.kind),
            due=due.due_at.astimezone(SHANGHAI),
        )
    )


async def reschedule(tx: Transaction, ticket: Ticket, due: Due, old_due: datetime) -> None:
    """A notice on holidays moved an open due moment: the ticket follows its timer."""
    clock = Clock(due.kind)
    term = replace(
        ticket.terms[clock],
        due_at=due.due_at,
        warn_at=due.warn_at,
        calendar_version=due.calendar_version,
    )
    await Tickets(tx).save_redated(ticket.redated(clock, term))
    tx.publish(
        DeadlineRescheduled(
            occurred_at=due.now,
            ticket_id=ticket.id,
            clock=clock,
            old_due=old_due.astimezone(SHANGHAI),
            new_due=due.due_at.astimezone(SHANGHAI),
            calendar_version=due.calendar_version,
        )
    )


def _overdue_days(ticket: Ticket, calendar: WorkingCalendar, now: datetime) -> int:
    if ticket.reply_term is None or not ticket.is_overdue(at=now):
        return 0
    return calendar.overdue_working_days(ticket.reply_term.due_at, now)


def _unit_of(ticket: Ticket) -> str:
    if ticket.unit_code is None:
        raise AssertionError("a ticket past its assignment has a unit")
    return ticket.unit_code


async def _get(tickets: Tickets, step: Step) -> Ticket:
    ticket = await tickets.get(step.ticket_id)
    ticket.check_unit(step.unit)
    if step.seen_version is not None:
        check_version(expected=step.seen_version, actual=ticket.version)
    return ticket


async def _arm(tx: Transaction, ticket: Ticket, clock: Clock, term: Term) -> None:
    await timers.arm(
        tx,
        Deadline(
            kind=clock,
            subject=str(ticket.id),
            start_at=term.start_at,
            limit=term.limit,
            due_at=term.due_at,
            warn_at=term.warn_at,
            calendar_version=term.calendar_version,
        ),
    )
