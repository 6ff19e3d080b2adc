"""The estimated score of traffic: which rows count, by whose calibration, and what it sees and does
not see.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest

from retraining.cycle.estimating import (
    AnsweredRows,
    estimate_parts,
    rows_to_estimate,
    why_not_estimated,
)
from retraining.prediction_log.traffic import Answer
from retraining.statistics import Calibration, NotCalibrated, Predictions, fit_calibration, metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retraining.records import Score

    Floats = NDArray[np.float64]

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ACCURACY = metric("accuracy")
CLASSES = ("0", "1")
WHOLE = (None, None)


def chance_of_one(x: Floats) -> Floats:
    """The concept: how likely label 1 is."""
    chance: Floats = 1 / (1 + np.exp(-2 * x))
    return chance


def said(x: Floats) -> Floats:
    """(n, 2) what the model says: it is surer than it should be."""
    second = 1 / (1 + np.exp(-4 * x))
    return np.stack([1 - second, second], axis=1)


def drawn(center: float, rows: int, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    """Features, and labels of the concept as it was."""
    random = np.random.default_rng(seed)
    x = random.normal(center, 1, rows)
    return x, (random.random(rows) < chance_of_one(x)).astype(np.int64)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    x, truth = drawn(1.0, 2000, 1)
    answers = Predictions(truth, said(x).argmax(axis=1), said(x), np.zeros_like(truth), 2)
    found = fit_calibration(answers, CLASSES)
    assert isinstance(found, Calibration)
    return found


def estimated(x: Floats, calibration: Calibration) -> Score:
    given = said(x)
    zeros = np.zeros(x.size, dtype=np.int64)
    rows = AnsweredRows(zeros, zeros + 1, given.argmax(axis=1), given, CLASSES)
    everything = {WHOLE: np.ones(x.size, dtype=bool)}
    return estimate_parts(ACCURACY, rows, {1: calibration}, everything)[WHOLE]


def last_known(truth: NDArray[np.int64], x: Floats) -> float:
    return float((said(x).argmax(axis=1) == truth).mean())


def test_where_inputs_move_it_is_nearer_the_truth_than_the_last_known_score(
    calibration: Calibration,
) -> None:
    known = last_known(*reversed(drawn(1.0, 2000, 1)))
    by_estimate, by_last_known, held = [], [], []
    for seed, center in enumerate(np.linspace(-1, 2.5, 15), start=10):
        x, truth = drawn(float(center), 2000, seed)
        real = last_known(truth, x)
        found = estimated(x, calibration)
        assert found.value is not None
        assert found.interval is not None
        by_estimate.append(abs(found.value - real))
        by_last_known.append(abs(known - real))
        held.append(found.interval[0] < real < found.interval[1])
    assert np.mean(by_estimate) < np.mean(by_last_known) / 3
    assert np.mean(held) > 0.8, "the intervals hold the truth"


def test_a_concept_that_turns_is_not_seen(calibration: Calibration) -> None:
    """Which is why it never triggers anything, and why the words beside it say so."""
    x, truth = drawn(1.0, 2000, 5)
    real = last_known(1 - truth, x)
    found = estimated(x, calibration)
    assert found.value is not None
    assert found.value - real > 0.5


def test_the_label_as_answered_counts_not_the_likeliest_class(calibration: Calibration) -> None:
    """A model may answer by another rule than its largest probability."""
    x, _ = drawn(1.0, 2000, 6)
    given = said(x)
    zeros = np.zeros(x.size, dtype=np.int64)
    everything = {WHOLE: np.ones(x.size, dtype=bool)}
    always_zero = AnsweredRows(zeros, zeros + 1, zeros, given, CLASSES)
    found = estimate_parts(ACCURACY, always_zero, {1: calibration}, everything)[WHOLE]
    assert found.value == pytest.approx(1 - chance_of_one(x).mean(), abs=0.03)


# --- which rows -----------------------------------------------------------------------------------


def answer(**changed: Any) -> Answer:
    values: dict[str, Any] = {
        "request_time": NOON,
        "version": 1,
        "prediction": "1",
        "classes": "[0,1]",
        "probabilities": "[0.25,0.75]",
    }
    return Answer(**{**values, **changed})


def test_rows_that_cannot_be_estimated_are_left_out(calibration: Calibration) -> None:
    answers = [
        answer(),
        answer(version=2),
        answer(version=3),
        answer(prediction=None),
        answer(prediction="7"),
        answer(classes=None, probabilities=None),
        answer(classes="[0,1,7]", probabilities="[0.2,0.2,0.6]"),
        answer(probabilities="[null,0.75]"),
        answer(classes="[1,0]", probabilities="[0.9,0.1]", request_time=NOON + timedelta(hours=1)),
    ]
    calibrations = {1: calibration, 2: NotCalibrated("it gives no probabilities")}
    rows = rows_to_estimate(answers, calibrations, CLASSES)
    assert rows.given.tolist() == [[0.25, 0.75], [0.1, 0.9]]
    assert np.diff(rows.hours).tolist() == [1]


def test_a_version_is_read_by_its_own_calibration_in_its_own_order(
    calibration: Calibration,
) -> None:
    x, _ = drawn(1.0, 500, 7)
    turned = Calibration(("1", "0"), (50, 50), calibration.curves, calibration.without_a_run)
    row = said(x)[0].tolist()
    texts = {"probabilities": orjson.dumps(row[::-1]).decode(), "classes": "[1,0]"}
    rows = rows_to_estimate([answer(version=4, **texts)], {4: turned}, CLASSES)
    everything = {WHOLE: np.ones(1, dtype=bool)}
    found = estimate_parts(ACCURACY, rows, {4: turned}, everything)[WHOLE]
    # its curve tells of class 0, the second one of its own
    assert found.value == pytest.approx(1 - calibration.curves[0].at(np.array([row[0]]))[0])


def test_the_reason_is_that_of_the_newest_version(calibration: Calibration) -> None:
    missing = NotCalibrated("it gives no probabilities")
    assert why_not_estimated(ACCURACY, {}, CLASSES) is None
    assert (
        why_not_estimated(ACCURACY, {1: calibration, 2: missing}, CLASSES)
        == "v2: it gives no probabilities"
    )
    assert "other classes" in str(why_not_estimated(ACCURACY, {1: calibration}, ("0", "1", "2")))
