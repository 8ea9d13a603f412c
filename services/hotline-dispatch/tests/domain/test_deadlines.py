from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_common.working_days import (
    SHANGHAI,
    CalendarYear,
    Limit,
    Status,
    Unit,
    bundled,
    statutory_year,
)
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.deadlines import (
    STATUTE,
    Counting,
    Facts,
    NoRule,
    ReplyLimits,
    ReplyRule,
    Term,
    as_pinned,
)

CALENDAR = bundled()
BEFORE_HOLIDAY = datetime(2026, 9, 30, 10, 0, tzinfo=SHANGHAI)
SHARES = {
    Unit.WORKING_DAYS: Decimal("0.8"),
    Unit.NATURAL_DAYS: Decimal("0.8"),
    Unit.HOURS: Decimal("0.5"),
    Unit.MINUTES: Decimal("0.5"),
}


def days(amount: int, unit: Unit = Unit.WORKING_DAYS) -> Limit:
    return Limit(amount=amount, unit=unit, clause=f"{amount} {unit}")


def limits(*rules: ReplyRule, slack: int = 2, counting: Counting = STATUTE) -> ReplyLimits:
    return ReplyLimits(
        policy="hotline-limits/test@1",
        rules=rules,
        warn_points=SHARES,
        citizen_slack=slack,
        slack_clause="另加",
        counting=counting,
    )


def facts(
    appeal_type: AppealType = AppealType.COMPLAINT,
    urgency: Urgency = Urgency.NORMAL,
    matter_code: str | None = None,
    level: str | None = None,
) -> Facts:
    return Facts(appeal_type=appeal_type, urgency=urgency, matter_code=matter_code, level=level)


RULES = (
    ReplyRule(limit=days(7)),
    ReplyRule(appeal_type=AppealType.COMPLAINT, limit=days(10)),
    ReplyRule(appeal_type=AppealType.COMPLAINT, level="county", limit=days(12)),
    ReplyRule(level="park", limit=days(8)),
    ReplyRule(matter_code="0407", limit=days(3)),
    ReplyRule(urgency=Urgency.URGENT, limit=days(24, Unit.HOURS)),
)


@pytest.mark.parametrize(
    ("given_facts", "amount"),
    [
        (facts(AppealType.HELP), 7),
        (facts(), 10),
        (facts(level="county"), 12),
        (facts(level="city"), 10),
        (facts(level="park"), 8),
        (facts(AppealType.HELP, level="county"), 7),
        (facts(matter_code="0407", level="county"), 3),
        (facts(matter_code="0408", level="county"), 12),
        (facts(matter_code="0407", level="county", urgency=Urgency.URGENT), 24),
        (facts(urgency=Urgency.CRITICAL), 10),
    ],
    ids=[
        "无专门规定，用一般规定",
        "按诉求类型",
        "按类型和单位层级",
        "层级无专门规定，按类型",
        "层级重于类型",
        "类型与层级不同时符合",
        "事项重于层级",
        "其他事项",
        "紧急程度最重",
        "特急无专门规定",
    ],
)
def test_the_rule_that_says_most_applies(given_facts: Facts, amount: int) -> None:
    assert limits(*RULES).pick(given_facts).amount == amount


def test_the_facts_of_an_appeal_are_its_own_and_the_level_of_the_unit() -> None:
    appeal = Appeal(
        channel=Channel.PHONE,
        channel_order_no=None,
        appeal_type=AppealType.COMPLAINT,
        urgency=Urgency.NORMAL,
        matter_code="0407",
        title="路灯不亮",
        content="已三天不亮",
    )

    assert Facts.of(appeal, level="county") == facts(matter_code="0407", level="county")


def test_an_appeal_without_a_rule_is_refused() -> None:
    with pytest.raises(NoRule):
        limits(ReplyRule(level="county", limit=days(3))).pick(facts())


