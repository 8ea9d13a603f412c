"""Every command of the two tables as the API takes it, and as the pure model works it out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from tongban_hotline_dispatch.domain import asking, closing, handling, intake, joining
from tongban_hotline_dispatch.domain.asking import Decision, Request
from tongban_hotline_dispatch.domain.assignment import AskKind, Reply, Role
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.handling import ToUnit
from tongban_hotline_dispatch.domain.moves import Act as Deeds
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Deed, Ticket
from tongban_hotline_dispatch.operations.process import asking_one

LEAD, OTHER, CO = "A3", "A7", "A8"
PARENT = "the other ticket"  # stands for its id in a request
Pure = Callable[[Ticket, Rules, datetime], Ticket]
Way = Literal["desk", "bulk", "citizen"]  # one by staff, among several, by its complainant


@dataclass(frozen=True, slots=True)
class Act:
    """A command as the API takes it, by whom, and as the model works it out."""

    role: str
    path: str
    body: Mapping[str, object]
    pure: Pure
    unit: str | None = None
    way: Way = "desk"


def heard(*, is_good: bool) -> tuple[dict[str, object], Heard]:
    resolved = Resolved.YES if is_good else Resolved.NO
    mark = Mark.SATISFIED if is_good else Mark.DISSATISFIED
    body = {"resolved": resolved.value, "result": mark.value, "process": mark.value}
    return dict(body), Heard(resolved=resolved, result=mark, process=mark)


GOOD, GOOD_HEARD = heard(is_good=True)
BAD, BAD_HEARD = heard(is_good=False)
WORDS = {"words": "补充说明"}
TO_LEAD = ToUnit(code=LEAD, level="county")
TO_OTHER = ToUnit(code=OTHER, level="city")
TO_CO = ToUnit(code=CO, level="county", role=Role.CO, superiors=frozenset({LEAD}))


def hub(path: str, pure: Pure, **body: object) -> Act:
    return Act("dispatcher", path, body, pure)


def center(path: str, pure: Pure, **body: object) -> Act:
    return Act("supervisor", path, body, pure)


def unit(path: str, pure: Pure, code: str = LEAD, **body: object) -> Act:
    return Act("unit_officer", path, body, pure, code)


def bulk(path: str, pure: Pure, **body: object) -> Act:
    return Act("dispatcher", path, body, pure, way="bulk")


def citizen(path: str, pure: Pure, **body: object) -> Act:
    return Act("citizen", path, body, pure, way="citizen")


def routed_out(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
    return intake.route_out(ticket, rules.process.disposition("LEGAL_ROUTE"), rules, at)


ACTS: tuple[Act, ...] = (
    hub("request-facts", intake.request_facts),
    hub("supplement", intake.supplement, **WORDS),
    hub("answer", lambda t, r, at: intake.answer_directly(t, Reply.of("补充说明"), r, at), **WORDS),
    hub("consult", intake.consult),
    hub("conclude", intake.conclude, **WORDS),
    hub("assign", lambda t, r, at: handling.assign(t, TO_LEAD, r, at), unit_code=LEAD),
    hub("assign", lambda t, r, at: handling.assign(t, TO_LEAD, r, at), unit_code=LEAD),
    hub("transfer", lambda t, r, at: handling.transfer(t, TO_OTHER, r, at), unit_code=OTHER),
    hub("transfer", lambda t, r, at: handling.transfer(t, TO_LEAD, r, at), unit_code=LEAD),
    center(
        "designate",
        lambda t, r, at: handling.assign(t, TO_LEAD, r, at, forced=True),
        unit_code=LEAD,
    ),
    unit("sign", lambda t, r, at: handling.sign(t, LEAD, r, at)),
    unit("sign", lambda t, r, at: handling.sign(t, CO, r, at), code=CO),
    unit("contact", lambda t, _, at: handling.contact(t, LEAD, at)),
    unit(
        "add-unit",
        lambda t, r, at: handling.add_unit(t, LEAD, TO_CO, r, at),
        unit_code=CO,
        role="co",
    ),
    unit(
        "add-unit",
        lambda t, r, at: handling.add_unit(t, LEAD, replace(TO_CO, role=Role.WHISTLE), r, at),
        unit_code=CO,
        role="whistle",
    ),
    unit("report-in", lambda t, _, at: handling.report_in(t, CO, at), code=CO),
    unit("delegate", lambda t, r, at: handling.delegate(t, LEAD, TO_CO, r, at), unit_code=CO),
    unit("reply", lambda t, r, at: handling.reply(t, LEAD, Reply.of("办妥"), r, at), text="办妥"),
    unit("reply", lambda t, r, at: handling.reply(t, LEAD, Reply.of("办妥"), r, at), text="办妥"),
    unit(
        "reply",
        lambda t, r, at: handling.reply(t, CO, Reply.of("配合"), r, at),
        code=CO,
        text="配合",
    ),
    hub("review/pass", closing.pass_review),
    hub("review/fail", closing.fail_review),
    hub("callback/attempt", lambda t, _, at: closing.attempt(t, at)),
    hub("callback/complete", lambda t, r, at: closing.call_back(t, GOOD_HEARD, r, at), **GOOD),
    hub("callback/complete", lambda t, r, at: closing.call_back(t, BAD_HEARD, r, at), **BAD),
    hub("callback/give-up", lambda t, r, at: closing.lapse_callback(t, r, at, in_time=True)),
    hub("close", lambda t, r, at: closing.close(t, GOOD_HEARD, r, at), heard=GOOD),
    hub("close", lambda t, r, at: closing.close(t, None, r, at)),
    center("escalate", lambda t, r, at: closing.escalate(t, "LATE", r, at), reason="LATE"),
    center("supervise", lambda t, _, __: closing.supervise(t, "LATE"), reason="LATE"),
    hub("withdraw", intake.withdraw),
    hub("route-out", routed_out, disposition="LEGAL_ROUTE"),
    hub("merge", joining.unmerge, parent_id=PARENT),  # the world puts the parent beside it
    hub("unmerge", joining.unmerge),
    hub("repeat", lambda t, _, __: t.noted(Deed(act=Deeds.REPEAT))),
    unit("resume", asking.resume),
    center("reopen", lambda t, r, at: intake.reopen(t, "NEW_FACTS", r, at), reason="NEW_FACTS"),
    citizen("withdrawal", intake.withdraw),
    citizen(
        "reopening",
        lambda t, r, at: intake.reopen(t, "NEW_FACTS", r, at),
        reason="NEW_FACTS",
        words="补充说明",
    ),
    bulk("assign", lambda t, r, at: handling.assign(t, TO_LEAD, r, at), unit_code=LEAD),
    bulk("transfer", lambda t, r, at: handling.transfer(t, TO_OTHER, r, at), unit_code=OTHER),
)
GROUNDS: Mapping[AskKind, Mapping[str, Any]] = {
    AskKind.RETURN: {"reason": "非本单位职责", "citation": "三定规定", "suggested_unit": OTHER},
    AskKind.EXTENSION: {"reason": "情况复杂", "citation": "条例", "amount": 2},
    AskKind.SUSPENSION: {"reason": "送检", "pause_reason": "INSPECTION_APPRAISAL"},
    AskKind.PHASE: {"measures": "已围挡", "promised_on": "2026-10-08"},
    AskKind.TERMINATION: {"reason": "无法联系"},
}


def asks(kind: AskKind) -> Act:
    request = Request(kind=kind, by="x", grounds=GROUNDS[kind])
    body = {**GROUNDS[kind], "is_signed_off": True}
    return unit(kind.value, lambda t, r, at: asking.ask(t, LEAD, request, r, at), **body)


def decides(kind: AskKind, *, granted: bool) -> Act:
    told = {"is_told": True} if kind is AskKind.EXTENSION else {}
    decision = Decision(kind=kind, is_granted=granted, by="x", is_told=bool(told), by_center=True)

    def pure(ticket: Ticket, rules: Rules, at: datetime) -> Ticket:
        return asking.decide(ticket, asking_one(ticket, decision), decision, rules, at)

    return center(f"{kind.value}/decide", pure, is_granted=granted, **told)


ALL = (
    *ACTS,
    *(asks(kind) for kind in AskKind),
    *(decides(kind, granted=yes) for kind in AskKind for yes in (True, False)),
)
