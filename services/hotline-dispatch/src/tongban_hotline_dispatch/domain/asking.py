"""What a unit asks of the hub, and what the hub (or its silence) decides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from tongban_common.errors import Conflict, RuleViolation
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.assignment import (
    Ask,
    AskKind,
    Assignment,
    Json,
    Reply,
    Role,
    SignOff,
)
from tongban_hotline_dispatch.domain.callback import Phase, Suspension
from tongban_hotline_dispatch.domain.deadlines import Pause, Term
from tongban_hotline_dispatch.domain.intake import check_childless
from tongban_hotline_dispatch.domain.moves import OPEN_STATES, Act, State, Status
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Deed, Ticket


class TooLateToAsk(RuleViolation):
    code = "ask.too_late"


class NotAllowed(RuleViolation):
    code = "ask.not_allowed"


class IncompleteGrounds(RuleViolation):
    code = "ask.incomplete_grounds"


class ForcedAssignment(Conflict):
    code = "assignment.forced"


class ComplainantNotTold(RuleViolation):
    code = "extension.complainant_not_told"


# What must be written, by kind: 退单须有依据文字、法条和建议单位; 延期须有理由和依据; …
GROUNDS: Mapping[AskKind, tuple[str, ...]] = {
    AskKind.RETURN: ("reason", "citation", "suggested_unit"),
    AskKind.EXTENSION: ("reason", "citation", "amount"),
    AskKind.SUSPENSION: ("reason", "pause_reason"),
    AskKind.PHASE: ("measures", "promised_on"),
    AskKind.TERMINATION: ("reason",),
}
_ASK = {
    AskKind.RETURN: Act.ASK_RETURN,
    AskKind.EXTENSION: Act.ASK_EXTENSION,
    AskKind.SUSPENSION: Act.ASK_SUSPENSION,
    AskKind.PHASE: Act.ASK_PHASE,
    AskKind.TERMINATION: Act.ASK_TERMINATION,
}
_REFUSE = {
    AskKind.RETURN: Act.REJECT_RETURN,
    AskKind.EXTENSION: Act.REFUSE_EXTENSION,
    AskKind.SUSPENSION: Act.REFUSE_SUSPENSION,
    AskKind.PHASE: Act.REFUSE_PHASE,
    AskKind.TERMINATION: Act.REFUSE_TERMINATION,
}
BY_SILENCE = frozenset({AskKind.RETURN, AskKind.EXTENSION})  # undecided in time is refused
_TOLD = {
    AskKind.RETURN: ("suggested_unit",),
    AskKind.EXTENSION: ("amount",),
    AskKind.SUSPENSION: ("pause_reason",),
    AskKind.PHASE: ("promised_on",),
    AskKind.TERMINATION: (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    kind: AskKind
    by: str
    grounds: Mapping[str, Json]
    is_signed_off: bool = True  # 分管领导已审签, as the unit says
    signed_off: SignOff | None = None  # as the leader has done it here


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    kind: AskKind
    is_granted: bool
    by: str | None  # None: the time ran out
    note: str = ""
    is_told: bool = False  # the complainant knows of the extension
    by_center: bool = False  # 热线中心负责人


def ask(ticket: Ticket, unit: str | None, request: Request, rules: Rules, at: datetime) -> Ticket:
    share = ticket.share_of(unit)
    if not share.is_open:
        raise NotAllowed("已答复的工单无须再申请")
    _check_grounds(request)
    rules.process.check_signed(request.kind, is_signed=request.signed_off is not None)
    case = _Case(ticket=ticket, share=share, grounds=request.grounds, rules=rules, at=at)
    _CHECKS[request.kind](case)
    term = rules.stage_term(f"{request.kind}_decision", ticket.appeal, at)
    asked = Ask(
        kind=request.kind,
        asked_at=at,
        by=request.by,
        term=term,
        grounds=dict(request.grounds),
        signed_off=request.signed_off,
    )
    facts: dict[str, Json] = {name: request.grounds[name] for name in _TOLD[request.kind]}
    facts["decision_due"] = term.due_at.isoformat()
    deed = Deed(act=_ASK[request.kind], unit_code=share.unit_code, facts=facts)
    if request.kind is AskKind.RETURN:
        moved = ticket.moved(deed, Status.RETURN_REVIEW, rules, at)
        return moved.with_assignment(share.asked(asked).moved(Act.ASK_RETURN))
    return ticket.noted(deed).with_assignment(share.asked(asked))


def decide(ticket: Ticket, no: int, decision: Decision, rules: Rules, at: datetime) -> Ticket:
    """The hub's word on what assignment `no` asked for. Raises NothingAsked."""
    share = ticket.assignment(no)
    asked = share.open_ask(decision.kind)
    share = share.decided(granted=decision.is_granted, by=decision.by, at=at, note=decision.note)
    ticket = ticket.with_assignment(share)
    if not decision.is_granted:
        return _refused(ticket, share, decision, rules, at)
    match decision.kind:
        case AskKind.RETURN:
            return _returned(ticket, share, rules, at)
        case AskKind.EXTENSION:
            return _extended(ticket, share, asked, decision, rules)
        case AskKind.SUSPENSION:
            return _suspended(ticket, share, asked, rules, at)
        case AskKind.PHASE:
            return _phased(ticket, share, asked, rules, at)
        case AskKind.TERMINATION:
            return _terminated(ticket, share, asked, rules, at)


