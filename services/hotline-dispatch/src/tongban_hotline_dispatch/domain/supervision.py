"""A supervision (督办) as an aggregate of its own: issued, answered, decided, closed.

An accountability clue (问责线索) is one too, which two people must agree on before it goes out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, Forbidden, RuleViolation
from tongban_common.working_days import SHANGHAI, WorkingCalendar
from tongban_hotline_dispatch.domain.assignment import Json
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.supervision_rules import (
    Form,
    Kind,
    Level,
    Reason,
    SupervisionRules,
)


class IllegalStep(Conflict):
    code = "supervision.illegal_move"


class NotATarget(Forbidden):
    code = "supervision.not_your_unit"


class AlreadyAnswered(Conflict):
    code = "supervision.already_answered"


class NeedsTwoPeople(Forbidden):
    code = "accountability.needs_another_person"


class NotByHand(RuleViolation):
    code = "supervision.not_by_hand"


class NoTarget(RuleViolation):
    code = "supervision.no_target"


class SupervisionState(StrEnum):
    PROPOSED = "proposed"  # 待审批, of a clue
    REFUSED = "refused"  # 不予移送
    SERVED = "served"  # 已送达, no answer is asked for
    ISSUED = "issued"  # 待回复
    ANSWERED = "answered"  # 已回复、待审核
    ACCEPTED = "accepted"  # 已认可
    CLOSED = "closed"  # 已办结


class Deed(StrEnum):
    """What was done; the value stands in the history."""

    ISSUE = "issued"
    NOTICE = "noticed"
    PROPOSE = "proposed"
    APPROVE = "approved"
    REFUSE = "refused"
    ANSWER = "answered"
    ACCEPT = "accepted"
    REJECT = "rejected"
    MISS = "reply_missed"
    CLOSE = "closed"
    ISSUE_CARD = "card_issued"
    CONTEST_CARD = "card_contested"
    DECIDE_CARD = "card_decided"
    WAIVE_CARD = "card_waived"


STATE_NAMES: dict[SupervisionState, str] = {
    SupervisionState.PROPOSED: "待审批",
    SupervisionState.REFUSED: "不予移送",
    SupervisionState.SERVED: "已送达",
    SupervisionState.ISSUED: "待回复",
    SupervisionState.ANSWERED: "待审核",
    SupervisionState.ACCEPTED: "已认可",
    SupervisionState.CLOSED: "已办结",
}
DEED_NAMES: dict[Deed, str] = {
    Deed.ISSUE: "下达",
    Deed.NOTICE: "再次通知",
    Deed.PROPOSE: "提出问责线索",
    Deed.APPROVE: "批准移送",
    Deed.REFUSE: "不予移送",
    Deed.ANSWER: "回复",
    Deed.ACCEPT: "认可回复",
    Deed.REJECT: "退回回复",
    Deed.MISS: "逾期未回复",
    Deed.CLOSE: "办结",
    Deed.ISSUE_CARD: "发牌",
    Deed.CONTEST_CARD: "申诉",
    Deed.DECIDE_CARD: "审核申诉",
    Deed.WAIVE_CARD: "免除",
}
_S = SupervisionState
# Those that are left out leave it where it is, in any state.
_MOVES: dict[Deed, tuple[frozenset[SupervisionState], SupervisionState]] = {
    Deed.APPROVE: (frozenset({_S.PROPOSED}), _S.ISSUED),
    Deed.REFUSE: (frozenset({_S.PROPOSED}), _S.REFUSED),
    Deed.ANSWER: (frozenset({_S.ISSUED}), _S.ANSWERED),
    Deed.ACCEPT: (frozenset({_S.ANSWERED}), _S.ACCEPTED),
    Deed.REJECT: (frozenset({_S.ANSWERED}), _S.ISSUED),
    Deed.CLOSE: (frozenset({_S.ISSUED, _S.ACCEPTED}), _S.CLOSED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one unit said in one round."""

    unit_code: str
    round: int
    text: str
    at: datetime
    is_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """On the answers of a round, or on a clue."""

    by: str
    at: datetime
    is_granted: bool
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be issued, by whom, against whom, on what ground."""

    issuer: str  # the subject of a token, or the timer
    cause: str  # a code of the policy: of a rung, a pattern, a cause, a ground
    legal_basis: str
    units: tuple[str, ...]
    ticket_ids: tuple[UUID, ...] = ()
    level: Level | None = None
    form: Form | None = None  # of 督查, which has no level
    words: str | None = None  # what is asked for, in the issuer's words

    @classmethod
    def of(cls, code: str, reason: Reason, *, by: str, units: tuple[str, ...]) -> "Order":
        return cls(issuer=by, cause=code, legal_basis=reason.clause, units=units)

    def check(self) -> None:
        """Raises NotByHand, NoTarget."""
        if self.level in {Level.U0, Level.S5}:
            raise NotByHand("提醒由系统发出；问责线索须经两人审批，不得直接下达")
        if not self.units:
            raise NoTarget("请指明督办对象")


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    id: UUID
    kind: Kind
    order: Order
    issued_at: datetime
    policy_version: int
    state: SupervisionState
    reply_term: Term | None = None
    round: int = 1
    answers: tuple[Answer, ...] = ()
    was_missed: bool = False  # any of its rounds
    decisions: tuple[Decision, ...] = ()
    closed_at: datetime | None = None
    closing_note: str | None = None
    is_published: bool = False
    version: int = 1
    deed: Deed | None = field(default=None, compare=False)
    facts: Mapping[str, Json] = field(default_factory=dict, compare=False)

    @property
    def level(self) -> Level | None:
        return self.order.level

    @property
    def units(self) -> tuple[str, ...]:
        return self.order.units

    @property
    def is_hidden_from_units(self) -> bool:
        """A clue against a unit is not for its eyes."""
        return self.level is Level.S5

    @property
    def running(self) -> Term | None:
        """Its own clock, while an answer is waited for."""
        return self.reply_term if self.state is SupervisionState.ISSUED else None

    @property
    def result(self) -> bool | None:
        """Whether what was answered last was accepted."""
        return self.decisions[-1].is_granted if self.decisions else None

    @property
    def was_accepted(self) -> bool:
        return self.level is not Level.S5 and self.result is True

    def answer(self, unit: str, text: str, at: datetime) -> "Supervision":
        """回复, by each of the units. Raises NotATarget, AlreadyAnswered, IllegalStep."""
        if unit not in self.units or self.is_hidden_from_units:
            raise NotATarget("该督办件未下达给本单位")
        if any(each.unit_code == unit and each.round == self.round for each in self.answers):
            raise AlreadyAnswered("本单位已回复，请等待审核")
        target = _target(Deed.ANSWER, self.state)
        is_late = self.reply_term is not None and self.reply_term.has_run_out(at=at)
        given = Answer(unit_code=unit, round=self.round, text=text, at=at, is_late=is_late)
        answered = replace(self, answers=(*self.answers, given))
        facts: dict[str, Json] = {"unit_code": unit, "is_late": is_late}
        said = {each.unit_code for each in answered.answers if each.round == self.round}
        if not said.issuperset(self.units):
            return answered.noted(Deed.ANSWER, facts)
        return replace(answered.noted(Deed.ANSWER, facts), state=target)

    def decide(
        self, decision: Decision, rules: SupervisionRules, calendar: WorkingCalendar
    ) -> "Supervision":
        """认可, or 退回 for another round with a new limit. Raises IllegalStep."""
        deed = Deed.ACCEPT if decision.is_granted else Deed.REJECT
        decided = self._moved(deed, {}, decision)
        if decision.is_granted:
            return decided
        term = reply_term(rules, calendar, decision.at)
        return replace(decided, round=self.round + 1, reply_term=term)

    def judge_clue(self, decision: Decision) -> "Supervision":
        """审批问责线索, by another person. Raises NeedsTwoPeople, IllegalStep."""
        deed = Deed.APPROVE if decision.is_granted else Deed.REFUSE
        _target(deed, self.state)
        if decision.by == self.order.issuer:
            raise NeedsTwoPeople("问责线索须由提出人以外的人审批")
        judged = self._moved(deed, {}, decision)
        return judged if decision.is_granted else replace(judged, closed_at=decision.at)

    def miss(self) -> "Supervision":
        """No answer in time: said once, and it changes nothing else."""
        return replace(self.noted(Deed.MISS, {}), was_missed=True)

    def close(self, note: str | None, at: datetime) -> "Supervision":
        """Raises IllegalStep."""
        return replace(self._moved(Deed.CLOSE, {}), closed_at=at, closing_note=note)

    def noted(self, deed: Deed, facts: Mapping[str, Json]) -> "Supervision":
        """A further notice, or what happens to one of its cards: no move of its own."""
        return replace(self, version=self.version + 1, deed=deed, facts=facts)

    def redated(self, term: Term) -> "Supervision":
        """A new calendar moved the due day; no move."""
        return replace(self, reply_term=term)

    def _moved(self, deed: Deed, facts: Mapping[str, Json], *decision: Decision) -> "Supervision":
        state = _target(deed, self.state)
        moved = replace(self, state=state, decisions=(*self.decisions, *decision))
        return moved.noted(deed, facts)


def issued(
    new_id: UUID, order: Order, rules: SupervisionRules, calendar: WorkingCalendar, at: datetime
) -> Supervision:
    """下达. A clue is only proposed; what asks for no answer is done with its delivery."""
    rule = None if order.level is None else rules.levels[order.level]
    is_clue = order.level is Level.S5
    needs_reply = not is_clue and (rule is None or rule.needs_reply)
    state = SupervisionState.ISSUED if needs_reply else SupervisionState.SERVED
    if is_clue:
        state = SupervisionState.PROPOSED
    return Supervision(
        id=new_id,
        kind=Kind.INSPECTION if rule is None else rule.kind,
        order=order,
        issued_at=at,
        policy_version=rules.version,
        state=state,
        reply_term=reply_term(rules, calendar, at) if needs_reply else None,
        closed_at=at if state is SupervisionState.SERVED else None,
        is_published=rule is not None and rule.is_published,
        deed=Deed.PROPOSE if is_clue else Deed.ISSUE,
    )


def reply_term(rules: SupervisionRules, calendar: WorkingCalendar, at: datetime) -> Term:
    limit = rules.reply_limit
    due_at = calendar.due(at, limit)
    first, last = (each.astimezone(SHANGHAI).date() for each in (at, due_at))
    return Term(
        start_at=at,
        limit=limit,
        due_at=due_at,
        warn_at=None,
        policy=rules.label,
        calendar_version=calendar.version_for(first, last),
    )


def _target(deed: Deed, state: SupervisionState) -> SupervisionState:
    """Raises IllegalStep."""
    sources, target = _MOVES[deed]
    if state not in sources:
        raise IllegalStep(
            f"当前为“{STATE_NAMES[state]}”，不能{DEED_NAMES[deed]}", state=state, act=deed
        )
    return target
