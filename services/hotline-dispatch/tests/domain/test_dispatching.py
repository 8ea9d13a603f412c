from datetime import date

import pytest

from tongban_hotline_dispatch.domain.classifier import Message
from tongban_hotline_dispatch.domain.dispatching import (
    BadDispatchCatalogue,
    DispatchCatalogue,
    Known,
    Place,
    Rule,
    rules_of,
)
from tongban_hotline_dispatch.domain.matters import KnownCodes, catalogue_of

DAY = date(2026, 9, 21)
MATTERS = catalogue_of(
    [["一级", "二级", "三级"], ["城乡建设", "市政", "路灯"], ["城乡建设", "市政", "井盖"]],
    KnownCodes(),
)
KNOWN = Known(matters=MATTERS, units={"A3": True, "CG": True, "OLD": False})
HEADINGS = ["事项编码", "一级", "二级", "地点", "关键词", "承办单位编码", "起", "止"]
STREETLIGHT = ["01", "01001", "01001001"]


def a_place(given: str | None = None, content: str = "") -> Place:
    return Place(given=given, message=Message("标题", content))


def a_catalogue(*rules: Rule) -> DispatchCatalogue:
    return DispatchCatalogue(1, rules)


def unit_for(rules: DispatchCatalogue, lineage: list[str], place: Place) -> str | None:
    hit = rules.by_matter(lineage, place, DAY)
    return None if hit is None else hit.rule.unit_code


def test_the_rule_that_says_most_of_the_matter_wins_before_the_place() -> None:
    rules = a_catalogue(
        Rule(line=2, unit_code="hub"),
        Rule(line=3, unit_code="A3", places=("A3区",)),
        Rule(line=4, unit_code="CG", matter_code="01"),
        Rule(line=5, unit_code="CG-A3", matter_code="01", places=("A3区",)),
    )

    assert unit_for(rules, STREETLIGHT, a_place("A7县")) == "CG"
    assert unit_for(rules, STREETLIGHT, a_place("A3区")) == "CG-A3"
    assert unit_for(rules, ["02"], a_place("A3区")) == "A3"
    assert unit_for(rules, [], a_place("A7县")) == "hub"


def test_a_place_is_a_name_a_code_or_what_the_message_names() -> None:
    rule = Rule(line=2, unit_code="XX", places=("西秀区", "520402"))

    assert a_place("西秀区").fits(rule) == "西秀区"
    assert a_place("520402003").fits(rule) == "520402"
    assert a_place("5204").fits(rule) is None
    assert a_place(content="西秀区塔山路口").fits(rule) == "西秀区"
    assert a_place(content="编号520402").fits(rule) is None
    assert a_place("平坝区", content="西秀区").fits(rule) is None


def test_a_rule_holds_from_its_first_day_to_its_last() -> None:
    rule = Rule(line=2, unit_code="CG", valid_from=date(2026, 1, 1), valid_to=DAY)

    assert rule.is_valid(DAY)
    assert not rule.is_valid(date(2026, 9, 22))
    assert not rule.is_valid(date(2025, 12, 31))


def test_keywords_are_looked_for_in_title_and_content_the_longest_first() -> None:
    rules = a_catalogue(
        Rule(line=2, unit_code="A", keywords=("停水",)),
        Rule(line=3, unit_code="B", keywords=("自来水管爆裂", "停水")),
        Rule(line=4, unit_code="C", keywords=("停电",)),
    )

    hits = rules.by_keywords(Place(given=None, message=Message("停水", "自来水管爆裂")), DAY)

    assert [(hit.rule.unit_code, hit.words) for hit in hits] == [
        ("B", ("自来水管爆裂", "停水")),
        ("A", ("停水",)),
    ]


def test_rows_are_read_with_codes_or_names_of_matters() -> None:
    rows = [
        HEADINGS,
        ["01001001", "", "", "A3区；520402", "", "A3", "2026/01/01", ""],
        ["", "城乡建设", "市政", "", "", "CG", "", ""],
        ["", "", "", "", "停水、爆管", "CG", "", ""],
    ]

    rules = rules_of(rows, KNOWN)

    assert rules[0].matter_code == "01001001"
    assert rules[0].places == ("A3区", "520402")
    assert rules[0].valid_from == date(2026, 1, 1)
    assert rules[1].matter_code == "01001"
    assert rules[2].keywords == ("停水", "爆管")


def test_every_bad_row_is_named_and_nothing_is_taken() -> None:
    rows = [
        HEADINGS,
        ["01001001", "", "", "", "", "A3", "", "2026-06-30"],
        ["01001001", "", "", "", "", "CG", "2026-06-30", ""],
        ["01001001", "", "", "", "", "CG", "2026-07-01", ""],
        ["77", "", "", "", "", "CG", "", ""],
        ["", "民政", "", "", "", "CG", "", ""],
        ["01", "城乡建设", "市政", "", "", "CG", "", ""],
        ["", "", "", "A3区", "", "OLD", "", ""],
        ["", "", "", "A9区", "", "", "明天", ""],
        ["", "", "", "A8区", "", "CG", "2026-02-01", "2026-01-01"],
    ]

    with pytest.raises(BadDispatchCatalogue) as refused:
        rules_of(rows, KNOWN)

    assert refused.value.message.splitlines() == [
        "第3行：与第2行的条件相同、日期重叠",
        "第5行：现行事项目录中没有这个事项编码",
        "第6行：现行事项目录中没有这个事项：民政",
        "第7行：事项编码与事项名称不符，应为01001",
        "第8行：没有这个承办单位，或者该单位已停用",
        "第9行：承办单位编码为空",
        "第9行：起不是日期（如2026-01-01）",
        "第10行：止日早于起日",
    ]
