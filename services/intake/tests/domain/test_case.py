"""The life of a case: moves, clocks, refusals and lateness."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_common.working_days import SHANGHAI, Limit, Unit, bundled
from tongban_intake.domain.case import (
    MOVES,
    Application,
    Case,
    Decision,
    DeliveryMethod,
    Grounds,
    GroundsMissing,
    IllegalMove,
    NotDecided,
    Overdue,
    RefusalReason,
    Result,
    Status,
    TooEarly,
    accept,
)
from tongban_intake.domain.catalogue import CaseKind, Item, ItemType, NotPublished
from tongban_intake.domain.deadlines import Clock, Limits, WarningRule, a_term

if TYPE_CHECKING:
    from collections.abc import Callable

CALENDAR = bundled()
WHEN = (datetime(2026, 1, 5), datetime(2026, 6, 30))  # noqa: DTZ001 - hypothesis adds the zone


def wd(amount: int) -> Limit:
    return Limit(amount=amount, unit=Unit.WORKING_DAYS, clause="测试")


LIMITS = Limits(
    version=1,
    decide=wd(20),
    instant=wd(1),
    delivery=wd(10),
    warning=WarningRule(units_before=1, ratio=Decimal("0.9")),
)
ITEM = Item(
    code="114401134554137174444TC12049000",
    version=3,
    name="食品经营许可",
    type=ItemType.PERMIT,
    unit_code="U1",
    case_kind=CaseKind.PROMISED,
    promise_limit=wd(5),
    published_on=date(2026, 1, 5),
)
APPLICATION = Application(
    case_id=UUID(int=1),
    number="114401134554137174444TC12049000202603020001",
    query_code="7K3MPQ2W",
    window_code="W1",
    staff_code="S1",
)
NOW = datetime(2026, 3, 2, 10, 0, tzinfo=SHANGHAI)
GRANTED = Decision(result=Result.APPROVED, at=NOW + timedelta(days=1))
REFUSED = Decision(
    result=Result.REFUSED,
    at=NOW + timedelta(days=1),
    grounds=Grounds(
        reason=RefusalReason.CONDITION_NOT_MET,
        text="经营场所不符合要求",
        remedy="可在六十日内申请行政复议，或者在六个月内提起行政诉讼",
    ),
)


def a_case(item: Item = ITEM, *, at: datetime = NOW) -> Case:
    return accept(APPLICATION, item, calendar=CALENDAR, limits=LIMITS, at=at)


def day(month: int, day_: int) -> datetime:
    return datetime(2026, month, day_, 23, 59, 59, 999999, tzinfo=SHANGHAI)


def test_accepting_starts_the_promise_and_the_legal_clock() -> None:
    case = a_case()

    assert case.status is Status.ACCEPTED
    assert case.promise.due_at == day(3, 9)
    assert case.legal.due_at == day(3, 30)
    assert case.running() == {Clock.PROMISE: case.promise, Clock.LEGAL: case.legal}
    assert (case.item_version, case.unit_code, case.version) == (3, "U1", 1)


def test_a_case_does_not_print_its_query_code() -> None:
    assert APPLICATION.query_code not in repr(APPLICATION) + repr(a_case())


def test_an_item_that_is_not_open_on_the_local_day_is_refused() -> None:
    eve = datetime(2026, 1, 4, 23, 59, tzinfo=SHANGHAI)

    with pytest.raises(NotPublished):
        a_case(at=eve)
    assert a_case(at=eve + timedelta(minutes=1)).status is Status.ACCEPTED


def test_a_promise_in_another_unit_is_never_due_after_the_legal_limit() -> None:
    legal = Limit(amount=20, unit=Unit.NATURAL_DAYS, clause="测试")
    item = replace(ITEM, legal_limit=legal, promise_limit=wd(20))

    case = a_case(item)

    assert case.promise == case.legal


def test_a_case_goes_from_acceptance_to_delivery() -> None:
    decided = a_case().decide(GRANTED, calendar=CALENDAR, limits=LIMITS)
    completed = decided.complete(at=NOW + timedelta(days=2))
    delivered = completed.deliver(DeliveryMethod.POSTED, at=NOW + timedelta(days=3))

    assert decided.delivery is not None
    assert decided.delivery.due_at == day(3, 17)
    assert set(decided.running()) == {Clock.PROMISE, Clock.DELIVERY}
    assert set(completed.running()) == {Clock.DELIVERY}
    assert delivered.running() == {}
    assert (delivered.status, delivered.version) == (Status.DELIVERED, 4)
    assert delivered.moved_at == NOW + timedelta(days=3)


def test_a_refusal_is_not_followed_by_the_limit_for_handing_over_a_licence() -> None:
    decided = a_case().decide(REFUSED, calendar=CALENDAR, limits=LIMITS)

    assert decided.delivery is None
    assert decided.complete(at=NOW + timedelta(days=2)).running() == {}


def test_a_refusal_states_its_grounds_and_a_grant_has_none() -> None:
    with pytest.raises(GroundsMissing):
        replace(REFUSED, grounds=None)
    with pytest.raises(GroundsMissing):
        replace(REFUSED, result=Result.APPROVED)


@pytest.mark.parametrize("status", Status)
def test_each_move_is_legal_from_one_state_only(status: Status) -> None:
    case = replace(a_case(), status=status)
    moves: dict[Status, Callable[[], Case]] = {
        Status.DECIDED: lambda: case.decide(GRANTED, calendar=CALENDAR, limits=LIMITS),
        Status.COMPLETED: lambda: case.complete(at=NOW + timedelta(days=2)),
        Status.DELIVERED: lambda: case.deliver(
            DeliveryMethod.ELECTRONIC, at=NOW + timedelta(days=2)
        ),
    }

    for target, move in moves.items():
        if target in MOVES[status]:
            assert move().status is target
        else:
            with pytest.raises(IllegalMove):
                move()


def test_a_case_has_no_decision_before_it_is_made() -> None:
    case = a_case()

    with pytest.raises(NotDecided):
        _ = case.made_decision
    decided = case.decide(GRANTED, calendar=CALENDAR, limits=LIMITS)
    assert decided.made_decision == GRANTED


def test_the_table_of_moves_is_complete() -> None:
    assert set(MOVES) == set(Status)
    assert set().union(*MOVES.values()) == set(Status) - {Status.ACCEPTED}


def test_no_step_lies_before_the_one_before_it() -> None:
    decided = a_case().decide(GRANTED, calendar=CALENDAR, limits=LIMITS)

    with pytest.raises(TooEarly):
        a_case().decide(replace(GRANTED, at=NOW - timedelta(1)), calendar=CALENDAR, limits=LIMITS)
    with pytest.raises(TooEarly):
        decided.complete(at=NOW)


@pytest.mark.parametrize(
    ("completed_at", "overdue"),
    [
        pytest.param(day(3, 9), Overdue(is_overdue=False, working_days=0), id="第五日终，按期"),
        pytest.param(
            datetime(2026, 3, 10, 0, 0, tzinfo=SHANGHAI),
            Overdue(is_overdue=True, working_days=1),
            id="第六日零时，逾期",
        ),
        pytest.param(day(3, 16), Overdue(is_overdue=True, working_days=5), id="逾期五个工作日"),
        pytest.param(day(3, 15), Overdue(is_overdue=True, working_days=4), id="周末不计"),
    ],
)
def test_lateness_counts_working_days_after_the_promise(
    completed_at: datetime, overdue: Overdue
) -> None:
    decided = a_case().decide(GRANTED, calendar=CALENDAR, limits=LIMITS)

    assert decided.overdue(CALENDAR, at=completed_at) == overdue
    completed = decided.complete(at=completed_at)
    assert completed.overdue(CALENDAR, at=day(12, 31)) == overdue


@pytest.mark.parametrize("clock", Clock)
def test_a_new_calendar_moves_one_clock_and_no_other(clock: Clock) -> None:
    case = a_case().decide(GRANTED, calendar=CALENDAR, limits=LIMITS)
    term = a_term(CALENDAR, wd(33), start_at=NOW)

    moved = case.redated(clock, term)

    before = {Clock.PROMISE: case.promise, Clock.LEGAL: case.legal, Clock.DELIVERY: case.delivery}
    after = {Clock.PROMISE: moved.promise, Clock.LEGAL: moved.legal, Clock.DELIVERY: moved.delivery}
    assert after == {**before, clock: term}


@given(
    promise=st.integers(1, 40),
    spare=st.integers(0, 40),
    start=st.datetimes(*WHEN, timezones=st.just(SHANGHAI)),
    later=st.timedeltas(timedelta(0), timedelta(days=90)),
)
def test_a_case_is_never_late_before_its_promise_nor_promised_after_its_limit(
    promise: int, spare: int, start: datetime, later: timedelta
) -> None:
    item = replace(ITEM, promise_limit=wd(promise), legal_limit=wd(promise + spare))
    case = a_case(item, at=start)

    overdue = case.overdue(CALENDAR, at=start + later)

    assert case.promise.due_at <= case.legal.due_at
    assert overdue.is_overdue == (start + later > case.promise.due_at)
    assert overdue.working_days >= 0
    assert overdue.is_overdue or overdue.working_days == 0
