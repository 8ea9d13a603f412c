"""What a callback (回访) does beside the moves of its ticket: its terms, and the own review.

`followed` completes, after every move, what the move opened or ended; the commands are those that
closing.py does not have.
"""

from dataclasses import replace
from datetime import datetime

from tongban_common.errors import Conflict
from tongban_hotline_dispatch.domain.assignment import Clock, Json
from tongban_hotline_dispatch.domain.callback import Callback, Cause, Mark, Outcome, OwnReview
from tongban_hotline_dispatch.domain.callback_rules import CallbackBook, Undecided
from tongban_hotline_dispatch.domain.closing import (
    closed,
    lapse_callback,
    open_one,
    redone,
    unrated,
)
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.moves import Act, Status
from tongban_hotline_dispatch.domain.process import Trigger
from tongban_hotline_dispatch.domain.process_tables import TICKET
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import OF_TICKET, Deed, Ticket


class NothingToDecide(Conflict):
    code = "callback.nothing_to_decide"


class TooEarlyToCall(Conflict):
    code = "callback.too_early"


def is_deadline(ticket: Ticket, clock: Clock, no: int, rules: Rules) -> bool:
    """Whether what ran out opens a callback: 时限届满即回访 (北京市条例第二十三条)."""
    if rules.callback is None or rules.process.callback_trigger is Trigger.ON_REPLIED:
        return False
    if clock is not rules.callback.current.deadline_clock:
        return False
    is_leads = no == OF_TICKET or ticket.assignment(no) == ticket.lead
    is_free = bool(TICKET.targets(Act.OPEN_CALLBACK, ticket.status))
    return is_leads and is_free and _is_first(ticket) and not ticket.exemption(rules.process)


def followed(before: Ticket, after: Ticket, rules: Rules, at: datetime) -> Ticket:
    """The ticket with its callback completed: number, terms, outcome. No move of its own."""
    current = after.callback
    if current is None or rules.callback is None:
        return after
    if current == before.callback and after.status is before.status:
        return after
    if current.no == 0:
        version = rules.callback.current.version
        current = replace(current, no=after.version, rules_version=version)
    is_new = before.callback is None or before.callback.no != current.no
    waited = current.answered_at is None
    if waited and (after.status is Status.CALLBACK or (is_new and current.cause is Cause.REPLIED)):
        current = replace(current, answered_at=at)
    if current.is_done:
        return replace(after, callback=_settled(current, rules.callback))
    if after.is_ended:
        return replace(after, callback=replace(current, done_at=at, outcome=Outcome.OVERTAKEN))
    if is_new or (waited and current.answered_at is not None):
        return _begun(replace(after, callback=current), current, rules, at)
    return replace(after, callback=current)


def take_own_review(ticket: Ticket, own: OwnReview, rules: Rules, at: datetime) -> Ticket:
    """诉求人自行评价: closes; a bad one waits for the desk to say whether it is done again."""
    current = replace(unrated(open_one(ticket)), own=own)
    facts: dict[str, Json] = {"review_id": str(own.review_id), "result": own.mark.value}
    if own.mark is not Mark.DISSATISFIED:
        deed = Deed(act=Act.CALL_BACK, unit_code=ticket.unit_code, facts=facts)
        done = replace(current, done_at=at, outcome=Outcome.OWN_REVIEW)
        return closed(replace(ticket, callback=done), deed, rules, at)
    deed = Deed(
        act=Act.TAKE_REVIEW, unit_code=ticket.unit_code, facts={**facts, "level": own.level}
    )
    return replace(ticket.noted(deed), callback=current)


def takes_own_review(ticket: Ticket, rated_at: datetime) -> bool:
    """Whether a review counts as the callback's rating: it came first, and is of this reply."""
    current = ticket.callback
    if current is None or current.is_done or current.own is not None:
        return False
    is_of_reply = current.answered_at is not None and rated_at >= current.answered_at
    return is_of_reply and ticket.status is Status.CALLBACK


