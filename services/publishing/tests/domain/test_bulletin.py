from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tongban_common.working_days import SHANGHAI
from tongban_publishing.domain.bulletin import (
    MOVES,
    STATUS_NAMES,
    Bulletin,
    IllegalMove,
    ReasonMissing,
    SamePerson,
    Status,
    index_number,
    title_of,
)

AT = datetime(2026, 7, 10, 9, 0, tzinfo=SHANGHAI)
DO: dict[Status, Any] = {
    Status.DRAFT: lambda each: each.redrafted(each),
    Status.REVIEWED: lambda each: each.review(by="r-1", at=AT),
    Status.PUBLISHED: lambda each: each.approve(by="a-1", at=AT, index_no="X/202607-00001"),
    Status.WITHDRAWN: lambda each: each.withdraw(reason="数据有误", at=AT),
}


def in_status(status: Status) -> Bulletin:
    return Bulletin(
        id=UUID(int=1),
        period_id=UUID(int=2),
        period_code="2026Q2",
        starts_on=date(2026, 4, 1),
        ends_on=date(2026, 6, 30),
        title="通报",
        scores=(),
        drafted_at=AT,
        due_at=AT + timedelta(days=5),
        status=status,
        reviewed_by=None if status is Status.DRAFT else "r-1",
    )


@pytest.mark.parametrize("target", DO)
@pytest.mark.parametrize("source", Status)
def test_every_move_is_in_the_table_or_refused(source: Status, target: Status) -> None:
    found = in_status(source)

    if target in MOVES[source]:
        moved = DO[target](found)
        assert (moved.status, moved.version) == (target, found.version + 1)
        return
    with pytest.raises(IllegalMove) as refused:
        DO[target](found)
    assert STATUS_NAMES[source] in refused.value.message


def test_no_status_is_missing_from_the_tables() -> None:
    assert set(MOVES) == set(STATUS_NAMES) == set(Status)
    assert {target for targets in MOVES.values() for target in targets} == set(DO)


def test_the_reviewer_may_not_approve() -> None:
    with pytest.raises(SamePerson) as refused:
        in_status(Status.REVIEWED).approve(by="r-1", at=AT, index_no="X/202607-00001")

    assert refused.value.code == "publishing.same_person"


@pytest.mark.parametrize("reason", ["", " ", "\n\t\u3000"])
def test_nothing_is_withdrawn_without_a_reason(reason: str) -> None:
    with pytest.raises(ReasonMissing):
        in_status(Status.PUBLISHED).withdraw(reason=reason, at=AT)


def test_a_withdrawal_keeps_what_was_published() -> None:
    published = DO[Status.PUBLISHED](in_status(Status.REVIEWED))

    withdrawn = published.withdraw(reason=" 数据有误 ", at=AT)

    assert (withdrawn.title, withdrawn.index_no) == (published.title, published.index_no)
    assert (withdrawn.withdrawal, withdrawn.withdrawn_at) == ("数据有误", AT)


def test_a_bulletin_is_late_only_after_its_last_instant() -> None:
    draft = in_status(Status.DRAFT)
    published = DO[Status.PUBLISHED](in_status(Status.REVIEWED))

    assert not draft.is_overdue(draft.due_at)
    assert draft.is_overdue(draft.due_at + timedelta(microseconds=1))
    assert not published.is_overdue(draft.due_at + timedelta(days=99))


def test_a_new_due_moment_is_nobodys_move() -> None:
    later = AT + timedelta(days=9)

    moved = in_status(Status.DRAFT).rescheduled(later)

    assert (moved.due_at, moved.version) == (later, 1)


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("2026Q2", "2026年第2季度政务服务窗口考核通报"),
        ("2019Q4", "2019年第4季度政务服务窗口考核通报"),
        ("2026-H1", "政务服务窗口考核通报（2026年4月1日至2026年6月30日）"),
        ("2026Q5", "政务服务窗口考核通报（2026年4月1日至2026年6月30日）"),
        ("Q2", "政务服务窗口考核通报（2026年4月1日至2026年6月30日）"),
    ],
)
def test_the_title_says_which_period(code: str, title: str) -> None:
    assert title_of(code, date(2026, 4, 1), date(2026, 6, 30)) == title


@pytest.mark.parametrize(("serial", "number"), [(1, "X/202607-00001"), (12345, "X/202607-12345")])
def test_the_index_number_names_publisher_month_and_serial(serial: int, number: str) -> None:
    assert index_number("X", date(2026, 7, 9), serial) == number
