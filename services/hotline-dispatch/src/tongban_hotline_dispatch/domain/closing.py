"""Commands after the reply: reviewed, called back, done again, closed, archived."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from tongban_common.errors import Conflict, RuleViolation
from tongban_hotline_dispatch.domain import asking, intake
from tongban_hotline_dispatch.domain.assignment import Assignment, Clock, Json
from tongban_hotline_dispatch.domain.callback import Callback, Cause, Heard, Outcome, Resolved
from tongban_hotline_dispatch.domain.moves import OPEN_STATES, Act, State, Status
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import OF_TICKET, Deed, Ticket

_REPLIED = frozenset({State.REPLIED})


class CallbackDue(RuleViolation):
    code = "callback.due"


class CallbackNotOpen(Conflict):
    code = "callback.not_open"


class AlreadyRated(Conflict):
    code = "callback.already_rated"


class TooFewAttempts(RuleViolation):
    code = "callback.too_few_attempts"


def reviewed(ticket: Ticket, at: datetime) -> Ticket:
    """The callback of a reply that passed: one is opened unless the deadline opened it already."""
    current = ticket.callback
    if current is not None and not current.is_done:
        return ticket
    return replace(ticket, callback=Callback(opened_at=at, cause=Cause.REPLIED))


def pass_review(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    """审核通过: to the callback, or closed at once where the policy exempts from it."""
    if ticket.exemption(rules.process) is not None:
        return close(ticket, None, rules, at)
    deed = Deed(act=Act.PASS_REVIEW, unit_code=ticket.unit_code, facts={"is_automatic": False})
    return reviewed(ticket.moved(deed, Status.CALLBACK, rules, at), at)


def fail_review(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    """审核退回: to be done again, as often as the policy allows."""
    return redone(ticket, Act.FAIL_REVIEW, rules, at)


def open_callback(ticket: Ticket, _: Rules, at: datetime) -> Ticket:
    """到期回访: the time is over, whether or not the unit spoke."""
    opened = ticket.noted(Deed(act=Act.OPEN_CALLBACK, unit_code=ticket.unit_code))
    return replace(opened, callback=Callback(opened_at=at, cause=Cause.DEADLINE))


def attempt(ticket: Ticket, at: datetime) -> Ticket:
    """未接通."""
    current = open_one(ticket)
    tried = replace(current, attempts=(*current.attempts, at))
    deed = Deed(act=Act.ATTEMPT, facts={"attempt": len(tried.attempts)})
    return replace(ticket.noted(deed), callback=tried)


def call_back(ticket: Ticket, heard: Heard, rules: Rules, at: datetime) -> Ticket:
    """回访结果: closes, sends back to be done again, or, before any reply, goes to supervision."""
    done = replace(unrated(open_one(ticket)), heard=heard, done_at=at)
    ticket = replace(ticket, callback=done)
    if heard.no_redo is not None:
        rules.process.no_redo_reason(heard.no_redo)
    if ticket.status is not Status.CALLBACK:
        deed = Deed(act=Act.CALL_BACK, unit_code=ticket.unit_code, facts=_said(ticket, heard))
        noted = ticket.noted(deed)
        return replace(noted, is_supervised=ticket.is_supervised or heard.needs_redo)
    if heard.needs_redo:
        return redone(ticket, Act.CALL_BACK, rules, at, said=_said(ticket, heard))
    deed = Deed(act=Act.CALL_BACK, unit_code=ticket.unit_code, facts=_said(ticket, heard))
    return closed(ticket, deed, rules, at)


def lapse_callback(ticket: Ticket, rules: Rules, at: datetime, *, in_time: bool) -> Ticket:
    """回访未果: closed as not reached; silence is never satisfied. Raises TooFewAttempts."""
    current = unrated(open_one(ticket))
    if in_time:
        _check_attempts(current, rules)
    done = replace(current, is_unanswered=True, outcome=_silence(current, rules), done_at=at)
    ticket = replace(ticket, callback=done)
    deed = Deed(act=Act.LAPSE_CALLBACK, unit_code=ticket.unit_code)
    if ticket.status is not Status.CALLBACK:  # called at the deadline: it stays with its unit
        return ticket.noted(deed)
    return closed(ticket, deed, rules, at)


def close(ticket: Ticket, heard: Heard | None, rules: Rules, at: datetime) -> Ticket:
    """办结 with the callback's result, or without where the policy exempts. Raises CallbackDue."""
    facts = {} if heard is None else _said(ticket, heard)
    deed = Deed(act=Act.CLOSE, unit_code=ticket.unit_code, facts=facts)
    moved = closed(ticket, deed, rules, at)
    if heard is not None:
        if heard.no_redo is not None:
            rules.process.no_redo_reason(heard.no_redo)
        if heard.needs_redo or (heard.resolved is Resolved.NO and heard.no_redo is None):
            raise CallbackDue("未解决或者不满意的，应退回重办或者说明不再重办的事由")
        opened = reviewed(ticket, at).callback
        if opened is not None:
            unrated(opened)
            return replace(moved, callback=replace(opened, heard=heard, done_at=at))
    if ticket.exemption(rules.process) is None:
        raise CallbackDue("该工单须回访后办结")
    return moved


