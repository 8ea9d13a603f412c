"""The assessed period (考核周期): a span of days, by rule a calendar quarter; its code names it."""

import calendar
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from tongban_common.errors import BadInput
from tongban_common.working_days import SHANGHAI

EARLIEST = date(2004, 1, 1)  # the calendar knows no earlier working days
LONGEST_DAYS = 366


class BadPeriod(BadInput):
    code = "period.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    code: str
    starts_on: date
    ends_on: date

    def __post_init__(self) -> None:
        if self.ends_on < self.starts_on:
            raise BadPeriod("考核周期的止日早于起日")
        if self.starts_on < EARLIEST or (self.ends_on - self.starts_on).days >= LONGEST_DAYS:
            raise BadPeriod("考核周期不早于2004年，不长于一年")
        if self.code not in _names(self.starts_on, self.ends_on):
            raise BadPeriod("周期编码须与起止日相符，如2026Q3，或者20260701-20260930")

    @property
    def end(self) -> datetime:
        """The first instant after the period, in Beijing time."""
        return datetime.combine(self.ends_on + timedelta(days=1), time(), SHANGHAI)

    @property
    def last_moment(self) -> datetime:
        """On `ends_on`: the rule book in force then is the one the period is assessed by."""
        return self.end - timedelta(microseconds=1)


def _names(starts_on: date, ends_on: date) -> set[str]:
    """What a span may be called: by its days; a calendar quarter or month by its own name, too."""
    names = {f"{starts_on:%Y%m%d}-{ends_on:%Y%m%d}"}
    quarter, *days = _quarter(starts_on)
    if days == [starts_on, ends_on]:
        names.add(quarter)
    month = calendar.monthrange(starts_on.year, starts_on.month)[1]
    if (starts_on.day, ends_on) == (1, starts_on.replace(day=month)):
        names.add(f"{starts_on:%Y-%m}")
    return names


def quarter_of(day: date) -> Period:
    """The calendar quarter of a day, such as 2019Q2."""
    code, starts_on, ends_on = _quarter(day)
    return Period(code=code, starts_on=starts_on, ends_on=ends_on)


def _quarter(day: date) -> tuple[str, date, date]:
    number = (day.month - 1) // 3 + 1
    starts_on = date(day.year, number * 3 - 2, 1)
    after = date(day.year + number // 4, number % 4 * 3 + 1, 1)
    return f"{day.year}Q{number}", starts_on, after - timedelta(days=1)
