import math
from array import array
from collections.abc import Sequence

import pytest

from tongban_hotline_dispatch.domain.classifier import (
    MOST_READ,
    Block,
    Classifier,
    Message,
    View,
    characters,
    runs,
    softmax,
    words,
)

TERMS = ["路灯", "不亮", "学校", "老师"]
LABELS = ("城建", "教育", "其他")
PULLS = {"路灯": 0, "不亮": 0, "学校": 1, "老师": 1}


def segment(text: str) -> Sequence[str]:
    """Pairs from the start: enough of a segmenter for a rule."""
    return [text[at : at + 2] for at in range(0, len(text), 2)]


def a_view(name: str, share: float = 1.0) -> View:
    rows = {term: at for at, term in enumerate(TERMS)}
    weights = [1.0 if PULLS[term] == label else -0.5 for term in TERMS for label in range(3)]
    empty = Block(part="title", weight=1.0, rows={}, rarity=array("f"), first_row=0)
    block = Block(part="content", weight=1.0, rows=rows, rarity=array("f", [1.0] * 4), first_row=0)
    return View(
        name=name,
        share=share,
        blocks=(empty, block),
        emphasis=array("f", [1.0] * 4),
        weights=array("f", weights),
        bias=array("f", [0.0, 0.0, 0.0]),
        usual_spread=1.0,
    )


def a_classifier() -> Classifier:
    views = (a_view("characters"), a_view("words", share=0.7))
    return Classifier(labels=LABELS, views=views, sharpness=1.0, least_spread=0.5)


def test_the_likeliest_label_comes_first_with_the_words_that_spoke_for_it() -> None:
    found = a_classifier().guess(Message("", "路灯不亮学校"), segment)

    assert [each.label for each in found] == ["城建", "教育", "其他"]
    assert sum(each.confidence for each in found) == pytest.approx(1)
    assert set(found[0].words) == {"路灯", "不亮"}
    assert found[1].words == ()


def test_a_text_with_nothing_known_in_it_gets_no_guess() -> None:
    assert a_classifier().guess(Message("Hello", "今天天气"), segment) == []
    assert a_classifier().guess(Message("", ""), segment) == []


def test_what_is_no_chinese_is_not_read() -> None:
    assert runs("A3区路灯,13812345678_x000D_不亮\x00\ud800") == ["区路灯", "不亮"]
    assert characters("路灯 不亮") == {"路": 1, "灯": 1, "路灯": 1, "不": 1, "亮": 1, "不亮": 1}
    assert words("路灯不亮了", segment) == {"路灯": 1, "不亮": 1}


def test_a_text_without_end_is_read_as_far_as_it_helps() -> None:
    assert sum(map(len, runs("长" * 10_000_000))) == MOST_READ


def test_shares_add_up_whatever_the_scores() -> None:
    assert sum(softmax([1e6, -1e6, 0.0])) == pytest.approx(1)
    assert all(math.isfinite(share) for share in softmax([-1e9, -1e9]))


def test_a_word_that_is_part_of_another_is_not_told_twice() -> None:
    rows = {"养老": 0, "养老保险": 1}
    block = Block(part="title", weight=1.0, rows=rows, rarity=array("f", [1, 1]), first_row=0)
    other = Block(part="content", weight=1.0, rows={}, rarity=array("f"), first_row=2)
    view = View(
        name="words",
        share=1.0,
        blocks=(block, other),
        emphasis=array("f", [1, 1]),
        weights=array("f", [1, 0, 2, 0]),
        bias=array("f", [0, 0]),
        usual_spread=1.0,
    )
    made = Classifier(labels=("人社", "其他"), views=(view,), sharpness=1.0, least_spread=0.1)

    found = made.guess(Message("养老保险", ""), lambda text: [text, text[:2]])

    assert found[0].words == ("养老保险",)