def resume(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    """恢复办理: both clocks go on where they stood."""
    paused = ticket.suspension
    if paused is None:
        return ticket.moved(Deed(act=Act.RESUME), Status.SIGNED, rules, at)
    ticket = going_on(ticket, rules, at)
    term = ticket.reply_term
    facts = {"reply_due": None if term is None else term.due_at.isoformat()}
    deed = Deed(act=Act.RESUME, unit_code=ticket.unit_code, facts=facts)
    return ticket.moved(deed, Status(paused.back_to), rules, at)


def latest_extension(term: Term, rules: Rules) -> datetime:
    """Until when an extension may be asked: of a limit in days half a working day before its end
    (hotline.md 3.5)."""
    notice = rules.process.extension_notice
    if notice is None or term.limit.unit.is_elapsed:
        return term.due_at
    return term.due_at - timedelta(hours=notice.amount)


def going_on(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    """The clocks from where they stood when it was suspended."""
    paused = ticket.suspension
    if paused is None:
        return ticket
    words = rules.process.pause_reason(paused.reason)
    pause = Pause(reason=words, from_at=paused.since, to_at=at)
    shares = tuple(_paused(each, pause, rules) for each in ticket.assignments)
    citizen = ticket.citizen_term
    if citizen is not None and ticket.first_replied_at is None:
        citizen = rules.paused(citizen, pause)
    return replace(ticket, assignments=shares, citizen_term=citizen, suspension=None)


def taken_over(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    """What a unit asked to return is a hard case now: the unit keeps it until that is decided."""
    for share in ticket.assignments:
        if share.state is State.RETURN_REQUESTED:
            settled = share.decided(granted=False, by=None, at=at, note="列为疑难，一并研判")
            ticket = ticket.with_assignment(_kept(settled, ticket, rules, at))
    return ticket


def _kept(share: Assignment, ticket: Ticket, rules: Rules, at: datetime) -> Assignment:
    """By the unit that wanted to return it."""
    kept = share.moved(Act.REJECT_RETURN)
    term = kept.contact_term or rules.stage_term("contact", ticket.appeal, at)
    return replace(kept, contact_term=term)


def _check_grounds(request: Request) -> None:
    missing = [name for name in GROUNDS[request.kind] if not request.grounds.get(name)]
    if missing:
        raise IncompleteGrounds("申请内容不全", missing=missing)
    if not request.is_signed_off:
        raise IncompleteGrounds("须经分管领导审签", missing=["is_signed_off"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What a check looks at."""

    ticket: Ticket
    share: Assignment
    grounds: Mapping[str, Json]
    rules: Rules
    at: datetime


def _check_return(case: _Case) -> None:
    share, term = case.share, case.share.return_term
    if share.role is not Role.LEAD:
        raise NotAllowed("协办单位、被吹哨单位有异议的，由主办单位提出")
    if share.is_forced:
        raise ForcedAssignment("指定承办的工单不得退单：潍坊市条例第二十二条")
    # No timer watches it: by the calendar as it is known now.
    term = replace(term, due_at=term.due_under(case.rules.calendar))
    if term.has_run_out(at=case.at):
        raise TooLateToAsk(f"已超过退单时限：{term.limit.clause}", due=term.due_at.isoformat())


def _check_extension(case: _Case) -> None:
    counts, term = case.rules.process.counts, case.share.reply_term
    if term.has_run_out(at=case.at):
        raise TooLateToAsk(f"延期应在到期前申请：{term.limit.clause}", due=term.due_at.isoformat())
    latest, notice = latest_extension(term, case.rules), case.rules.process.extension_notice
    if notice is not None and case.at > latest:
        raise TooLateToAsk(f"已过申请延期的时间：{notice.clause}", due=latest.isoformat())
    if not case.rules.process.may_extend(case.ticket.appeal):
        raise NotAllowed("该类诉求不得延期")
    if case.share.extensions >= counts.extensions_by_center:
        raise NotAllowed("延期次数已用完")
    amount = case.grounds["amount"]
    most = min(term.limit.amount - term.extended_by, counts.extension_days)
    if not isinstance(amount, int) or not 1 <= amount <= most:
        raise NotAllowed(f"延期不得超过原时限，最多{most}", most=most)


def _check_suspension(case: _Case) -> None:
    _check_lead(case)
    case.rules.process.pause_reason(str(case.grounds["pause_reason"]))


def _check_phase(case: _Case) -> None:
    _check_lead(case)
    promised = date.fromisoformat(str(case.grounds["promised_on"]))
    if promised <= case.at.astimezone(SHANGHAI).date():
        raise NotAllowed("承诺日期应在今日之后")


def _check_termination(case: _Case) -> None:
    _check_lead(case)
    check_childless(case.ticket)
    found = case.grounds.get("disposition")
    if isinstance(found, str):
        case.rules.process.disposition(found)


def _check_lead(case: _Case) -> None:
    if case.share.role is not Role.LEAD:
        raise NotAllowed("由主办单位申请")


_CHECKS: Mapping[AskKind, Callable[[_Case], None]] = {
    AskKind.RETURN: _check_return,
    AskKind.EXTENSION: _check_extension,
    AskKind.SUSPENSION: _check_suspension,
    AskKind.PHASE: _check_phase,
    AskKind.TERMINATION: _check_termination,
}


def _returned(ticket: Ticket, share: Assignment, rules: Rules, at: datetime) -> Ticket:
    facts = {"is_upheld": True, "is_by_silence": False}
    deed = Deed(act=Act.UPHOLD_RETURN, unit_code=share.unit_code, facts=facts)
    moved = ticket.moved(deed, Status.REGISTERED, rules, at)
    moved = moved.with_assignment(share.moved(Act.UPHOLD_RETURN))
    # 退单准予后协办随之取消: whoever leads next decides anew whom it needs
    cleared = moved.with_shares(Act.CANCEL, OPEN_STATES | {State.REPLIED})
    return replace(cleared, returns=ticket.returns + 1)


def _refused(
    ticket: Ticket, share: Assignment, decision: Decision, rules: Rules, at: datetime
) -> Ticket:
    act = _REFUSE[decision.kind]
    facts: dict[str, Json] = {"is_by_silence": decision.by is None}
    if decision.kind is AskKind.RETURN:
        facts["is_upheld"] = False
        deed = Deed(act=act, unit_code=share.unit_code, facts=facts)
        kept = _kept(share, ticket, rules, at)
        return ticket.with_assignment(kept).moved(deed, Status.SIGNED, rules, at)
    if decision.kind is AskKind.EXTENSION:
        facts["is_approved"] = False
        facts["reply_due"] = share.reply_term.due_at.isoformat()
    return ticket.noted(Deed(act=act, unit_code=share.unit_code, facts=facts))


def _extended(
    ticket: Ticket, share: Assignment, asked: Ask, decision: Decision, rules: Rules
) -> Ticket:
    if not decision.is_told:
        raise ComplainantNotTold("准予延期前须先告知诉求人")
    if share.extensions >= rules.process.counts.extensions and not decision.by_center:
        raise NotAllowed("再次延期须经热线中心负责人批准")
    term = rules.extended(share.reply_term, int(asked.grounds["amount"] or 0))
    told_at = share.asks[-1].decided_at  # without it no extension takes effect (hotline.md 3.5)
    facts: dict[str, Json] = {
        "is_approved": True,
        "is_by_silence": False,
        "reply_due": term.due_at.isoformat(),
        "notified_complainant_at": None if told_at is None else told_at.isoformat(),
    }
    deed = Deed(act=Act.APPROVE_EXTENSION, unit_code=share.unit_code, facts=facts)
    longer = replace(share, reply_term=term, extensions=share.extensions + 1)
    return ticket.with_assignment(longer).noted(deed)


def _suspended(ticket: Ticket, share: Assignment, asked: Ask, rules: Rules, at: datetime) -> Ticket:
    reason = str(asked.grounds["pause_reason"])
    stage = rules.stage_term("suspension", ticket.appeal, at)
    facts = {"reason": reason, "until": stage.due_at.isoformat()}
    deed = Deed(act=Act.SUSPEND, unit_code=share.unit_code, facts=facts)
    moved = ticket.moved(deed, Status.SUSPENDED, rules, at, stage=stage)
    held = Suspension(reason=reason, since=at, back_to=ticket.status.value)
    return replace(moved, suspension=held)


def _phased(ticket: Ticket, share: Assignment, asked: Ask, rules: Rules, at: datetime) -> Ticket:
    promised = date.fromisoformat(str(asked.grounds["promised_on"]))
    measures = str(asked.grounds["measures"])
    end = datetime.combine(promised, time.max, tzinfo=SHANGHAI)
    stage = rules.capped(rules.stage_term("tracker", ticket.appeal, at), end)
    facts = {
        "promised_on": promised.isoformat(),
        "reply_due": share.reply_term.due_at.isoformat(),
    }
    deed = Deed(act=Act.PHASE, unit_code=share.unit_code, facts=facts)
    moved = ticket.moved(deed, Status.PHASED, rules, at, stage=stage)
    answered = share.answered(Reply.of(measures), at=at).moved(Act.PHASE)
    return replace(
        moved.with_assignment(answered),
        phase=Phase(measures=measures, promised_on=promised),
        first_replied_at=ticket.first_replied_at or at,
    )


def _terminated(
    ticket: Ticket, share: Assignment, asked: Ask, rules: Rules, at: datetime
) -> Ticket:
    found = asked.grounds.get("disposition")  # 办理中发现不予办理的情形
    deed = Deed(act=Act.TERMINATE, unit_code=share.unit_code)
    moved = ticket.moved(deed, Status.TERMINATED, rules, at)
    cleared = moved.with_shares(Act.CANCEL, OPEN_STATES | {State.REPLIED})
    cleared = replace(cleared, closed_at=at)
    return cleared if not isinstance(found, str) else replace(cleared, disposition=found)


def _paused(share: Assignment, pause: Pause, rules: Rules) -> Assignment:
    if not share.is_open:
        return share
    contact, report = share.contact_term, share.report_term
    return replace(
        share,
        reply_term=rules.paused(share.reply_term, pause),
        sign_term=rules.paused(share.sign_term, pause),
        return_term=rules.paused(share.return_term, pause),
        contact_term=None if contact is None else rules.paused(contact, pause),
        report_term=None if report is None else rules.paused(report, pause),
    )
