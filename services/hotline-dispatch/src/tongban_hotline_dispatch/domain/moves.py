"""The two state machines of the hotline as tables: the ticket's, and each unit's assignment's.

A row says which act leads from where to where, who does it, which limit of policies/process.yaml
it is under and on what clause it rests. The tables are the only source of what is legal; the
document docs/hotline-process.md is rendered from them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from tongban_common.errors import Conflict


class IllegalMove(Conflict):
    code = "ticket.illegal_move"


class TicketArchived(Conflict):
    code = "ticket.archived"


class Status(StrEnum):
    """The ticket's own state (主单)."""

    DRAFT = "draft"  # 登记中; never stored
    AWAITING_FACTS = "awaiting_facts"  # 待补充
    REGISTERED = "registered"  # 已受理、待派单
    CONSULTING = "consulting"  # 会商中
    ASSIGNED = "assigned"  # 已派单、待签收
    SIGNED = "signed"  # 办理中
    RETURN_REVIEW = "return_review"  # 退单审核
    SUSPENDED = "suspended"  # 挂起
    REPLIED = "replied"  # 已答复、待审核
    REWORK = "rework"  # 退回重办
    CALLBACK = "callback"  # 待回访
    HARD_CASE = "hard_case"  # 疑难
    PHASED = "phased_closed"  # 阶段性办结
    CLOSED = "closed"  # 结案
    ARCHIVED = "archived"  # 归档
    ROUTED_OUT = "routed_out"  # 已引导
    ANSWERED = "answered"  # 直接答复
    MERGED = "merged"  # 并单
    WITHDRAWN = "withdrawn"  # 撤单
    TERMINATED = "terminated"  # 终止办理


class State(StrEnum):
    """The state of one unit's assignment (承办单)."""

    WAITING = "waiting"  # 待签收
    SIGNED = "signed"  # 已签收
    CONTACTED = "contacted"  # 已联系诉求人
    RETURN_REQUESTED = "return_requested"  # 申请退单
    RETURNED = "returned"  # 已退单
    REPLIED = "replied"  # 已答复
    REWORK = "rework"  # 重办
    DONE = "done"  # 办结
    CANCELLED = "cancelled"  # 取消


STATUS_NAMES: dict[Status, str] = {
    Status.DRAFT: "登记中",
    Status.AWAITING_FACTS: "待补充",
    Status.REGISTERED: "待派单",
    Status.CONSULTING: "会商中",
    Status.ASSIGNED: "待签收",
    Status.SIGNED: "办理中",
    Status.RETURN_REVIEW: "退单审核",
    Status.SUSPENDED: "挂起",
    Status.REPLIED: "待审核",
    Status.REWORK: "退回重办",
    Status.CALLBACK: "待回访",
    Status.HARD_CASE: "疑难",
    Status.PHASED: "阶段性办结",
    Status.CLOSED: "已办结",
    Status.ARCHIVED: "已归档",
    Status.ROUTED_OUT: "已引导",
    Status.ANSWERED: "直接答复",
    Status.MERGED: "已并单",
    Status.WITHDRAWN: "已撤单",
    Status.TERMINATED: "终止办理",
}
STATE_NAMES: dict[State, str] = {
    State.WAITING: "待签收",
    State.SIGNED: "已签收",
    State.CONTACTED: "已联系",
    State.RETURN_REQUESTED: "申请退单",
    State.RETURNED: "已退单",
    State.REPLIED: "已答复",
    State.REWORK: "重办",
    State.DONE: "办结",
    State.CANCELLED: "取消",
}
# Nothing more is done for the person; only a reopening leads out of some of them.
ENDED = frozenset(
    {
        Status.CLOSED,
        Status.ARCHIVED,
        Status.ROUTED_OUT,
        Status.ANSWERED,
        Status.WITHDRAWN,
        Status.TERMINATED,
    }
)
OPEN_STATES = frozenset(
    {State.WAITING, State.SIGNED, State.CONTACTED, State.RETURN_REQUESTED, State.REWORK}
)
GONE_STATES = frozenset({State.RETURNED, State.CANCELLED})


class Actor(StrEnum):
    """Who acts; a permission of policies/access.yaml says which role that is."""

    AGENT = "话务员"
    DISPATCHER = "派单员"
    CENTER = "热线中心负责人"
    REVIEWER = "审核员"
    CALLER_BACK = "回访员"
    UNIT = "承办单位"
    CITIZEN = "诉求人"
    TIMER = "系统时限"


