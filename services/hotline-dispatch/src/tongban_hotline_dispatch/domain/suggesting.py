"""What is proposed for a message: its category, its matter and its unit, and by which words.

The city's dispatch catalogue speaks first, then the classifiers that learnt from its history, then
the names in the matter catalogue. A person decides; nothing here does.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from tongban_hotline_dispatch.domain.classifier import MOST_READ, Guess, Message, Segment, words
from tongban_hotline_dispatch.domain.dispatching import DispatchCatalogue, Hit, Place, Rule
from tongban_hotline_dispatch.domain.matters import Matter

_MOST_WORDS = 8
_CONTRAST = 3  # a name that fits twice as well counts eight times as much
_TITLE_COUNTS = 2  # beside 1 for the content: the title says what it is about
_SAYS_NOTHING = frozenset({"其他", "管理", "问题", "相关", "有关", "情况", "工作"})


# leaf → how well its name fits, and the words by which it does
Matching: TypeAlias = Mapping[str, tuple[float, tuple[str, ...]]]


class Source(StrEnum):
    DISPATCH_CATALOGUE = "dispatch_catalogue"  # 派单目录
    CLASSIFIER = "classifier"  # 分类模型
    MATTER_CATALOGUE = "matter_catalogue"  # 事项目录中的名称


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One thing that may be right, with its share of the belief."""

    code: str
    confidence: float
    words: tuple[str, ...]
    source: Source
    basis: str = ""  # of the rule that says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How much is shown and believed: the city's own policy."""

    most: int
    least_confidence: float
    keyword_confidence: float
    name_smoothing: float
    place_confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    categories: tuple[Guess, ...]
    matters: tuple[Candidate, ...]
    units: tuple[Candidate, ...]


class MatterNames:
    """The matters of one version by the words of their names and their keywords."""

    def __init__(self, matters: Sequence[Matter], segment: Segment) -> None:
        self.by_code = {matter.code: matter for matter in matters}
        self._leaves = [matter for matter in matters if matter.is_leaf]
        self._having: dict[str, list[int]] = defaultdict(list)
        self._size = []
        for at, leaf in enumerate(self._leaves):
            named = _words_of(leaf, segment)
            self._size.append(len(named) or 1)
            for word in sorted(named, key=lambda word: (-len(word), word)):
                self._having[word].append(at)

    def lineage(self, code: str) -> list[str]:
        """The codes from the first level down to a matter."""
        found: list[str] = []
        at: str | None = code
        while at is not None and at in self.by_code:
            found.insert(0, at)
            at = self.by_code[at].parent_code
        return found

    def heading(self, name: str) -> Matter | None:
        """The matter of the first level with this name."""
        return next((each for each in self.by_code.values() if each.path == (name,)), None)

    def matching(self, message: Message) -> Matching:
        """Leaf → how well its rarer words fit what is said, and these words.

        Looked for as they stand: a segmenter that cuts 路灯不亮 into 路 and 灯不亮 hides the lamp.
        """
        worth: dict[int, float] = defaultdict(float)
        by: dict[int, list[str]] = defaultdict(list)
        whole = math.log(1 + len(self._leaves))
        content = message.content[:MOST_READ]
        for word, leaves in self._having.items():
            times = _TITLE_COUNTS * message.title.count(word) + content.count(word)
            if not times:
                continue
            rarity = math.log(1 + len(self._leaves) / len(leaves)) / whole
            for at in leaves:
                worth[at] += (1 + math.log(times)) * rarity / math.sqrt(self._size[at])
                by[at].append(word)
        return {
            self._leaves[at].code: (value**_CONTRAST, tuple(by[at])) for at, value in worth.items()
        }


