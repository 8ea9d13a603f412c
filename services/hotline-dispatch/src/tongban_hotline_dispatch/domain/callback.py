"""The callback (回访), the promise of a phased close, and a suspension: parts of a ticket."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from tongban_hotline_dispatch.domain.deadlines import Term


class Cause(StrEnum):
    REPLIED = "replied"
    DEADLINE = "deadline"


class Resolved(StrEnum):
    YES = "resolved"  # 已解决
    BASICALLY = "basically"  # 基本解决
    NO = "unresolved"  # 未解决


class Mark(StrEnum):
    SATISFIED = "satisfied"  # 满意
    BASICALLY = "basically"  # 基本满意
    DISSATISFIED = "dissatisfied"  # 不满意


RESOLVED_NAMES: Mapping[Resolved, str] = {
    Resolved.YES: "已解决",
    Resolved.BASICALLY: "基本解决",
    Resolved.NO: "未解决",
}
MARK_NAMES: Mapping[Mark, str] = {
    Mark.SATISFIED: "满意",
    Mark.BASICALLY: "基本满意",
    Mark.DISSATISFIED: "不满意",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the person said: resolved or not; the result and the process, rated apart."""

    resolved: Resolved
    result: Mark
    process: Mark
    no_redo: str | None = None  # why the unit need not do it again, of the policy's list
    note: str | None = None
    result_level: int | None = None  # of the national five, 5 is the best
    process_level: int | None = None
    replied: bool | None = None  # whether the unit answered the person

    @property
    def needs_redo(self) -> bool:
        """济南市条例第二十七条: what should have been solved and was not goes back."""
        bad = self.resolved is Resolved.NO or self.result is Mark.DISSATISFIED
        return bad and self.no_redo is None


class Outcome(StrEnum):
    REACHED = "reached"  # 已接通
    OWN_REVIEW = "own_review"  # 诉求人自行评价
    NO_ANSWER = "no_answer"  # 未接通
    CANNOT = "cannot_callback"  # 无法回访
    DEFAULTED = "defaulted"  # 期满默认，规则默认不启用
    OVERTAKEN = "overtaken"  # 工单先行终结


OUTCOME_NAMES: Mapping[Outcome, str] = {
    Outcome.REACHED: "已接通",
    Outcome.OWN_REVIEW: "诉求人自行评价",
    Outcome.NO_ANSWER: "未接通",
    Outcome.CANNOT: "无法回访",
    Outcome.DEFAULTED: "期满默认",
    Outcome.OVERTAKEN: "工单先行终结",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnReview:
    """诉求人自行评价: given to the evaluation service, which is the source of it."""

    review_id: UUID
    level: int
    mark: Mark
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One round of it; `domain.callbacks` completes what the moves of a ticket open."""

    opened_at: datetime
    cause: Cause
    attempts: tuple[datetime, ...] = ()
    heard: Heard | None = None
    is_unanswered: bool = False  # 未接通: in no denominator, and never satisfied
    done_at: datetime | None = None
    no: int = 0  # the version of the ticket that opened it; 0: not completed yet
    answered_at: datetime | None = None  # since when there is a reply to ask about
    call_term: Term | None = None  # until when somebody calls
    window: Term | None = None  # while the unit is silent: until when there is something to hear
    rules_version: int | None = None
    own: OwnReview | None = None
    outcome: Outcome | None = None
    reason: str | None = None  # why it cannot be made, of the policy's list
    no_redo: str | None = None  # decided on a bad review of the person's own

    @property
    def is_done(self) -> bool:
        return self.done_at is not None

    @property
    def result(self) -> Mark | None:
        """对办理结果的评价, whoever took it down."""
        if self.heard is not None:
            return self.heard.result
        return None if self.own is None else self.own.mark

    @property
    def result_level(self) -> int | None:
        if self.heard is not None:
            return self.heard.result_level
        return None if self.own is None else self.own.level


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """阶段性办结: what was done, and by which date the rest is promised."""

    measures: str
    promised_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    reason: str
    since: datetime
    back_to: str  # the status that it interrupted
