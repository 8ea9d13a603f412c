"""Learning to sort messages from a city's own history, and how well that goes, honestly measured.

Everything that is fitted (which terms are known, how rare they are, what they weigh) is fitted
inside each fold on the other folds alone. Texts that are nearly the same could stand on both sides
of a fold and flatter the figure, so it is measured a second time with such texts kept together.

The names of the city's own catalogue stand beside the history as short extra texts, at a fraction
of a text's weight: they say of what a label consists where the history has few examples of it.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.feature_selection import chi2
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.naive_bayes import ComplementNB
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from tongban_hotline_dispatch.domain.classifier import (
    PARTS,
    VIEWS,
    Block,
    Classifier,
    Message,
    Segment,
    Terms,
    View,
    terms_of,
)
from tongban_hotline_dispatch.domain.corpus import Corpus
from tongban_hotline_dispatch.domain.figures import Figures, calibration_error, figures_of
from tongban_hotline_dispatch.operations.near_duplicates import near_duplicate_groups

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]
Progress: TypeAlias = Callable[[int, int], object]


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
    least_spread: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One cross-validation."""

    figures: Figures
    by_fold: tuple[float, ...]  # macro-F1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    classifier: Classifier
    apart: Measured  # plain stratified folds
    together: Measured  # near duplicates never on both sides of a fold
    near_duplicates: int  # texts that have another like them
    calibration_error: float
    counted: Mapping[str, int]
    recipe: Recipe

    def facts(self) -> dict[str, Any]:
        """What the model's description says of it, beside its name and moment."""
        return {
            "rows": self.apart.figures.n,
            "labels": dict(self.counted),
            "figures": {
                "macro_f1": self.apart.figures.macro_f1,
                "accuracy": self.apart.figures.accuracy,
                "macro_f1_by_fold": list(self.apart.by_fold),
                "macro_f1_near_duplicates_together": self.together.figures.macro_f1,
                "near_duplicates": self.near_duplicates,
                "calibration_error": self.calibration_error,
            },
            "recipe": asdict(self.recipe),
            "made_with": {name: version(name) for name in ("scikit-learn", "rjieba")},
        }


def train(
    corpus: Corpus,
    *,
    names: Sequence[tuple[str, Message]] = (),
    segment: Segment,
    recipe: Recipe | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Trained:
    """Cross-validate twice, then learn from everything. `names`: a label and what names it."""
    recipe = recipe or Recipe()
    steps = _Steps(progress, 2 * recipe.folds + 3)
    labels = tuple(sorted(set(corpus.labels)))
    names = [(label, message) for label, message in names if label in labels]
    table = _Table.of(corpus, names, labels, segment)
    steps.done()
    groups = near_duplicate_groups(corpus.messages)
    steps.done()
    apart, seen = _cross_validate(table, recipe, _folds(table, recipe, None), steps)
    together, _ = _cross_validate(table, recipe, _folds(table, recipe, groups), steps)
    sharpness, error = _calibrated(seen, table, recipe)
    fitted = _fit(table, np.arange(len(corpus)), recipe)
    steps.done()
    crowd = Counter(groups)
    return Trained(
        classifier=Classifier(
            labels=labels,
            views=tuple(each.view(table, recipe) for each in fitted),
            sharpness=sharpness,
            least_spread=recipe.least_spread,
        ),
        apart=apart,
        together=together,
        near_duplicates=sum(count for count in crowd.values() if count > 1),
        calibration_error=error,
        counted=Counter(corpus.labels),
        recipe=recipe,
    )


class _Steps:
    def __init__(self, progress: Progress, whole: int) -> None:
        self._progress = progress
        self._whole = whole
        self._done = 0

    def done(self) -> None:
        self._done += 1
        self._progress(self._done, self._whole)


@dataclass(frozen=True, slots=True)
class _Counts:
    """How often each text has each term of one part in one view."""

    matrix: sparse.csr_array
    terms: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Table:
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
    ) -> "_Table":
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
class _FittedView:
    name: str
    blocks: tuple[_FittedBlock, ...]
    emphasis: Floats
    weights: Floats  # terms x labels
    bias: Floats
    usual_spread: float

    def raw(self, table: _Table, rows: Places, recipe: Recipe) -> Floats:
        values = _values(table, self.name, self.blocks, rows, recipe)
        seen = _of_length_one(values, self.emphasis)
        scores: Floats = seen @ self.weights + self.bias
        return scores

    def spread(self, table: _Table, rows: Places, recipe: Recipe) -> Floats:
        """As `domain.classifier.spread_out`, for many texts at once."""
        centred = _centred(self.raw(table, rows, recipe))
        least = recipe.least_spread * self.usual_spread
        spread: Floats = np.maximum(centred.std(axis=1, keepdims=True), least)
        return recipe.shares[self.name] * centred / spread

    def view(self, table: _Table, recipe: Recipe) -> View:
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


