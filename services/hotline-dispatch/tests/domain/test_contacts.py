from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from tongban_common.working_days import SHANGHAI, Limit, Unit, bundled
from tongban_hotline_dispatch.domain.contacts import (
    CHANGE_NAMES,
    ROLE_NAMES,
    AlreadyEnded,
    Change,
    ChangeInFuture,
    Contact,
    ContactRole,
    ContactRules,
    EndBeforeStart,
    Filing,
    NotTheSamePost,
    Person,
    RoleTaken,
    check_completed,
    mask_email,
    quarter_of,
)

INSTANT = timedelta(microseconds=1)
RULES = ContactRules(
    policy="hotline-contacts@1",
    filing=Limit(amount=10, unit=Unit.WORKING_DAYS, clause="安府办函〔2021〕45号第五条"),
    must_file=frozenset({ContactRole.LIAISON}),
    most={ContactRole.LEADER_IN_CHARGE: 1},
    needed=(ContactRole.LIAISON,),
    confirmation=Limit(amount=10, unit=Unit.WORKING_DAYS, clause="本系统默认"),
    nightly_hour=1,
    reasons={"urging": "催办"},
)


def a_contact(role: ContactRole = ContactRole.LIAISON, unit: str = "A3") -> Contact:
    return Contact(
        id=UUID(int=1),
        unit_code=unit,
        role=role,
        person=Person(name="张三丰"),
        valid_from=date(2026, 9, 1),
    )


def a_filing(completed_on: date, filed_at: datetime) -> Filing:
    return Filing(
        id=UUID(int=2),
        change=Change.APPOINTED,
        completed_on=completed_on,
        filed_at=filed_at,
        filed_by="u-1",
        term=RULES.filing_term(ContactRole.LIAISON, completed_on, bundled()),
    )


@pytest.mark.parametrize(
    ("completed_on", "last_day"),
    [
        (date(2025, 9, 26), date(2025, 10, 16)),  # 28 September and 11 October are worked
        (date(2026, 9, 21), date(2026, 10, 12)),  # 10 October is worked
        (date(2026, 9, 20), date(2026, 10, 10)),  # completed on a worked Sunday
        (date(2026, 10, 3), date(2026, 10, 20)),  # completed within the holiday
        (date(2026, 6, 1), date(2026, 6, 15)),
    ],
    ids=["2025国庆中秋调休", "2026国庆调休", "调休周日完成", "假期中完成", "平常"],
)
def test_the_ten_working_days_begin_after_the_day_of_completion_and_include_the_tenth(
    completed_on: date, last_day: date
) -> None:
    due = datetime.combine(last_day + timedelta(days=1), datetime.min.time(), SHANGHAI) - INSTANT

    assert not a_filing(completed_on, due).is_late
    assert a_filing(completed_on, due + INSTANT).is_late


def test_a_role_whose_change_need_not_be_filed_is_never_late() -> None:
    assert RULES.filing_term(ContactRole.KB_ADMIN, date(2026, 9, 1), bundled()) is None


def test_a_post_with_one_holder_takes_no_second_one() -> None:
    RULES.check_room(ContactRole.LEADER_IN_CHARGE, 0)
    RULES.check_room(ContactRole.LIAISON, 99)

    with pytest.raises(RoleTaken):
        RULES.check_room(ContactRole.LEADER_IN_CHARGE, 1)


def test_a_contact_holds_from_its_first_day_up_to_the_day_it_ended() -> None:
    ended = a_contact().ended(date(2026, 9, 21))

    held = [day for day in range(1, 31) if ended.is_active(date(2026, 9, day))]

    assert held == list(range(1, 21))
    assert not a_contact().is_active(date(2026, 8, 31))


def test_what_has_ended_neither_ends_nor_changes_again() -> None:
    ended = a_contact().ended(date(2026, 9, 21))

    with pytest.raises(AlreadyEnded):
        ended.ended(date(2026, 9, 22))
    with pytest.raises(AlreadyEnded):
        ended.corrected(Person(name="李四"))
    with pytest.raises(EndBeforeStart):
        a_contact().ended(date(2026, 8, 31))


@pytest.mark.parametrize(
    "old",
    [a_contact(unit="A7"), a_contact(role=ContactRole.KB_ADMIN)],
    ids=["another unit", "another role"],
)
def test_only_the_same_post_of_the_same_unit_is_taken_over(old: Contact) -> None:
    a_contact().check_replaces(replace(a_contact(), id=UUID(int=3)))

    with pytest.raises(NotTheSamePost):
        a_contact().check_replaces(old)


def test_what_has_not_happened_yet_cannot_be_filed() -> None:
    now = datetime(2026, 9, 21, 0, 0, tzinfo=SHANGHAI)

    check_completed(date(2026, 9, 21), now)
    with pytest.raises(ChangeInFuture):
        check_completed(date(2026, 9, 22), now)


@pytest.mark.parametrize(
    ("after", "night"),
    [
        (datetime(2026, 9, 21, 0, 59, tzinfo=SHANGHAI), datetime(2026, 9, 21, 1, tzinfo=SHANGHAI)),
        (datetime(2026, 9, 21, 1, 0, tzinfo=SHANGHAI), datetime(2026, 9, 22, 1, tzinfo=SHANGHAI)),
        (datetime(2026, 9, 30, 23, 0, tzinfo=SHANGHAI), datetime(2026, 10, 1, 1, tzinfo=SHANGHAI)),
    ],
)
def test_the_next_night_is_always_later(after: datetime, night: datetime) -> None:
    assert RULES.next_night(after) == night


def test_quarters_and_masked_addresses() -> None:
    assert [quarter_of(date(2026, month, 1)) for month in (1, 3, 4, 9, 10, 12)] == [
        "2026Q1",
        "2026Q1",
        "2026Q2",
        "2026Q3",
        "2026Q4",
        "2026Q4",
    ]
    assert mask_email("zhang@example.com") == "z****@example.com"


def test_every_role_and_every_change_has_a_name() -> None:
    assert set(ROLE_NAMES) == set(ContactRole)
    assert set(CHANGE_NAMES) == set(Change)
