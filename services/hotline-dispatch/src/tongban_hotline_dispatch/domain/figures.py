"""How well labels were guessed: precision, recall and F1 by label, and their plain mean."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OfLabel:
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    n: int
    macro_f1: float
    accuracy: float
    labels: dict[str, OfLabel]


def figures_of(truth: Sequence[str], guessed: Sequence[str]) -> Figures:
    """Every label that is true or guessed anywhere counts the same, however rare it is."""
    right = Counter(true for true, guess in zip(truth, guessed, strict=True) if true == guess)
    support, guesses = Counter(truth), Counter(guessed)
    labels = {
        label: OfLabel(
            precision=_share(right[label], guesses[label]),
            recall=_share(right[label], support[label]),
            f1=_share(2 * right[label], support[label] + guesses[label]),
            support=support[label],
        )
        for label in sorted({*support, *guesses})
    }
    return Figures(
        n=len(truth),
        macro_f1=_share(sum(each.f1 for each in labels.values()), len(labels)),
        accuracy=_share(sum(right.values()), len(truth)),
        labels=labels,
    )


def calibration_error(confidences: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """How far the belief is from being right as often as it says, on average over the texts."""
    gaps = [0.0] * bins
    for confidence, was_right in zip(confidences, right, strict=True):
        gaps[min(int(confidence * bins), bins - 1)] += confidence - was_right
    return _share(sum(abs(gap) for gap in gaps), len(confidences))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
