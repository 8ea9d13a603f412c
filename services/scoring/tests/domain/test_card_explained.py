"""What a card says of reversals, of bounds, of rules that are gone, and of points lost whole."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import count
from uuid import UUID

import pytest

from tongban_common.working_days import SHANGHAI
from tongban_scoring.domain.card import Paid, Scorecard, compute, rank
from tongban_scoring.domain.entries import Entry, State
from tongban_scoring.domain.rules import RuleBook, Side
from tongban_scoring.store.policies import RULE_BOOK

BOOK = RULE_BOOK.packaged().book()
AnEntry = Callable[..., Entry]


@pytest.fixture
def an_entry() -> AnEntry:
    numbers = count(1)

    def build(
        rule: str,
        *,
        quantity: str = "1",
        staff: str | None = None,
        state: State = State.CONFIRMED,
        reverses: UUID | None = None,
    ) -> Entry:
        number = next(numbers)
        return Entry(
            id=UUID(int=number),
            window_code="W1",
            rule_id=rule,
            amount=BOOK.rule(rule).amount,
            quantity=Decimal(quantity),
            occurred_at=datetime(2026, 7, 1, 10, tzinfo=SHANGHAI),
            fact=f"fact-{number}",
            source=f"event-{number}",
            state=state,
            staff_code=staff,
            reverses=reverses,
            rule=BOOK.rule(rule).wording,
        )

    return build


def paid(points: str) -> Paid:
    return Paid(period_code="2026Q2", label="迟到、早退", clause="（十）", points=Decimal(points))


@pytest.mark.parametrize(
    ("rule", "points", "score", "formula", "note"),
    [
        pytest.param(
            "S4-10",
            "-1",
            "101",
            "100 + 0 − 0 + 1（冲销以前周期） = 101",
            "冲销2026Q2周期的记录，退还原扣1分",
            id="退还扣分",
        ),
        pytest.param(
            "B6",
            "1",
            "99",
            "100 + 0 − 0 − 1（冲销以前周期） = 99",
            "冲销2026Q2周期的记录，收回原加1分",
            id="收回加分",
        ),
        pytest.param(
            "BASE-7.2",
            "0",
            "100",
            "100 + 0 − 0 = 100",
            "冲销2026Q2周期的记录，退还原扣0分",
            id="当时未计分",
        ),
    ],
)
def test_a_reversal_gives_back_what_the_entry_cost_on_an_earlier_card(
    an_entry: AnEntry, rule: str, points: str, score: str, formula: str, note: str
) -> None:
    wrong = UUID(int=99)

    card = compute(BOOK, [an_entry(rule, reverses=wrong)], {wrong: paid(points)})

    (line,) = card.lines
    assert (line.side, line.points, line.notes) == (Side.CORRECTION, -Decimal(points), (note,))
    assert (card.score, card.formula) == (Decimal(score), formula)
    assert card.bonus == card.deduction == 0
    assert card.correction == -Decimal(points)


def test_a_reversal_that_is_not_confirmed_or_that_no_card_holds_gives_back_nothing(
    an_entry: AnEntry,
) -> None:
    wrong = UUID(int=99)
    undecided = an_entry("S5-5", reverses=wrong, state=State.PROPOSED)

    assert compute(BOOK, [undecided], {wrong: paid("-4")}).score == 100
    assert compute(BOOK, [an_entry("S5-5", reverses=wrong)]).lines == []


def test_what_is_given_back_is_no_new_absence(an_entry: AnEntry) -> None:
    wrong = UUID(int=99)
    reversal = an_entry("S4-11", quantity="4", staff="K1", reverses=wrong)

    assert compute(BOOK, [reversal], {wrong: paid("-4")}).red_line_cases == []


@pytest.mark.parametrize(
    ("book", "rule", "quantity", "formula"),
    [
        pytest.param(BOOK, "S3-5", "120", "100 + 0 − 120 = −20，按不低于0分计0", id="下限"),
        pytest.param(
            replace(BOOK, ceiling=Decimal(101)),
            "B6",
            "1",
            "100 + 2 − 0 = 102，按不高于101分计101",
            id="上限",
        ),
        pytest.param(BOOK, "S3-5", "100", "100 + 0 − 100 = 0", id="恰为下限"),
        pytest.param(
            replace(BOOK, floor=None), "S3-5", "120", "100 + 0 − 120 = −20", id="不设下限"
        ),
    ],
)
def test_the_formula_says_where_a_bound_acts(
    an_entry: AnEntry, book: RuleBook, rule: str, quantity: str, formula: str
) -> None:
    assert compute(book, [an_entry(rule, quantity=quantity)]).formula == formula


def test_an_entry_of_a_rule_that_the_book_lost_keeps_its_amount_and_says_so(
    an_entry: AnEntry,
) -> None:
    newer = replace(BOOK, rules={key: each for key, each in BOOK.rules.items() if key != "S5-5"})

    card = compute(newer, [an_entry("S5-5", quantity="2"), an_entry("S5-3")])

    assert card.score == 91
    lost = next(line for line in card.lines if line.rule_id == "S5-5")
    assert lost.label == "工作时间打游戏"
    assert lost.notes[-1] == "细则新版已无此条，按原分值计"


@pytest.mark.parametrize(
    ("rules", "deduction"),
    [
        pytest.param(["BASE-9.2a"], 6, id="诫勉教育"),
        pytest.param(["BASE-9.2d"], 10, id="行政处分"),
        pytest.param(["BASE-9.2a", "BASE-9.2b"], 8, id="两次追责只失一次"),
        pytest.param(["BASE-8.1"], 1, id="不是追责"),
    ],
)
def test_any_accountability_loses_the_five_points_whole(
    an_entry: AnEntry, rules: list[str], deduction: int
) -> None:
    entries = [an_entry(rule) for rule in rules]

    card = compute(BOOK, entries)

    assert card.deduction == deduction
    lost = [line for line in card.lines if line.rule_id == "BASE-9.1"]
    assert all("该项5分不得" in line.notes[0] for line in lost)
    assert compute(replace(BOOK, forfeit=None), entries).deduction == deduction - 5 * len(lost)


def test_an_accountability_that_a_graver_rule_covers_loses_nothing_more(an_entry: AnEntry) -> None:
    graver = an_entry("S3-7b")
    covered = replace(an_entry("BASE-9.2b"), fact=graver.fact)

    assert compute(BOOK, [graver, covered]).deduction == 5


def test_equal_scores_stand_by_fewer_overdue_matters_then_by_more_handled(
    an_entry: AnEntry,
) -> None:
    overdue = compute(BOOK, [an_entry("S3-5")])
    other = compute(BOOK, [an_entry("S5-3")])

    assert overdue.score == other.score
    assert (overdue.overdue, other.overdue) == (1, 0)
    standings = [_standing(card, n) for card, n in [(overdue, 9), (other, 2), (other, 3)]]
    assert rank([*standings, standings[1]]) == [4, 2, 1, 2]


def _standing(card: Scorecard, handled: int) -> tuple[Decimal, int, int]:
    return card.standing(handled)
