"""The arithmetic of limits: which day is the n-th working day, when a limit ends, and why.

The day of the start is not counted (民法典第二百零一条); "within n days" includes the n-th
(第一千二百五十九条) and ends at its 24:00 (第二百零三条). Every day is a day in Shanghai.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from itertools import accumulate
from zoneinfo import ZoneInfo

from tongban_common.errors import BadInput
from tongban_common.working_days.shipped import shipped_years, statutory_year
from tongban_common.working_days.years import CalendarYear, Status

SHANGHAI = ZoneInfo("Asia/Shanghai")
LONGEST = 10_000  # no limit in any clause comes near it; it bounds the work of a wrong one
ONE_DAY = timedelta(days=1)


class BadLimit(BadInput):
    code = "limit.bad"


class NaiveMoment(BadInput):
    code = "moment.naive"


class Unit(StrEnum):
    WORKING_DAYS = "working_days"  # 工作日
    NATURAL_DAYS = "natural_days"  # 自然日
    HOURS = "hours"  # 小时
    MINUTES = "minutes"  # 分钟

    @property
    def is_elapsed(self) -> bool:
        """Runs by the clock, day and night, whatever day it is."""
        return self in {Unit.HOURS, Unit.MINUTES}


_ELAPSED = {Unit.HOURS: "小时", Unit.MINUTES: "分钟"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    amount: int
    unit: Unit
    clause: str  # where it is written, such as 行政许可法第四十二条


@dataclass(frozen=True, slots=True, kw_only=True)
class DayExplained:
    day: date
    counted: bool
    number: int | None  # which day of the limit it is
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    start: datetime
    due: datetime
    limit: Limit
    days: tuple[DayExplained, ...]
    calendar_version: str
    provisional: bool
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """One year, laid out so that the n-th working day is one index away."""

    working_days: tuple[date, ...]
    first: int  # ordinal of 1 January
    upto: tuple[int, ...]  # upto[k]: working days among the first k days of the year

    @classmethod
    def of(cls, year: CalendarYear) -> "_Table":
        first = date(year.year, 1, 1).toordinal()
        last = date(year.year, 12, 31).toordinal()
        days = [date.fromordinal(each) for each in range(first, last + 1)]
        working = [year.is_working_day(day) for day in days]
        return cls(
            working_days=tuple(day for day, counts in zip(days, working, strict=True) if counts),
            first=first,
            upto=tuple(accumulate(working, initial=0)),
        )

    def through(self, day: date) -> int:
        """How many working days the year has had at the end of `day`."""
        return self.upto[day.toordinal() - self.first + 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingCalendar:
    """Years as their notices set them; a year that is absent is computed, and provisional."""

    years: Mapping[int, CalendarYear]
    _tables: dict[int, _Table] = field(
        default_factory=dict, init=False, repr=False, compare=False, hash=False
    )

    def is_working_day(self, day: date) -> bool:
        table = self._table(day.year)
        index = day.toordinal() - table.first
        return table.upto[index] != table.upto[index + 1]

    def deadline(self, start: datetime, n: int) -> datetime:
        """The end of the n-th working day after the day of `start`."""
        return _end_of(self._nth_working_day(_local(start).date(), _checked(n)))

    def due(self, start: datetime, limit: Limit) -> datetime:
        match limit.unit:
            case Unit.WORKING_DAYS:
                return self.deadline(start, limit.amount)
            case Unit.NATURAL_DAYS:
                last = _local(start).date() + timedelta(days=_checked(limit.amount))
                # 民法典第二百零三条: a last day that is a day off moves to the day after the break
                return _end_of(self._nth_working_day(last - ONE_DAY, 1))
            case Unit.HOURS:
                return _local(start) + timedelta(hours=_checked(limit.amount))
            case Unit.MINUTES:
                return _local(start) + timedelta(minutes=_checked(limit.amount))

    def explain(self, start: datetime, limit: Limit) -> Explanation:
        """Every day of the limit, counted or skipped and why."""
        begun, due = _local(start), self.due(start, limit)
        first, last = begun.date(), due.date()
        return Explanation(
            start=begun,
            due=due,
            limit=limit,
            days=tuple(self._explained(first, last, limit)),
            calendar_version=self.version_for(first, last),
            provisional=not limit.unit.is_elapsed and self.is_provisional(first, last),
            rule=_rule(begun, due, limit),
        )

    def working_days_between(self, after: date, upto: date) -> int:
        """Working days in (after, upto]; none when `upto` is not later."""
        if upto <= after:
            return 0
        whole_years = sum(
            len(self._table(year).working_days) for year in range(after.year, upto.year)
        )
        through = self._table(upto.year).through(upto) - self._table(after.year).through(after)
        return whole_years + through

    def overdue_working_days(self, due: datetime, at: datetime) -> int:
        return self.working_days_between(_local(due).date(), _local(at).date())

    def in_force(self, year: int) -> CalendarYear:
        """The year as this calendar applies it: its notice, or else the statutory days."""
        return self.years.get(year) or statutory_year(year)

    def is_provisional(self, first: date, last: date) -> bool:
        return any(each.status is Status.PROVISIONAL for each in self._span(first, last))

    def version_for(self, first: date, last: date) -> str:
        """Names the tables that a span used, such as "2025v2+2026v1"; v0 is a computed year."""
        return "+".join(each.label for each in self._span(first, last))

    def with_year(self, year: CalendarYear) -> "WorkingCalendar":
        return WorkingCalendar(years={**self.years, year.year: year})

    def _span(self, first: date, last: date) -> Iterator[CalendarYear]:
        return (self.in_force(year) for year in range(first.year, last.year + 1))

    def _table(self, year: int) -> _Table:
        table = self._tables.get(year)
        if table is None:
            table = self._tables[year] = _Table.of(self.in_force(year))
        return table

    def _nth_working_day(self, after: date, n: int) -> date:
        year = after.year
        table = self._table(year)
        index = table.through(after) + n - 1
        while index >= len(table.working_days):
            index -= len(table.working_days)
            year += 1
            table = self._table(year)
        return table.working_days[index]

    def _explained(self, first: date, last: date, limit: Limit) -> Iterator[DayExplained]:
        match limit.unit:
            case Unit.WORKING_DAYS:
                yield _not_counted(first)
                yield from self._working_days_explained(first, last)
            case Unit.NATURAL_DAYS:
                yield _not_counted(first)
                yield from self._natural_days_explained(first, last, limit.amount)
            case Unit.HOURS | Unit.MINUTES:
                for day in _days(first - ONE_DAY, last):
                    reason = f"按{_ELAPSED[limit.unit]}连续计算，不扣除休息日"
                    yield DayExplained(day=day, counted=True, number=None, reason=reason)

    def _working_days_explained(self, first: date, last: date) -> Iterator[DayExplained]:
        number = 0
        for day in _days(first, last):
            counted = self.is_working_day(day)
            number += counted
            yield DayExplained(
                day=day,
                counted=counted,
                number=number if counted else None,
                reason=self.in_force(day.year).reason(day),
            )

    def _natural_days_explained(
        self, first: date, last: date, amount: int
    ) -> Iterator[DayExplained]:
        for number, day in enumerate(_days(first, last), start=1):
            counted = number <= amount
            reason = "自然日" if counted else "顺延至此日届满"
            if number >= amount and day != last:
                reason = f"{self.in_force(day.year).reason(day)}，期限届满日顺延"
            yield DayExplained(
                day=day, counted=counted, number=number if counted else None, reason=reason
            )


@cache
def bundled() -> WorkingCalendar:
    """The calendar that ships: the latest version of every year since 2004."""
    return WorkingCalendar(years={each.year: each for each in shipped_years()})


def _local(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise NaiveMoment("时间必须带时区")
    return moment.astimezone(SHANGHAI)


def _checked(amount: int) -> int:
    if not 1 <= amount <= LONGEST:
        raise BadLimit(f"时限应为 1 至 {LONGEST} 之间的整数，现为 {amount}", amount=amount)
    return amount


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time.max, tzinfo=SHANGHAI)


def _days(after: date, last: date) -> Iterator[date]:
    return map(date.fromordinal, range(after.toordinal() + 1, last.toordinal() + 1))


def _not_counted(day: date) -> DayExplained:
    return DayExplained(day=day, counted=False, number=None, reason="起算日不计入")


def _rule(start: datetime, due: datetime, limit: Limit) -> str:
    n = limit.amount
    match limit.unit:
        case Unit.WORKING_DAYS:
            return f"自{_date(start)}起{n}个工作日（含本数），起算日不计入，至第{n}个工作日24时止"
        case Unit.NATURAL_DAYS:
            return (
                f"自{_date(start)}起{n}日（自然日，含本数），起算日不计入，至第{n}日24时止，"
                "该日为休息日或者节假日的，顺延至其后第一个工作日"
            )
        case Unit.HOURS | Unit.MINUTES:
            return (
                f"自{_minute(start)}起{n}{_ELAPSED[limit.unit]}，连续计算，"
                f"不扣除休息日和节假日，至{_minute(due)}止"
            )


def _date(moment: datetime) -> str:
    return f"{moment.year}年{moment.month}月{moment.day}日"


def _minute(moment: datetime) -> str:
    return f"{_date(moment)}{moment.hour}时{moment.minute:02}分"
