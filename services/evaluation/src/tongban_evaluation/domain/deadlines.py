"""The clocks of evaluation: how long a review may be given, and how long each stage may take.

No limit is written here: they come from `policies/deadlines.yaml`.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Self

from tongban_common.working_days import SHANGHAI, Limit, WorkingCalendar


class Stage(StrEnum):
    VERIFY = "verify"  # 核实
    RECTIFY = "rectify"  # 整改
    CALLBACK = "callback"  # 回访


class Grade(StrEnum):
    """How hard the rectification is, judged at verification."""

    SIMPLE = "simple"  # 简单事项，立即整改
    COMPLEX = "complex"  # 复杂事项，列入台账限期整改


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits in force on a day; what was opened under a version stays under it."""

    version: int
    review_onsite: Limit
    review_online: Limit
    verify: Limit
    rectify_simple: Limit
    rectify_complex: Limit
    rectify_again: Limit
    callback: Limit
    warn_after: Decimal  # the share of a limit that is used up when the warning goes out

    def to_rectify(self, grade: Grade, *, is_again: bool) -> Limit:
        if is_again:
            return self.rectify_again
        return self.rectify_simple if grade is Grade.SIMPLE else self.rectify_complex


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One running clock: when it started, under which limit and calendar, and when it is due."""

    start_at: datetime
    limit: Limit
    due_at: datetime
    calendar_version: str

    @classmethod
    def under(cls, calendar: WorkingCalendar, limit: Limit, *, start_at: datetime) -> Self:
        explanation = calendar.explain(start_at, limit)
        return cls(
            start_at=start_at,
            limit=limit,
            due_at=explanation.due,
            calendar_version=explanation.calendar_version,
        )

    def warn_at(self, calendar: WorkingCalendar, *, after: Decimal) -> datetime:
        """The first moment of the day on which the given share of the days is used up.

        A limit of one day warns as that day begins: the reminder "due today".
        """
        used = max(1, int((after * self.limit.amount).to_integral_value(ROUND_CEILING)))
        part = Limit(amount=used, unit=self.limit.unit, clause=self.limit.clause)
        day = calendar.due(self.start_at, part).astimezone(SHANGHAI)
        return day.replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The one clock that a rectification runs under in its present state."""

    stage: Stage
    term: Term

    @classmethod
    def started(
        cls, stage: Stage, limit: Limit, *, calendar: WorkingCalendar, at: datetime
    ) -> Self:
        return cls(stage=stage, term=Term.under(calendar, limit, start_at=at))

    def is_overdue(self, *, at: datetime) -> bool:
        return at > self.term.due_at
