"""Commands before and beside the handling: taking in, routing out, withdrawing, reopening."""

from dataclasses import replace
from datetime import datetime, timedelta

from tongban_common.errors import Conflict, RuleViolation
from tongban_hotline_dispatch.domain.appeal import Appeal
from tongban_hotline_dispatch.domain.assignment import Reply
from tongban_hotline_dispatch.domain.moves import OPEN_STATES, Act, State, Status
from tongban_hotline_dispatch.domain.process import Disposition
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Deed, Ticket

NO_SUBSTANCE = "NO_SUBSTANCE"
_STOPPED = OPEN_STATES | {State.REPLIED}


class HasChildren(Conflict):
    code = "ticket.has_children"


class TooLateToReopen(Conflict):
    code = "ticket.too_late_to_reopen"


class StrangeDeadline(RuleViolation):
    code = "appeal.strange_deadline"


# What an upper platform may have set is near; what is farther off was mistyped.
_EARLIEST, _LATEST = timedelta(days=-366), timedelta(days=3660)


def check_deadlines(appeal: Appeal, at: datetime) -> None:
    """One that is already over is taken: the ticket came late. Raises StrangeDeadline."""
    for name in ("upstream_due", "statutory_due"):
        due: datetime | None = getattr(appeal, name)
        if due is not None and not at + _EARLIEST <= due <= at + _LATEST:
            raise StrangeDeadline("上级平台期限和法定期限应在一年前至十年后之间", field=name)


def register(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    """受理: the citizen's clock starts, and nothing will reset it."""
    return accepted(ticket, rules, at).moved(Deed(act=Act.REGISTER), Status.REGISTERED, rules, at)


def request_facts(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    moved = ticket.moved(Deed(act=Act.REQUEST_FACTS), Status.AWAITING_FACTS, rules, at)
    return replace(moved, deed=Deed(act=Act.REQUEST_FACTS, facts={"due": _due(moved)}))


def supplement(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    """补充: what was waited for, or news at any other time; the words are kept with the ticket."""
    waited = ticket.status is Status.AWAITING_FACTS
    deed = Deed(act=Act.SUPPLEMENT, facts={"was_awaited": waited})
    if waited:
        return accepted(ticket, rules, at).moved(deed, Status.REGISTERED, rules, at)
    return ticket.noted(deed)


def lapse(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    """逾期未补充: closed as without substance."""
    deed = Deed(act=Act.LAPSE, facts={"disposition": NO_SUBSTANCE})
    moved = ticket.moved(deed, Status.CLOSED, rules, at)
    return replace(moved, disposition=NO_SUBSTANCE, closed_at=at)


def route_out(
    ticket: Ticket, given: Disposition, rules: Rules, at: datetime, *, line: str | None = None
) -> Ticket:
    """引导: the person is told why, and the proper route. An emergency is handed to its line."""
    check_childless(ticket)
    given.told(line)
    deed = Deed(
        act=Act.ROUTE_OUT,
        facts={
            "disposition": given.code,
            "is_immediate": given.is_immediate,
            "line": line,
            "closes_as": given.closes_as,
        },
    )
    moved = ticket.moved(deed, Status.ROUTED_OUT, rules, at)
    return replace(moved, disposition=given.code, closed_at=at)


def answer_directly(ticket: Ticket, reply: Reply, rules: Rules, at: datetime) -> Ticket:
    """直接答复: a matter that the agent can settle at once. Raises HasChildren."""
    check_childless(ticket)
    reply.check()
    moved = ticket.moved(Deed(act=Act.ANSWER), Status.ANSWERED, rules, at)
    return replace(moved, own_answer=reply.public, first_replied_at=at, closed_at=at)


def consult(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    moved = ticket.moved(Deed(act=Act.CONSULT), Status.CONSULTING, rules, at)
    return replace(moved, deed=Deed(act=Act.CONSULT, facts={"due": _due(moved)}))


def conclude(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    return ticket.moved(Deed(act=Act.CONCLUDE), Status.REGISTERED, rules, at)


def withdraw(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    """撤单: the record stays; it is not assessed, and waits for no parent."""
    check_childless(ticket)
    deed = Deed(act=Act.WITHDRAW, unit_code=ticket.unit_code)
    moved = ticket.moved(deed, Status.WITHDRAWN, rules, at)
    return replace(moved.with_shares(Act.CANCEL, _STOPPED), closed_at=at, parent_id=None)


def reopen(ticket: Ticket, reason: str, rules: Rules, at: datetime) -> Ticket:
    """重启办理: within the limit from the close, for a listed reason, for itself where it was
    answered with a parent. Raises TooLateToReopen.
    """
    rules.process.reopen_reason(reason)
    deed = Deed(act=Act.REOPEN, facts={"reason": reason})
    moved = ticket.moved(deed, Status.REGISTERED, rules, at)
    if ticket.closed_at is not None:
        term = rules.stage_term("reopen", ticket.appeal, ticket.closed_at)
        if term.has_run_out(at=at):
            raise TooLateToReopen(f"已超过重启期限：{term.limit.clause}")
    again = replace(
        moved, closed_at=None, callback=None, disposition=None, phase=None, parent_id=None
    )
    if again.citizen_term is not None and again.first_replied_at is None:
        # no timer watched it meanwhile, and a notice on holidays may have come
        again = replace(again, citizen_term=rules.recounted(again.citizen_term))
    return accepted(again, rules, at)  # what was routed out at once has no clock yet


def check_childless(ticket: Ticket) -> None:
    """Raises HasChildren: those who were joined to it still wait for its answer."""
    if ticket.children:
        raise HasChildren("该工单有并入的工单，请先拆单", children=ticket.children)


def accepted(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    """The citizen's clock begins, where it has not and the person wants to hear."""
    if ticket.citizen_term is not None or not ticket.wants_reply:
        return ticket
    return replace(ticket, citizen_term=rules.citizen_term(ticket.appeal, at))


def _due(ticket: Ticket) -> str | None:
    return None if ticket.stage is None else ticket.stage.due_at.isoformat()
