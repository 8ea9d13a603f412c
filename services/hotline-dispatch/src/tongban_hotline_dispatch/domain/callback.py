"""The callback (回访), the promise of a phased close, and a suspension: parts of a ticket."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the person said: resolved or not; the result and the process, rated apart."""

    resolved: Resolved
    result: Mark
    process: Mark
    no_redo: str | None = None  # why the unit need not do it again, of the policy's list
    note: str | None = None

    @property
    def needs_redo(self) -> bool:
        """济南市条例第二十七条: what should have been solved and was not goes back."""
        bad = self.resolved is Resolved.NO or self.result is Mark.DISSATISFIED
        return bad and self.no_redo is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    opened_at: datetime
    cause: Cause
    attempts: tuple[datetime, ...] = ()
    heard: Heard | None = None
    is_unanswered: bool = False  # 未接通: in no denominator, and never satisfied
    done_at: datetime | None = None

    @property
    def is_done(self) -> bool:
        return self.done_at is not None


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
