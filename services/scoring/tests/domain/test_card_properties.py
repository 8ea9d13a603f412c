"""What holds for every ledger, whatever is in it."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tongban_common.working_days import SHANGHAI
from tongban_scoring.domain.card import Scorecard, compute
from tongban_scoring.domain.entries import Entry, State
from tongban_scoring.domain.rules import CapPeriod, RuleBook, Side
from tongban_scoring.store.policies import RULE_BOOK

BOOK: RuleBook = RULE_BOOK.packaged().book()
START = datetime(2026, 7, 1, tzinfo=SHANGHAI)

drafts = st.tuples(
    st.sampled_from(sorted(BOOK.rules)),
    st.integers(min_value=0, max_value=92 * 48 - 1),  # half-hours of a quarter
    st.integers(min_value=1, max_value=12),
    st.sampled_from(["fact-1", "fact-2", "fact-3"]),
    st.sampled_from([None, "K1", "K2"]),
    st.sampled_from([State.CONFIRMED, State.CONFIRMED, State.CONFIRMED, State.PROPOSED]),
    st.sampled_from(["county", "city", "province", "national"]),
)


@st.composite
def ledgers(draw: st.DrawFn) -> list[Entry]:
    entries: list[Entry] = []
    for number, (rule, at, quantity, fact, staff, state, level) in enumerate(
        draw(st.lists(drafts, max_size=25)), start=1
    ):
        reverses = draw(st.sampled_from([None, None, None, *entries]))
        entries.append(
            Entry(
                id=UUID(int=number),
                window_code="W1",
                rule_id=rule,
                amount=BOOK.rule(rule).amount_for(level=level),
                quantity=Decimal(quantity),
                occurred_at=START + timedelta(minutes=30 * at),
                fact=fact,
                source=f"event-{number}",
                state=state,
                staff_code=staff,
                reverses=None if reverses is None else reverses.id,
            )
        )
    return entries


@given(ledger=ledgers(), data=st.data())
def test_the_order_of_the_entries_does_not_matter(ledger: list[Entry], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(ledger))

    assert compute(BOOK, shuffled) == compute(BOOK, ledger)


@given(ledger=ledgers())
def test_every_score_lies_above_the_floor_and_adds_up_from_its_lines(ledger: list[Entry]) -> None:
    card = compute(BOOK, ledger)

    assert BOOK.floor is not None
    assert card.score >= BOOK.floor
    assert card.bonus - card.deduction == sum((line.points for line in card.lines), Decimal(0))
    assert card.score == max(BOOK.floor, BOOK.start + card.bonus - card.deduction)
    assert card.bonus >= 0
    assert card.deduction >= 0


@given(ledger=ledgers())
@settings(max_examples=200)
def test_no_cap_is_ever_passed(ledger: list[Entry]) -> None:
    card = compute(BOOK, ledger)

    for rule in BOOK.rules.values():
        if rule.cap is None:
            continue
        for month in _months(card) if rule.cap.period is CapPeriod.MONTH else [""]:
            given_points = sum(
                line.points
                for line in card.lines
                if line.rule_id == rule.id and line.day.startswith(month)
            )
            assert given_points <= rule.cap.amount


@given(ledger=ledgers())
def test_no_line_has_the_wrong_sign_and_none_is_more_than_doubled(ledger: list[Entry]) -> None:
    for line in compute(BOOK, ledger).lines:
        plain = line.amount * line.quantity
        most = plain * BOOK.doubling.factor
        if line.side is Side.BONUS:
            assert 0 <= line.points <= plain
        else:
            assert -most <= line.points <= 0


@given(ledger=ledgers())
def test_what_is_reversed_leaves_no_trace(ledger: list[Entry]) -> None:
    reversed_ids = {
        each.reverses for each in ledger if each.state is State.CONFIRMED and each.reverses
    }
    without = [each for each in ledger if each.reverses is None and each.id not in reversed_ids]

    assert compute(BOOK, ledger) == compute(BOOK, without)


@given(ledger=ledgers())
def test_another_deduction_never_raises_the_score(ledger: list[Entry]) -> None:
    more = Entry(
        id=UUID(int=999),
        window_code="W1",
        rule_id="S3-5",
        amount=Decimal(1),
        quantity=Decimal(1),
        occurred_at=START,
        fact="fact-9",
        source="event-999",
        state=State.CONFIRMED,
    )

    assert compute(BOOK, [*ledger, more]).score <= compute(BOOK, ledger).score


def _months(card: Scorecard) -> set[str]:
    return {line.day[:7] for line in card.lines}
