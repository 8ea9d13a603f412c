"""The clocks of evaluation."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_common.working_days import SHANGHAI, Limit, Unit, WorkingCalendar, bundled
from tongban_evaluation.domain.deadlines import Clock, Grade, Limits, Stage, Term

FIRST = datetime(2010, 1, 1, tzinfo=SHANGHAI)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=6000)).map(lambda after: FIRST + after)
DAYS = st.sampled_from([Unit.WORKING_DAYS, Unit.NATURAL_DAYS])


def days(amount: int, unit: Unit = Unit.WORKING_DAYS) -> Limit:
    return Limit(amount=amount, unit=unit, clause="测试")


@pytest.mark.parametrize(
    ("grade", "is_again", "amount"),
    [
        pytest.param(Grade.SIMPLE, False, 5, id="简单事项五个工作日"),
        pytest.param(Grade.COMPLEX, False, 15, id="复杂事项十五个工作日"),
        pytest.param(Grade.SIMPLE, True, 7, id="二次整改不分难易：简单"),
        pytest.param(Grade.COMPLEX, True, 7, id="二次整改不分难易：复杂"),
    ],
)
def test_the_grade_decides_the_limit(
    limits: Limits, grade: Grade, is_again: bool, amount: int
) -> None:
    assert limits.to_rectify(grade, is_again=is_again).amount == amount


def test_a_term_ends_with_the_last_working_day(calendar: WorkingCalendar, now: datetime) -> None:
    term = Term.under(calendar, days(5), start_at=now)

    assert term.due_at == datetime(2026, 10, 13, 23, 59, 59, 999999, tzinfo=SHANGHAI)
    assert term.calendar_version == calendar.version_for(now.date(), term.due_at.date())


@pytest.mark.parametrize(
    ("amount", "warned"),
    [
        pytest.param(1, "2026-10-08", id="一天的时限，到期当天提示"),
        pytest.param(3, "2026-10-10", id="三天的第三天"),
        pytest.param(5, "2026-10-12", id="五天的第四天"),
        pytest.param(15, "2026-10-22", id="十五天的第十二天"),
    ],
)
def test_the_warning_comes_as_the_day_begins_that_uses_up_its_share(
    calendar: WorkingCalendar, now: datetime, amount: int, warned: str
) -> None:
    term = Term.under(calendar, days(amount), start_at=now)

    warn_at = term.warn_at(calendar, after=Decimal("0.8"))

    assert warn_at == datetime.fromisoformat(f"{warned}T00:00+08:00")


@given(MOMENTS, st.integers(1, 40), st.decimals(0, 1, places=2), DAYS)
def test_a_warning_lies_between_the_start_and_the_end(
    start: datetime, amount: int, share: Decimal, unit: Unit
) -> None:
    term = Term.under(bundled(), days(amount, unit), start_at=start)

    assert start < term.warn_at(bundled(), after=share) < term.due_at


def test_a_clock_is_overdue_only_after_its_last_instant(
    calendar: WorkingCalendar, now: datetime
) -> None:
    clock = Clock.started(Stage.VERIFY, days(1), calendar=calendar, at=now)

    assert not clock.is_overdue(at=clock.term.due_at)
    assert clock.is_overdue(at=clock.term.due_at + timedelta(microseconds=1))
