"""The packaged rule data, and what a bad document is refused for."""

from collections import Counter
from datetime import date
from typing import Any

import pytest

from tongban_common.policies import BadPolicy, PolicyKind, access_of, packaged_text
from tongban_common.working_days import Unit
from tongban_evaluation.domain.tags import TagNotInForce
from tongban_evaluation.store.policies import DEADLINES, TAGS

PACKAGE = "tongban_evaluation"


def test_the_national_set_has_forty_tags_eight_a_level_three_of_them_basic() -> None:
    scale = TAGS.packaged().scale()

    assert len(scale.tags) == 40
    assert Counter(tag.level for tag in scale.tags.values()) == dict.fromkeys(range(1, 6), 8)
    basic = Counter(tag.level for tag in scale.tags.values() if tag.is_basic)
    assert basic == dict.fromkeys(range(1, 6), 3)
    assert {level.number for level in scale.levels.values() if level.is_bad} == {1, 2}
    assert {level.number for level in scale.levels.values() if level.needs_reason} == {1, 2}
    assert scale.comment_max == 500


@pytest.mark.parametrize("code", ["501", "509", "401", "405", "301", "306", "201", "101", "107"])
def test_an_old_code_is_known_and_no_longer_chosen(code: str) -> None:
    scale = TAGS.packaged().scale()

    with pytest.raises(TagNotInForce):
        scale.check([code], level=int(code[0]), on=date(2026, 9, 30))
    assert scale.name_of(code) == f"已停用标签{code}"


def test_before_the_national_set_a_level_may_be_given_and_no_tag() -> None:
    scale = TAGS.packaged().scale()

    assert scale.offered(1, date(2020, 4, 30)) == ()
    assert len(scale.offered(1, date(2020, 5, 1))) == 8


def test_the_limits_are_those_of_the_document() -> None:
    limits = DEADLINES.packaged().limits()

    assert (limits.review_onsite.amount, limits.review_onsite.unit) == (5, Unit.WORKING_DAYS)
    assert (limits.review_online.amount, limits.review_online.unit) == (30, Unit.NATURAL_DAYS)
    stages = (limits.verify, limits.rectify_simple, limits.rectify_complex, limits.callback)
    assert [limit.amount for limit in stages] == [1, 5, 15, 3]
    assert {limit.unit for limit in stages} == {Unit.WORKING_DAYS}


@pytest.mark.parametrize(
    ("kind", "good", "bad", "fault"),
    [
        (DEADLINES, "amount: 1, unit: working_days", "amount: 1, unit: hours", "verify"),
        (DEADLINES, 'share: "0.8"', 'share: "1.8"', "warn_after.share"),
        (DEADLINES, "callback:", "call_back:", "call_back"),
        (TAGS, '"510"', '"418"', "首位"),
        (TAGS, '"511"', '"510"', "重复"),
        (TAGS, "level: 3, name", "level: 4, name", "一至五级"),
        (TAGS, "most: 500", "most: 0", "comment.most"),
    ],
)
def test_a_document_that_makes_no_sense_is_refused_with_the_place(
    kind: PolicyKind[Any], good: str, bad: str, fault: str
) -> None:
    document = packaged_text(PACKAGE, kind.file)
    assert good in document

    with pytest.raises(BadPolicy, match=rf"第\d+行.*{fault}"):
        kind.parse(document.replace(good, bad, 1), where=kind.file)


def test_the_handling_unit_does_not_call_back_and_the_inspector_does_not_rectify() -> None:
    access = access_of(PACKAGE)

    assert "rectification:call_back" not in access["chief_rep"] | access["window_lead"]
    assert "rectification:rectify" not in access["inspector"]
    assert "clerk" not in access