def _words_of(leaf: Matter, segment: Segment) -> set[str]:
    named = {word for name in leaf.path[1:] for word in words(name, segment)}
    return (named | set(leaf.keywords)) - _SAYS_NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A message to be sorted, and what the classifiers say of it."""

    message: Message
    place: str | None
    day: date
    categories: Sequence[Guess]  # of the matter catalogue's first level
    matters: Sequence[Guess]  # of its codes
    units: Sequence[Guess]

    @property
    def where(self) -> Place:
        return Place(given=self.place, message=self.message)


def suggest(
    asked: Asked,
    *,
    names: MatterNames,
    dispatch: DispatchCatalogue | None,
    tuning: Tuning,
) -> Suggestion:
    hits = [] if dispatch is None else dispatch.by_keywords(asked.where, asked.day)
    matters = [
        *_of_hits(hits, tuning, lambda rule: rule.matter_code),
        *(_guessed(guess) for guess in asked.matters if guess.label in names.by_code),
        *_named(asked.categories, names, names.matching(asked.message), tuning),
    ]
    merged = _merged(matters)
    units = [
        *_of_hits(hits, tuning, lambda rule: rule.unit_code),
        *([] if dispatch is None else _by_matter(merged, asked, names, dispatch, tuning)),
        *(_guessed(guess) for guess in asked.units),
    ]
    return Suggestion(
        categories=tuple(
            each for each in asked.categories if each.confidence >= tuning.least_confidence
        )[: tuning.most],
        matters=_best(merged, tuning),
        units=_best(_merged(units), tuning),
    )


def _of_hits(
    hits: Sequence[Hit], tuning: Tuning, code_of: Callable[[Rule], str | None]
) -> Iterable[Candidate]:
    whole = sum(len(word) for hit in hits for word in hit.words)
    for hit in hits:
        code = code_of(hit.rule)
        if code is not None:
            share = sum(map(len, hit.words)) / whole
            yield Candidate(
                code=code,
                confidence=tuning.keyword_confidence * share,
                words=(*hit.words, hit.place) if hit.place else hit.words,
                source=Source.DISPATCH_CATALOGUE,
                basis=hit.rule.basis,
            )


def _guessed(guess: Guess) -> Candidate:
    return Candidate(
        code=guess.label, confidence=guess.confidence, words=guess.words, source=Source.CLASSIFIER
    )


def _named(
    categories: Sequence[Guess],
    names: MatterNames,
    matching: Matching,
    tuning: Tuning,
) -> Iterable[Candidate]:
    """Each category's belief, shared among its leaves by how well their names fit.

    A category that the catalogue does not know, as an older one called it, may be any other's.
    """
    under: dict[str, dict[str, tuple[float, tuple[str, ...]]]] = {}
    for code, found in matching.items():
        under.setdefault(names.by_code[code].path[0], {})[code] = found
    unknown = 0.0 if categories else 1.0
    for guess in categories:
        heading = names.heading(guess.label)
        if heading is None:
            unknown += guess.confidence
        else:
            below = under.pop(guess.label, {})
            yield from _shared(guess.confidence, (heading, guess), below, tuning)
    if unknown:
        others = {code: found for group in under.values() for code, found in group.items()}
        yield from _shared(unknown, None, others, tuning)


def _shared(
    belief: float,
    heading: tuple[Matter, Guess] | None,
    matching: Matching,
    tuning: Tuning,
) -> Iterable[Candidate]:
    """What no leaf's name accounts for stays with the heading."""
    whole = tuning.name_smoothing + sum(value for value, _ in matching.values())
    for code, (value, by) in matching.items():
        yield Candidate(
            code=code,
            confidence=belief * value / whole,
            words=by,
            source=Source.MATTER_CATALOGUE,
        )
    if heading is not None:
        matter, guess = heading
        yield Candidate(
            code=matter.code,
            confidence=belief * tuning.name_smoothing / whole,
            words=guess.words,
            source=Source.CLASSIFIER,
        )


def _by_matter(
    matters: Sequence[Candidate],
    asked: Asked,
    names: MatterNames,
    dispatch: DispatchCatalogue,
    tuning: Tuning,
) -> Iterable[Candidate]:
    """The unit of each matter that may be meant; the unit of several gathers their belief.

    Where nothing is known of the matter, the unit of the place (只知地点、不知承办单位的派属地).
    """
    gathered: dict[str, Candidate] = {}
    known_or_not: Sequence[Candidate | None] = matters or [None]
    for each in known_or_not:
        lineage = [] if each is None else names.lineage(each.code)
        hit = dispatch.by_matter(lineage, asked.where, asked.day)
        if hit is None:
            continue
        belief = tuning.place_confidence if each is None else each.confidence
        by = (*(() if each is None else each.words), *((hit.place,) if hit.place else ()))
        known = gathered.get(hit.rule.unit_code)
        gathered[hit.rule.unit_code] = Candidate(
            code=hit.rule.unit_code,
            confidence=min(1.0, belief + (0.0 if known is None else known.confidence)),
            words=_together(() if known is None else known.words, by),
            source=Source.DISPATCH_CATALOGUE,
            basis=hit.rule.basis if known is None else known.basis,
        )
    yield from gathered.values()


def _merged(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Each code once, the likeliest first after what the dispatch catalogue itself says.

    What speaks for a code from several sides adds up, never beyond certainty.
    """
    merged: dict[str, Candidate] = {}
    for each in candidates:
        known = merged.get(each.code)
        merged[each.code] = each if known is None else _joined(known, each)
    ours = Source.DISPATCH_CATALOGUE
    return sorted(merged.values(), key=lambda each: (each.source != ours, -each.confidence))


def _best(merged: Sequence[Candidate], tuning: Tuning) -> tuple[Candidate, ...]:
    shown = [each for each in merged if each.confidence >= tuning.least_confidence]
    return tuple(shown[: tuning.most])


def _joined(first: Candidate, other: Candidate) -> Candidate:
    return replace(
        first,
        confidence=1 - (1 - first.confidence) * (1 - other.confidence),
        words=_together(first.words, other.words),
    )


def _together(first: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *other)))[:_MOST_WORDS]
