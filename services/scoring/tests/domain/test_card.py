"""The scorecard by the numbers: the worked examples of the rule book, and why each point counts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import count
from uuid import UUID

import pytest

from tongban_common.working_days import SHANGHAI
from tongban_scoring.domain.card import Line, Scorecard, compute, rank
from tongban_scoring.domain.entries import Entry, State
from tongban_scoring.domain.rules import Apply, RuleBook, UnknownRule
from tongban_scoring.store.policies import RULE_BOOK

AnEntry = Callable[..., Entry]
Vector = Callable[[AnEntry], list[Entry]]
BOOK = RULE_BOOK.packaged().book()
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return BOOK


@pytest.fixture
def an_entry() -> AnEntry:
    """A confirmed entry of a rule, on a day such as "07-01", about a fact of its own."""
    numbers = count(1)

    def build(
        rule: str,
        *,
        on: str = "07-01",
        quantity: str = "1",
        level: str | None = None,
        fact: str | None = None,
        staff: str | None = None,
        state: State = State.CONFIRMED,
        reverses: Entry | None = None,
    ) -> Entry:
        number = next(numbers)
        return Entry(
            id=UUID(int=number),
            window_code="W1",
            rule_id=rule,
            amount=BOOK.rule(rule).amount_for(level=level),
            quantity=Decimal(quantity),
            occurred_at=datetime.fromisoformat(f"2026-{on}T10:00").replace(tzinfo=SHANGHAI),
            fact=fact or f"fact-{number}",
            source=f"event-{number}",
            state=state,
            staff_code=staff,
            reverses=None if reverses is None else reverses.id,
        )

    return build


def two_overdue(entry: AnEntry, state: State) -> list[Entry]:
    """V1: one case a working day late, another three."""
    return [
        entry("BASE-7.2", fact="case-1"),
        entry("BASE-7.2", fact="case-2"),
        entry("S3-3", fact="case-1", quantity="1", state=state),
        entry("S3-3", fact="case-2", quantity="3", state=state),
    ]


def late(entry: AnEntry, *days: str) -> list[Entry]:
    return [entry("S4-10", on=day, staff="K1") for day in days]


def visits(entry: AnEntry, *days: str) -> list[Entry]:
    return [entry("B1", on=day) for day in days]


def praised(entry: AnEntry, **levels: str) -> list[Entry]:
    """One entry for each level, of the deed that it says."""
    return [entry("B5", level=level, fact=deed) for level, deed in levels.items()]


def whole_quarter(entry: AnEntry, state: State) -> list[Entry]:
    return [
        *two_overdue(entry, state),
        *late(entry, "07-01", "07-08", "07-15", "08-03"),
        entry("S3-7a", staff="K1"),
        entry("S4-18", on="09-30"),
        *visits(entry, "07-02", "07-09", "07-16", "07-23"),
        *praised(entry, county="deed", province="deed"),
        *(entry("B7") for _ in range(5)),
    ]


def overturned(entry: AnEntry) -> list[Entry]:
    entries = late(entry, "07-01", "07-08", "07-15", "08-03")
    return [*entries, entry("S4-10", staff="K1", reverses=entries[1])]


VECTORS: list[tuple[Vector, str]] = [
    (lambda entry: two_overdue(entry, State.PROPOSED), "98"),
    (lambda entry: two_overdue(entry, State.CONFIRMED), "96"),
    (lambda entry: late(entry, "07-01", "07-08", "07-15", "08-03"), "96.5"),
    (overturned, "98.5"),
    (lambda entry: visits(entry, "07-02", "07-09", "07-16", "07-23"), "100.3"),
    (lambda entry: visits(entry, "07-02", "07-09", "07-16", "07-23", "08-06"), "100.4"),
    (lambda entry: praised(entry, county="deed", province="deed"), "104"),
    (lambda entry: praised(entry, province="deed", national="other"), "110"),
    (lambda entry: [entry("B6") for _ in range(3)], "105"),
    (lambda entry: whole_quarter(entry, State.CONFIRMED), "95.8"),
    (lambda entry: whole_quarter(entry, State.PROPOSED), "97.8"),
    (lambda entry: [entry("S4-17a", staff="K1")], "99.5"),
    (lambda entry: [entry("S4-17b", staff="K1")], "99"),
    (lambda entry: [entry("S4-11", staff="K1", quantity="4")], "96"),
]
NAMES = [
    "V1-逾期未归责每件扣1分",
    "V1-窗口责任每超1个工作日扣1分",
    "V2-同一人一月三次以上加倍",
    "V2-申诉撤销一次后不再加倍",
    "V3-领导指导每月不超过0.3分",
    "V3-次月另计",
    "V4-同一件事就高不就低",
    "V4-表扬加分不超过10分",
    "V5-创造性成果不超过5分",
    "V6-全季合计",
    "V6-全季合计逾期未归责",
    "V7-离岗30至60分钟扣0.5分",
    "V7-离岗超过一小时扣1分",
    "V8-旷工四个半天扣4分",
]


@pytest.mark.parametrize(("entries", "score"), VECTORS, ids=NAMES)
def test_the_worked_examples(
    book: RuleBook, an_entry: AnEntry, entries: Vector, score: str
) -> None:
    assert compute(book, entries(an_entry)).score == Decimal(score)


def test_v2_only_the_third_and_later_are_doubled_where_a_city_says_so(
    book: RuleBook, an_entry: AnEntry
) -> None:
    from_third = replace(book, doubling=replace(book.doubling, apply=Apply.FROM_NTH))

    card = compute(from_third, late(an_entry, "07-01", "07-08", "07-15", "08-03"))

    assert card.score == Decimal("97.5")
    assert points(card) == ["-0.5", "-0.5", "-1.0", "-0.5"]
    assert ["加倍" in "".join(line.notes) for line in card.lines] == [False, False, True, False]


def test_v8_two_days_of_absence_open_a_red_line_case(book: RuleBook, an_entry: AnEntry) -> None:
    card = compute(book, [an_entry("S4-11", staff="K1", quantity="4")])

    assert [(case.red_line_id, case.staff_code) for case in card.red_line_cases] == [("RL2", "K1")]


def test_v8_one_absence_is_one_violation_and_three_in_a_month_are_doubled(
    book: RuleBook, an_entry: AnEntry
) -> None:
    absences = [an_entry("S4-11", staff="K1", quantity="2", on=f"07-0{day}") for day in (1, 6, 8)]

    assert compute(book, absences[:2]).deduction == 4
    assert compute(book, absences).deduction == 12


@pytest.mark.parametrize(
    ("absences", "is_opened"),
    [
        pytest.param([("K1", "3", "07-01")], False, id="不足2天"),
        pytest.param([("K1", "2", "07-01"), ("K1", "2", "09-01")], True, id="季度内累计"),
        pytest.param([("K1", "2", "07-01"), ("K2", "2", "07-01")], False, id="按人计"),
    ],
)
def test_absence_adds_up_by_person(
    book: RuleBook,
    an_entry: AnEntry,
    absences: list[tuple[str, str, str]],
    is_opened: bool,
) -> None:
    entries = [
        an_entry("S4-11", staff=staff, quantity=half_days, on=day)
        for staff, half_days, day in absences
    ]

    assert bool(compute(book, entries).red_line_cases) is is_opened


def test_a_window_without_entries_has_its_hundred_points(book: RuleBook) -> None:
    card = compute(book, [])

    assert (card.score, card.grade, len(card.lines)) == (Decimal(100), "优秀", 0)
    assert card.formula == f"100 + 0 {MINUS} 0 = 100"


def test_only_confirmed_entries_count(book: RuleBook, an_entry: AnEntry) -> None:
    entries = [
        an_entry("S5-5", state=state) for state in (State.PROPOSED, State.REJECTED, State.EXPIRED)
    ]

    assert compute(book, entries).lines == []


def test_a_rule_of_another_book_is_refused(book: RuleBook, an_entry: AnEntry) -> None:
    with pytest.raises(UnknownRule):
        compute(book, [replace(an_entry("S1-1"), rule_id="S9-9")])


def test_every_point_says_where_it_comes_from(book: RuleBook, an_entry: AnEntry) -> None:
    card = compute(book, [an_entry("S3-5", quantity="3", on="07-06")])

    line = card.lines[0]
    assert (line.rule_id, line.day, line.points) == ("S3-5", "2026-07-06", Decimal(-3))
    assert line.clause == book.rule("S3-5").clause
    assert line.notes == (f"3件·工作日 {TIMES} 1分",)
    assert card.formula == f"100 + 0 {MINUS} 3 = 97"


def test_what_was_left_out_of_a_group_says_for_which_rule(
    book: RuleBook, an_entry: AnEntry
) -> None:
    card = compute(book, two_overdue(an_entry, State.CONFIRMED))

    dropped = [line for line in card.lines if line.rule_id == "BASE-7.2"]

    assert points_of(dropped) == ["0", "0"]
    assert all("S3-3" in line.notes[-1] for line in dropped)


def test_the_praise_of_a_lower_level_is_shown_and_not_counted(
    book: RuleBook, an_entry: AnEntry
) -> None:
    card = compute(book, praised(an_entry, county="deed", province="deed"))

    assert sorted(points(card)) == ["0", "4"]


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        pytest.param(["S4-1", "S4-9", "S4-10", "S4-17b", "S4-11"], "S4-11", id="旷工最具体"),
        pytest.param(["S4-1", "S4-9", "S4-10", "S4-17b"], "S4-17b", id="离岗先于迟到早退"),
        pytest.param(["S4-1", "S4-9", "S4-10"], "S4-10", id="迟到早退先于请销假"),
        pytest.param(["S4-1", "S4-9"], "S4-9", id="请销假先于作息，尽管分值较小"),
        pytest.param(["BASE-9.2b", "S3-7b"], "S3-7b", id="通报批评与上级批评取较重"),
        pytest.param(["S3-2a", "S3-4", "S3-7a"], "S3-4", id="同一投诉取较重"),
        pytest.param(["S4-13a", "S4-13b"], "S4-13b", id="同一事件取较重"),
        pytest.param(["S5-3", "S5-4", "S5-5"], "S5-5", id="同一人同一屏取较重"),
        pytest.param(["B5", "B6"], "B6", id="同一事迹取较高"),
    ],
)
def test_one_fact_counts_by_one_rule(
    book: RuleBook, an_entry: AnEntry, rules: list[str], kept: str
) -> None:
    card = compute(book, [an_entry(rule, fact="one", staff="K1") for rule in rules])

    assert [line.rule_id for line in card.lines if line.points] == [kept]


@pytest.mark.parametrize("rules", [("S4-12a", "S4-12b"), ("S5-5", "S5-3"), ("S4-11", "S4-10")])
def test_two_people_in_one_incident_answer_each_for_themselves(
    book: RuleBook, an_entry: AnEntry, rules: tuple[str, str]
) -> None:
    one, other = rules

    card = compute(
        book,
        [an_entry(one, fact="meeting", staff="K1"), an_entry(other, fact="meeting", staff="K2")],
    )

    assert all(line.points for line in card.lines)


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([("07-01", "K1"), ("07-08", "K1")], id="不足三次"),
        pytest.param([("07-01", "K1"), ("07-08", "K1"), ("07-15", "K2")], id="不是同一人"),
        pytest.param([("07-30", "K1"), ("07-31", "K1"), ("08-01", "K1")], id="不在同一月"),
        pytest.param([("07-01", None), ("07-08", None), ("07-15", None)], id="未记到人"),
    ],
)
def test_nothing_is_doubled(
    book: RuleBook, an_entry: AnEntry, entries: list[tuple[str, str | None]]
) -> None:
    card = compute(book, [an_entry("S4-7", on=day, staff=staff) for day, staff in entries])

    assert set(points(card)) == {"-0.5"}


def test_the_month_of_a_violation_is_that_of_beijing(book: RuleBook, an_entry: AnEntry) -> None:
    entries = late(an_entry, "07-01", "07-08", "07-31")
    midnight = entries[2].occurred_at.replace(hour=0, minute=30)

    card = compute(book, [*entries[:2], replace(entries[2], occurred_at=midnight)])

    assert points(card) == ["-1.0", "-1.0", "-1.0"]


def test_only_the_rules_in_hours_are_doubled(book: RuleBook, an_entry: AnEntry) -> None:
    card = compute(book, [an_entry("S5-3", staff="K1", on=f"07-0{day}") for day in (1, 2, 3)])

    assert card.score == 97


def test_what_a_group_left_out_is_no_violation_for_the_doubling(
    book: RuleBook, an_entry: AnEntry
) -> None:
    entries = late(an_entry, "07-01", "07-08", "07-15")
    absent = an_entry("S4-11", fact=entries[2].fact, staff="K1", on="07-15")

    card = compute(book, [*entries, absent])

    assert card.deduction == Decimal("2.0")


def test_a_doubled_line_says_so_with_its_clause(book: RuleBook, an_entry: AnEntry) -> None:
    card = compute(book, late(an_entry, "07-01", "07-08", "07-15"))

    for line in card.lines:
        assert "3次" in line.notes[-1]
        assert book.doubling.clause in line.notes[-1]


def test_a_capped_line_says_so_with_its_clause(book: RuleBook, an_entry: AnEntry) -> None:
    card = compute(book, [an_entry("B6"), an_entry("B6"), an_entry("B6")])

    assert points(card) == ["2", "2", "1"]
    assert book.rule("B6").cap is not None
    assert "上限5分" in card.lines[2].notes[-1]


def test_a_score_never_falls_below_the_floor(book: RuleBook, an_entry: AnEntry) -> None:
    entries = [an_entry("S3-5", quantity="60"), an_entry("S3-5", quantity="60")]

    assert compute(book, entries).score == 0
    assert compute(replace(book, floor=None), entries).score == -20


def test_a_score_may_pass_one_hundred_unless_a_city_caps_it(
    book: RuleBook, an_entry: AnEntry
) -> None:
    entries = [an_entry("B6")]

    assert compute(book, entries).score == 102
    assert compute(replace(book, ceiling=Decimal(100)), entries).score == 100


@pytest.mark.parametrize(
    ("scores", "places"),
    [
        pytest.param([], [], id="没有窗口"),
        pytest.param(["96", "98", "97"], [3, 1, 2], id="由高到低"),
        pytest.param(["98", "98.0", "97"], [1, 1, 3], id="同分同名次，其后空一位"),
    ],
)
def test_places(scores: list[str], places: list[int]) -> None:
    assert rank([Decimal(score) for score in scores]) == places


def points(card: Scorecard) -> list[str]:
    return points_of(card.lines)


def points_of(lines: Sequence[Line]) -> list[str]:
    return [str(line.points) for line in lines]
