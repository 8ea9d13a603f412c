"""How alike two matters are: the words that tell them apart, and what they share of them.

A word counts by how rare it is in a city's appeals: the common ones stand with their share in
policies/likeness.yaml, so the same text has the same vector at any time and on any machine.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Segment = Callable[[str], Sequence[str]]
Vector = Mapping[str, float]  # the heaviest word first; its length is one

_RUN = re.compile(r"[\u3400-\u9fff]+|[a-z0-9]+")
_NUMBER = re.compile(
    r"\d{5,}"
)  # a phone, an identity, an order: it leads to a person, not a matter
_LONGEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What makes a vector of a text."""

    shares: Mapping[str, float]  # of the appeals in which a common word stands
    rare_share: float  # of any other word
    title_weight: int
    content_length: int
    words: int  # kept of one matter
    telling: int  # of them, by which it is found

    def weight(self, word: str) -> float:
        return -math.log(min(1.0, self.shares.get(word, self.rare_share)))


def words_of(text: str, segment: Segment) -> Iterator[str]:
    """Words of two characters or more. Characters that no dictionary word holds are one word
    together: the name of an estate or a street."""
    loose = ""
    for piece in segment(_NUMBER.sub(" ", _folded(text))):
        is_word = _RUN.fullmatch(piece) is not None
        if is_word and len(piece) == 1 and not piece.isascii():
            loose += piece
            continue
        yield from _whole(loose)
        loose = ""
        yield from _whole(piece if is_word else "")
    yield from _whole(loose)


def vector_of(title: str, content: str, wording: Wording, segment: Segment) -> dict[str, float]:
    counted: Counter[str] = Counter()
    for word in words_of(title, segment):
        counted[word] += wording.title_weight
    counted.update(words_of(content[: wording.content_length], segment))
    weights = {
        word: (1 + math.log(count)) * wording.weight(word) for word, count in counted.items()
    }
    return heaviest(weights, wording.words)


def heaviest(weights: Vector, most: int) -> dict[str, float]:
    """The words that weigh most, as a vector of length one."""
    found = sorted(weights.items(), key=lambda each: (-each[1], each[0]))[:most]
    length = math.sqrt(sum(weight * weight for _, weight in found))
    return {word: weight / length for word, weight in found if weight > 0}


def likeness(one: Vector, other: Vector) -> float:
    """The cosine: 0 where nothing is shared, 1 where all is."""
    return sum(weight * other.get(word, 0.0) for word, weight in one.items())


def deciding(one: Vector, other: Vector, most: int = 5) -> list[str]:
    """The shared words that made two matters alike, the weightiest first."""
    shared = {word: weight * other[word] for word, weight in one.items() if word in other}
    return sorted(shared, key=lambda word: (-shared[word], word))[:most]


def shares_of(texts: Iterable[str], segment: Segment, *, least: float) -> dict[str, float]:
    """Which words are common in a body of texts, and in which share of them each stands."""
    counted: Counter[str] = Counter()
    number = 0
    for text in texts:
        number += 1
        counted.update(set(words_of(text, segment)))
    return {word: count / number for word, count in counted.items() if count >= least * number}


def _whole(word: str) -> Iterator[str]:
    if 1 < len(word) <= _LONGEST:
        yield word


def _folded(text: str) -> str:
    """Full-width letters and digits become half-width, capitals small."""
    return unicodedata.normalize("NFKC", text).lower()
