"""Tickets of any status for the tests of the domain, made by the commands themselves."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from tongban_common.working_days import SHANGHAI, bundled
from tongban_hotline_dispatch.domain import asking, closing, handling, intake, joining
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.asking import Decision, Request
from tongban_hotline_dispatch.domain.assignment import AskKind, Json, Reply, Role
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.handling import ToUnit
from tongban_hotline_dispatch.domain.moves import Status
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.store.policies import LIMITS
from tongban_hotline_dispatch.store.process import PROCESS

NOW = datetime(2026, 9, 21, 10, 0, tzinfo=SHANGHAI)  # a Monday
RULES = Rules(
    calendar=bundled(),
    limits=LIMITS.packaged().limits(),
    process=PROCESS.packaged().process,
    editions={1: PROCESS.packaged().process},
)
LEAD = ToUnit(code="A3", level="county")
OTHER = ToUnit(code="A7", level="city")
CO = ToUnit(code="B1", level="city", role=Role.CO, superiors=frozenset({"A3"}))
WHISTLED = ToUnit(code="B2", level="city", role=Role.WHISTLE)
REPLY = Reply.of("已修复")
GOOD = Heard(resolved=Resolved.YES, result=Mark.SATISFIED, process=Mark.SATISFIED)
BAD = Heard(resolved=Resolved.NO, result=Mark.DISSATISFIED, process=Mark.BASICALLY)
GROUNDS: dict[AskKind, dict[str, Json]] = {
    AskKind.RETURN: {"reason": "非本单位职责", "citation": "三定规定", "suggested_unit": "A7"},
    AskKind.EXTENSION: {"reason": "情况复杂", "citation": "条例", "amount": 3},
    AskKind.SUSPENSION: {"reason": "送检", "pause_reason": "INSPECTION_APPRAISAL"},
    AskKind.PHASE: {"measures": "已设围挡", "promised_on": "2026-12-31"},
    AskKind.TERMINATION: {"reason": "诉求人失联"},
}


def draft(
    appeal_type: AppealType = AppealType.HELP,
    urgency: Urgency = Urgency.NORMAL,
    *,
    number: int = 1,
    matter_code: str | None = None,
    has_contact: bool = True,
    upstream_due: datetime | None = None,
) -> Ticket:
    return Ticket(
        id=UUID(int=number),
        ticket_no=f"{number:018}",
        query_code="12345678",
        appeal=Appeal(
            channel=Channel.PHONE,
            channel_order_no=None,
            appeal_type=appeal_type,
            urgency=urgency,
            matter_code=matter_code,
            title="路灯不亮",
            content="桂花路口的路灯已三天不亮",
            upstream_due=upstream_due,
        ),
        registered_at=NOW,
        has_contact=has_contact,
    )


def asked(ticket: Ticket, kind: AskKind, at: datetime, *, unit: str = "A3") -> Ticket:
    request = Request(kind=kind, by="u-1", grounds=GROUNDS[kind])
    return asking.ask(ticket, unit, request, RULES, at)


def decided(ticket: Ticket, kind: AskKind, at: datetime, *, granted: bool, no: int = 1) -> Ticket:
    decision = Decision(kind=kind, is_granted=granted, by="d-1", is_told=True)
    return asking.decide(ticket, no, decision, RULES, at)


def registered(new: Ticket | None = None, at: datetime = NOW) -> Ticket:
    return intake.register(new or draft(), RULES, at)


def assigned(new: Ticket | None = None, at: datetime = NOW) -> Ticket:
    return handling.assign(registered(new, at), LEAD, RULES, at)


def signed(new: Ticket | None = None, at: datetime = NOW) -> Ticket:
    return handling.sign(assigned(new, at), "A3", RULES, at)


def replied(new: Ticket | None = None, at: datetime = NOW) -> Ticket:
    return handling.reply(signed(new, at), "A3", REPLY, RULES, at)


_WAYS: dict[Status, Callable[[], Ticket]] = {
    Status.DRAFT: draft,
    Status.AWAITING_FACTS: lambda: intake.request_facts(draft(), RULES, NOW),
    Status.REGISTERED: registered,
    Status.CONSULTING: lambda: intake.consult(registered(), RULES, NOW),
    Status.ASSIGNED: assigned,
    Status.SIGNED: signed,
    Status.RETURN_REVIEW: lambda: asked(signed(), AskKind.RETURN, NOW),
    Status.SUSPENDED: lambda: _granted(AskKind.SUSPENSION),
    Status.REPLIED: replied,
    Status.REWORK: lambda: closing.fail_review(replied(), RULES, NOW),
    Status.CALLBACK: lambda: closing.pass_review(replied(), RULES, NOW),
    Status.HARD_CASE: lambda: closing.escalate(signed(), "OVERDUE", RULES, NOW),
    Status.PHASED: lambda: _granted(AskKind.PHASE),
    Status.CLOSED: lambda: closing.close(replied(), GOOD, RULES, NOW),
    Status.ARCHIVED: lambda: closing.archive(a_ticket(Status.CLOSED), RULES, NOW),
    Status.ROUTED_OUT: lambda: intake.route_out(
        registered(), RULES.process.disposition("PETITION"), RULES, NOW
    ),
    Status.ANSWERED: lambda: intake.answer_directly(draft(), REPLY, RULES, NOW),
    Status.MERGED: lambda: joining.merge(registered(draft(number=2)), signed(), RULES, NOW),
    Status.WITHDRAWN: lambda: intake.withdraw(signed(), RULES, NOW),
    Status.TERMINATED: lambda: _granted(AskKind.TERMINATION),
}


def a_ticket(status: Status) -> Ticket:
    """One in the status given, by the shortest way."""
    return _WAYS[status]()


def _granted(kind: AskKind) -> Ticket:
    return decided(asked(signed(), kind, NOW), kind, NOW, granted=True)


def later(days: float) -> datetime:
    return NOW + timedelta(days=days)
