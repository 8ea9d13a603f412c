"""Attribution of an overdue case, and the two people of a red-line case."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import pytest

from tongban_common.working_days import SHANGHAI
from tongban_scoring.domain.entries import (
    RESPONSIBILITY_NAMES,
    AttributionMissing,
    Entry,
    Evidence,
    NotAttributable,
    Responsibility,
    State,
)
from tongban_scoring.domain.red_lines import (
    MOVES,
    Case,
    CaseState,
    DecidedAlready,
    GroundsMissing,
    SamePerson,
)
from tongban_scoring.store.policies import RULE_BOOK

BOOK = RULE_BOOK.packaged().book()
SEEN = Evidence(text="值班记录第7号")
ELSEWHERE = [each for each in Responsibility if each is not Responsibility.WINDOW]


def proposed(rule: str) -> Entry:
    return Entry(
        id=UUID(int=1),
        window_code="W1",
        rule_id=rule,
        amount=Decimal(1),
        quantity=Decimal(3),
        occurred_at=datetime(2026, 7, 1, 10, tzinfo=SHANGHAI),
        fact="case:1",
        source="event-1",
        state=State.PROPOSED,
        rule=BOOK.rule(rule).wording,
    )


def test_every_responsibility_has_a_name() -> None:
    assert set(RESPONSIBILITY_NAMES) == set(Responsibility)


@pytest.mark.parametrize("responsibility", [None, *ELSEWHERE])
def test_an_overdue_case_is_confirmed_against_its_window_only(
    responsibility: Responsibility | None,
) -> None:
    with pytest.raises(AttributionMissing):
        proposed("S3-3").confirm(SEEN, responsibility)


def test_what_is_attributed_to_the_window_counts() -> None:
    entry = proposed("S3-3").attribute(Responsibility.WINDOW, SEEN)

    assert (entry.state, entry.responsibility) == (State.CONFIRMED, Responsibility.WINDOW)


@pytest.mark.parametrize("responsibility", ELSEWHERE)
def test_what_is_attributed_elsewhere_does_not(responsibility: Responsibility) -> None:
    entry = proposed("S3-3").attribute(responsibility, SEEN)

    assert (entry.state, entry.responsibility) == (State.REJECTED, responsibility)


def test_other_candidates_are_confirmed_without_attribution() -> None:
    with pytest.raises(NotAttributable):
        proposed("S3-7a").attribute(Responsibility.WINDOW, SEEN)
    assert proposed("S3-7a").confirm(SEEN).responsibility is None


def a_case(state: CaseState = CaseState.SUSPECTED, opened_by: str | None = "i-1") -> Case:
    return Case(
        id=UUID(int=1),
        red_line_id="RL1",
        label="有吃拿等不廉洁行为",
        window_code="W1",
        staff_code="K1",
        state=state,
        opened_by=opened_by,
    )


@pytest.mark.parametrize("target", CaseState)
@pytest.mark.parametrize("state", CaseState)
def test_a_case_is_decided_once(state: CaseState, target: CaseState) -> None:
    if target in MOVES[state]:
        assert a_case(state).decide(target, actor="i-2", grounds=SEEN).state is target
    else:
        with pytest.raises(DecidedAlready):
            a_case(state).decide(target, actor="i-2", grounds=SEEN)


@pytest.mark.parametrize("target", [CaseState.UPHELD, CaseState.DISMISSED])
def test_who_opened_a_case_does_not_decide_it(target: CaseState) -> None:
    with pytest.raises(SamePerson):
        a_case().decide(target, actor="i-1", grounds=SEEN)


def test_a_case_is_decided_on_grounds() -> None:
    with pytest.raises(GroundsMissing):
        a_case().decide(CaseState.UPHELD, actor="i-2", grounds=Evidence(text=" "))


def test_a_case_that_a_scorecard_opened_is_decided_by_an_inspector() -> None:
    case = a_case(opened_by=None)

    assert case.decide(CaseState.UPHELD, actor="i-1", grounds=SEEN).state is CaseState.UPHELD
