import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_hotline_dispatch.domain.search_terms import (
    index_terms,
    is_prefix,
    query_terms,
    snippet,
    tsvector,
)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("公积金", ["公积", "积金", "金"]),
        ("税", ["税"]),
        ("\uff21市iPhone 15", ["a", "市", "iphone", "15"]),
        ("一，二", ["一", "二"]),
        ("！？ ", []),
        ("", []),
    ],
)
def test_a_text_is_pairs_of_characters_and_words_of_letters(text: str, terms: list[str]) -> None:
    assert list(index_terms(text)) == terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("公积金提取", ["公积", "积金", "金提", "提取"]),
        ("公积 公积", ["公积"]),
        ("税", ["税"]),
        ("'|&!()", []),
    ],
)
def test_a_question_asks_for_each_pair_once(text: str, terms: list[str]) -> None:
    assert query_terms(text) == terms


def test_one_character_alone_is_a_prefix_and_a_letter_is_not() -> None:
    assert [is_prefix(term) for term in ("税", "a", "公积")] == [True, False, False]


def test_the_vector_names_places_and_weights() -> None:
    assert tsvector([("公积金", "A"), ("公积", "D")]) == (
        "'公积':1A,4D '积金':2A '金':3A '积':5D",
        5,
    )


@given(st.text())
def test_any_text_is_found_by_any_part_of_it(text: str) -> None:
    stored = set(index_terms(text))

    for term in query_terms(text[: len(text) // 2]):
        if is_prefix(term) or len(text) < 2:
            assert any(each.startswith(term) for each in stored)


@given(st.text(), st.text())
def test_a_snippet_is_a_stretch_of_the_text(text: str, query: str) -> None:
    shown = "".join(piece.text for piece in snippet(text, query, length=20))

    assert shown in " ".join(text.split())
    assert len(shown) <= 20


def test_a_snippet_shows_the_place_that_answers_and_marks_it() -> None:
    text = "您好！" + "无关的话。" * 40 + "公积金提取须带身份证。" + "再见。" * 40

    pieces = snippet(text, "公积金提取", length=30)

    assert [piece.text for piece in pieces if piece.is_match] == ["公积金提取"]
