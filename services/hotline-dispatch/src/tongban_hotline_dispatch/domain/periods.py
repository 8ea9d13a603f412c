"""The periods of an assessment: a day, a month, a quarter, a year, each by its code."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from tongban_common.errors import BadInput, RuleViolation
from tongban_common.working_days import SHANGHAI

_FORM = re.compile(r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d))?|Q(?P<quarter>[1-4]))?")


class BadPeriod(BadInput):
    code = "assessment.bad_period"


class NotBegun(RuleViolation):
    code = "assessment.not_begun"


class PeriodType(StrEnum):
    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


PERIOD_NAMES = {
    PeriodType.DAY: "日",
    PeriodType.MONTH: "月",
    PeriodType.QUARTER: "季度",
    PeriodType.YEAR: "年度",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    type: PeriodType
    code: str
    starts_on: date
    ends_on: date

    @classmethod
    def of(cls, code: str) -> "Period":
        """2026-09-21, 2026-09, 2026Q3 or 2026. Raises BadPeriod."""
        found = _FORM.fullmatch(code)
        if found is None or not code.isascii():
            raise BadPeriod("考核期应为 2026-09-21、2026-09、2026Q3 或者 2026", given=code[:20])
        try:
            return cls._spanning(code, found)
        except ValueError:
            raise BadPeriod("没有这个日期", given=code) from None

    @classmethod
    def _spanning(cls, code: str, found: re.Match[str]) -> "Period":
        year = int(found["year"])
        if found["day"] is not None:
            day = date(year, int(found["month"]), int(found["day"]))
            return cls(type=PeriodType.DAY, code=code, starts_on=day, ends_on=day)
        if found["month"] is not None:
            month = int(found["month"])
            return cls(
                type=PeriodType.MONTH,
                code=code,
                starts_on=date(year, month, 1),
                ends_on=_last(year, month),
            )
        if found["quarter"] is not None:
            last = int(found["quarter"]) * 3
            return cls(
                type=PeriodType.QUARTER,
                code=code,
                starts_on=date(year, last - 2, 1),
                ends_on=_last(year, last),
            )
        return cls(
            type=PeriodType.YEAR, code=code, starts_on=date(year, 1, 1), ends_on=date(year, 12, 31)
        )

    @property
    def starts_at(self) -> datetime:
        return datetime.combine(self.starts_on, time.min, SHANGHAI)

    @property
    def ends_at(self) -> datetime:
        """The first instant that is no longer in it."""
        return datetime.combine(self.ends_on + timedelta(days=1), time.min, SHANGHAI)

    def check_begun(self, now: datetime) -> None:
        """Raises NotBegun."""
        if now < self.starts_at:
            raise NotBegun("考核期尚未开始", starts_on=self.starts_on.isoformat())


def _last(year: int, month: int) -> date:
    if month > 12 or month < 1:
        raise ValueError(month)
    return date(year, month, monthrange(year, month)[1])