class Act(StrEnum):
    """What is done; the value stands in the history."""

    REGISTER = "registered"
    REQUEST_FACTS = "facts_requested"
    SUPPLEMENT = "facts_supplemented"
    REPEAT = "repeated"
    LAPSE = "lapsed"
    ROUTE_OUT = "routed_out"
    ANSWER = "answered"
    CONSULT = "consultation_opened"
    CONCLUDE = "consultation_closed"
    ASSIGN = "assigned"
    FORCE = "forced"
    TRANSFER = "transferred"
    SIGN = "signed"
    AUTO_SIGN = "auto_signed"
    CONTACT = "contacted"
    ADD_UNIT = "unit_added"
    REPORT_IN = "reported_in"
    DELEGATE = "delegated"
    ASK_RETURN = "return_requested"
    UPHOLD_RETURN = "return_upheld"
    REJECT_RETURN = "return_rejected"
    ASK_EXTENSION = "extension_requested"
    APPROVE_EXTENSION = "extension_approved"
    REFUSE_EXTENSION = "extension_refused"
    ASK_SUSPENSION = "suspension_requested"
    SUSPEND = "suspended"
    REFUSE_SUSPENSION = "suspension_refused"
    RESUME = "resumed"
    REPLY = "replied"
    CO_REPLY = "unit_replied"
    PASS_REVIEW = "review_passed"  # noqa: S105 - a word of the history
    FAIL_REVIEW = "review_failed"
    ASK_PHASE = "phase_requested"
    PHASE = "phased_closed"
    REFUSE_PHASE = "phase_refused"
    LAPSE_PROMISE = "promise_lapsed"
    ASK_TERMINATION = "termination_requested"
    TERMINATE = "terminated"
    REFUSE_TERMINATION = "termination_refused"
    OPEN_CALLBACK = "callback_opened"
    ATTEMPT = "callback_attempted"
    CALL_BACK = "callback_completed"
    LAPSE_CALLBACK = "callback_lapsed"
    TAKE_REVIEW = "review_taken"
    CLOSE = "closed"
    SUPERVISE = "supervision_opened"
    ESCALATE = "hard_case_opened"
    WITHDRAW = "withdrawn"
    MERGE = "merged"
    UNMERGE = "unmerged"
    INHERIT = "reply_inherited"
    REOPEN = "reopened"
    ARCHIVE = "archived"
    CANCEL = "cancelled"
    FINISH = "finished"


StateT = TypeVar("StateT", Status, State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition(Generic[StateT]):
    act: Act
    name: str
    sources: frozenset[StateT]
    target: StateT | None  # None: stays where it is
    actors: tuple[Actor, ...]
    limit: str | None  # the name of its limit in policies/process.yaml
    clause: str


class Table(Generic[StateT]):
    """Rows by act; an act may lead to several targets, and its command chooses among them."""

    def __init__(self, rows: Sequence[Transition[StateT]], names: dict[StateT, str]) -> None:
        self.rows: tuple[Transition[StateT], ...] = tuple(rows)
        self.names: dict[StateT, str] = names
        self._targets: dict[tuple[Act, StateT], set[StateT]] = {}
        for row in rows:
            for source in row.sources:
                targets = self._targets.setdefault((row.act, source), set())
                targets.add(source if row.target is None else row.target)

    def check(self, act: Act, source: StateT, target: StateT) -> None:
        """Raises IllegalMove."""
        if target not in self._targets.get((act, source), ()):
            raise IllegalMove(
                f"当前为“{self.names[source]}”，不能{self.name_of(act)}", state=source, act=act
            )

    def targets(self, act: Act, source: StateT) -> frozenset[StateT]:
        return frozenset(self._targets.get((act, source), ()))

    def legal(self, source: StateT) -> Iterator[Act]:
        """The acts that some row allows from here."""
        return (act for act, found in self._targets if found is source)

    def name_of(self, act: Act) -> str:
        return next((row.name for row in self.rows if row.act is act), act.value)


def on(  # noqa: PLR0913 - a row of a table has as many columns
    act: Act,
    name: str,
    sources: Iterable[StateT],
    target: StateT | None,
    by: Sequence[Actor],
    clause: str,
    *,
    limit: str | None = None,
) -> Transition[StateT]:
    """One row, as the tables write it."""
    return Transition(
        act=act,
        name=name,
        sources=frozenset(sources),
        target=target,
        actors=tuple(by),
        limit=limit,
        clause=clause,
    )
