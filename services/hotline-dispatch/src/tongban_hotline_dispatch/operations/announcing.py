"""What a move announces: its act's own event, and what the difference of before and after tells."""

from collections.abc import Iterator
from datetime import datetime

from tongban_common.events import Event
from tongban_common.working_days import SHANGHAI, WorkingCalendar
from tongban_hotline_dispatch.domain.appeal import Urgency
from tongban_hotline_dispatch.domain.assignment import Assignment
from tongban_hotline_dispatch.domain.callback import Callback, Outcome
from tongban_hotline_dispatch.domain.moves import Act, Status
from tongban_hotline_dispatch.domain.ticket import Running, Ticket
from tongban_hotline_dispatch.events import callbacks, dispositions, handling, likeness, tickets

# Each takes the facts of the deed as its fields; the acts left out are told by the difference.
OF_ACT: dict[Act, type[Event]] = {
    Act.REQUEST_FACTS: tickets.FactsRequested,
    Act.SUPPLEMENT: tickets.FactsSupplemented,
    Act.REPEAT: likeness.TicketRepeated,
    Act.LAPSE: tickets.TicketLapsed,
    Act.ROUTE_OUT: tickets.TicketRoutedOut,
    Act.ANSWER: tickets.TicketAnswered,
    Act.CONSULT: tickets.ConsultationOpened,
    Act.CONCLUDE: tickets.ConsultationClosed,
    Act.FORCE: tickets.TicketForced,
    Act.TRANSFER: tickets.TicketTransferred,
    Act.AUTO_SIGN: handling.AssignmentAutoSigned,
    Act.CONTACT: handling.AssignmentContacted,
    Act.ADD_UNIT: handling.AssignmentAdded,
    Act.REPORT_IN: handling.AssignmentReportedIn,
    Act.DELEGATE: handling.AssignmentAdded,
    Act.CO_REPLY: handling.AssignmentReplied,
    Act.ASK_RETURN: handling.ReturnRequested,
    Act.UPHOLD_RETURN: handling.ReturnDecided,
    Act.REJECT_RETURN: handling.ReturnDecided,
    Act.ASK_EXTENSION: handling.ExtensionRequested,
    Act.APPROVE_EXTENSION: handling.ExtensionDecided,
    Act.REFUSE_EXTENSION: handling.ExtensionDecided,
    Act.ASK_SUSPENSION: handling.SuspensionRequested,
    Act.SUSPEND: handling.ClockPaused,
    Act.REFUSE_SUSPENSION: handling.SuspensionRefused,
    Act.RESUME: handling.ClockResumed,
    Act.PASS_REVIEW: handling.ReviewPassed,
    Act.FAIL_REVIEW: handling.ReviewFailed,
    Act.ASK_PHASE: handling.PhaseRequested,
    Act.PHASE: handling.TicketPhased,
    Act.REFUSE_PHASE: handling.PhaseRefused,
    Act.LAPSE_PROMISE: handling.PromiseLapsed,
    Act.ASK_TERMINATION: handling.TerminationRequested,
    Act.TERMINATE: tickets.TicketTerminated,
    Act.REFUSE_TERMINATION: handling.TerminationRefused,
    Act.ATTEMPT: handling.CallbackAttempted,
    Act.TAKE_REVIEW: callbacks.CallbackRated,
    Act.WITHDRAW: tickets.TicketWithdrawn,
    Act.MERGE: tickets.TicketMerged,
    Act.UNMERGE: tickets.TicketUnmerged,
    Act.INHERIT: tickets.ReplyInherited,
    Act.REOPEN: tickets.TicketReopened,
    Act.ARCHIVE: tickets.TicketArchived,
}


def announced(
    before: Ticket, after: Ticket, calendar: WorkingCalendar, now: datetime
) -> Iterator[Event]:
    """Every event of one move, in the order in which things happened."""
    if before.status is Status.DRAFT:
        yield _registered(after, now)
        if after.appeal.urgency is Urgency.CRITICAL and not after.is_ended:
            yield _alert(after, now)
    yield from _of_act(after, now)
    yield from _of_units(before, after, calendar, now)
    yield from _of_callback(before, after, now)
    yield from _of_status(before, after, now)


def _of_act(after: Ticket, now: datetime) -> Iterator[Event]:
    deed = after.deed
    if deed is None:
        return
    kind = OF_ACT.get(deed.act)
    if deed.act is Act.SIGN:
        is_lead = deed.facts["role"] == "lead"
        kind = tickets.TicketSigned if is_lead else handling.AssignmentSigned
    if kind is not None:
        known = {"unit_code": deed.unit_code, **deed.facts}
        fields = {name: known[name] for name in kind.model_fields if name in known}
        yield kind.model_validate({"occurred_at": now, "ticket_id": after.id, **fields})
    if deed.facts.get("by_duty_phone") and deed.unit_code is not None:
        yield handling.UnitReachedByDutyPhone(
            occurred_at=now, ticket_id=after.id, unit_code=deed.unit_code
        )


def _of_units(
    before: Ticket, after: Ticket, calendar: WorkingCalendar, now: datetime
) -> Iterator[Event]:
    lead = after.lead
    if lead is None or after.deed is None:
        return
    if after.deed.act in {Act.ASSIGN, Act.FORCE, Act.TRANSFER}:
        yield tickets.TicketAssigned(
            occurred_at=now,
            ticket_id=after.id,
            unit_code=lead.unit_code,
            reply_due=lead.reply_term.due_at,
            policy_version=lead.reply_term.policy,
            calendar_version=lead.reply_term.calendar_version,
        )
    if after.deed.act is Act.REPLY:
        yield _replied(before, after, lead, calendar, now)
        if after.status is Status.CALLBACK:
            yield handling.ReviewPassed(
                occurred_at=now, ticket_id=after.id, unit_code=lead.unit_code, is_automatic=True
            )


