"""Merging a repeated matter into a parent, taking it out again, and what it inherits (并单)."""

from dataclasses import replace
from datetime import datetime

from tongban_common.errors import Conflict
from tongban_hotline_dispatch.domain.assignment import Assignment, Role
from tongban_hotline_dispatch.domain.closing import reviewed
from tongban_hotline_dispatch.domain.intake import check_childless
from tongban_hotline_dispatch.domain.moves import OPEN_STATES, Act, State, Status
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Deed, Ticket

_JOINABLE = frozenset(
    {
        Status.REGISTERED,
        Status.CONSULTING,
        Status.ASSIGNED,
        Status.SIGNED,
        Status.RETURN_REVIEW,
        Status.SUSPENDED,
        Status.REWORK,
        Status.HARD_CASE,
    }
)


class CannotJoin(Conflict):
    code = "ticket.cannot_join"


def merge(ticket: Ticket, parent: Ticket, rules: Rules, at: datetime) -> Ticket:
    """并单: the child waits for the parent's answer; its citizen's clock runs on."""
    check_childless(ticket)
    if parent.id == ticket.id or parent.status not in _JOINABLE:
        raise CannotJoin("主单应为另一件尚未答复的工单", state=parent.status)
    if parent.target_unit != ticket.target_unit:
        raise CannotJoin("被诉单位不同的工单不得并单", state=parent.status)
    facts = {"parent_id": str(parent.id)}
    deed = Deed(act=Act.MERGE, unit_code=ticket.unit_code, facts=facts)
    moved = ticket.moved(deed, Status.MERGED, rules, at)
    return replace(moved.with_shares(Act.CANCEL, OPEN_STATES), parent_id=parent.id)


def unmerge(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    deed = Deed(act=Act.UNMERGE, facts={"parent_id": str(ticket.parent_id)})
    return replace(ticket.moved(deed, Status.REGISTERED, rules, at), parent_id=None)


def inherit(ticket: Ticket, parent: Ticket, rules: Rules, at: datetime) -> Ticket:
    """Each child is answered in the parent's words, and called back for itself."""
    lead = parent.lead
    if lead is None or lead.reply is None:
        raise CannotJoin("主单尚未答复", state=parent.status)
    own = Assignment(
        no=len(ticket.assignments) + 1,
        unit_code=lead.unit_code,
        role=Role.LEAD,
        assigned_at=at,
        reply_term=lead.reply_term,
        sign_term=lead.sign_term,
        return_term=lead.return_term,
    )
    own = replace(own.moved(Act.INHERIT), reply=lead.reply, replied_at=at, was_late=lead.was_late)
    is_exempt = ticket.exemption(rules.process) is not None
    target = Status.CLOSED if is_exempt else Status.CALLBACK
    deed = Deed(
        act=Act.INHERIT, unit_code=lead.unit_code, facts={"parent_id": str(ticket.parent_id)}
    )
    moved = ticket.moved(deed, target, rules, at)
    moved = replace(moved, assignments=(*ticket.assignments, own), first_replied_at=at)
    moved = replace(moved, process_version=ticket.process_version or parent.process_version)
    if not is_exempt:
        return reviewed(moved, at)
    finished = moved.with_shares(Act.FINISH, frozenset({State.REPLIED}))
    return replace(finished, closed_at=at)
