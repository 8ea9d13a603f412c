"""Fitting a classifier to texts: which terms are known, how rare they are and what they weigh.

The names of the city's own catalogue stand beside the history as short extra texts, at a fraction
of a text's weight: they say of what a label consists where the history has few examples of it. A
catalogue that names only some of the labels draws texts away from the others, so it is left out.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_selection import chi2
from sklearn.naive_bayes import ComplementNB
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from tongban_hotline_dispatch.domain.classifier import (
    PARTS,
    VIEWS,
    Block,
    Message,
    Segment,
    Terms,
    View,
    terms_of,
)
from tongban_hotline_dispatch.domain.corpus import Corpus

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What was found by trying; kept with each model."""

    folds: int = 5
    seed: int = 0
    title_weight: float = 0.85  # beside 1 for the content
    emphasis: float = 0.25  # the power of chi² by which uneven terms are raised
    least_texts: Mapping[str, int] = field(default_factory=lambda: {"characters": 3, "words": 2})
    shares: Mapping[str, float] = field(default_factory=lambda: {"characters": 1.0, "words": 0.7})
    softness: float = 2.0  # C of the support vector machine over the characters
    smoothing: float = 0.1  # of the complement naive Bayes over the words
    catalogue_weight: float = 0.3  # of a catalogue's name beside a text
    least_named: float = 0.5  # the share of the labels that a catalogue must name to be of use
    least_spread: float = 0.3


def fitting_names(
    names: Sequence[tuple[str, Message]], labels: Sequence[str], recipe: Recipe
) -> list[tuple[str, Message]]:
    """Those that name a label of the history; none where too few labels have one."""
    known = set(labels)
    fitting = [(label, message) for label, message in names if label in known]
    named = {label for label, _ in fitting}
    return fitting if len(named) >= recipe.least_named * len(labels) else []


@dataclass(frozen=True, slots=True)
class _Counts:
    """How often each text has each term of one part in one view."""

    matrix: sparse.csr_array
    terms: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """The texts as numbers, those that only name a label after the others. Nothing is fitted."""

    counts: Mapping[tuple[str, str], _Counts]
    labels: tuple[str, ...]
    wanted: Places  # the label of each text
    texts: int

    @classmethod
    def of(
        cls,
        corpus: Corpus,
        names: Sequence[tuple[str, Message]],
        labels: tuple[str, ...],
        segment: Segment,
    ) -> "Table":
        messages = [*corpus.messages, *(message for _, message in names)]
        given = [*corpus.labels, *(label for label, _ in names)]
        return cls(
            counts={
                (view, part): counts
                for view in VIEWS
                for part, counts in _counted(messages, view, segment).items()
            },
            labels=labels,
            wanted=np.array([labels.index(label) for label in given]),
            texts=len(corpus),
        )

    @property
    def named(self) -> Places:
        return np.arange(self.texts, len(self.wanted))


def _counted(messages: Sequence[Message], view: str, segment: Segment) -> dict[str, _Counts]:
    gathered = {part: _Gathered() for part in PARTS}
    for message in messages:
        for part, terms in terms_of(message, view, segment).items():
            gathered[part].add(terms)
    return {part: each.counts() for part, each in gathered.items()}


class _Gathered:
    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._columns = array("i")  # 32 bits: what scikit-learn takes
        self._times = array("f")
        self._ends = array("i", [0])

    def add(self, terms: Terms) -> None:
        for term, times in terms.items():
            self._columns.append(self._places.setdefault(term, len(self._places)))
            self._times.append(times)
        self._ends.append(len(self._columns))

    def counts(self) -> _Counts:
        shape = (len(self._ends) - 1, len(self._places))
        parts = (np.array(self._times, dtype=float), np.array(self._columns), np.array(self._ends))
        return _Counts(sparse.csr_array(parts, shape=shape), list(self._places))


@dataclass(frozen=True, slots=True)
class _FittedBlock:
    part: str
    kept: Places  # columns of the counts
    rarity: Floats