@pytest.mark.parametrize(
    ("limit", "slack", "amount", "clause"),
    [
        (days(10), 2, 12, "10 working_days；另加"),
        (days(10), 0, 10, "10 working_days"),
        (days(7, Unit.NATURAL_DAYS), 2, 7, "7 natural_days"),
        (days(2, Unit.HOURS), 2, 2, "2 hours"),
    ],
    ids=["工作日另加", "不另加", "自然日不加", "小时不加"],
)
def test_the_clock_of_the_citizen_is_the_longer_by_the_slack(
    limit: Limit, slack: int, amount: int, clause: str
) -> None:
    picked = limits(ReplyRule(limit=limit), slack=slack).pick_for_citizen(facts())

    assert (picked.amount, picked.clause) == (amount, clause)


@pytest.mark.parametrize(
    ("limit", "due", "warn"),
    [
        (days(5), "2026-10-13T23:59:59.999999+08:00", "2026-10-12T00:00:00+08:00"),
        (days(1), "2026-10-08T23:59:59.999999+08:00", "2026-10-08T00:00:00+08:00"),
        (days(10), "2026-10-20T23:59:59.999999+08:00", "2026-10-16T00:00:00+08:00"),
        (days(24, Unit.HOURS), "2026-10-01T10:00:00+08:00", "2026-09-30T22:00:00+08:00"),
    ],
    ids=["5个工作日跨国庆", "1个工作日，当日零时提醒", "10个工作日", "24小时，过半提醒"],
)
def test_due_and_warn_moments(limit: Limit, due: str, warn: str) -> None:
    term = limits().term(CALENDAR, limit, start_at=BEFORE_HOLIDAY)

    assert term.due_at.isoformat() == due
    assert term.warn_at is not None
    assert term.warn_at.isoformat() == warn
    assert term.calendar_version == "2026v1"
    assert term.policy == "hotline-limits/test@1"


def test_a_limit_without_a_warn_point_does_not_warn() -> None:
    silent = replace(limits(), warn_points={})

    assert silent.term(CALENDAR, days(5), start_at=BEFORE_HOLIDAY).warn_at is None


def test_a_settled_term_is_explained_by_the_calendar_it_was_pinned_to() -> None:
    # 国办发明电〔2020〕1号 extended the Spring Festival of 2020 when deadlines were already running
    before = CALENDAR.with_year(_version(2020, 1))
    start = datetime(2020, 1, 20, 9, 0, tzinfo=SHANGHAI)
    term = limits().term(before, days(8), start_at=start)

    explained = term.explain(CALENDAR, [])

    assert term.calendar_version == "2020v1"
    assert CALENDAR.due(start, days(8)) > term.due_at
    assert explained.due == term.due_at
    assert explained.calendar_version == "2020v1"


def test_an_imported_version_and_a_year_that_had_no_notice_are_found_again() -> None:
    imported = CalendarYear(
        year=2027,
        version=1,
        status=Status.OFFICIAL,
        notice="测试通知",
        published_on=date(2026, 11, 1),
        days_off={date(2027, 1, 1): "元旦", date(2027, 1, 4): "元旦"},
        working_weekends=frozenset(),
    )
    corrected = CALENDAR.with_year(imported)

    as_computed = as_pinned(corrected, "2026v1+2027v0", [imported])
    as_imported = as_pinned(CALENDAR, "2027v1", [imported])

    assert as_computed.in_force(2027) == statutory_year(2027)
    assert as_imported.in_force(2027) == imported
    assert as_pinned(CALENDAR, "2026v1", []) is CALENDAR


def _version(year: int, version: int) -> CalendarYear:
    return as_pinned(CALENDAR, f"{year}v{version}", []).in_force(year)


CONDITIONS = st.tuples(
    st.sampled_from([None, *Urgency]),
    st.sampled_from([None, "0101", "0407"]),
    st.sampled_from([None, "city", "county"]),
    st.sampled_from([None, *AppealType]),
)
FACTS = st.builds(
    facts,
    st.sampled_from(AppealType),
    st.sampled_from(Urgency),
    st.sampled_from([None, "0101", "0407"]),
    st.sampled_from([None, "city", "county"]),
)
STARTS = st.datetimes(datetime(2010, 1, 1), datetime(2026, 6, 1)).map(  # noqa: DTZ001 - zone below
    lambda moment: moment.replace(tzinfo=SHANGHAI)
)


