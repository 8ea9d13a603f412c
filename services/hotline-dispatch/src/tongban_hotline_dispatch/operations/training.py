"""Learning to sort messages from a city's own history, and how well that goes, honestly measured.

Everything that is fitted is fitted inside each fold on the other folds alone. Texts that are nearly
the same could stand on both sides of a fold and flatter the figure, so it is measured a second time
with such texts kept together.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, TypeAlias

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from tongban_hotline_dispatch.domain.classifier import Classifier, Message, Segment
from tongban_hotline_dispatch.domain.corpus import Corpus
from tongban_hotline_dispatch.domain.figures import Figures, calibration_error, figures_of
from tongban_hotline_dispatch.operations.fitting import (
    Floats,
    Places,
    Recipe,
    Table,
    fit,
    fitting_names,
)
from tongban_hotline_dispatch.operations.near_duplicates import near_duplicate_groups

Progress: TypeAlias = Callable[[int, int], object]


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
    names: int  # of the catalogue, learnt from beside the history
    recipe: Recipe

    def facts(self) -> dict[str, Any]:
        """What the model's description says of it, beside its name and moment."""
        return {
            "rows": self.apart.figures.n,
            "labels": dict(self.counted),
            "names": self.names,
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
    names = fitting_names(names, labels, recipe)
    table = Table.of(corpus, names, labels, segment)
    steps.done()
    groups = near_duplicate_groups(corpus.messages)
    steps.done()
    apart, seen = _cross_validate(table, recipe, _folds(table, recipe, None), steps)
    together, _ = _cross_validate(table, recipe, _folds(table, recipe, groups), steps)
    sharpness, error = _calibrated(seen, table, recipe)
    fitted = fit(table, np.arange(len(corpus)), recipe)
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
        names=len(names),
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


def _folds(
    table: Table, recipe: Recipe, groups: Sequence[int] | None
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
    table: Table, recipe: Recipe, folds: Iterator[tuple[Places, Places]], steps: _Steps
) -> tuple[Measured, _Seen]:
    scores = np.zeros((table.texts, len(table.labels)))
    fold = np.zeros(table.texts, dtype=np.intp)
    by_fold = []
    for number, (learnt, held_out) in enumerate(folds):
        fitted = fit(table, learnt, recipe)
        scores[held_out] = sum(each.spread(table, held_out, recipe) for each in fitted)
        fold[held_out] = number
        by_fold.append(_figures(table, scores, held_out).macro_f1)
        steps.done()
    whole = _figures(table, scores, np.arange(table.texts))
    return Measured(figures=whole, by_fold=tuple(by_fold)), _Seen(scores, fold)


def _figures(table: Table, scores: Floats, rows: Places) -> Figures:
    truth = [table.labels[at] for at in table.wanted[rows]]
    return figures_of(truth, [table.labels[at] for at in scores[rows].argmax(axis=1)])


def _calibrated(seen: _Seen, table: Table, recipe: Recipe) -> tuple[float, float]:
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
