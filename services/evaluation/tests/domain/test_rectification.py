"""The life of a rectification: moves, clocks, the second hearing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from tongban_common.working_days import CalendarYear, WorkingCalendar
from tongban_common.working_days import Status as NoticeStatus
from tongban_evaluation.domain.deadlines import Grade, Stage, Term
from tongban_evaluation.domain.invitation import Invitation
from tongban_evaluation.domain.rectification import (
    MOVES,
    Answer,
    CauseMissing,
    Findings,
    IllegalMove,
    NothingToRectify,
    NotRectified,
    Outcome,
    Rectification,
    RootCause,
    Rules,
    Status,
    open_for,
    verification,
)
from tongban_evaluation.domain.review import Opinion, write
from tongban_evaluation.domain.tags import Scale

TRUE = Findings(
    is_factual=True,
    is_reasonable=True,
    note="情况属实",
    root_cause=RootCause.EFFICIENCY,
    grade=Grade.SIMPLE,
)
UNTRUE = Findings(is_factual=False, is_reasonable=True, note="监控显示当时窗口有人值守")


@pytest.fixture
def opened(invitation: Invitation, scale: Scale, rules: Rules, now: datetime) -> Rectification:
    opinion = Opinion(level=2, tags=["209"])
    review = write(opinion, invitation, review_id=UUID(int=3), scale=scale, at=now)
    clock = verification(rules, at=now)
    return open_for(review, rectification_id=UUID(int=4), limits_version=1, clock=clock)


def stage_of(rectification: Rectification) -> Stage | None:
    return None if rectification.clock is None else rectification.clock.stage


def due_of(rectification: Rectification) -> str | None:
    clock = rectification.clock
    return None if clock is None else clock.term.due_at.date().isoformat()


def test_the_table_of_moves_is_complete() -> None:
    assert set(MOVES) == set(Status)
    assert set().union(*MOVES.values()) == set(Status)


Action = Callable[[Rectification, Rules, datetime], Rectification]
ACTIONS: dict[str, tuple[Action, Status]] = {
    "verify": (lambda r, rules, at: r.verify(TRUE, rules=rules, at=at), Status.VERIFIED),
    "rectify": (lambda r, rules, at: r.rectify("调整窗口", rules=rules, at=at), Status.RECTIFIED),
    "call_back": (
        lambda r, rules, at: r.call_back(Answer.SATISFIED, rules=rules, at=at),
        Status.CALLED_BACK,
    ),
    "close": (lambda r, _, at: r.close(at=at), Status.CLOSED),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("status", Status)
def test_an_action_moves_only_from_the_states_of_the_table(
    opened: Rectification, rules: Rules, now: datetime, status: Status, action: str
) -> None:
    act, target = ACTIONS[action]
    findings = UNTRUE if (status, action) == (Status.VERIFIED, "call_back") else TRUE
    rectification = replace(opened, status=status, findings=findings)

    if target in MOVES[status]:
        moved = act(rectification, rules, now)
        assert (moved.status, moved.version) == (target, rectification.version + 1)
    else:
        with pytest.raises(IllegalMove):
            act(rectification, rules, now)


def test_opening_starts_the_clock_of_verification(opened: Rectification) -> None:
    assert (stage_of(opened), due_of(opened)) == (Stage.VERIFY, "2026-10-08")
    assert opened.level == 2
    assert (opened.unit_code, opened.window_code, opened.staff_code) == ("U1", "W1", "S1")


@pytest.mark.parametrize(
    ("grade", "due"),
    [
        pytest.param(Grade.SIMPLE, "2026-10-13", id="简单事项五个工作日"),
        pytest.param(Grade.COMPLEX, "2026-10-27", id="复杂事项十五个工作日"),
    ],
)
def test_a_substantiated_review_is_rectified_within_the_limit_of_its_grade(
    opened: Rectification, rules: Rules, now: datetime, grade: Grade, due: str
) -> None:
    verified = opened.verify(replace(TRUE, grade=grade), rules=rules, at=now)

    assert verified.is_substantiated
    assert (stage_of(verified), due_of(verified)) == (Stage.RECTIFY, due)


@pytest.mark.parametrize(
    ("is_factual", "is_reasonable"), [(False, False), (False, True), (True, False)]
)
def test_what_is_not_both_true_and_just_is_explained_instead_of_rectified(
    opened: Rectification, rules: Rules, now: datetime, is_factual: bool, is_reasonable: bool
) -> None:
    findings = replace(UNTRUE, is_factual=is_factual, is_reasonable=is_reasonable)

    verified = opened.verify(findings, rules=rules, at=now)

    assert not verified.is_substantiated
    assert (stage_of(verified), due_of(verified)) == (Stage.CALLBACK, "2026-10-10")
    with pytest.raises(NothingToRectify):
        verified.rectify("无", rules=rules, at=now)
    closed = verified.call_back(Answer.SATISFIED, rules=rules, at=now).close(at=now)
    assert (closed.status, closed.outcome) == (Status.CLOSED, Outcome.EXPLAINED)


@pytest.mark.parametrize(
    ("root_cause", "grade"),
    [(None, Grade.SIMPLE), (RootCause.ATTITUDE, None), (None, None)],
)
def test_a_substantiated_finding_names_its_cause_and_grade(
    root_cause: RootCause | None, grade: Grade | None
) -> None:
    with pytest.raises(CauseMissing):
        replace(TRUE, root_cause=root_cause, grade=grade)


def test_an_unsubstantiated_finding_has_no_cause() -> None:
    with pytest.raises(CauseMissing):
        replace(UNTRUE, root_cause=RootCause.ATTITUDE)


def test_a_substantiated_review_is_not_called_back_before_it_is_rectified(
    opened: Rectification, rules: Rules, now: datetime
) -> None:
    verified = opened.verify(TRUE, rules=rules, at=now)

    with pytest.raises(NotRectified):
        verified.call_back(Answer.SATISFIED, rules=rules, at=now)


@pytest.mark.parametrize("answer", [Answer.SATISFIED, Answer.UNREACHABLE])
def test_rectified_called_back_and_closed(
    opened: Rectification, rules: Rules, now: datetime, answer: Answer
) -> None:
    rectified = opened.verify(TRUE, rules=rules, at=now).rectify("调整窗口", rules=rules, at=now)
    called = rectified.call_back(answer, rules=rules, at=now)
    closed = called.close(at=now)

    assert (stage_of(rectified), due_of(rectified)) == (Stage.CALLBACK, "2026-10-10")
    assert (called.answer, called.clock) == (answer, None)
    assert (closed.outcome, closed.closed_at) == (Outcome.RECTIFIED, now)


def test_who_is_not_satisfied_is_heard_once_more_and_only_once(
    opened: Rectification, rules: Rules, now: datetime
) -> None:
    rectified = opened.verify(TRUE, rules=rules, at=now).rectify("调整窗口", rules=rules, at=now)

    again = rectified.call_back(Answer.UNSATISFIED, rules=rules, at=now)

    assert (again.status, again.hearing) == (Status.OPENED, 2)
    assert (again.version, again.answer) == (rectified.version + 1, Answer.UNSATISFIED)
    assert (again.findings, again.measures) == (None, None)
    assert (stage_of(again), due_of(again)) == (Stage.VERIFY, "2026-10-08")

    verified = again.verify(TRUE, rules=rules, at=now)
    assert due_of(verified) == "2026-10-15"  # 二次整改另有时限
    last = verified.rectify("再次整改", rules=rules, at=now).call_back(
        Answer.UNSATISFIED, rules=rules, at=now
    )
    assert (last.status, last.clock) == (Status.CALLED_BACK, None)


def test_a_corrected_notice_moves_the_running_clock(
    opened: Rectification, calendar: WorkingCalendar, now: datetime
) -> None:
    assert opened.clock is not None
    year = calendar.in_force(2026)
    longer = CalendarYear(
        year=2026,
        version=year.version + 1,
        status=NoticeStatus.OFFICIAL,
        notice="测试通知",
        published_on=None,
        days_off={**year.days_off, date(2026, 10, 8): "国庆节放假"},
        working_weekends=year.working_weekends,
    )
    term = Term.under(calendar.with_year(longer), opened.clock.term.limit, start_at=now)

    moved = opened.redated(term)

    assert (stage_of(moved), due_of(moved)) == (Stage.VERIFY, "2026-10-09")


def test_a_closed_rectification_has_no_clock_to_move(
    opened: Rectification, calendar: WorkingCalendar, rules: Rules, now: datetime
) -> None:
    stopped = replace(opened, clock=None)
    term = Term.under(calendar, rules.limits.verify, start_at=now + timedelta(days=1))

    assert stopped.redated(term) == stopped