def _of_callback(before: Ticket, after: Ticket, now: datetime) -> Iterator[Event]:
    was, current = before.callback, after.callback
    if current is None:
        return
    is_new = was is None or was.no != current.no
    if is_new:
        yield handling.CallbackOpened(
            occurred_at=now,
            ticket_id=after.id,
            cause=current.cause,
            no=current.no,
            is_answered=current.answered_at is not None,
            opens_at=current.opened_at.astimezone(SHANGHAI),
        )
    was_answered = was is not None and was.answered_at is not None and not is_new
    if current.answered_at is not None and not was_answered and not current.is_done:
        yield from _invited(after, now)
    if current.is_done and current != was:
        yield _called_back(after, current, now)


def _invited(after: Ticket, now: datetime) -> Iterator[Event]:
    if after.unit_code is not None:
        yield callbacks.RatingInvited(
            occurred_at=now,
            ticket_id=after.id,
            ticket_no=after.ticket_no,
            unit_code=after.unit_code,
        )


def _called_back(after: Ticket, done: Callback, now: datetime) -> Event:
    heard = done.heard
    return handling.CallbackCompleted(
        occurred_at=now,
        ticket_id=after.id,
        unit_code=after.unit_code,
        is_answered=heard is not None or done.own is not None,
        resolved=heard and heard.resolved,
        result=done.result,
        process=heard and heard.process,
        ticket_no=after.ticket_no,
        no=done.no,
        outcome=done.outcome or Outcome.NO_ANSWER,
        result_level=done.result_level,
        process_level=heard and heard.process_level,
        replied=heard and heard.replied,
        is_final=after.status is Status.CLOSED,
    )


def _of_escalation(before: Ticket, after: Ticket, now: datetime) -> Iterator[Event]:
    """What ended with it: a suspension, a return that waited."""
    unit = after.unit_code
    if unit is None:
        return
    if before.status is Status.SUSPENDED and after.reply_term is not None:
        yield handling.ClockResumed(
            occurred_at=now,
            ticket_id=after.id,
            unit_code=unit,
            reply_due=after.reply_term.due_at,
        )
    if before.status is Status.RETURN_REVIEW:
        yield handling.ReturnDecided(
            occurred_at=now,
            ticket_id=after.id,
            unit_code=unit,
            is_upheld=False,
            is_by_silence=False,
        )


def _of_status(before: Ticket, after: Ticket, now: datetime) -> Iterator[Event]:
    unit = after.unit_code
    if after.is_supervised and not before.is_supervised:
        yield handling.SupervisionOpened(occurred_at=now, ticket_id=after.id, unit_code=unit)
    if after.status is before.status:
        return
    if after.deed is not None and after.deed.act is Act.ESCALATE:
        yield from _of_escalation(before, after, now)
    if after.status is Status.HARD_CASE:
        yield tickets.HardCaseOpened(occurred_at=now, ticket_id=after.id, unit_code=unit)
    if unit is None or after.reply_term is None:
        return
    if after.status is Status.REWORK and before.status is not Status.SUSPENDED:
        yield handling.ReworkStarted(
            occurred_at=now,
            ticket_id=after.id,
            unit_code=unit,
            round=after.rework_rounds,
            reply_due=after.reply_term.due_at,
        )
    if after.status is Status.CLOSED:
        yield tickets.TicketClosed(
            occurred_at=now,
            ticket_id=after.id,
            ticket_no=after.ticket_no,
            unit_code=unit,
            appeal_type=after.appeal.appeal_type,
            is_overdue=after.is_overdue(at=now),
        )


def _registered(new: Ticket, now: datetime) -> Event:
    return tickets.TicketRegistered(
        occurred_at=now,
        ticket_id=new.id,
        ticket_no=new.ticket_no,
        channel=new.appeal.channel,
        appeal_type=new.appeal.appeal_type,
        urgency=new.appeal.urgency,
        citizen_due=new.citizen_term and new.citizen_term.due_at,
    )


def _alert(new: Ticket, now: datetime) -> Event:
    """特急事项: dispatched at once and by telephone besides (北京市条例第二十九条)."""
    due = None if new.stage is None else new.stage.due_at
    return dispositions.DutyOfficerAlerted(
        occurred_at=now, ticket_id=new.id, ticket_no=new.ticket_no, dispatch_due=due
    )


def _replied(
    before: Ticket, after: Ticket, lead: Assignment, calendar: WorkingCalendar, now: datetime
) -> Event:
    """Late or not is decided here, once, against the clock that this reply stopped."""
    was_open = before.lead is not None and before.lead.is_open
    is_late = was_open and lead.reply_term.has_run_out(at=now)
    days = calendar.overdue_working_days(lead.reply_term.due_at, now) if is_late else 0
    return tickets.TicketReplied(
        occurred_at=now,
        ticket_id=after.id,
        unit_code=lead.unit_code,
        is_overdue=is_late,
        overdue_working_days=days,
    )


def told_of(
    kind: type[Event], ticket: Ticket, key: Running, now: datetime, due_at: datetime
) -> Event:
    """A clock of a ticket is near its end, or over."""
    clock, no = key
    unit = ticket.assignment(no).unit_code if no else ticket.unit_code
    return kind.model_validate(
        {
            "occurred_at": now,
            "ticket_id": ticket.id,
            "unit_code": unit,
            "clock": clock,
            "due": due_at.astimezone(SHANGHAI),
        }
    )
