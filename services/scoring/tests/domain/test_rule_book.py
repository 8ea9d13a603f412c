"""The packaged rule book against the text it transcribes: counts, sums, amounts, ids."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import yaml

from tongban_common.policies import BadPolicy, packaged_text
from tongban_scoring.domain.rules import (
    AmountOutOfRange,
    CapPeriod,
    Feed,
    Keep,
    RuleBook,
    Side,
    UnknownRule,
)
from tongban_scoring.store.policies import RULE_BOOK, RuleBookPolicy

BASE_POINTS = [20, 10, 5, 25, 5, 5, 10, 10, 10]  # 第三章（一）至（九）
ITEM_POINTS = {
    "BASE-1": [5, 3, 5, 3, 2, 2],
    "BASE-2": [5, 3, 2],
    "BASE-3": [3, 2],
    "BASE-4": [5, 5, 3, 2, 3, 2, 3, 2],
    "BASE-7": [10],
    "BASE-9": [5],  # 原文只说明了10分中的5分
}
CLAUSES = {"S1": 6, "S2": 3, "S3": 7, "S4": 18, "S5": 7}  # 第五章各节的编号条款数
AMOUNTS = {
    "BASE-7.2 BASE-8.1 BASE-9.2a": "1",
    "BASE-9.2b": "2",
    "BASE-9.2c": "3",
    "BASE-9.2d": "5",
    "B1 B7": "0.1",
    "B8": "0.2",
    "B2 B3": "0.5",
    "B4": "0.5-1",
    "B6": "2",
    "S1-1": "1",
    "S1-2 S1-5": "0.5",
    "S1-3 S1-4": "2",
    "S1-6": "0.5-1",
    "S2-1 S2-2 S2-3": "0.5",
    "S3-1a S3-1b": "0.5",
    "S3-2a S3-2b S3-3 S3-5 S3-6 S3-7a": "1",
    "S3-4": "2",
    "S3-7b": "5",
    "S4-1 S4-2 S4-4 S4-5 S4-11": "1",
    "S4-3": "1-2",
    "S4-6 S4-7 S4-8 S4-9 S4-10 S4-12a S4-12b S4-14 S4-18": "0.5",
    "S4-13a": "2",
    "S4-13b": "3",
    "S4-16": "0.5-1",
    "S4-17a": "0.5",
    "S4-17b": "1",
    "S5-1 S5-4": "2",
    "S5-2 S5-3": "1",
    "S5-5": "4",
    "S5-6 S5-7": "0.5",
}
LEVELS = ("county", "city", "province", "national")
PRAISE = {level: Decimal(points) for level, points in zip(LEVELS, (1, 2, 4, 8), strict=True)}
FEEDS = {
    Feed.AUTO: "BASE-7.2 B7 S1-3 S3-5 S4-10 S4-18",
    Feed.CANDIDATE: (
        "B2 B3 B6 S1-1 S1-2 S1-6 S2-1 S2-2 S3-1a S3-1b S3-2a S3-2b S3-3 S3-4 S3-7a S4-8 S4-9 "
        "S4-11 S4-12a S4-12b S4-17a S4-17b"
    ),
}


@pytest.fixture(scope="module")
def policy() -> RuleBookPolicy:
    return RULE_BOOK.packaged()


@pytest.fixture(scope="module")
def book(policy: RuleBookPolicy) -> RuleBook:
    return policy.book()


def test_the_base_points_are_those_of_the_text_and_make_one_hundred(policy: RuleBookPolicy) -> None:
    assert [each.points for each in policy.base] == BASE_POINTS
    assert sum(BASE_POINTS) == 100
    assert {
        each.id: [item.points for item in each.items] for each in policy.base if each.items
    } == ITEM_POINTS


def test_chapter_five_has_41_numbered_clauses_and_46_deductions(policy: RuleBookPolicy) -> None:
    numbered = {rule.id.rstrip("ab") for each in policy.sections for rule in each.deductions}
    numbered.add(policy.doubling.id)

    assert numbered == {f"{s}-{n}" for s, most in CLAUSES.items() for n in range(1, most + 1)}
    assert len(numbered) == 41
    assert sum(len(each.deductions) for each in policy.sections) == 46
    assert (len(policy.bonus), len(policy.red_lines.items)) == (8, 5)


def test_every_amount_is_the_one_in_the_text(book: RuleBook) -> None:
    expected = {rule: amount for rules, amount in AMOUNTS.items() for rule in rules.split()}

    found = {
        rule.id: f"{rule.amount}" if rule.most is None else f"{rule.amount}-{rule.most}"
        for rule in book.rules.values()
        if rule.levels is None
    }

    assert found == expected
    assert dict(book.rule("B5").levels or {}) == PRAISE


def test_what_is_automatic_and_what_awaits_an_inspector(book: RuleBook) -> None:
    for feed, rules in FEEDS.items():
        assert {rule.id for rule in book.rules.values() if rule.feed is feed} == set(rules.split())


def test_every_rule_names_its_clause_and_no_id_comes_twice(policy: RuleBookPolicy) -> None:
    document: Any = yaml.safe_load(packaged_text("tongban_scoring", "rule-book.yaml"))
    rules = [
        *document["base"],
        *document["base_deductions"],
        *document["bonus"],
        *(rule for section in document["sections"] for rule in section["deductions"]),
        *document["red_lines"]["items"],
        document["doubling"],
    ]
    ids = [rule["id"] for rule in rules]

    assert all(rule["clause"].strip() for rule in rules)
    assert len(ids) == len(set(ids))


def test_the_deductions_point_at_dimensions_that_exist(policy: RuleBookPolicy) -> None:
    dimensions = {each.id for each in policy.base}
    dimensions |= {item.id for each in policy.base for item in each.items}

    for rule in policy.book().rules.values():
        assert rule.side is Side.BONUS or rule.dimension in dimensions, rule.id


def test_the_caps_and_their_periods(book: RuleBook) -> None:
    caps = {rule.id: rule.cap for rule in book.rules.values() if rule.cap is not None}

    assert {rule: (cap.amount, cap.period) for rule, cap in caps.items()} == {
        "B1": (Decimal("0.3"), CapPeriod.MONTH),
        "B5": (Decimal(10), CapPeriod.QUARTER),
        "B6": (Decimal(5), CapPeriod.QUARTER),
        "B8": (Decimal(1), CapPeriod.QUARTER),
    }


@pytest.mark.parametrize(
    ("minutes", "rules"),
    [
        pytest.param(29, [], id="不满30分钟不扣"),
        pytest.param(30, ["S4-17a"], id="30分钟以上含本数"),
        pytest.param(60, ["S4-17a"], id="一小时整未超过一小时"),
        pytest.param(61, ["S4-17b"], id="超过一小时"),
    ],
)
def test_time_away_from_the_post(policy: RuleBookPolicy, minutes: int, rules: list[str]) -> None:
    limits = [
        (rule.id, rule.minutes)
        for section in policy.sections
        for rule in section.deductions
        if rule.minutes is not None
    ]

    assert [
        rule
        for rule, span in limits
        if span.least <= minutes and (span.most is None or minutes <= span.most)
    ] == rules


@pytest.mark.parametrize(
    ("score", "grade"),
    [
        ("110", "优秀"),
        ("95", "优秀"),
        ("94.9", "良好"),
        ("85", "良好"),
        ("84.9", "合格"),
        ("60", "合格"),
        ("59.9", "不合格"),
        ("0", "不合格"),
        ("-3", "不合格"),
    ],
)
def test_a_grade_includes_its_lower_bound(book: RuleBook, score: str, grade: str) -> None:
    assert book.grade_of(Decimal(score)).name == grade


def test_points_at_discretion_are_the_least_unless_somebody_says_more(book: RuleBook) -> None:
    rule = book.rule("S4-3")

    assert rule.amount_for() == 1
    assert rule.amount_for(wanted=Decimal("1.5")) == Decimal("1.5")
    for wanted in ("0.9", "2.1"):
        with pytest.raises(AmountOutOfRange):
            rule.amount_for(wanted=Decimal(wanted))


def test_a_rule_without_a_range_has_one_amount(book: RuleBook) -> None:
    assert book.rule("S5-5").amount_for(wanted=Decimal(4)) == 4

    with pytest.raises(AmountOutOfRange):
        book.rule("S5-5").amount_for(wanted=Decimal(5))


def test_praise_is_worth_what_its_level_is(book: RuleBook) -> None:
    assert book.rule("B5").amount_for(level="province") == 4

    with pytest.raises(AmountOutOfRange):
        book.rule("B5").amount_for(level="town")


def test_a_rule_that_is_not_in_the_book_is_refused(book: RuleBook) -> None:
    with pytest.raises(UnknownRule):
        book.rule("S9-9")


def test_the_packaged_book_has_no_faults(book: RuleBook) -> None:
    assert book.faults() == []


def test_faults_are_all_told_at_once(book: RuleBook) -> None:
    late = book.rule("S4-3")
    broken = replace(
        book,
        rules={
            **book.rules,
            late.id: replace(late, group="nowhere", most=Decimal("0.5")),
        },
        doubling=replace(book.doubling, section="S9"),
        grades=list(reversed(book.grades)),
    )

    found = "\n".join(broken.faults())

    for words in ("S4-3 引用了不存在的互斥组 nowhere", "S4-3 的幅度上限小于下限", "S9", "等次"):
        assert words in found
    assert len(broken.faults()) == 4


def test_the_book_survives_the_shelf_that_stores_it_as_json(policy: RuleBookPolicy) -> None:
    stored = policy.model_dump(mode="json")

    assert RULE_BOOK.model.model_validate(stored) == policy


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        pytest.param('points: "20"', 'points: "21"', id="基本分之和不是总分"),
        pytest.param("id: S5-7", "id: S5-6", id="条款编号重复"),
        pytest.param("group: fee,", "group: fees,", id="互斥组不存在"),
        pytest.param("feed: auto,", "feed: automatic,", id="来源方式不存在"),
        pytest.param(", clause: 第四章（二）}", "}", id="没有依据条款"),
    ],
)
def test_a_faulty_book_is_refused(was: str, becomes: str) -> None:
    document = packaged_text("tongban_scoring", "rule-book.yaml")
    assert was in document

    with pytest.raises(BadPolicy):
        RULE_BOOK.parse(document.replace(was, becomes, 1), where="rule-book.yaml")


def test_groups_say_how_one_fact_is_counted_once(book: RuleBook) -> None:
    assert book.groups["attendance"].keep is Keep.MOST_SPECIFIC
    others = [group for name, group in book.groups.items() if name != "attendance"]
    assert all(group.keep is Keep.MAX for group in others)
    per_person = {name for name, group in book.groups.items() if group.per_person}
    assert per_person == {"attendance", "meeting", "screen"}