@given(conditions=st.sets(CONDITIONS, min_size=1), about=FACTS)
def test_a_set_without_equal_conditions_has_one_answer_in_any_order(
    conditions: set[tuple[Urgency | None, str | None, str | None, AppealType | None]], about: Facts
) -> None:
    rules = [
        ReplyRule(
            urgency=urgency, matter_code=matter, level=level, appeal_type=kind, limit=days(number)
        )
        for number, (urgency, matter, level, kind) in enumerate(conditions, start=1)
    ]

    def picked(order: Sequence[ReplyRule]) -> Limit | None:
        try:
            return limits(*order).pick(about)
        except NoRule:
            return None

    assert picked(rules) == picked(rules[::-1])


@given(amount=st.integers(1, 60), unit=st.sampled_from(Unit), start_at=STARTS)
def test_a_term_warns_within_itself_and_is_explained_to_its_own_due_moment(
    amount: int, unit: Unit, start_at: datetime
) -> None:
    term: Term = limits().term(CALENDAR, days(amount, unit), start_at=start_at)

    assert term.warn_at is not None
    assert term.start_at < term.warn_at < term.due_at
    assert term.explain(CALENDAR, []).due == term.due_at
    assert not term.has_run_out(at=term.due_at)
    assert term.has_run_out(at=term.due_at + timedelta(microseconds=1))


@given(amount=st.integers(1, 60), slack=st.integers(0, 10), start_at=STARTS)
def test_the_citizen_never_waits_less_than_the_unit_may_take(
    amount: int, slack: int, start_at: datetime
) -> None:
    policy = limits(ReplyRule(limit=days(amount)), slack=slack)

    unit = policy.term(CALENDAR, policy.pick(facts()), start_at=start_at)
    citizen = policy.term(CALENDAR, policy.pick_for_citizen(facts()), start_at=start_at)

    assert citizen.due_at >= unit.due_at


OFFICE = Counting(ends=time(18), rolls=time(17, 30))


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-11-20 17:29", "2026-11-23 18:00"),  # a Friday in office hours: Monday
        ("2026-11-20 17:30", "2026-11-24 18:00"),  # later: Monday's receipt
        ("2026-11-21 09:00", "2026-11-24 18:00"),  # a Saturday: the same
        ("2026-09-19 20:00", "2026-09-21 18:00"),  # the Sunday after is worked, and is the receipt
        ("2026-09-30 18:00", "2026-10-09 18:00"),  # National Day ends on the 7th
    ],
)
def test_a_city_with_office_hours_counts_late_receipts_from_the_next_working_day(
    received: str, due: str
) -> None:
    start_at, due_at = (
        datetime.fromisoformat(each).replace(tzinfo=SHANGHAI) for each in (received, due)
    )

    term = limits(counting=OFFICE).term(CALENDAR, days(1), start_at=start_at)

    assert term.due_at == due_at
    explained = term.explain(CALENDAR, [])
    assert [each.day for each in explained.days if each.counted] == [due_at.date()]
    assert explained.due == due_at
    assert "18:00" in explained.rule
    assert "17:30" in explained.rule


@given(amount=st.integers(1, 60), unit=st.sampled_from(Unit), start_at=STARTS)
def test_office_hours_are_explained_day_by_day_and_survive_a_new_calendar(
    amount: int, unit: Unit, start_at: datetime
) -> None:
    term = limits(counting=OFFICE).term(CALENDAR, days(amount, unit), start_at=start_at)

    explained = term.explain(CALENDAR, [])
    assert explained.due == term.due_at == term.due_under(CALENDAR)
    if unit is Unit.WORKING_DAYS:
        assert sum(each.counted for each in explained.days) == amount
    if unit.is_elapsed:
        assert term.due_at == CALENDAR.due(start_at, days(amount, unit))
