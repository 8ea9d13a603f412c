"""The citizen's own side of a ticket: what he may do with it, and how often he may try to get in.

诉求人凭工单编号和查询码查询、补充、撤回、申请重启：济南市条例第十六条、潍坊市条例第十四条。
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tongban_common.errors import TooOften
from tongban_hotline_dispatch.domain.assignment import Clock
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.moves import Act, Actor, Status
from tongban_hotline_dispatch.domain.process_tables import TICKET
from tongban_hotline_dispatch.domain.rules import Rules
from tongban_hotline_dispatch.domain.ticket import Ticket

# What the history shows to the citizen, in his words. What is not here is the hub's own business.
STEPS: Mapping[Act, str] = {
    Act.REGISTER: "已登记受理",
    Act.REQUEST_FACTS: "请您补充情况",
    Act.SUPPLEMENT: "已补充情况",
    Act.LAPSE: "逾期未补充，已办结",
    Act.ROUTE_OUT: "已告知办理途径",
    Act.ANSWER: "已直接答复",
    Act.ASSIGN: "已派给承办单位",
    Act.FORCE: "已派给承办单位",
    Act.TRANSFER: "改由其他单位承办",
    Act.SIGN: "承办单位已签收",
    Act.AUTO_SIGN: "承办单位已签收",
    Act.UPHOLD_RETURN: "重新派单",
    Act.APPROVE_EXTENSION: "办理期限已延长",
    Act.SUSPEND: "暂停办理",
    Act.RESUME: "恢复办理",
    Act.REPLY: "承办单位已答复",
    Act.FAIL_REVIEW: "答复退回，重新办理",
    Act.PHASE: "阶段性办结，其余继续跟踪",
    Act.LAPSE_PROMISE: "承诺到期，继续办理",
    Act.TERMINATE: "终止办理",
    Act.CALL_BACK: "已回访",
    Act.LAPSE_CALLBACK: "回访未接通，已办结",
    Act.CLOSE: "已办结",
    Act.ESCALATE: "列为疑难事项",
    Act.WITHDRAW: "已撤回",
    Act.MERGE: "与同类诉求合并办理",
    Act.UNMERGE: "恢复单独办理",
    Act.INHERIT: "已随同类诉求答复",
    Act.REOPEN: "已申请重启，重新办理",
}
_RATED = frozenset({Status.CALLBACK, Status.CLOSED, Status.ARCHIVED})


class TooManyTries(TooOften):
    code = "progress.too_many_tries"


class TooManySupplements(TooOften):
    code = "progress.too_many_supplements"


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenRules:
    tries: int  # of one ticket number
    tries_within: timedelta
    session: timedelta
    supplements_a_day: int


def check_tries(tried: int, rules: CitizenRules) -> None:
    """Raises TooManyTries, whether or not the number exists and the code fits."""
    if tried > rules.tries:
        minutes = int(rules.tries_within.total_seconds()) // 60
        raise TooManyTries(f"查询次数过多，请{minutes}分钟后再试，或者拨打12345查询")


def check_supplements(made: int, ticket: Ticket, rules: CitizenRules) -> None:
    """Those whose tickets were merged share one. Raises TooManySupplements."""
    if made >= rules.supplements_a_day * (ticket.children + 1):
        raise TooManySupplements("今天补充的次数已满，请明天再补充，或者拨打12345")


def clocks_of(ticket: Ticket) -> Iterator[tuple[Clock, Term]]:
    """His own: until when he is answered, and until when he may supply what is missing."""
    if ticket.citizen_term is not None:
        yield Clock.CITIZEN, ticket.citizen_term
    if ticket.status is Status.AWAITING_FACTS and ticket.stage is not None:
        yield Clock.SUPPLEMENT, ticket.stage


def may_be_rated(ticket: Ticket) -> bool:
    """Answered or closed by a unit: the evaluation service has invited by then."""
    is_answered = ticket.status is not Status.CALLBACK or ticket.reply is not None
    return ticket.status in _RATED and is_answered and ticket.unit_code is not None


def acts_open(ticket: Ticket, rules: Rules, at: datetime) -> frozenset[Act]:
    """What the citizen may do now, as the transition tables have it."""
    found = {
        row.act
        for row in TICKET.rows
        if Actor.CITIZEN in row.actors and ticket.status in row.sources
    } - {Act.REPEAT}
    if ticket.status is Status.MERGED:
        found.add(Act.SUPPLEMENT)  # goes to the ticket that it was joined to
    if ticket.children:
        found.discard(Act.WITHDRAW)
    if Act.REOPEN in found and not _may_reopen(ticket, rules, at):
        found.discard(Act.REOPEN)
    return frozenset(found)


def _may_reopen(ticket: Ticket, rules: Rules, at: datetime) -> bool:
    if ticket.closed_at is None:
        return True
    return not rules.stage_term("reopen", ticket.appeal, ticket.closed_at).has_run_out(at=at)
