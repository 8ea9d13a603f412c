"""The scale: levels, tags in force, and the old codes that history keeps."""

from datetime import date

import pytest

from tongban_common.errors import Refusal
from tongban_evaluation.domain.tags import (
    Scale,
    TagNotInForce,
    TagOfAnotherLevel,
    UnknownLevel,
    UnknownTag,
)

TODAY = date(2026, 9, 30)


def test_tags_are_kept_once_and_in_order(scale: Scale) -> None:
    assert scale.check(["210", "209", "210"], level=2, on=TODAY) == ("209", "210")
    assert scale.check([], level=5, on=TODAY) == ()


@pytest.mark.parametrize(
    ("codes", "on", "refusal"),
    [
        pytest.param(["510"], TODAY, TagOfAnotherLevel, id="标签须属于所选等级"),
        pytest.param(["209", "999"], TODAY, UnknownTag, id="没有这个标签"),
        pytest.param(["²09"], TODAY, UnknownTag, id="不是编码"),
        pytest.param(["103"], TODAY, TagNotInForce, id="旧编码已停用"),
        pytest.param(["211"], date(2025, 1, 1), TagNotInForce, id="有效期已止"),
        pytest.param(["209"], date(2020, 4, 30), TagNotInForce, id="尚未生效"),
    ],
)
def test_a_tag_that_may_not_be_chosen_is_refused(
    scale: Scale, codes: list[str], on: date, refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal):
        scale.check(codes, level=2, on=on)


def test_only_the_tags_of_the_level_and_the_day_are_offered(scale: Scale) -> None:
    assert [tag.code for tag in scale.offered(2, TODAY)] == ["209", "210"]
    assert [tag.code for tag in scale.offered(2, date(2024, 12, 31))] == ["209", "210", "211"]
    assert scale.offered(4, TODAY) == ()


def test_a_code_of_an_old_set_still_reads(scale: Scale) -> None:
    assert scale.name_of("209") == "超时"
    assert scale.name_of("103") == "已停用标签103"


@pytest.mark.parametrize("number", [0, 6, -1])
def test_there_is_no_sixth_level(scale: Scale, number: int) -> None:
    with pytest.raises(UnknownLevel):
        scale.level(number)
