import random

import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from tongban_hotline_dispatch.domain.figures import calibration_error, figures_of


def test_the_figures_are_those_that_scikit_learn_gives() -> None:
    drawn = random.Random(4)  # noqa: S311 - the same in every run
    labels = ["城建", "教育", "民政", "从未猜中"]
    truth = [drawn.choice(labels) for _ in range(300)]
    guessed = [drawn.choice([*labels[:3], "从未有过", each]) for each in truth]

    found = figures_of(truth, guessed)

    names = sorted({*truth, *guessed})
    ours = [(each.precision, each.recall, each.f1, each.support) for each in found.labels.values()]
    theirs = precision_recall_fscore_support(truth, guessed, labels=names, zero_division=0)
    assert list(found.labels) == names
    assert ours == [pytest.approx(row) for row in zip(*theirs, strict=True)]
    assert found.macro_f1 == pytest.approx(f1_score(truth, guessed, average="macro"))
    assert found.accuracy == pytest.approx(accuracy_score(truth, guessed))
    assert found.n == 300


def test_nothing_guessed_is_nothing_and_not_a_fault() -> None:
    assert figures_of([], []).macro_f1 == 0


@pytest.mark.parametrize(
    ("confidence", "right", "error"),
    [(0.8, [True] * 8 + [False] * 2, 0.0), (1.0, [True, False], 0.5), (0.3, [True] * 4, 0.7)],
    ids=["正好", "过于自信", "过于谦虚"],
)
def test_belief_is_held_against_how_often_it_was_right(
    confidence: float, right: list[bool], error: float
) -> None:
    found = calibration_error([confidence] * len(right), right)

    assert found == pytest.approx(error)