def decide_own(
    ticket: Ticket, no_redo: str | None, rules: Rules, at: datetime, *, closes: bool = False
) -> Ticket:
    """差评处理: done again, or, for a listed reason, not. The rating itself stays as given."""
    current = open_one(ticket)
    if current.own is None:
        raise NothingToDecide("该工单没有待处理的自行评价")
    if no_redo is not None:
        rules.process.no_redo_reason(no_redo)
    done = replace(current, done_at=at, outcome=Outcome.OWN_REVIEW, no_redo=no_redo)
    ticket = replace(ticket, callback=done)
    said: dict[str, Json] = {
        "review_id": str(current.own.review_id),
        "result": current.own.mark.value,
    }
    if no_redo is None and not closes:
        return redone(ticket, Act.CALL_BACK, rules, at, said=said)
    facts: dict[str, Json] = {**said, "no_redo": no_redo}
    deed = Deed(act=Act.CALL_BACK, unit_code=ticket.unit_code, facts=facts)
    return closed(ticket, deed, rules, at)


def give_up(ticket: Ticket, reason: str, rules: Rules, at: datetime) -> Ticket:
    """无法回访, for a listed reason: in no denominator, like whoever was not reached."""
    current = unrated(open_one(ticket))
    if rules.callback is not None:
        rules.callback.of(current).cannot_reason(reason)
    done = replace(current, is_unanswered=True, outcome=Outcome.CANNOT, reason=reason, done_at=at)
    facts: dict[str, Json] = {"reason": reason}
    deed = Deed(act=Act.LAPSE_CALLBACK, unit_code=ticket.unit_code, facts=facts)
    ticket = replace(ticket, callback=done)
    if ticket.status is not Status.CALLBACK:
        return ticket.noted(deed)
    return closed(ticket, deed, rules, at)


def lapse(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    """评价期满: no answer; a bad review that nobody decided on goes by the rules."""
    current = open_one(ticket)
    if current.own is None or rules.callback is None:
        return lapse_callback(ticket, rules, at, in_time=False)
    closes = rules.callback.of(current).undecided is Undecided.CLOSE
    return decide_own(ticket, None, rules, at, closes=closes)


def check_open_at(ticket: Ticket, at: datetime) -> None:
    """Raises TooEarlyToCall: where the policy counts the deadline alone, nobody calls before."""
    current = ticket.callback
    if current is not None and not current.is_done and at < current.opened_at:
        raise TooEarlyToCall("回访在办理时限届满后进行", opens_at=current.opened_at.isoformat())


def _is_first(ticket: Ticket) -> bool:
    """No callback of what the lead is doing now."""
    current, since = ticket.callback, ticket.assigned_at
    if current is None:
        return True
    return current.done_at is not None and since is not None and current.done_at <= since


def _begun(ticket: Ticket, current: Callback, rules: Rules, at: datetime) -> Ticket:
    """From when on somebody calls, and until when."""
    start = _start(ticket, rules, at)
    if start > at:  # the window begins with it
        stage = rules.stage_term(Clock.CALLBACK, ticket.appeal, start)
        ticket = replace(ticket, stage=stage)
    is_silent = ticket.status is not Status.CALLBACK
    window = rules.stage_term(Clock.CALLBACK, ticket.appeal, start) if is_silent else None
    begun = replace(
        current, opened_at=start, call_term=_call_term(current, rules, start), window=window
    )
    return replace(ticket, callback=begun)


def _start(ticket: Ticket, rules: Rules, at: datetime) -> datetime:
    term = ticket.citizen_term
    waits = rules.process.callback_trigger is Trigger.ON_DEADLINE
    return max(at, term.due_at) if waits and term is not None else at


def _call_term(current: Callback, rules: Rules, start: datetime) -> Term | None:
    if rules.callback is None:
        return None
    own = rules.callback.of(current)
    term = rules.limits.term(rules.calendar, own.call, start_at=start)
    return replace(term, policy=own.label, warn_at=None)


def _settled(current: Callback, book: CallbackBook) -> Callback:
    """What is done, with its outcome and the codes of its marks."""
    heard = current.heard
    if heard is not None and (heard.result_level is None or heard.process_level is None):
        result, process = book.of(current).levelled(heard)
        current = replace(current, heard=replace(heard, result_level=result, process_level=process))
    if current.outcome is not None:
        return current
    if heard is None and current.own is None:
        return replace(current, outcome=Outcome.NO_ANSWER)
    outcome = Outcome.REACHED if heard is not None else Outcome.OWN_REVIEW
    return replace(current, outcome=outcome)
