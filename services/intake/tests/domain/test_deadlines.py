"""The clocks of a case: which limit, due when, warned when."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_common.working_days import SHANGHAI, Limit, Unit, bundled
from tongban_intake.domain.catalogue import CaseKind, Item, ItemType
from tongban_intake.domain.deadlines import (
    Limits,
    WarningRule,
    a_term,
    legal_term,
    promise_term,
)

CALENDAR = bundled()
WHEN = (datetime(2024, 1, 1), datetime(2026, 6, 1))  # noqa: DTZ001 - hypothesis adds the zone


def limit(amount: int, unit: Unit = Unit.WORKING_DAYS) -> Limit:
    return Limit(amount=amount, unit=unit, clause="测试")


WARNING = WarningRule(units_before=1, ratio=Decimal("0.9"))
LIMITS = Limits(version=1, decide=limit(20), instant=limit(1), delivery=limit(10), warning=WARNING)


def an_item(
    kind: CaseKind, *, type_: ItemType = ItemType.PERMIT, legal: int | None, promise: int | None
) -> Item:
    return Item(
        code="114401134554137174444TC12049000",
        version=1,
        name="食品经营许可",
        type=type_,
        unit_code="U1",
        case_kind=kind,
        legal_limit=None if legal is None else limit(legal),
        promise_limit=None if promise is None else limit(promise),
    )


@pytest.mark.parametrize(
    ("item", "promise", "legal"),
    [
        pytest.param(
            an_item(CaseKind.PROMISED, legal=15, promise=5),
            5,
            15,
            id="另有规定的，依照其规定",
        ),
        pytest.param(
            an_item(CaseKind.PROMISED, legal=None, promise=5), 5, 20, id="自受理之日起二十日内"
        ),
        pytest.param(
            an_item(CaseKind.OTHER, legal=15, promise=None), 15, 15, id="没有承诺的，按法定"
        ),
        pytest.param(an_item(CaseKind.OTHER, legal=None, promise=None), 20, 20, id="都没有的许可"),
        pytest.param(an_item(CaseKind.INSTANT, legal=15, promise=None), 1, 15, id="即办件当日办结"),
        pytest.param(
            an_item(CaseKind.PROMISED, type_=ItemType.FILING, legal=None, promise=3),
            3,
            3,
            id="非许可没有一般期限",
        ),
        pytest.param(
            an_item(CaseKind.INSTANT, type_=ItemType.FILING, legal=None, promise=None),
            1,
            1,
            id="非许可的即办件",
        ),
    ],
)
def test_each_clock_has_its_limit(item: Item, promise: int, legal: int) -> None:
    start = datetime(2026, 3, 2, 10, 0, tzinfo=SHANGHAI)

    assert promise_term(item, CALENDAR, LIMITS, start_at=start).limit == limit(promise)
    assert legal_term(item, CALENDAR, LIMITS, start_at=start).limit == limit(legal)


@pytest.mark.parametrize(
    ("amount", "unit", "warn"),
    [
        pytest.param(
            20, Unit.WORKING_DAYS, "2026-03-26T23:59:59.999999+08:00", id="用去百分之九十"
        ),
        pytest.param(
            5, Unit.WORKING_DAYS, "2026-03-06T23:59:59.999999+08:00", id="期满前一个工作日"
        ),
        pytest.param(2, Unit.WORKING_DAYS, "2026-03-03T23:59:59.999999+08:00", id="第一日终"),
        pytest.param(10, Unit.NATURAL_DAYS, "2026-03-11T23:59:59.999999+08:00", id="自然日"),
        pytest.param(24, Unit.HOURS, "2026-03-03T08:00:00+08:00", id="小时"),
        pytest.param(1, Unit.WORKING_DAYS, None, id="一日太短，不预警"),
    ],
)
def test_the_warning_comes_at_the_earlier_of_both_levels(
    amount: int, unit: Unit, warn: str | None
) -> None:
    start = datetime(2026, 3, 2, 10, 0, tzinfo=SHANGHAI)
    term = a_term(CALENDAR, limit(amount, unit), start_at=start)

    assert term.warn_at(CALENDAR, WARNING) == (
        None if warn is None else datetime.fromisoformat(warn)
    )


@pytest.mark.parametrize(
    ("start", "due"),
    [
        pytest.param("2026-03-06T16:00", "2026-03-06", id="周五受理，当日"),
        pytest.param("2026-03-06T00:00", "2026-03-06", id="零时受理，当日"),
        pytest.param("2026-02-14T10:00", "2026-02-14", id="调休上班的周六，当日"),
        pytest.param("2026-03-07T10:00", "2026-03-09", id="周六受理，其后第一个工作日"),
        pytest.param("2026-01-01T10:00", "2026-01-04", id="元旦受理，调休上班的周日"),
    ],
)
def test_an_instant_case_is_due_at_the_end_of_its_day(start: str, due: str) -> None:
    begun = datetime.fromisoformat(start).replace(tzinfo=SHANGHAI)
    item = an_item(CaseKind.INSTANT, legal=None, promise=None)

    term = promise_term(item, CALENDAR, LIMITS, start_at=begun)
    explained = term.explain(CALENDAR)

    assert term.due_at == datetime.fromisoformat(f"{due}T23:59:59.999999+08:00")
    assert term.due_at == CALENDAR.due(term.counted_from, term.limit)
    assert term.warn_at(CALENDAR, WARNING) is None
    assert (explained.start, explained.due) == (begun, term.due_at)
    assert explained.days[0].day == begun.date()
    assert [each.day.isoformat() for each in explained.days if each.counted] == [due]
    assert "受理当日计入" in explained.rule


def test_every_day_of_a_term_is_explained() -> None:
    start = datetime(2026, 9, 24, 10, 0, tzinfo=SHANGHAI)

    term = a_term(CALENDAR, limit(5), start_at=start)
    explained = term.explain(CALENDAR)

    assert (explained.start, explained.due, explained.limit) == (start, term.due_at, term.limit)
    assert [each.reason for each in explained.days if each.day.day == 24] == ["起算日不计入"]
    assert explained.calendar_version == term.calendar_version


@given(
    amount=st.integers(1, 60),
    counts_start_day=st.booleans(),
    unit=st.sampled_from(Unit),
    start=st.datetimes(*WHEN, timezones=st.just(SHANGHAI)),
)
def test_a_warning_lies_between_the_start_and_the_due_moment(
    amount: int, counts_start_day: bool, unit: Unit, start: datetime
) -> None:
    term = a_term(
        CALENDAR,
        limit(amount, unit),
        start_at=start,
        counts_start_day=counts_start_day and not unit.is_elapsed,
    )

    warn_at = term.warn_at(CALENDAR, WARNING)

    assert term.start_at <= term.due_at
    assert warn_at is None or term.counted_from < warn_at <= term.due_at
