from collections.abc import Sequence
from datetime import date

import pytest

from tongban_hotline_dispatch.domain.classifier import Guess, Message
from tongban_hotline_dispatch.domain.dispatching import DispatchCatalogue, Rule
from tongban_hotline_dispatch.domain.matters import KnownCodes, catalogue_of
from tongban_hotline_dispatch.domain.suggesting import (
    Asked,
    MatterNames,
    Source,
    Suggestion,
    Tuning,
    suggest,
)

ROWS = [
    ["一级", "二级", "三级", "关键词"],
    ["城建", "市政", "路灯", ""],
    ["城建", "市政", "井盖", "窨井"],
    ["环保", "噪声", "施工", ""],
]
TUNING = Tuning(
    most=3,
    least_confidence=0.05,
    keyword_confidence=0.9,
    name_smoothing=0.1,
    place_confidence=0.5,
)
RULES = (
    Rule(line=2, unit_code="CG", matter_code="01", basis="三定方案"),
    Rule(line=3, unit_code="HB", matter_code="02"),
    Rule(line=4, unit_code="A3", places=("A3区",)),
    Rule(line=5, unit_code="SW", keywords=("爆管",), matter_code="01001"),
)


def segment(text: str) -> Sequence[str]:
    return [text[at : at + 2] for at in range(0, len(text), 2)]


NAMES = MatterNames(catalogue_of(ROWS, KnownCodes()), segment)


def suggested(
    content: str,
    *,
    categories: Sequence[Guess] = (),
    matters: Sequence[Guess] = (),
    units: Sequence[Guess] = (),
    place: str | None = None,
    rules: Sequence[Rule] = RULES,
) -> Suggestion:
    return suggest(
        Asked(
            message=Message("", content),
            place=place,
            day=date(2026, 9, 21),
            categories=categories,
            matters=matters,
            units=units,
        ),
        names=NAMES,
        dispatch=DispatchCatalogue(1, rules),
        tuning=TUNING,
    )


BUILT = Guess(label="城建", confidence=0.8, words=("道路",))
NOISE = Guess(label="环保", confidence=0.2)


def test_a_category_is_narrowed_by_the_names_of_its_matters_and_given_its_unit() -> None:
    found = suggested("路灯不亮", categories=(BUILT, NOISE))

    assert [each.label for each in found.categories] == ["城建", "环保"]
    first = found.matters[0]
    assert (first.code, first.source, first.words) == (
        "01001001",
        Source.MATTER_CATALOGUE,
        ("路灯",),
    )
    assert sum(each.confidence for each in found.matters) == pytest.approx(1)
    unit = found.units[0]
    assert (unit.code, unit.source, unit.basis) == ("CG", Source.DISPATCH_CATALOGUE, "三定方案")
    assert unit.confidence == pytest.approx(0.8)


def test_a_category_that_the_catalogue_does_not_know_may_be_any_other_s() -> None:
    """History that was labelled by an older catalogue's names."""
    older = Guess(label="市政", confidence=0.7)

    alone = suggested("路灯不亮", categories=(older,))
    beside = suggested("路灯和施工", categories=(older, NOISE))

    assert [each.label for each in alone.categories] == ["市政"]
    assert alone.matters[0].code == "01001001"
    assert 0.5 < alone.matters[0].confidence < 0.7
    known = [each for each in beside.matters if each.code.startswith("02")]
    assert [each.code for each in known] == ["02001001"]
    assert known[0].confidence < 0.2


def test_what_no_name_accounts_for_stays_with_the_heading() -> None:
    found = suggested("道路坑洼", categories=(BUILT,))

    assert [(each.code, each.source) for each in found.matters] == [("01", Source.CLASSIFIER)]
    assert found.matters[0].confidence == pytest.approx(0.8)
    assert found.matters[0].words == ("道路",)


def test_the_keywords_of_the_dispatch_catalogue_speak_first() -> None:
    found = suggested("爆管", categories=(NOISE,))

    assert (found.matters[0].code, found.matters[0].confidence) == ("01001", 0.9)
    assert found.units[0].code == "SW"
    assert found.units[0].words == ("爆管",)


def test_without_a_model_the_catalogue_s_own_names_are_all_there_is() -> None:
    found = suggested("窨井破损")

    assert [(each.code, each.words) for each in found.matters] == [("01001002", ("窨井",))]
    assert 0 < found.matters[0].confidence < 1
    assert found.units[0].code == "CG"


def test_where_only_the_place_is_known_its_government_is_proposed() -> None:
    found = suggested("你好", place="A3区")

    assert found.matters == ()
    assert [(each.code, each.confidence, each.words) for each in found.units] == [
        ("A3", 0.5, ("A3区",))
    ]
    assert suggested("你好").units == ()


def test_a_classifier_of_matters_or_units_counts_beside_the_catalogue() -> None:
    guess = Guess(label="02001001", confidence=0.7, words=("施工",))
    unknown = Guess(label="9999", confidence=0.3)
    found = suggested("你好", matters=(guess, unknown), units=(Guess(label="HB", confidence=0.5),))

    assert [each.code for each in found.matters] == ["02001001"]
    assert found.units[0].code == "HB"
    assert found.units[0].confidence == pytest.approx(1 - 0.3 * 0.5)


def test_no_more_is_shown_than_the_policy_says_and_nothing_that_is_hardly_believed() -> None:
    many = tuple(Guess(label=code, confidence=0.24) for code in NAMES.by_code)

    found = suggested("你好", matters=(*many, Guess(label="01", confidence=0.01)))

    assert len(found.matters) == 3
    assert suggested("你好", matters=(Guess(label="01", confidence=0.04),)).matters == ()
