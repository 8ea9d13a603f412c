"""What a ticket's page shows of its clocks and of its history, in words."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tongban_common.privacy import mask_text
from tongban_common.web.filters import due_time
from tongban_common.working_days import Explanation
from tongban_hotline_dispatch.domain.assignment import ROLE_NAMES, Clock, Role
from tongban_hotline_dispatch.domain.callback import (
    MARK_NAMES,
    RESOLVED_NAMES,
    Mark,
    Resolved,
)
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.desks import Lamp, lamp
from tongban_hotline_dispatch.domain.moves import Act, Status
from tongban_hotline_dispatch.domain.process import Process
from tongban_hotline_dispatch.domain.process_tables import TICKET
from tongban_hotline_dispatch.domain.ticket import OF_TICKET, Ticket
from tongban_hotline_dispatch.operations.performing import CITIZEN, SYSTEM
from tongban_hotline_dispatch.store.ticket_story import Told

CLOCK_NAMES = {
    Clock.UNIT: "承办单位答复期限",
    Clock.CITIZEN: "市民等候期限",
    Clock.SIGN: "签收期限",
    Clock.CONTACT: "先行联系期限",
    Clock.REPORT_IN: "吹哨报到期限",
    Clock.DECISION: "申请审核期限",
    Clock.DISPATCH: "派单期限",
    Clock.SUPPLEMENT: "等待补充期限",
    Clock.CONSULTATION: "会商期限",
    Clock.SUSPENSION: "挂起期限",
    Clock.REVIEW: "办后审核期限",
    Clock.CALLBACK: "回访期限",
    Clock.TRACKER: "承诺办结日期",
    Clock.HARD_CASE: "疑难事项期限",
    Clock.CALL: "人工回访期限",
    Clock.ARCHIVE: "归档日期",
}
_ACTORS = {SYSTEM: "系统时限", CITIZEN: "诉求人"}
Explain = Callable[[Term], Explanation]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockLine:
    """One clock: it runs and has a lamp, or it stopped with an outcome."""

    title: str
    unit_name: str | None
    due_at: datetime
    lamp: Lamp | None
    outcome: tuple[str, str] | None  # words and tone
    explained: Explanation
    policy: str


@dataclass(frozen=True, slots=True)
class Happened:
    """A line of the history as the timeline shows it."""

    at: datetime
    title: str
    actor: str
    note: str


def clock_lines(
    ticket: Ticket, units: Mapping[str, str], explain: Explain, now: datetime
) -> Iterator[ClockLine]:
    running = ticket.clocks()
    for (clock, no), term in ticket.shown_terms():
        runs = (clock, no) in running
        share = None if no == OF_TICKET else ticket.assignment(no)
        answered = ticket.first_replied_at if share is None else share.replied_at
        yield ClockLine(
            title=CLOCK_NAMES[clock],
            unit_name=None if share is None else units.get(share.unit_code, share.unit_code),
            due_at=term.due_at,
            lamp=lamp(term.due_at, term.warn_at, now) if runs else None,
            outcome=None if runs else _outcome(ticket, term, answered),
            explained=explain(term),
            policy=term.policy,
        )


def _outcome(ticket: Ticket, term: Term, answered: datetime | None) -> tuple[str, str]:
    if answered is not None:
        late = term.has_run_out(at=answered)
        return ("超期答复", "danger") if late else ("按期答复", "success")
    if ticket.status is Status.SUSPENDED:
        return "挂起，暂停计时", "warning"
    return "已停止", "neutral"


def happened(told: Sequence[Told], units: Mapping[str, str], process: Process) -> list[Happened]:
    return [
        Happened(
            line.at,
            TICKET.name_of(line.act),
            _ACTORS.get(line.actor, line.actor),
            mask_text("；".join(_said(line, units, process))),
        )
        for line in told
    ]


def last_act(told: Sequence[Told]) -> str:
    """What somebody else did meanwhile."""
    return TICKET.name_of(told[-1].act) if told else ""


def _said(line: Told, units: Mapping[str, str], process: Process) -> Iterator[str]:
    if line.unit_name:
        yield line.unit_name
    names = _reasons(process)
    for name, value in line.facts.items():
        say = _FACTS.get(name)
        words = None if say is None or value is None else say(_read(value, units, names))
        if words:
            yield words
    if line.act is Act.ROUTE_OUT and "disposition" in line.facts:
        yield process.dispositions[str(line.facts["disposition"])].name
    if line.words:
        yield line.words


def _reasons(process: Process) -> Mapping[str, str]:
    return {**process.pause_reasons, **process.reopen_reasons}


def _read(value: Any, units: Mapping[str, str], names: Mapping[str, str]) -> Any:
    """Codes as their names, moments as people read them."""
    if not isinstance(value, str):
        return value
    if value in units or value in names:
        return units.get(value) or names[value]
    if value in set(Role):
        return ROLE_NAMES[Role(value)]
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return due_time(moment) if moment.tzinfo is not None else value


_FACTS: Mapping[str, Callable[[Any], str | None]] = {
    "returns": lambda n: f"此前已退单{n}次",
    "from_unit": lambda unit: f"原由{unit}承办",
    "reply_due": lambda at: f"答复期限{at}",
    "by_duty_phone": lambda so: "无在任联络人员，改拨值班电话" if so else None,
    "report_due": lambda at: f"{at}前到现场报到",
    "notified_complainant_at": lambda at: f"{at}已告知诉求人",
    "decision_due": lambda at: f"{at}前审核",
    "due": lambda at: f"期限{at}",
    "until": lambda at: f"至{at}",
    "suggested_unit": lambda unit: f"建议由{unit}承办",
    "amount": lambda n: f"延长{n}",
    "promised_on": lambda day: f"承诺{day}办结",
    "pause_reason": str,
    "reason": str,
    "cause": str,
    "role": lambda name: None if name == ROLE_NAMES[Role.LEAD] else str(name),
    "attempt": lambda n: f"第{n}次",
    "resolved": lambda code: RESOLVED_NAMES[Resolved(code)],
    "result": lambda code: f"对结果{MARK_NAMES[Mark(code)]}",
    "replied": lambda so: None if so else "未接到承办单位联系",
    "is_by_silence": lambda so: "逾期未审" if so else None,
    "is_automatic": lambda so: "自动通过" if so else None,
    "is_overdue": lambda so: "超期" if so else None,
}
