"""Commands of the handling: assigned, signed, contacted, shared out, replied."""

from dataclasses import dataclass, replace
from datetime import datetime

from tongban_common.errors import Conflict, RuleViolation
from tongban_hotline_dispatch.domain.appeal import APPEAL_NAMES
from tongban_hotline_dispatch.domain.assignment import Assignment, Clock, Json, Reply, Role
from tongban_hotline_dispatch.domain.closing import reviewed
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.moves import OPEN_STATES, Act, IllegalMove, State, Status
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Deed, Ticket

_STOPPED = OPEN_STATES | {State.REPLIED}


class AlreadyAssigned(Conflict):
    code = "assignment.already_there"


class NotAssignable(RuleViolation):
    code = "ticket.not_assignable"


class LeadOnly(RuleViolation):
    code = "assignment.lead_only"


class NotWhistled(RuleViolation):
    code = "assignment.not_whistled"


class AlreadyReportedIn(Conflict):
    code = "assignment.already_reported_in"


class NotBelow(RuleViolation):
    code = "assignment.not_below"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToUnit:
    """Which unit gets it, of which level, and how."""

    code: str
    level: str
    role: Role = Role.LEAD
    days: int | None = None  # an own limit for a co-unit, within what the lead has left
    superiors: frozenset[str] = frozenset()  # all that stand above it
    by_duty_phone: bool = False  # nobody is in post there: its duty phone is called
    whistled_by: str | None = None  # 吹哨: the level of the unit that calls it


def assign(
    ticket: Ticket, to: ToUnit, rules: Rules, at: datetime, *, forced: bool = False
) -> Ticket:
    """派单: the unit's clock starts. After the policy's number of returns it is by designation.

    Raises NotAssignable for a type that the policy ends as it is registered.
    """
    kind = ticket.appeal.appeal_type
    if kind in rules.at_once:
        raise NotAssignable(f"“{APPEAL_NAMES[kind]}”类登记后即办结，不派单")
    ticket.check_not_accused(to.code, to.superiors)
    forced = forced or ticket.returns >= rules.process.counts.returns_before_forced
    act = Act.FORCE if forced else Act.ASSIGN
    facts: dict[str, Json] = {"returns": ticket.returns} if forced else {}
    facts |= _called(to)
    deed = Deed(act=act, unit_code=to.code, facts=facts)
    cleared = ticket.with_shares(Act.CANCEL, _STOPPED)
    return _given(cleared.moved(deed, Status.ASSIGNED, rules, at), to, rules, at, forced=forced)


def transfer(ticket: Ticket, to: ToUnit, rules: Rules, at: datetime) -> Ticket:
    """改派: a new unit with a full limit of its own; the citizen's clock goes on."""
    if to.code == ticket.unit_code:
        raise AlreadyAssigned("该工单已由此单位主办")
    ticket.check_not_accused(to.code, to.superiors)
    facts: dict[str, Json] = {"from_unit": ticket.unit_code, **_called(to)}
    deed = Deed(act=Act.TRANSFER, unit_code=to.code, facts=facts)
    cleared = ticket.with_shares(Act.CANCEL, _STOPPED)
    return _given(cleared.moved(deed, Status.ASSIGNED, rules, at), to, rules, at, forced=False)


def sign(ticket: Ticket, unit: str | None, rules: Rules, at: datetime) -> Ticket:
    """签收. It starts no clock of handling: leaving a ticket unsigned must not pay."""
    share = ticket.share_of(unit)
    if share.signed_at is not None:
        raise IllegalMove("已签收，无须再签", state=ticket.status, act=Act.SIGN)
    return _signed(ticket, share, Act.SIGN, rules, at)


def auto_sign(ticket: Ticket, no: int, rules: Rules, at: datetime) -> Ticket:
    """自动签收: counted against the unit."""
    return _signed(ticket, ticket.assignment(no), Act.AUTO_SIGN, rules, at)


def contact(ticket: Ticket, unit: str | None, at: datetime) -> Ticket:
    share = ticket.share_of(unit)
    moved = replace(share.moved(Act.CONTACT), contacted_at=share.contacted_at or at)
    return ticket.with_assignment(moved).noted(Deed(act=Act.CONTACT, unit_code=share.unit_code))


def add_unit(ticket: Ticket, unit: str | None, to: ToUnit, rules: Rules, at: datetime) -> Ticket:
    """加派、吹哨: a co-unit reports to the lead within its own, shorter limit.

    Who is called by a whistle comes to the spot besides, in a limit of its own. A town may whistle
    where another unit leads (hotline.md 3.3, row 10).
    """
    by = ticket.share_of(unit)
    whistle = rules.process.whistle
    is_towns = to.role is Role.WHISTLE and whistle is not None and to.whistled_by in whistle.levels
    if by.role is not Role.LEAD and not (is_towns and by.is_open):
        raise LeadOnly("由主办单位加派")
    return _shared(ticket, by, to, Act.ADD_UNIT, rules, at)


def report_in(ticket: Ticket, unit: str | None, at: datetime) -> Ticket:
    """报到: who was whistled for is on the spot. Raises NotWhistled, AlreadyReportedIn."""
    share = ticket.share_of(unit)
    if share.report_term is None:
        raise NotWhistled("没有吹哨，无须报到")
    if share.reported_at is not None:
        raise AlreadyReportedIn("已经报到，无须再报")
    facts = {"is_overdue": share.report_term.has_run_out(at=at)}
    deed = Deed(act=Act.REPORT_IN, unit_code=share.unit_code, facts=facts)
    here = replace(share.moved(Act.REPORT_IN), reported_at=at)
    return ticket.with_assignment(here).noted(deed)


