"""The shipped calendar against two independent ones, and limits against worked examples."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import chinese_calendar
import holidays
import pytest

from tongban_common import working_days
from tongban_common.errors import BadInput, Refusal
from tongban_common.working_days import (
    SHANGHAI,
    BadCalendar,
    BadLimit,
    CalendarNotCovered,
    CalendarYear,
    Limit,
    NaiveMoment,
    Status,
    Unit,
    WorkingCalendar,
    bundled,
    parse_year,
    shipped_years,
    statutory_year,
    to_document,
)

COVERED = range(2004, 2027)
COMPUTED = range(2027, 2036)
CLAUSE = "行政许可法第四十二条"

# 国办发明电〔2005〕35号: “12月31日（星期六）上班”. chinesecalendar 1.11 lacks it, holidays has it.
MISSED_BY_CHINESECALENDAR = {date(2005, 12, 31)}


def days_of(year: int) -> Iterator[date]:
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += timedelta(days=1)


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+08:00")


def end_of(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T23:59:59.999999+08:00")


def version(year: int, number: int) -> CalendarYear:
    return next(each for each in shipped_years() if (each.year, each.version) == (year, number))


def a_limit(amount: int, unit: Unit = Unit.WORKING_DAYS) -> Limit:
    return Limit(amount=amount, unit=unit, clause=CLAUSE)


def a_document(**changes: object) -> dict[str, Any]:
    document: dict[str, Any] = {
        "year": 2027,
        "version": 1,
        "status": "official",
        "notice": "国务院办公厅关于2027年部分节假日安排的通知",
        "published_on": "2026-11-05",
        "days_off": {"2027-01-01": "元旦", "2027-01-02": "元旦"},
        "working_weekends": ["2027-01-10"],
    }
    return {**document, **changes}


def faults_of(document: dict[str, Any]) -> list[str]:
    with pytest.raises(BadCalendar) as refused:
        parse_year(document, where="2027.json")
    faults = refused.value.facts["faults"]
    assert isinstance(faults, list)
    assert all(fault in refused.value.message for fault in faults)
    return faults


@pytest.mark.parametrize("year", COVERED)
def test_every_day_agrees_with_chinesecalendar(year: int) -> None:
    def chinesecalendar_says(day: date) -> bool:
        return bool(chinese_calendar.is_workday(day))

    differing = {
        day for day in days_of(year) if bundled().is_working_day(day) != chinesecalendar_says(day)
    }

    assert differing == {day for day in MISSED_BY_CHINESECALENDAR if day.year == year}


@pytest.mark.parametrize("year", COVERED)
def test_every_day_agrees_with_the_holidays_package(year: int) -> None:
    china = holidays.country_holidays("CN", years=[year - 1, year, year + 1])

    differing = [
        day for day in days_of(year) if bundled().is_working_day(day) != china.is_working_day(day)
    ]

    assert differing == []


@pytest.mark.parametrize("year", COMPUTED)
def test_computed_years_have_the_statutory_days_of_the_holidays_package(year: int) -> None:
    china = holidays.country_holidays("CN", years=year, observed=False)

    computed = statutory_year(year)

    assert set(computed.days_off) == {day for day in china if day.year == year}
    assert computed.status is Status.PROVISIONAL
    assert computed.working_weekends == frozenset()


@pytest.mark.parametrize("year", [2025, 2026])
def test_the_notice_of_a_year_grants_every_statutory_day(year: int) -> None:
    assert set(statutory_year(year).days_off) <= set(bundled().in_force(year).days_off)


def test_thirteen_statutory_days_save_where_two_festivals_meet() -> None:
    days = {year: len(statutory_year(year).days_off) for year in COMPUTED}

    assert {year: count for year, count in days.items() if count != 13} == {2028: 12, 2031: 12}
    assert statutory_year(2028).days_off[date(2028, 10, 3)] == "中秋节、国庆节"


@pytest.mark.parametrize(
    ("year", "count"),
    [(2020, 249), (2021, 250), (2022, 249), (2023, 249), (2024, 251), (2025, 248), (2026, 248)],
)
def test_working_days_of_a_whole_year(year: int, count: int) -> None:
    assert bundled().working_days_between(date(year - 1, 12, 31), date(year, 12, 31)) == count


def test_every_year_ships_and_versions_count_from_one() -> None:
    versions: dict[int, list[int]] = {}
    for each in shipped_years():
        versions.setdefault(each.year, []).append(each.version)

    assert list(versions) == list(COVERED)
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())
    assert all(bundled().in_force(year).version == max(versions[year]) for year in COVERED)


def test_shipped_files_are_written_as_they_would_be_exported() -> None:
    folder = Path(working_days.__file__).parent.parent / "holidays"
    files = [file for file in folder.glob("*.json") if file.name != "statutory.json"]

    assert len(files) == len(shipped_years())
    for file in files:
        written = file.read_text(encoding="utf-8")
        document = to_document(parse_year(json.loads(written), where=file.name))
        assert json.dumps(document, ensure_ascii=False, indent=2) + "\n" == written
        assert file.name.startswith(str(document["year"]))


@pytest.mark.parametrize(
    ("start", "n", "due"),
    [
        pytest.param("2026-09-24", 5, "2026-10-09", id="中秋25至27日、国庆1至7日放假"),
        pytest.param("2026-09-30", 5, "2026-10-13", id="10月10日周六上班"),
        pytest.param("2026-09-30", 20, "2026-11-03", id="国庆后20个工作日"),
        pytest.param("2026-02-13", 5, "2026-02-27", id="2月14日上班，春节15至23日放假"),
        pytest.param("2026-02-13", 20, "2026-03-19", id="2月28日周六上班"),
        pytest.param("2026-02-14", 1, "2026-02-24", id="起算日为调休上班日"),
        pytest.param("2026-01-01", 5, "2026-01-08", id="起算日放假，1月4日周日上班"),
        pytest.param("2025-12-31", 1, "2026-01-04", id="跨年加调休"),
        pytest.param("2026-02-27", 1, "2026-02-28", id="次日周六上班"),
        pytest.param("2026-09-18", 1, "2026-09-20", id="周日上班"),
        pytest.param("2026-04-30", 3, "2026-05-08", id="劳动节"),
        pytest.param("2026-11-22", 20, "2026-12-18", id="起算日为周日"),
        pytest.param("2026-03-02", 5, "2026-03-09", id="逾期未告知补正，视为受理"),
        pytest.param("2026-03-02", 20, "2026-03-30", id="许可20个工作日"),
        pytest.param("2026-04-08", 10, "2026-04-22", id="延长10个工作日"),
        pytest.param("2026-09-18", 7, "2026-09-29", id="公开申请7个工作日内告知补正"),
        pytest.param("2026-09-18", 20, "2026-10-22", id="公开申请20个工作日内答复"),
        pytest.param("2026-10-22", 20, "2026-11-19", id="公开答复延长20个工作日"),
    ],
)
def test_a_limit_in_working_days(start: str, n: int, due: str) -> None:
    assert bundled().deadline(noon(start), n) == end_of(due)


def test_five_working_days_from_the_eve_of_national_day() -> None:
    start = datetime.fromisoformat("2026-09-30T10:00:00+08:00")

    due = bundled().deadline(start, 5)

    assert due.isoformat() == "2026-10-13T23:59:59.999999+08:00"
    assert due.tzinfo is SHANGHAI


def test_the_day_of_the_start_is_the_day_in_shanghai() -> None:
    just_before_midnight = datetime(2026, 3, 2, 15, 59, tzinfo=UTC)
    just_after_midnight = datetime(2026, 3, 2, 16, 1, tzinfo=UTC)

    assert bundled().deadline(just_before_midnight, 1) == end_of("2026-03-03")
    assert bundled().deadline(just_after_midnight, 1) == end_of("2026-03-04")


@pytest.mark.parametrize(
    ("done", "days"),
    [("2026-09-30", 0), ("2026-09-29", 0), ("2026-10-08", 1), ("2026-10-10", 3)],
)
def test_overdue_working_days(done: str, days: int) -> None:
    assert bundled().overdue_working_days(end_of("2026-09-30"), noon(done)) == days


def test_a_pause_from_10_to_18_march_does_not_count_six_working_days() -> None:
    assert bundled().working_days_between(date(2026, 3, 10), date(2026, 3, 18)) == 6
    assert bundled().deadline(noon("2026-03-02"), 20 + 6) == end_of("2026-04-08")


def test_a_limit_over_the_spring_festival_of_2020_is_redated_when_it_is_extended() -> None:
    limit, start = a_limit(10), noon("2020-01-20")
    before = bundled().with_year(version(2020, 1))
    after = before.with_year(version(2020, 2))

    assert before.due(start, limit) == end_of("2020-02-07")
    assert after.due(start, limit) == end_of("2020-02-11")
    assert before.explain(start, limit).calendar_version == "2020v1"
    assert after.explain(start, limit).calendar_version == "2020v2"
    assert bundled().in_force(2020).notice == "国办发明电〔2020〕1号"


def test_the_extension_of_2020_takes_back_a_make_up_day() -> None:
    first, second = version(2020, 1), version(2020, 2)
    changed = [
        day for day in days_of(2020) if first.is_working_day(day) != second.is_working_day(day)
    ]

    assert changed == [date(2020, 1, 31), date(2020, 2, 1)]
    assert first.reason(date(2020, 2, 1)) == "调休上班"
    assert second.reason(date(2020, 2, 1)) == "春节放假"
    assert bundled().deadline(noon("2020-01-23"), 1) == end_of("2020-02-03")


def test_a_year_is_provisional_until_its_notice_is_imported() -> None:
    start = noon("2026-12-31")
    limit = a_limit(5)
    notice = parse_year(
        a_document(
            days_off={"2027-01-01": "元旦", "2027-01-04": "元旦"}, working_weekends=["2027-01-10"]
        ),
        where="2027.json",
    )

    provisional = bundled().explain(start, limit)
    official = bundled().with_year(notice).explain(start, limit)

    assert (provisional.provisional, provisional.calendar_version) == (True, "2026v1+2027v0")
    assert (official.provisional, official.calendar_version) == (False, "2026v1+2027v1")
    assert provisional.due == end_of("2027-01-08")
    assert official.due == end_of("2027-01-10")


def test_beyond_the_last_known_lunar_year_only_fixed_days_are_off() -> None:
    assert sorted(statutory_year(2036).days_off) == [
        date(2036, month, day) for month, day in [(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)]
    ]
    assert bundled().is_provisional(date(2036, 1, 1), date(2036, 1, 2))


@pytest.mark.parametrize("day", [date(2003, 12, 31), date(1997, 7, 1)])
def test_days_before_2004_are_refused(day: date) -> None:
    with pytest.raises(CalendarNotCovered):
        bundled().is_working_day(day)
    with pytest.raises(CalendarNotCovered):
        bundled().version_for(day, date(2004, 1, 2))


def test_a_past_year_that_a_calendar_lacks_is_refused_not_guessed() -> None:
    only_2026 = WorkingCalendar(years={2026: version(2026, 1)})

    with pytest.raises(CalendarNotCovered):
        only_2026.is_working_day(date(2024, 5, 6))


def test_a_limit_that_would_run_past_the_calendar_is_refused() -> None:
    with pytest.raises(CalendarNotCovered):
        bundled().deadline(datetime(9999, 12, 30, tzinfo=UTC), 5)


@pytest.mark.parametrize("n", [0, -1, 10_001])
@pytest.mark.parametrize("unit", Unit)
def test_a_limit_of_no_days_or_of_far_too_many_is_refused(unit: Unit, n: int) -> None:
    with pytest.raises(BadLimit):
        bundled().due(noon("2026-03-02"), a_limit(n, unit))
    with pytest.raises(BadLimit):
        bundled().deadline(noon("2026-03-02"), n)


@pytest.mark.parametrize("unit", Unit)
def test_a_moment_without_a_zone_is_refused(unit: Unit) -> None:
    naive = noon("2026-03-02").replace(tzinfo=None)

    with pytest.raises(NaiveMoment):
        bundled().due(naive, a_limit(1, unit))
    with pytest.raises(NaiveMoment):
        bundled().overdue_working_days(naive, noon("2026-03-02"))


def test_hours_run_on_through_the_holiday() -> None:
    start = datetime.fromisoformat("2026-09-30T18:30:00+08:00")

    explained = bundled().explain(start, a_limit(24, Unit.HOURS))

    assert explained.due.isoformat() == "2026-10-01T18:30:00+08:00"
    assert [day.day for day in explained.days] == [date(2026, 9, 30), date(2026, 10, 1)]
    assert all(day.counted and day.number is None for day in explained.days)
    assert explained.rule == (
        "自2026年9月30日18时30分起24小时，连续计算，不扣除休息日和节假日，至2026年10月1日18时30分止"
    )


@pytest.mark.parametrize(
    ("start", "amount", "due"),
    [
        pytest.param("2026-03-02", 15, "2026-03-17", id="末日为工作日"),
        pytest.param("2026-03-02", 5, "2026-03-09", id="末日为周六，顺延至周一"),
        pytest.param("2026-09-20", 15, "2026-10-08", id="末日在国庆假期，顺延至假后"),
        pytest.param("2026-10-03", 7, "2026-10-10", id="末日为调休上班的周六"),
    ],
)
def test_a_limit_in_natural_days(start: str, amount: int, due: str) -> None:
    assert bundled().due(noon(start), a_limit(amount, Unit.NATURAL_DAYS)) == end_of(due)


def test_each_working_day_is_explained() -> None:
    explained = bundled().explain(noon("2026-09-24"), a_limit(3))

    assert [(day.day.isoformat()[5:], day.number, day.reason) for day in explained.days] == [
        ("09-24", None, "起算日不计入"),
        ("09-25", None, "中秋节放假"),
        ("09-26", None, "中秋节放假"),
        ("09-27", None, "中秋节放假"),
        ("09-28", 1, "工作日"),
        ("09-29", 2, "工作日"),
        ("09-30", 3, "工作日"),
    ]
    assert [day.counted for day in explained.days] == [False] * 4 + [True] * 3
    assert explained.calendar_version == "2026v1"
    assert explained.rule == (
        "自2026年9月24日起3个工作日（含本数），起算日不计入，至第3个工作日24时止"
    )


def test_weekends_and_make_up_days_are_explained() -> None:
    explained = bundled().explain(noon("2026-09-18"), a_limit(2))

    assert [day.reason for day in explained.days] == [
        "起算日不计入",
        "周六休息",
        "调休上班",
        "工作日",
    ]


def test_each_natural_day_is_explained() -> None:
    explained = bundled().explain(noon("2026-10-07"), a_limit(4, Unit.NATURAL_DAYS))

    assert [(day.day.day, day.number, day.reason) for day in explained.days] == [
        (7, None, "起算日不计入"),
        (8, 1, "自然日"),
        (9, 2, "自然日"),
        (10, 3, "自然日"),
        (11, 4, "周日休息，期限届满日顺延"),
        (12, None, "顺延至此日届满"),
    ]
    assert "顺延至其后第一个工作日" in explained.rule


def test_a_span_names_every_table_it_used() -> None:
    assert bundled().version_for(date(2018, 12, 28), date(2020, 1, 2)) == "2018v2+2019v2+2020v2"
    assert not bundled().is_provisional(date(2018, 12, 28), date(2026, 12, 31))


def test_a_good_notice_is_read_and_written_back() -> None:
    document = a_document()

    assert to_document(parse_year(document, where="2027.json")) == document


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"year": 2003}, "year 应为不小于 2004 的整数，现为 2003"),
        ({"year": "2027"}, "year 应为不小于 2004 的整数，现为 '2027'"),
        ({"version": 0}, "version 应为不小于 1 的整数，现为 0"),
        ({"version": True}, "version 应为不小于 1 的整数，现为 True"),
        ({"status": "final"}, "status 应为 official 或 provisional，现为 'final'"),
        ({"notice": " "}, "notice 应写明通知的文号或标题，现为 ' '"),
        ({"published_on": "2026/11/05"}, "published_on：'2026/11/05' 不是日期，应形如 2020-01-31"),
        ({"days_off": ["2027-01-01"]}, "days_off 应为“日期：节日名称”的对照"),
        ({"days_off": {"2027-02-30": "春节"}}, "days_off：'2027-02-30' 不是日期"),
        ({"days_off": {"20270101": "元旦"}}, "days_off：'20270101' 不是日期，应形如 2020-01-31"),
        ({"days_off": {"2027-01-01": ""}}, "days_off：2027-01-01 没有节日名称"),
        ({"days_off": {"2026-12-31": "元旦"}}, "days_off：2026-12-31 不在 2027 年"),
        ({"working_weekends": "2027-01-10"}, "working_weekends 应为日期的列表"),
        ({"working_weekends": [20270110]}, "working_weekends：20270110 不是日期"),
        ({"working_weekends": ["2026-12-27"]}, "working_weekends：2026-12-27 不在 2027 年"),
        ({"working_weekends": ["2027-01-11"]}, "2027-01-11 是周一，调休上班日只能是周六或周日"),
        ({"working_weekends": ["2027-01-10"] * 2}, "working_weekends：2027-01-10 重复"),
        ({"working_weekends": ["2027-01-02"]}, "2027-01-02 既列为放假又列为调休上班"),
        ({"holidays": {}}, "不认识的键 'holidays'"),
    ],
)
def test_a_bad_notice_is_refused_with_its_fault(changes: dict[str, Any], fault: str) -> None:
    (found,) = faults_of(a_document(**changes))

    assert fault in found


def test_a_bad_notice_is_refused_with_all_its_faults() -> None:
    document = a_document(version=0, days_off={"x": "元旦"}, working_weekends=["2027-01-11"])
    del document["notice"]

    assert len(faults_of(document)) == 4


def test_refusals_are_kinds_a_caller_can_be_told() -> None:
    assert all(issubclass(each, BadInput) for each in (BadCalendar, BadLimit, NaiveMoment))
    assert issubclass(CalendarNotCovered, Refusal)
