"""The assessed period (考核周期): any span of days; by rule a calendar quarter."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from tongban_common.errors import BadInput
from tongban_common.working_days import SHANGHAI


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

    @property
    def end(self) -> datetime:
        """The first instant after the period, in Beijing time."""
        return datetime.combine(self.ends_on + timedelta(days=1), time(), SHANGHAI)

    @property
    def last_moment(self) -> datetime:
        """On `ends_on`: the rule book in force then is the one the period is assessed by."""
        return self.end - timedelta(microseconds=1)


def quarter_of(day: date) -> Period:
    """The calendar quarter of a day, such as 2019Q2."""
    number = (day.month - 1) // 3 + 1
    starts_on = date(day.year, number * 3 - 2, 1)
    after = date(day.year + number // 4, number % 4 * 3 + 1, 1)
    return Period(
        code=f"{day.year}Q{number}", starts_on=starts_on, ends_on=after - timedelta(days=1)
    )
