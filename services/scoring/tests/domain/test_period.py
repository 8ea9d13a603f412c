"""The assessed period: any span of days, by rule a calendar quarter."""

from datetime import date, datetime, timedelta

import pytest

from tongban_common.working_days import SHANGHAI
from tongban_scoring.domain.period import BadPeriod, Period, quarter_of


@pytest.mark.parametrize(
    ("day", "code", "starts_on", "ends_on"),
    [
        (date(2019, 4, 1), "2019Q2", date(2019, 4, 1), date(2019, 6, 30)),
        (date(2019, 6, 30), "2019Q2", date(2019, 4, 1), date(2019, 6, 30)),
        (date(2020, 1, 31), "2020Q1", date(2020, 1, 1), date(2020, 3, 31)),
        (date(2026, 12, 31), "2026Q4", date(2026, 10, 1), date(2026, 12, 31)),
    ],
)
def test_a_day_belongs_to_its_calendar_quarter(
    day: date, code: str, starts_on: date, ends_on: date
) -> None:
    assert quarter_of(day) == Period(code=code, starts_on=starts_on, ends_on=ends_on)


def test_quarters_follow_each_other_without_gap_or_overlap() -> None:
    period = quarter_of(date(2019, 1, 1))

    for _ in range(20):
        following = quarter_of(period.ends_on + timedelta(days=1))
        assert following.starts_on == period.ends_on + timedelta(days=1)
        assert following.code > period.code
        period = following


def test_a_period_ends_with_its_last_day_in_beijing() -> None:
    assert quarter_of(date(2026, 7, 1)).end == datetime(2026, 10, 1, tzinfo=SHANGHAI)


def test_the_last_moment_is_on_the_last_day() -> None:
    period = quarter_of(date(2026, 7, 1))

    assert period.last_moment.date() == period.ends_on
    assert period.last_moment + timedelta(microseconds=1) == period.end


def test_a_period_may_be_one_day_but_not_end_before_it_begins() -> None:
    Period(code="20260701-20260701", starts_on=date(2026, 7, 1), ends_on=date(2026, 7, 1))

    with pytest.raises(BadPeriod):
        Period(code="20260702-20260701", starts_on=date(2026, 7, 2), ends_on=date(2026, 7, 1))


@pytest.mark.parametrize("code", ["2026Q3", "20260701-20260930"])
def test_a_quarter_has_two_names(code: str) -> None:
    Period(code=code, starts_on=date(2026, 7, 1), ends_on=date(2026, 9, 30))


@pytest.mark.parametrize("code", ["2026Q2", "2026-07", "任意", "20260701"])
def test_a_code_that_names_other_days_is_refused(code: str) -> None:
    with pytest.raises(BadPeriod):
        Period(code=code, starts_on=date(2026, 7, 1), ends_on=date(2026, 9, 30))
