"""Limits on random calendars against an oracle that walks day by day over plain sets."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from tongban_common.working_days import (
    CalendarYear,
    Limit,
    Status,
    Unit,
    WorkingCalendar,
    parse_year,
    to_document,
)

YEARS = (2027, 2028, 2029)
DAY = timedelta(days=1)
HOLIDAYS = ("元旦", "春节", "国庆节")


@dataclass(frozen=True)
class World:
    """A calendar as two plain sets; the oracle reads nothing else."""

    off: frozenset[date]
    worked: frozenset[date]

    def works(self, day: date) -> bool:
        is_weekday = day.strftime("%a") not in {"Sat", "Sun"}
        return (is_weekday or day in self.worked) and day not in self.off

    def walk(self, after: date) -> Iterator[date]:
        while True:
            after += DAY
            if self.works(after):
                yield after

    def nth(self, after: date, n: int) -> date:
        return next(day for number, day in enumerate(self.walk(after), 1) if number == n)

    def calendar(self) -> WorkingCalendar:
        return WorkingCalendar(years={year: self._year(year) for year in YEARS})

    def _year(self, year: int) -> CalendarYear:
        return CalendarYear(
            year=year,
            version=1,
            status=Status.OFFICIAL,
            notice="测试",
            published_on=None,
            days_off={day: HOLIDAYS[day.toordinal() % 3] for day in self.off if day.year == year},
            working_weekends=frozenset(day for day in self.worked if day.year == year),
        )


def days() -> st.SearchStrategy[date]:
    return st.dates(date(YEARS[0], 1, 1), date(YEARS[-1], 12, 31))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    off: set[date] = set()
    for first, length in draw(st.lists(st.tuples(days(), st.integers(1, 9)), max_size=12)):
        off |= {first + k * DAY for k in range(length)}
    saturdays_and_sundays = days().filter(lambda day: day.isoweekday() >= 6)
    worked = draw(st.frozensets(saturdays_and_sundays, max_size=20))
    return World(frozenset(off), worked - off)


zones = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))
starts = st.builds(
    datetime.combine,
    st.dates(date(2027, 1, 3), date(2028, 6, 30)),
    st.times(),
    tzinfo=zones,
)
amounts = st.integers(1, 60)
limits = st.builds(Limit, amount=amounts, unit=st.sampled_from(Unit), clause=st.just("测试"))


def in_shanghai(moment: datetime) -> date:
    return (moment.astimezone(UTC) + timedelta(hours=8)).date()


def ends(day: date) -> datetime:
    """The last microsecond of the day in Shanghai, which is UTC+8 all year."""
    return datetime(day.year, day.month, day.day, 15, 59, 59, 999_999, tzinfo=UTC)


@settings(deadline=None)
@given(worlds(), starts, amounts)
def test_the_deadline_is_the_oracles(world: World, start: datetime, n: int) -> None:
    assert world.calendar().deadline(start, n) == ends(world.nth(in_shanghai(start), n))


@settings(deadline=None)
@given(worlds(), starts, amounts)
def test_natural_days_end_on_the_oracles_day(world: World, start: datetime, n: int) -> None:
    last = in_shanghai(start) + n * DAY
    while not world.works(last):
        last += DAY

    limit = Limit(amount=n, unit=Unit.NATURAL_DAYS, clause="测试")

    assert world.calendar().due(start, limit) == ends(last)


@settings(deadline=None)
@given(worlds(), starts, amounts)
def test_hours_never_look_at_the_calendar(world: World, start: datetime, n: int) -> None:
    limit = Limit(amount=n, unit=Unit.HOURS, clause="测试")

    assert world.calendar().due(start, limit) - start == timedelta(hours=n)


@settings(deadline=None)
@given(worlds(), starts, amounts)
def test_a_limit_in_days_ends_on_a_working_day(world: World, start: datetime, n: int) -> None:
    calendar = world.calendar()
    natural = Limit(amount=n, unit=Unit.NATURAL_DAYS, clause="测试")

    assert calendar.is_working_day(calendar.deadline(start, n).date())
    assert calendar.is_working_day(calendar.due(start, natural).date())


@settings(deadline=None)
@given(worlds(), starts, starts, amounts, st.sampled_from(Unit))
def test_a_later_start_is_never_due_earlier(
    world: World, one: datetime, other: datetime, n: int, unit: Unit
) -> None:
    calendar, limit = world.calendar(), Limit(amount=n, unit=unit, clause="测试")
    earlier, later = sorted([one, other])

    assert calendar.due(earlier, limit) <= calendar.due(later, limit)


@settings(deadline=None)
@given(worlds(), starts, amounts, amounts)
def test_more_working_days_are_due_later(world: World, start: datetime, n: int, more: int) -> None:
    calendar = world.calendar()

    assert calendar.deadline(start, n) < calendar.deadline(start, n + more)


@settings(deadline=None)
@given(worlds(), worlds(), starts, limits)
def test_days_outside_the_span_change_nothing(
    world: World, elsewhere: World, start: datetime, limit: Limit
) -> None:
    calendar = world.calendar()
    due = calendar.due(start, limit)
    span = {in_shanghai(start) + k * DAY for k in range((due - start).days + 2)}
    span = {day for day in span if day <= due.date()}
    changed = World(
        (elsewhere.off - span) | (world.off & span),
        (elsewhere.worked - span) | (world.worked & span),
    )

    assert changed.calendar().due(start, limit) == due
    assert changed.calendar().explain(start, limit) == calendar.explain(start, limit)


@settings(deadline=None)
@given(worlds(), days(), days())
def test_working_days_between_counts_as_the_oracle(world: World, after: date, upto: date) -> None:
    span = (after + k * DAY for k in range(1, (upto - after).days + 1))

    counted = sum(world.works(day) for day in span)

    assert world.calendar().working_days_between(after, upto) == counted


@settings(deadline=None)
@given(worlds(), starts, amounts)
def test_the_working_days_up_to_the_deadline_are_its_number(
    world: World, start: datetime, n: int
) -> None:
    calendar = world.calendar()
    due = calendar.deadline(start, n)

    assert calendar.working_days_between(in_shanghai(start), due.date()) == n
    assert calendar.overdue_working_days(start, due) == n
    assert calendar.overdue_working_days(due, start) == 0


@settings(deadline=None)
@given(worlds(), starts, limits)
def test_an_explanation_accounts_for_every_day(world: World, start: datetime, limit: Limit) -> None:
    explained = world.calendar().explain(start, limit)
    first, last = in_shanghai(start), in_shanghai(explained.due)

    counted = [day for day in explained.days if day.number is not None]

    assert explained.due == world.calendar().due(start, limit)
    assert [day.day for day in explained.days] == [
        first + k * DAY for k in range((last - first).days + 1)
    ]
    if limit.unit.is_elapsed:
        assert not counted
    else:
        assert [day.number for day in counted] == list(range(1, limit.amount + 1))
        assert not explained.days[0].counted
    if limit.unit is Unit.WORKING_DAYS:
        assert all(world.works(day.day) == day.counted for day in explained.days[1:])


@settings(deadline=None)
@given(worlds())
def test_a_year_survives_its_document(world: World) -> None:
    for year in world.calendar().years.values():
        written = json.dumps(to_document(year), ensure_ascii=False)

        assert parse_year(json.loads(written), where="往返") == year
