"""A trained classifier as a value: what it reads of a text, how it scores it, and why.

Linear in everything it reads, so that each score is a sum over words and can be explained by them.
Two views of a text are weighed against each other: its characters, alone and in pairs, and the
words that the segmenter's dictionary knows. A name that is no dictionary word is in neither view as
a whole. Nothing here learns: `operations.training` does, and this scores what that made.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

Segment: TypeAlias = Callable[[str], Sequence[str]]  # 养老保险 → 养老 保险 养老保险
Terms: TypeAlias = Counter[str]
if TYPE_CHECKING:
    from array import array

Numbers: TypeAlias = "array[float]"  # single precision

MOST_READ = 5000  # characters of one text: what a matter is about is said by then
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_LEFTOVER = re.compile(r"_x000D_")  # a carriage return as some spreadsheets export it
_PLACE_CODE = re.compile(r"[A-Z]+\d+")


@dataclass(frozen=True, slots=True)
class Message:
    """What is classified."""

    title: str
    content: str

    def part(self, name: str) -> str:
        return self.title if name == "title" else self.content


PARTS = ("title", "content")


def characters(text: str) -> Terms:
    """Characters, alone and in pairs."""
    found: Terms = Counter()
    for run in runs(text):
        found.update(run)
        found.update(first + second for first, second in pairwise(run))
    return found


def words(text: str, segment: Segment) -> Terms:
    """Dictionary words of two characters and more, and the words inside them."""
    found: Terms = Counter()
    for run in runs(text):
        found.update(word for word in segment(run) if len(word) > 1)
    return found


def runs(text: str) -> list[str]:
    """The stretches of Chinese in a text: all that a classifier reads."""
    return _HAN.findall(_PLACE_CODE.sub(" ", _LEFTOVER.sub(" ", text[:MOST_READ])))


def terms_of(message: Message, view: str, segment: Segment) -> dict[str, Terms]:
    """What a view reads of each part of a message."""
    if view == "characters":
        return {part: characters(message.part(part)) for part in PARTS}
    return {part: words(message.part(part), segment) for part in PARTS}


VIEWS = ("characters", "words")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One part of a message in one view: the terms it knows, and how much each counts."""

    part: str
    weight: float
    rows: Mapping[str, int]  # term → its row in the view's arrays
    rarity: Numbers  # by position of the term in this block: log of how few texts have it
    first_row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A linear scorer over one view of the message."""

    name: str
    share: float
    blocks: tuple[Block, ...]
    emphasis: Numbers  # by row: how unevenly the labels use the term
    weights: Numbers  # row by row, one number for each label
    bias: Numbers
    usual_spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """One label with its share of the belief, and the words that spoke for it most."""

    label: str
    confidence: float
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    labels: tuple[str, ...]
    views: tuple[View, ...]
    sharpness: float  # fitted on texts that the scoring model had not seen: makes shares honest
    least_spread: float

    def guess(self, message: Message, segment: Segment, *, most: int = 3) -> list[Guess]:
        """The likeliest labels, best first; empty for a text with nothing to go by."""
        seen = [self._seen(view, message, segment) for view in self.views]
        if not any(vector for vector, _ in seen):
            return []
        scores = self._scores([vector for vector, _ in seen])
        shares = softmax([self.sharpness * score for score in scores])
        best = sorted(range(len(self.labels)), key=lambda at: -shares[at])[:most]
        return [
            Guess(
                label=self.labels[at],
                confidence=shares[at],
                words=self._words(at, seen, message, segment) if place == 0 else (),
            )
            for place, at in enumerate(best)
        ]

    def scores(self, message: Message, segment: Segment) -> list[float]:
        return self._scores([self._seen(view, message, segment)[0] for view in self.views])

    def _seen(
        self, view: View, message: Message, segment: Segment
    ) -> tuple["Vector", dict[int, str]]:
        return vector_of(view, terms_of(message, view.name, segment))

    def _scores(self, vectors: Sequence["Vector"]) -> list[float]:
        total = [0.0] * len(self.labels)
        for view, vector in zip(self.views, vectors, strict=True):
            spread = spread_out(raw_scores(view, vector), view, self.least_spread)
            total = [sum(pair) for pair in zip(total, spread, strict=True)]
        return total

    def _words(
        self,
        label: int,
        seen: Sequence[tuple["Vector", dict[int, str]]],
        message: Message,
        segment: Segment,
    ) -> tuple[str, ...]:
        """The message's own words by what they and their characters added for the label."""
        added: dict[str, float] = defaultdict(float)
        for view, (vector, names) in zip(self.views, seen, strict=True):
            for row, value in vector.items():
                added[names[row]] += value * _pull(view, row, label, len(self.labels))
        own = words(f"{message.title}\n{message.content}", segment)
        worth = {word: sum(added.get(term, 0.0) for term in {word, *_pairs(word)}) for word in own}
        return _apart(sorted(own, key=lambda word: -worth[word]), worth)


Vector: TypeAlias = dict[int, float]


def vector_of(view: View, terms: Mapping[str, Terms]) -> tuple[Vector, dict[int, str]]:
    """A message as its view's row numbers with their values, of length one; and their terms."""
    vector: Vector = {}
    names: dict[int, str] = {}
    for block in view.blocks:
        found = [
            (block.rows[term], term, 1.0 + math.log(times))
            for term, times in terms[block.part].items()
            if term in block.rows
        ]
        part = {row: value * block.rarity[row - block.first_row] for row, _, value in found}
        length = _length(part.values())
        for row, term, _ in found:
            vector[row] = block.weight * part[row] / length * view.emphasis[row]
            names[row] = term
    length = _length(vector.values())
    return {row: value / length for row, value in vector.items()}, names


def raw_scores(view: View, vector: Vector) -> list[float]:
    count = len(view.bias)
    total = list(view.bias)
    for row, value in vector.items():
        start = row * count
        for at, weight in enumerate(view.weights[start : start + count]):
            total[at] += value * weight
    return total


def spread_out(raw: Sequence[float], view: View, least: float) -> list[float]:
    """Comparable with the other view: centred, by its own spread or by a share of the usual one."""
    mean = sum(raw) / len(raw)
    centred = [score - mean for score in raw]
    spread = math.sqrt(sum(score * score for score in centred) / len(raw))
    return [view.share * score / max(spread, least * view.usual_spread) for score in centred]


def softmax(scores: Sequence[float]) -> list[float]:
    top = max(scores)
    parts = [math.exp(score - top) for score in scores]
    whole = sum(parts)
    return [part / whole for part in parts]


def _length(values: Iterable[float]) -> float:
    return math.sqrt(sum(value * value for value in values)) or 1.0


def _pull(view: View, row: int, label: int, count: int) -> float:
    """How much more a row speaks for one label than for the average one."""
    weights = view.weights[row * count : (row + 1) * count]
    return view.share * (weights[label] - sum(weights) / count) / view.usual_spread


def _pairs(word: str) -> Iterator[str]:
    return (first + second for first, second in pairwise(word))


def _apart(ordered: Sequence[str], worth: Mapping[str, float], most: int = 6) -> tuple[str, ...]:
    """The first few that say something, none of them part of another."""
    chosen: list[str] = []
    for word in ordered:
        if len(chosen) == most or worth[word] <= 0:
            break
        if not any(word in other or other in word for other in chosen):
            chosen.append(word)
    return tuple(chosen)