def _fit(table: _Table, rows: Places, recipe: Recipe) -> list[_FittedView]:
    """From these texts and the catalogue's names, and nothing else."""
    return [_fit_view(table, name, rows, recipe) for name in VIEWS]


def _fit_view(table: _Table, name: str, rows: Places, recipe: Recipe) -> _FittedView:
    learnt = np.concatenate([rows, table.named])
    blocks = tuple(_fit_block(table, name, part, rows, recipe) for part in PARTS)
    values = _values(table, name, blocks, learnt, recipe)
    wanted = table.wanted[learnt]
    if not values.shape[1]:
        return _FittedView(name, blocks, *_nothing(len(table.labels)), 1.0)
    emphasis = np.nan_to_num(chi2(values, wanted)[0]) ** recipe.emphasis
    seen = _of_length_one(values, emphasis)
    weight = np.where(learnt < table.texts, 1.0, recipe.catalogue_weight)
    weights, bias = _learnt(name, seen, wanted, weight, recipe)
    spread = _centred(seen[: len(rows)] @ weights + bias).std(axis=1)
    return _FittedView(name, blocks, emphasis, weights, bias, float(spread.mean()) or 1.0)


def _fit_block(table: _Table, view: str, part: str, rows: Places, recipe: Recipe) -> _FittedBlock:
    matrix = table.counts[view, part].matrix
    having = np.bincount(matrix[rows].indices, minlength=matrix.shape[1])
    named = np.bincount(matrix[table.named].indices, minlength=matrix.shape[1])
    kept = np.flatnonzero(having + named >= recipe.least_texts[view])
    if not len(kept):  # hardly any history yet: better a word seen once than none
        kept = np.flatnonzero(having + named)
    return _FittedBlock(part, kept, np.log((1 + len(rows)) / (1 + having[kept])) + 1)


def _values(
    table: _Table, view: str, blocks: Sequence[_FittedBlock], rows: Places, recipe: Recipe
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


def _folds(
    table: _Table, recipe: Recipe, groups: Sequence[int] | None
) -> Iterator[tuple[Places, Places]]:
    wanted = table.wanted[: table.texts]
    how = {"n_splits": recipe.folds, "shuffle": True, "random_state": recipe.seed}
    if groups is None:
        yield from StratifiedKFold(**how).split(wanted, wanted)
    else:
        yield from StratifiedGroupKFold(**how).split(wanted, wanted, groups)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Each text's scores by a model that had not seen it, and the fold that it was held out in."""

    scores: Floats
    fold: Places


def _cross_validate(
    table: _Table, recipe: Recipe, folds: Iterator[tuple[Places, Places]], steps: _Steps
) -> tuple[Measured, _Seen]:
    scores = np.zeros((table.texts, len(table.labels)))
    fold = np.zeros(table.texts, dtype=np.intp)
    by_fold = []
    for number, (learnt, held_out) in enumerate(folds):
        fitted = _fit(table, learnt, recipe)
        scores[held_out] = sum(each.spread(table, held_out, recipe) for each in fitted)
        fold[held_out] = number
        by_fold.append(_figures(table, scores, held_out).macro_f1)
        steps.done()
    whole = _figures(table, scores, np.arange(table.texts))
    return Measured(figures=whole, by_fold=tuple(by_fold)), _Seen(scores, fold)


def _figures(table: _Table, scores: Floats, rows: Places) -> Figures:
    truth = [table.labels[at] for at in table.wanted[rows]]
    return figures_of(truth, [table.labels[at] for at in scores[rows].argmax(axis=1)])


def _calibrated(seen: _Seen, table: _Table, recipe: Recipe) -> tuple[float, float]:
    """The sharpness of the shares, and how far they are off in folds that it was not fitted on."""
    wanted = table.wanted[: table.texts]
    confidence = np.zeros(table.texts)
    for number in range(recipe.folds):
        held_out = seen.fold == number
        sharpness = _sharpness(seen.scores[~held_out], wanted[~held_out])
        confidence[held_out] = softmax(sharpness * seen.scores[held_out], axis=1).max(axis=1)
    right = seen.scores.argmax(axis=1) == wanted
    error = calibration_error(confidence.tolist(), right.tolist())
    return _sharpness(seen.scores, wanted), error


def _sharpness(scores: Floats, wanted: Places) -> float:
    def surprise(sharpness: float) -> float:
        shares = log_softmax(sharpness * scores, axis=1)
        return -float(shares[np.arange(len(wanted)), wanted].mean())

    return float(minimize_scalar(surprise, bounds=(0.05, 20), method="bounded").x)
