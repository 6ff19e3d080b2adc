"""What turns probabilities into frequencies, on models that are known to be wrong about
themselves.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from retraining.statistics import (
    Calibration,
    NotCalibrated,
    Predictions,
    calibrated,
    calibration_from_json,
    fit_calibration,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 4000


def answers(given: NDArray[np.float64] | None, truth: NDArray[np.int64], classes: int = 2) -> Any:
    predicted = truth if given is None else given.argmax(axis=1)
    return Predictions(truth, predicted, given, np.zeros_like(truth), classes)


def too_sure() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """How likely class 1 is, what the model says of it (always farther from a half), and the
    truth.
    """
    random = np.random.default_rng(1)
    likely = random.random(ROWS)
    said = np.where(likely > 0.5, 1 - (1 - likely) / 4, likely / 4)
    truth = (random.random(ROWS) < likely).astype(np.int64)
    return likely, np.stack([1 - said, said], axis=1), truth


def fitted(given: NDArray[np.float64], truth: NDArray[np.int64], *classes: str) -> Calibration:
    found = fit_calibration(answers(given, truth, len(classes)), classes)
    assert isinstance(found, Calibration)
    return found


def test_a_model_that_is_too_sure_is_brought_back() -> None:
    likely, given, truth = too_sure()
    curves = fitted(given, truth, "no", "yes").curves
    assert np.abs(given[:, 1] - likely).mean() > 0.15
    assert np.abs(calibrated(curves, given)[:, 1] - likely).mean() < 0.03


def test_it_comes_back_from_json_as_it_went() -> None:
    _, given, truth = too_sure()
    one = fitted(given, truth, "no", "yes")
    assert calibration_from_json(json.loads(json.dumps(one.to_json()))) == one
    none = NotCalibrated("it gives no probabilities")
    assert calibration_from_json(json.loads(json.dumps(none.to_json()))) == none


def test_of_three_classes_each_row_adds_up_to_one() -> None:
    random = np.random.default_rng(2)
    given = random.dirichlet([1, 1, 1], ROWS)
    truth = np.array([random.choice(3, p=row) for row in given])
    curves = fitted(given, truth, "a", "b", "c").curves
    assert len(curves) == 3
    likely = calibrated(curves, np.vstack([given, [[0.0, 0.0, 1.0]]]))
    np.testing.assert_allclose(likely.sum(axis=1), 1)
    assert np.abs(likely[:-1] - given).mean() < 0.05, "it was right all along"


def test_estimates_without_one_run_of_rows_differ_most_where_runs_differ() -> None:
    """Rows that follow each other in time are left out together: else a bad week would not widen
    the interval.
    """
    _, given, truth = too_sure()
    turned = truth.copy()
    turned[: ROWS // 10] = 1 - turned[: ROWS // 10]
    mixed = np.random.default_rng(3).permutation(ROWS)

    def spread(order: NDArray[np.int64]) -> float:
        curves = fitted(given[order], turned[order], "no", "yes").without_a_run
        right = [calibrated(one, given)[np.arange(ROWS), given.argmax(axis=1)] for one in curves]
        return float(np.std([each.mean() for each in right]))

    assert spread(np.arange(ROWS)) > 2 * spread(mixed)


@pytest.mark.parametrize(
    ("given", "truth", "why"),
    [
        (np.empty((0, 2)), np.empty(0, dtype=np.int64), "no test rows"),
        (None, np.repeat([0, 1], 50), "no probabilities"),
        (np.full((100, 2), np.nan), np.repeat([0, 1], 50), "no numbers"),
        (np.full((100, 2), 0.5), np.repeat([0, 1], [71, 29]),
         "29 of its test rows are of class 'yes'"),
    ],
)  # fmt: skip
def test_where_it_would_not_be_honest_it_says_why(given: Any, truth: Any, why: str) -> None:
    predicted = np.zeros_like(truth)
    found = fit_calibration(Predictions(truth, predicted, given, predicted, 2), ("no", "yes"))
    assert isinstance(found, NotCalibrated)
    assert why in found.why
