"""The ledger (考核台账): one entry for each fact and rule, append-only, with its evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, RuleViolation
from tongban_scoring.domain.rules import Wording


class State(StrEnum):
    PROPOSED = "proposed"  # 线索
    CONFIRMED = "confirmed"  # 已确认
    REJECTED = "rejected"  # 不予认定
    EXPIRED = "expired"  # 逾期未确认


MOVES: Mapping[State, frozenset[State]] = {
    State.PROPOSED: frozenset({State.CONFIRMED, State.REJECTED, State.EXPIRED}),
    State.CONFIRMED: frozenset(),  # a wrong entry is reversed by another, never changed
    State.REJECTED: frozenset(),
    State.EXPIRED: frozenset(),
}
STATE_NAMES = {
    State.PROPOSED: "待确认",
    State.CONFIRMED: "已确认",
    State.REJECTED: "不予认定",
    State.EXPIRED: "逾期未确认",
}


class Responsibility(StrEnum):
    """Whom an overdue case is to be blamed on (归责)."""

    WINDOW = "window"
    BACK_OFFICE = "back_office"
    OTHER_DEPT = "other_dept"
    SYSTEM = "system"
    APPLICANT = "applicant"
    FORCE_MAJEURE = "force_majeure"


RESPONSIBILITY_NAMES = {
    Responsibility.WINDOW: "窗口人员",
    Responsibility.BACK_OFFICE: "后台科室",
    Responsibility.OTHER_DEPT: "其他部门",
    Responsibility.SYSTEM: "系统故障",
    Responsibility.APPLICANT: "申请人",
    Responsibility.FORCE_MAJEURE: "不可抗力",
}
# 默认: what no office could help costs no office anything (原文（三）只罚窗口人员责任).
EXCUSING = frozenset(
    {Responsibility.SYSTEM, Responsibility.APPLICANT, Responsibility.FORCE_MAJEURE}
)


class IllegalMove(Conflict):
    code = "entry.illegal_move"


class EvidenceMissing(RuleViolation):
    code = "entry.evidence_missing"


class AttributionMissing(RuleViolation):
    code = "entry.attribution_missing"


class NotAttributable(RuleViolation):
    code = "entry.not_attributable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What proves a fact: where and when it was seen, and what was kept of it."""

    text: str
    references: Sequence[str] = ()

    def values(self) -> dict[str, object]:
        return {"text": self.text, "references": list(self.references)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`fact` names the one fact behind it: entries of one group and one fact exclude each other.

    `rule` is the rule as it read when the entry was made: a newer book may be without it.
    """

    id: UUID
    window_code: str
    rule_id: str
    amount: Decimal  # points of one unit, unsigned
    quantity: Decimal
    occurred_at: datetime  # the day of the fact decides the period
    fact: str
    source: str  # event id, or "manual:<uuid>": with rule and window it makes the entry unique
    state: State
    staff_code: str | None = None
    evidence: Evidence | None = None
    reverses: UUID | None = None
    rule: Wording | None = None
    responsibility: Responsibility | None = None

    @property
    def waives(self) -> str | None:
        """The rule that falls with this one; what has it is confirmed by attribution only."""
        return None if self.rule is None else self.rule.waives

    def confirm(self, evidence: Evidence, responsibility: Responsibility | None = None) -> "Entry":
        """Nothing is confirmed without proof. Raises EvidenceMissing, AttributionMissing."""
        if not evidence.text.strip():
            raise EvidenceMissing("确认线索须写明证据（时间、地点、经过或者材料编号）")
        decided = self._moved_to(State.CONFIRMED)
        if self.waives is not None and responsibility is not Responsibility.WINDOW:
            raise AttributionMissing("这条线索须认定责任属于窗口人员，才能确认")
        return replace(decided, evidence=evidence, responsibility=responsibility)

    def attribute(self, responsibility: Responsibility, evidence: Evidence) -> "Entry":
        """归责: to the window, it counts; to anybody else, it does not. Raises NotAttributable."""
        if self.waives is None:
            raise NotAttributable("这条记录不以归责为前提，请直接确认或者不予认定")
        if responsibility is Responsibility.WINDOW:
            return self.confirm(evidence, responsibility)
        return replace(self.reject(evidence), responsibility=responsibility)

    def reject(self, reason: Evidence) -> "Entry":
        if not reason.text.strip():
            raise EvidenceMissing("不予认定须写明理由")
        return replace(self._moved_to(State.REJECTED), evidence=reason)

    def expire(self) -> "Entry":
        return self._moved_to(State.EXPIRED)

    def _moved_to(self, target: State) -> "Entry":
        if target not in MOVES[self.state]:
            raise IllegalMove(f"该记录{STATE_NAMES[self.state]}，不能再变更", state=self.state)
        return replace(self, state=target)
