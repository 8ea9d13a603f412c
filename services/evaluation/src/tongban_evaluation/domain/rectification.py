"""The rectification of a bad review (差评整改), from verification to the answer on the call-back.

谁办理、谁负责: the handling unit verifies first. What is clear and justified is rectified, the
complex within a longer limit; what lacks a factual or legal ground is explained. Every reviewer is
called back; who is not satisfied is heard once more.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, RuleViolation
from tongban_common.working_days import WorkingCalendar
from tongban_evaluation.domain.deadlines import Clock, Grade, Limits, Stage, Term
from tongban_evaluation.domain.review import Review


class Status(StrEnum):
    OPENED = "opened"  # 待核实
    VERIFIED = "verified"  # 已核实
    RECTIFIED = "rectified"  # 已整改
    CALLED_BACK = "called_back"  # 已回访
    CLOSED = "closed"  # 已办结


MOVES: dict[Status, set[Status]] = {
    Status.OPENED: {Status.VERIFIED},
    Status.VERIFIED: {Status.RECTIFIED, Status.CALLED_BACK},  # 查不属实的，解释后回访
    Status.RECTIFIED: {Status.CALLED_BACK},
    Status.CALLED_BACK: {Status.CLOSED, Status.OPENED},  # 回访不满意，重新核实一次
    Status.CLOSED: set(),
}
ROUNDS = 2  # the first hearing, and once more


class RootCause(StrEnum):
    FUNCTION = "function"  # 功能缺失
    EFFICIENCY = "efficiency"  # 效率低下
    ATTITUDE = "attitude"  # 态度生硬
    DISCIPLINE = "discipline"  # 纪律松弛
    INTEGRITY = "integrity"  # 廉洁问题
    ENVIRONMENT_MECHANISM = "environment_mechanism"  # 环境、方式、机制


class Answer(StrEnum):
    """What the reviewer said when called back."""

    SATISFIED = "satisfied"  # 满意
    UNSATISFIED = "unsatisfied"  # 不满意
    UNREACHABLE = "unreachable"  # 未能联系上


class Outcome(StrEnum):
    RECTIFIED = "rectified"  # 已整改
    EXPLAINED = "explained"  # 查不属实，已解释


class IllegalMove(Conflict):
    code = "rectification.illegal_move"


class CauseMissing(RuleViolation):
    code = "rectification.cause_missing"


class NothingToRectify(RuleViolation):
    code = "rectification.nothing_to_rectify"


class NotRectified(RuleViolation):
    code = "rectification.not_rectified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What verification found. Substantiated means that the facts are true and the wish is just."""

    is_factual: bool
    is_reasonable: bool
    note: str  # the facts; for an unsubstantiated review the explanation given to the reviewer
    root_cause: RootCause | None = None
    grade: Grade | None = None

    def __post_init__(self) -> None:
        given = (self.root_cause is not None, self.grade is not None)
        if self.is_substantiated and not all(given):
            raise CauseMissing("属实的差评须认定问题根源和整改难易")
        if not self.is_substantiated and any(given):
            raise CauseMissing("查不属实的差评不认定问题根源和整改难易，请说明解释意见")

    @property
    def is_substantiated(self) -> bool:
        return self.is_factual and self.is_reasonable


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the clocks of one rectification are set by: its pinned limits, today's calendar."""

    limits: Limits
    calendar: WorkingCalendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectification:
    id: UUID
    review_id: UUID
    level: int
    unit_code: str
    window_code: str | None
    staff_code: str | None
    limits_version: int
    opened_at: datetime
    clock: Clock | None
    status: Status = Status.OPENED
    hearing: int = 1
    findings: Findings | None = None
    measures: str | None = None
    answer: Answer | None = None
    closed_at: datetime | None = None
    version: int = 1

    def verify(self, findings: Findings, *, rules: Rules, at: datetime) -> "Rectification":
        """核实. The grade decides the limit; an unsubstantiated review goes on to the call-back."""
        if findings.grade is not None:
            is_again = self.hearing > 1
            limit = rules.limits.to_rectify(findings.grade, is_again=is_again)
            clock = Clock.started(Stage.RECTIFY, limit, calendar=rules.calendar, at=at)
        else:
            clock = _callback(rules, at)
        return replace(self._moved_to(Status.VERIFIED), findings=findings, clock=clock)

    def rectify(self, measures: str, *, rules: Rules, at: datetime) -> "Rectification":
        moved = self._moved_to(Status.RECTIFIED)
        if not self.is_substantiated:
            raise NothingToRectify("查不属实的差评无须整改，请向评价人解释并回访")
        return replace(moved, measures=measures, clock=_callback(rules, at))

    def call_back(self, answer: Answer, *, rules: Rules, at: datetime) -> "Rectification":
        """回访. The first “not satisfied” opens the matter once more, from verification on."""
        if self.status is Status.VERIFIED and self.is_substantiated:
            raise NotRectified("属实的差评须先整改再回访")
        if answer is not Answer.UNSATISFIED or self.hearing == ROUNDS:
            return replace(self._moved_to(Status.CALLED_BACK), answer=answer, clock=None)
        return replace(
            self._moved_to(Status.CALLED_BACK, Status.OPENED),
            answer=answer,
            hearing=self.hearing + 1,
            clock=verification(rules, at=at),
            findings=None,
            measures=None,
        )

    def close(self, *, at: datetime) -> "Rectification":
        return replace(self._moved_to(Status.CLOSED), closed_at=at)

    def redated(self, term: Term) -> "Rectification":
        """A later notice on holidays moved the due day of the running clock."""
        if self.clock is None:
            return self
        return replace(self, clock=replace(self.clock, term=term))

    @property
    def is_substantiated(self) -> bool:
        return self.findings is not None and self.findings.is_substantiated

    @property
    def outcome(self) -> Outcome:
        return Outcome.RECTIFIED if self.is_substantiated else Outcome.EXPLAINED

    def _moved_to(self, *path: Status) -> "Rectification":
        status = self.status
        for target in path:
            if target not in MOVES[status]:
                raise IllegalMove(f"差评整改处于 {status}，不能变为 {target}", state=status)
            status = target
        return replace(self, status=status, version=self.version + 1)


def open_for(
    review: Review, *, rectification_id: UUID, limits_version: int, clock: Clock
) -> Rectification:
    """A bad review opens its rectification at once, with the clock of `verification` running."""
    return Rectification(
        id=rectification_id,
        review_id=review.id,
        level=review.opinion.level,
        unit_code=review.matter.unit_code,
        window_code=review.matter.window_code,
        staff_code=review.matter.staff_code,
        limits_version=limits_version,
        opened_at=review.submitted_at,
        clock=clock,
    )


def verification(rules: Rules, *, at: datetime) -> Clock:
    return Clock.started(Stage.VERIFY, rules.limits.verify, calendar=rules.calendar, at=at)


def _callback(rules: Rules, at: datetime) -> Clock:
    return Clock.started(Stage.CALLBACK, rules.limits.callback, calendar=rules.calendar, at=at)
