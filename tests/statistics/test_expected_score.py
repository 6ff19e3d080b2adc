"""Expected scores against the mean over labels that are drawn as likely as they are said to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from retraining.statistics import Predictions, expected_score, metric, noise_of_labels, score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ROWS, DRAWS = 1000, 100


def traffic(classes: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Answers, the model's probabilities, and how likely each class is: not the same, and not
    always the likeliest answered.
    """
    random = np.random.default_rng(classes)
    likely = random.dirichlet([0.7] * classes, ROWS)
    given = likely**0.5
    given /= given.sum(axis=1, keepdims=True)
    bias = np.arange(classes) * 0.1
    return (given + bias).argmax(axis=1), given, likely


def drawn(name: str, predicted: NDArray[np.int64], given: Floats, likely: Floats) -> Floats:
    """(draws,) scores."""
    random = np.random.default_rng(9)
    up_to = likely.cumsum(axis=1)[:, :-1]
    found = []
    for _ in range(DRAWS):
        truth = (random.random((ROWS, 1)) > up_to).sum(axis=1)
        answers = Predictions(truth, predicted, given, np.zeros_like(truth), given.shape[1])
        found.append(score(metric(name), answers))
    return np.asarray(found, dtype=float)


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("accuracy", 2), ("accuracy", 4), ("error_rate", 2), ("f1", 2), ("f1_macro", 4),
        ("recall", 2),
        ("balanced_accuracy", 4), ("matthews_corrcoef", 2), ("roc_auc", 2), ("roc_auc_ovr", 4),
        ("average_precision", 2), ("neg_log_loss", 4), ("neg_brier_score", 2),
        ("top_k_accuracy", 4),
        ("d2_log_loss_score", 2),
    ],
)  # fmt: skip
def test_it_is_the_mean_over_labels_that_may_come(name: str, classes: int) -> None:
    predicted, given, likely = traffic(classes)
    scores = drawn(name, predicted, given, likely)
    found = expected_score(metric(name), predicted, given, likely)
    assert found == pytest.approx(scores.mean(), abs=4 * scores.std() / DRAWS**0.5 + 2e-4)
    noise = noise_of_labels(metric(name), predicted, given, likely)
    assert noise == pytest.approx(scores.std(), rel=0.6)


def test_a_metric_that_takes_no_weights_is_not_told() -> None:
    predicted, given, likely = traffic(4)
    assert expected_score(metric("roc_auc_ovo"), predicted, given, likely) is None


def test_of_no_rows_nothing_is_told() -> None:
    nothing = np.empty((0, 2))
    assert expected_score(metric("accuracy"), np.empty(0, dtype=np.int64), nothing, nothing) is None