def delegate(ticket: Ticket, unit: str | None, to: ToUnit, rules: Rules, at: datetime) -> Ticket:
    """下派: to a unit that stands below the one that hands down. Raises NotBelow."""
    by = ticket.share_of(unit)
    ticket.check_not_accused(to.code, to.superiors)
    if by.unit_code not in to.superiors:
        raise NotBelow("只能下派给本单位的下级单位", unit_code=to.code)
    return _shared(ticket, by, to, Act.DELEGATE, rules, at)


def reply(ticket: Ticket, unit: str | None, answer: Reply, rules: Rules, at: datetime) -> Ticket:
    """答复: stops the unit's clock, and the first one the citizen's; a co-unit's is the lead's."""
    share = ticket.share_of(unit)
    rules.process.check_signed("reply", is_signed=answer.signed_off is not None)
    is_lead = share.role is Role.LEAD
    act = Act.REPLY if is_lead else Act.CO_REPLY
    if is_lead:
        passes = rules.process.passes_alone(ticket.appeal) and not ticket.exemption(rules.process)
        target = Status.CALLBACK if passes else Status.REPLIED
        # what the assessment reads when a later round has put another term in its place
        due: dict[str, Json] = {"reply_due": share.reply_term.due_at.isoformat()}
        deed = Deed(act=act, unit_code=share.unit_code, facts=due)
        moved = ticket.moved(deed, target, rules, at)
    else:
        passes = False
        facts = {"role": share.role.value, "is_overdue": share.reply_term.has_run_out(at=at)}
        moved = ticket.noted(Deed(act=act, unit_code=share.unit_code, facts=facts))
    answered = moved.with_assignment(share.answered(answer, at=at).moved(act))
    if not is_lead:
        return answered
    answered = replace(answered, first_replied_at=ticket.first_replied_at or at)
    return reviewed(answered, at) if passes else answered


def _given(ticket: Ticket, to: ToUnit, rules: Rules, at: datetime, *, forced: bool) -> Ticket:
    """Raises NotDelegable for a duty that the policy keeps above units of that level."""
    appeal = ticket.appeal
    rules.process.check_delegable(appeal, to.level)
    new = Assignment(
        no=len(ticket.assignments) + 1,
        unit_code=to.code,
        role=Role.LEAD,
        assigned_at=at,
        reply_term=rules.reply_term(appeal, to.level, at),
        sign_term=rules.stage_term("sign", appeal, at),
        return_term=rules.stage_term("return", appeal, at),
        is_forced=forced,
    )
    pinned = ticket.process_version or rules.process.version
    shares = (*ticket.assignments, new)
    return replace(ticket, assignments=shares, process_version=pinned, phase=None)


def _signed(ticket: Ticket, share: Assignment, act: Act, rules: Rules, at: datetime) -> Ticket:
    is_lead = share.role is Role.LEAD
    waits = share.state is State.WAITING
    contact_term = share.contact_term or rules.stage_term(Clock.CONTACT, ticket.appeal, at)
    signed = replace(
        share.moved(act),
        contact_term=contact_term,
        signed_at=at if act is Act.SIGN else None,
        is_auto_signed=share.is_auto_signed or act is Act.AUTO_SIGN,
    )
    deed = Deed(act=act, unit_code=share.unit_code, facts={"role": share.role.value})
    is_new = is_lead and waits and ticket.status is Status.ASSIGNED  # else it is a hard case
    target = Status.SIGNED if is_new else ticket.status
    return ticket.with_assignment(signed).moved(deed, target, rules, at)


def _shared(
    ticket: Ticket, by: Assignment, to: ToUnit, act: Act, rules: Rules, at: datetime
) -> Ticket:
    if any(each.unit_code == to.code and each.is_live for each in ticket.assignments):
        raise AlreadyAssigned("该单位已承办此工单")
    ticket.check_not_accused(to.code, to.superiors)
    rules.process.check_delegable(ticket.appeal, to.level)
    new = Assignment(
        no=len(ticket.assignments) + 1,
        unit_code=to.code,
        role=Role.CO if to.role is Role.LEAD else to.role,
        assigned_at=at,
        reply_term=rules.co_term(by.reply_term, at, to.days),
        sign_term=rules.stage_term("sign", ticket.appeal, at),
        return_term=rules.stage_term("return", ticket.appeal, at),
        parent_no=by.no,
        report_term=_report_term(ticket, to, rules, at),
    )
    facts: dict[str, Json] = {
        "role": new.role.value,
        "reply_due": new.reply_term.due_at.isoformat(),
        **_called(to),
    }
    if new.report_term is not None:
        facts["report_due"] = new.report_term.due_at.isoformat()
    deed = Deed(act=act, unit_code=to.code, facts=facts)
    return replace(ticket.noted(deed), assignments=(*ticket.assignments, new))


def _report_term(ticket: Ticket, to: ToUnit, rules: Rules, at: datetime) -> Term | None:
    """None for a co-unit, and under a process without a whistle."""
    if to.role is not Role.WHISTLE or rules.process.whistle is None:
        return None
    return rules.stage_term(Clock.REPORT_IN, ticket.appeal, at)


def _called(to: ToUnit) -> dict[str, Json]:
    """派单时改拨单位值班电话 (hotline.md 7)."""
    return {"by_duty_phone": True} if to.by_duty_phone else {}
