"""What a record of a rule must say, which rule time away costs, which rule an event touches."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tongban_common.errors import RuleViolation
from tongban_common.policies import BadPolicy, packaged_text
from tongban_scoring.domain.rules import (
    LevelMissing,
    LevelNotApplicable,
    QuantityNotOne,
    StaffMissing,
    UnknownRule,
    rule_for_minutes,
)
from tongban_scoring.store.policies import RULE_BOOK

POLICY = RULE_BOOK.packaged()
BOOK = POLICY.book()


@pytest.mark.parametrize(
    ("rule", "level", "quantity", "staff", "refusal"),
    [
        pytest.param("B5", None, "1", None, LevelMissing, id="须写明级别"),
        pytest.param("S1-1", "city", "1", None, LevelNotApplicable, id="不分级别"),
        pytest.param("S4-2", None, "2", "K1", QuantityNotOne, id="一人一次"),
        pytest.param("S4-2", None, "1", None, StaffMissing, id="人次须有人"),
        pytest.param("S4-11", None, "2", None, StaffMissing, id="人·半天须有人"),
    ],
)
def test_a_record_says_what_its_rule_needs(
    rule: str, level: str | None, quantity: str, staff: str | None, refusal: type[RuleViolation]
) -> None:
    with pytest.raises(refusal):
        BOOK.rule(rule).check(level=level, quantity=Decimal(quantity), staff_code=staff)


@pytest.mark.parametrize(
    ("rule", "level", "quantity", "staff"),
    [
        ("B5", "city", "1", None),
        ("S1-1", None, "3", None),
        ("S4-2", None, "1", "K1"),
        ("S4-11", None, "4", "K1"),
    ],
)
def test_a_whole_record_passes(
    rule: str, level: str | None, quantity: str, staff: str | None
) -> None:
    BOOK.rule(rule).check(level=level, quantity=Decimal(quantity), staff_code=staff)


@pytest.mark.parametrize(
    ("minutes", "rule"),
    [
        pytest.param("29", None, id="V7-29分钟"),
        pytest.param("30", "S4-17a", id="V7-30分钟"),
        pytest.param("60", "S4-17a", id="V7-60分钟"),
        pytest.param("60.5", "S4-17b", id="超过一小时半分钟"),
        pytest.param("61", "S4-17b", id="V7-61分钟"),
    ],
)
def test_the_rule_for_time_away_from_the_post(minutes: str, rule: str | None) -> None:
    found = rule_for_minutes(BOOK, Decimal(minutes))

    assert (None if found is None else found.id) == rule


CLOSED = "tongban.evaluation.rectification-closed.v1"


@pytest.mark.parametrize(
    ("cause", "rules"),
    [
        *[(cause, ["S3-7a"]) for cause in ("efficiency", "attitude", "discipline", "integrity")],
        *[(cause, []) for cause in ("function", "environment_mechanism", None)],
    ],
)
def test_only_faults_of_people_touch_the_rule_on_conduct(
    cause: str | None, rules: list[str]
) -> None:
    told = {"is_substantiated": True, "root_cause": cause}

    assert [rule.id for rule in BOOK.touched_by(CLOSED, told)] == rules
    assert BOOK.touched_by(CLOSED, {**told, "is_substantiated": False}) == []
    assert BOOK.touched_by("tongban.intake.case-decided.v1", told) == []


def test_a_red_line_that_is_not_in_the_book_is_refused() -> None:
    assert BOOK.red_line("RL1").from_rule is None
    with pytest.raises(UnknownRule):
        BOOK.red_line("RL9")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        pytest.param("event: tongban.intake.case-completed", "event: tongban.x", id="事件"),
        pytest.param("when: {clock: [unit]}", "when: {colour: [red]}", id="条件"),
        pytest.param("    rule: S3-7a", "    rule: S3-9", id="条款"),
        pytest.param("    rule: S3-7a", "    rule: S3-6", id="人工条款"),
        pytest.param("waives: BASE-7.2", "waives: BASE-7.9", id="一并免除的条款"),
        pytest.param("item: BASE-9.1", "item: BASE-9.9", id="基本分"),
        pytest.param("rules: [BASE-9.2a", "rules: [BASE-9.2z", id="追责条款"),
        pytest.param("overdue: [BASE-7.2", "overdue: [BASE-7.9", id="逾期条款"),
    ],
)
def test_a_book_that_feeds_or_names_what_is_not_there_is_refused(was: str, becomes: str) -> None:
    document = packaged_text("tongban_scoring", "rule-book.yaml")
    assert was in document

    with pytest.raises(BadPolicy):
        RULE_BOOK.parse(document.replace(was, becomes, 1), where="rule-book.yaml")


def test_a_book_without_the_switch_names_no_missing_rule() -> None:
    assert replace(BOOK, forfeit=None).faults() == []


def test_the_switch_turns_the_loss_off() -> None:
    document = packaged_text("tongban_scoring", "rule-book.yaml")

    policy = RULE_BOOK.parse(document.replace("value: true", "value: false", 1), where="x.yaml")

    assert policy.book().forfeit is None


def test_the_headings_are_those_of_the_text() -> None:
    clauses = [each.clause for each in POLICY.sections]

    assert POLICY.title == "巷子口镇政务服务实施细则"
    assert clauses == [
        "第五章“所在部门重视、支持窗口工作…”",
        "第五章“依法收费的情况”",
        "第五章“执行公开办事制度…”",
        "第五章“窗口工作人员工作时间遵守各项规章制度情况”",
        "第五章“…计算机网络操作规程情况”",
    ]
    assert all(item.clause for each in POLICY.base for item in each.items)
    assert [each.clause[-3:] for each in POLICY.red_lines.items if each.id != "RL2"] == [
        "（一）",
        "（三）",
        "（四）",
        "（五）",
    ]