def escalate(ticket: Ticket, cause: str, rules: Rules, at: datetime) -> Ticket:
    """列为疑难, from wherever it is open (hotline.md 3.3, row 20).

    A return that waits is taken over: the unit keeps it until the case is decided. A suspension
    ends, and the citizen's clock begins where facts were still waited for.
    """
    deed = Deed(act=Act.ESCALATE, unit_code=ticket.unit_code, facts={"cause": cause})
    moved = ticket.moved(deed, Status.HARD_CASE, rules, at)
    match ticket.status:
        case Status.SUSPENDED:
            return asking.going_on(moved, rules, at)
        case Status.RETURN_REVIEW:
            return asking.taken_over(moved, rules, at)
        case Status.AWAITING_FACTS:
            return intake.accepted(moved, rules, at)
        case _:
            return moved


def supervise(ticket: Ticket, cause: str) -> Ticket:
    deed = Deed(act=Act.SUPERVISE, unit_code=ticket.unit_code, facts={"cause": cause})
    return replace(ticket.noted(deed), is_supervised=True)


def lapse_promise(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    """承诺到期: the promised date is over and the rest was not reported."""
    facts = {"promised_on": None if ticket.phase is None else ticket.phase.promised_on.isoformat()}
    deed = Deed(act=Act.LAPSE_PROMISE, unit_code=ticket.unit_code, facts=facts)
    moved = ticket.moved(deed, Status.REWORK, rules, at)
    return _sent_back(moved, Act.LAPSE_PROMISE, rules, at)


def archive(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    return ticket.moved(Deed(act=Act.ARCHIVE), Status.ARCHIVED, rules, at)


def closed(ticket: Ticket, deed: Deed, rules: Rules, at: datetime) -> Ticket:
    moved = ticket.moved(deed, Status.CLOSED, rules, at)
    finished = moved.with_shares(Act.FINISH, _REPLIED).with_shares(Act.CANCEL, OPEN_STATES)
    return replace(finished, closed_at=at)


def redone(
    ticket: Ticket,
    act: Act,
    rules: Rules,
    at: datetime,
    *,
    said: Mapping[str, Json] = MappingProxyType({}),
) -> Ticket:
    """重办, or a hard case once the rounds are used up."""
    has_rounds = ticket.rework_rounds < rules.process.counts.rework_rounds
    target = Status.REWORK if has_rounds else Status.HARD_CASE
    facts = {"round": ticket.rework_rounds, **said}
    deed = Deed(act=act, unit_code=ticket.unit_code, facts=facts)
    moved = ticket.moved(deed, target, rules, at)
    if not has_rounds:
        return replace(moved, is_supervised=True)
    return _sent_back(replace(moved, rework_rounds=ticket.rework_rounds + 1), act, rules, at)


def _sent_back(ticket: Ticket, act: Act, rules: Rules, at: datetime) -> Ticket:
    lead = _lead_of(ticket)
    term = rules.stage_term("rework", ticket.appeal, at)
    again = replace(lead.moved(act, State.REWORK), reply_term=term, replied_at=None)
    return ticket.with_assignment(again)


def _said(ticket: Ticket, heard: Heard) -> dict[str, Json]:
    """The answers in the history: a later callback takes the place of this one on the ticket."""
    answer = ticket.answer if ticket.replied_at is not None else None
    return {
        "resolved": heard.resolved.value,
        "result": heard.result.value,
        "replied": heard.replied,
        "claimed": None if answer is None else answer.is_resolved,  # what the unit had said
    }


def _lead_of(ticket: Ticket) -> Assignment:
    if ticket.lead is None:
        raise AssertionError("what was replied to has a unit")
    return ticket.lead


def _check_attempts(current: Callback, rules: Rules) -> None:
    """Raises TooFewAttempts."""
    least = rules.process.counts.callback_attempts
    if len(current.attempts) < least:
        raise TooFewAttempts(f"应至少回访{least}次", attempts=len(current.attempts))
    if rules.callback is None:
        return
    wanted = rules.callback.of(current).attempts
    if not wanted.are_enough(current.attempts, least=least):
        raise TooFewAttempts(
            f"应在至少{wanted.days}日的不同时段回访至少{least}次",
            attempts=len(wanted.counted(current.attempts)),
        )


def _silence(current: Callback, rules: Rules) -> Outcome:
    counts = rules.callback is not None and rules.callback.of(current).silence_is_satisfied
    return Outcome.DEFAULTED if counts and current.answered_at else Outcome.NO_ANSWER


def unrated(current: Callback) -> Callback:
    """Raises AlreadyRated: one matter is rated once."""
    if current.own is not None:
        raise AlreadyRated("诉求人已自行评价，请处理其评价，不再重复记录")
    return current


def open_one(ticket: Ticket) -> Callback:
    if ticket.callback is None or ticket.callback.is_done:
        raise CallbackNotOpen("该工单没有待办的回访")
    return ticket.callback


def is_deadline_of_lead(ticket: Ticket, clock: Clock, no: int) -> bool:
    """Whether what ran out opens a callback: the lead's own time for handling."""
    return clock is Clock.UNIT and no != OF_TICKET and ticket.assignment(no) == ticket.lead