@dataclass(frozen=True, slots=True)
class FittedView:
    name: str
    blocks: tuple[_FittedBlock, ...]
    emphasis: Floats
    weights: Floats  # terms x labels
    bias: Floats
    usual_spread: float

    def raw(self, table: Table, rows: Places, recipe: Recipe) -> Floats:
        values = _values(table, self.name, self.blocks, rows, recipe)
        seen = _of_length_one(values, self.emphasis)
        scores: Floats = seen @ self.weights + self.bias
        return scores

    def spread(self, table: Table, rows: Places, recipe: Recipe) -> Floats:
        """As `domain.classifier.spread_out`, for many texts at once."""
        centred = _centred(self.raw(table, rows, recipe))
        least = recipe.least_spread * self.usual_spread
        spread: Floats = np.maximum(centred.std(axis=1, keepdims=True), least)
        return recipe.shares[self.name] * centred / spread

    def view(self, table: Table, recipe: Recipe) -> View:
        first, blocks = 0, []
        for block in self.blocks:
            terms = table.counts[self.name, block.part].terms
            blocks.append(
                Block(
                    part=block.part,
                    weight=_weight(block.part, recipe),
                    rows={terms[column]: first + at for at, column in enumerate(block.kept)},
                    rarity=array("f", block.rarity),
                    first_row=first,
                )
            )
            first += len(block.kept)
        return View(
            name=self.name,
            share=recipe.shares[self.name],
            blocks=tuple(blocks),
            emphasis=array("f", self.emphasis),
            weights=array("f", self.weights.ravel()),
            bias=array("f", self.bias),
            usual_spread=self.usual_spread,
        )


def fit(table: Table, rows: Places, recipe: Recipe) -> list[FittedView]:
    """From these texts and the catalogue's names, and nothing else."""
    return [_fit_view(table, name, rows, recipe) for name in VIEWS]


def _fit_view(table: Table, name: str, rows: Places, recipe: Recipe) -> FittedView:
    learnt = np.concatenate([rows, table.named])
    blocks = tuple(_fit_block(table, name, part, rows, recipe) for part in PARTS)
    values = _values(table, name, blocks, learnt, recipe)
    wanted = table.wanted[learnt]
    if not values.shape[1]:
        return FittedView(name, blocks, *_nothing(len(table.labels)), 1.0)
    emphasis = np.nan_to_num(chi2(values, wanted)[0]) ** recipe.emphasis
    seen = _of_length_one(values, emphasis)
    weight = np.where(learnt < table.texts, 1.0, recipe.catalogue_weight)
    weights, bias = _learnt(name, seen, wanted, weight, recipe)
    spread = _centred(seen[: len(rows)] @ weights + bias).std(axis=1)
    return FittedView(name, blocks, emphasis, weights, bias, float(spread.mean()) or 1.0)


def _fit_block(table: Table, view: str, part: str, rows: Places, recipe: Recipe) -> _FittedBlock:
    matrix = table.counts[view, part].matrix
    having = np.bincount(matrix[rows].indices, minlength=matrix.shape[1])
    named = np.bincount(matrix[table.named].indices, minlength=matrix.shape[1])
    kept = np.flatnonzero(having + named >= recipe.least_texts[view])
    if not len(kept):  # hardly any history yet: better a word seen once than none
        kept = np.flatnonzero(having + named)
    return _FittedBlock(part, kept, np.log((1 + len(rows)) / (1 + having[kept])) + 1)


def _values(
    table: Table, view: str, blocks: Sequence[_FittedBlock], rows: Places, recipe: Recipe
) -> sparse.csr_array:
    parts = []
    for block in blocks:
        counts = table.counts[view, block.part].matrix[rows][:, block.kept]
        counts.data = 1 + np.log(counts.data)
        scaled = _of_length_one(counts, block.rarity)
        parts.append(_weight(block.part, recipe) * scaled)
    return sparse.hstack(parts, format="csr")


def _of_length_one(values: sparse.csr_array, scale: Floats) -> sparse.csr_array:
    return normalize(values @ sparse.diags_array(scale)) if len(scale) else values


def _nothing(labels: int) -> tuple[Floats, Floats, Floats]:
    """Emphasis, weights and bias of a view that knows no term."""
    return np.zeros(0), np.zeros((0, labels)), np.zeros(labels)


def _learnt(
    view: str, seen: sparse.csr_array, wanted: Places, weight: Floats, recipe: Recipe
) -> tuple[Floats, Floats]:
    """Characters are told apart by a margin, words by what the other labels use."""
    if view == "words":
        bayes = ComplementNB(alpha=recipe.smoothing).fit(seen, wanted, sample_weight=weight)
        weights: Floats = bayes.feature_log_prob_.T
        return weights, np.zeros(weights.shape[1])
    machine = LinearSVC(
        C=recipe.softness, class_weight="balanced", random_state=recipe.seed, max_iter=5000
    ).fit(seen, wanted, sample_weight=weight)
    if len(machine.classes_) == 2:
        return np.hstack([-machine.coef_.T, machine.coef_.T]), np.array(
            [-machine.intercept_[0], machine.intercept_[0]]
        )
    return machine.coef_.T, machine.intercept_


def _weight(part: str, recipe: Recipe) -> float:
    return recipe.title_weight if part == "title" else 1.0


def _centred(scores: Floats) -> Floats:
    centred: Floats = scores - scores.mean(axis=1, keepdims=True)
    return centred
