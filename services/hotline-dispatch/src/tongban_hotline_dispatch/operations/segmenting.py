"""The segmenter: jieba in its Rust form, by the dictionary that it brings, read once and late."""

from collections.abc import Sequence
from functools import cache

from tongban_hotline_dispatch.domain.classifier import Segment


@cache
def dictionary_segment() -> Segment:
    """By the dictionary alone: guessed words could be somebody's name.

    The library's own instance: a second one would hold the dictionary (25 MB) twice.
    """
    import rjieba

    def segment(text: str) -> Sequence[str]:
        found: Sequence[str] = rjieba.cut_for_search(text, hmm=False)
        return found

    return segment
