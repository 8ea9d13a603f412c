"""The life of a ledger entry: proposed, then decided once, with evidence."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import pytest

from tongban_common.working_days import SHANGHAI
from tongban_scoring.domain.entries import (
    MOVES,
    STATE_NAMES,
    Entry,
    Evidence,
    EvidenceMissing,
    IllegalMove,
    State,
)

SEEN = Evidence(text="7月1日9时，二楼大厅，督查登记第12号", references=("sha256:1f",))
MOVE: dict[State, Callable[[Entry], Entry]] = {
    State.CONFIRMED: lambda entry: entry.confirm(SEEN),
    State.REJECTED: lambda entry: entry.reject(SEEN),
    State.EXPIRED: Entry.expire,
}


def an_entry(state: State) -> Entry:
    return Entry(
        id=UUID(int=1),
        window_code="W1",
        rule_id="S3-7a",
        amount=Decimal(1),
        quantity=Decimal(1),
        occurred_at=datetime(2026, 7, 1, 10, tzinfo=SHANGHAI),
        fact="review-1",
        source="event-1",
        state=state,
    )


def test_the_tables_are_complete() -> None:
    assert set(MOVES) == set(STATE_NAMES) == set(State)
    assert set(MOVE) == MOVES[State.PROPOSED]


@pytest.mark.parametrize("target", MOVE)
@pytest.mark.parametrize("state", State)
def test_only_what_is_proposed_can_be_decided(state: State, target: State) -> None:
    entry = an_entry(state)

    if state is State.PROPOSED:
        assert MOVE[target](entry).state is target
    else:
        with pytest.raises(IllegalMove):
            MOVE[target](entry)


@pytest.mark.parametrize("decide", [Entry.confirm, Entry.reject])
@pytest.mark.parametrize("text", ["", " \n　"])
def test_nothing_is_decided_without_evidence(
    decide: Callable[[Entry, Evidence], Entry], text: str
) -> None:
    with pytest.raises(EvidenceMissing):
        decide(an_entry(State.PROPOSED), Evidence(text=text))


def test_a_decision_keeps_what_proved_it() -> None:
    proposed = an_entry(State.PROPOSED)

    assert proposed.confirm(SEEN).evidence == SEEN
    assert proposed.reject(SEEN).evidence == SEEN
    assert proposed.evidence is None
