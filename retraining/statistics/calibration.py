"""Calibration: how often each class is true at a probability that a model gives for it.

A model that says 0.9 need not be right nine times of ten. Isotonic regression finds the frequency
at each probability, for each class against the rest, on rows that the model has not learned
(Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass Probability Estimates,
2002). `expected_score` estimates a score from these frequencies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from retraining.statistics.metrics import Predictions

    Floats = NDArray[np.float64]

FEWEST_ROWS = 30  # of each class; fewer say too little of its frequency
MOST_ROWS = 20_000  # that are fitted; more would not show in a curve
RUNS = 10  # each is left out once (a jackknife), which shows how far the curves may be off


@dataclass(frozen=True)
class Curve:
    """Probability as given -> frequency: straight between the points, flat beyond them.

    Attributes:
        given: probabilities, 0..1, strictly rising.
        true: the frequency at each of them, 0..1, never falling.
    """

    given: tuple[float, ...]
    true: tuple[float, ...]

    def at(self, probabilities: Floats) -> Floats:
        """(n,) frequencies of (n,) probabilities."""
        frequencies: Floats = np.interp(probabilities, self.given, self.true)
        return frequencies


@dataclass(frozen=True)
class Calibration:
    """The calibration that a version carries: numbers only, no rows.

    Attributes:
        classes: labels as text, in the order of their codes.
        rows: how many rows of each class were fitted.
        curves: one for each class, fitted on all these rows. With two classes there is one curve,
            for the second class: the first one's frequency is 1 minus that.
        without_a_run: the same curves ten times, each time without one of ten runs of neighbouring
            rows.
    """

    classes: tuple[str, ...]
    rows: tuple[int, ...]
    curves: tuple[Curve, ...]
    without_a_run: tuple[tuple[Curve, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """The content of `calibration.json`."""
        return {
            "classes": list(self.classes),
            "rows": list(self.rows),
            "curves": _curves_to_json(self.curves),
            "without_a_run": [_curves_to_json(curves) for curves in self.without_a_run],
        }


@dataclass(frozen=True)
class NotCalibrated:
    """Why a version carries no calibration."""

    why: str

    def to_json(self) -> dict[str, Any]:
        """The content of `calibration.json` for a version without a calibration."""
        return {"why_not": self.why}


def calibration_from_json(content: Mapping[str, Any]) -> Calibration | NotCalibrated:
    """The calibration that `to_json` wrote, or why there is none."""
    if "why_not" in content:
        return NotCalibrated(str(content["why_not"]))
    return Calibration(
        tuple(content["classes"]),
        tuple(content["rows"]),
        _curves_from_json(content["curves"]),
        tuple(_curves_from_json(one) for one in content["without_a_run"]),
    )


def fit_calibration(answers: Predictions, classes: Sequence[str]) -> Calibration | NotCalibrated:
    """Fit the curves on a model's answers to rows that it has not learned.

    Of more than `MOST_ROWS` rows every second, third, ... one is fitted.

    Args:
        answers: (n,) rows in the order of time, with probabilities (n, k).
        classes: the labels as text, by their codes.
    """
    if not answers.truth.size:
        return NotCalibrated("there were no test rows that it had not learned")
    if answers.probabilities is None:
        return NotCalibrated("it gives no probabilities")
    if not np.isfinite(answers.probabilities).all():
        return NotCalibrated("it gives probabilities that are no numbers")
    counts = np.bincount(answers.truth, minlength=answers.class_count)
    fewest = int(counts.argmin())
    if counts[fewest] < FEWEST_ROWS:
        return NotCalibrated(
            f"{counts[fewest]} of its test rows are of class {classes[fewest]!r}, "
            f"and it takes {FEWEST_ROWS} of each class"
        )
    every = math.ceil(answers.truth.size / MOST_ROWS)
    truth = answers.truth[::every]
    given = np.asarray(answers.probabilities[::every], dtype=np.float64)
    run = np.arange(truth.size) * RUNS // truth.size
    fitted_rows = np.bincount(truth, minlength=answers.class_count)
    return Calibration(
        tuple(classes),
        tuple(fitted_rows.tolist()),
        _fit(truth, given),
        tuple(_fit(truth[run != left_out], given[run != left_out]) for left_out in range(RUNS)),
    )


def calibrated(curves: Sequence[Curve], probabilities: Floats) -> Floats:
    """(n, k) the probability of each class by its curve, scaled so that each row adds up to 1.

    A row for which every curve says 0 keeps the model's own probabilities.

    Args:
        curves: one for each class, or the second one's alone, as in `Calibration`.
        probabilities: (n, k) as the model gave them.
    """
    if len(curves) == 1:
        second = curves[0].at(probabilities[:, 1])
        return np.stack([1 - second, second], axis=1)
    columns = [curve.at(probabilities[:, code]) for code, curve in enumerate(curves)]
    likely = np.stack(columns, axis=1)
    total = likely.sum(axis=1, keepdims=True)
    scaled: Floats = np.divide(likely, total, out=probabilities.astype(np.float64), where=total > 0)
    return scaled


def _fit(truth: NDArray[np.integer[Any]], given: Floats) -> tuple[Curve, ...]:
    codes = [1] if given.shape[1] == 2 else range(given.shape[1])
    return tuple(_curve(given[:, code], truth == code) for code in codes)


def _curve(given: Floats, is_true: NDArray[np.bool_]) -> Curve:
    from sklearn.isotonic import IsotonicRegression  # slow to load, and reading curves needs none

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(given, is_true)
    return Curve(_numbers(fitted.X_thresholds_), _numbers(fitted.y_thresholds_))


def _numbers(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _curves_to_json(curves: Sequence[Curve]) -> list[list[tuple[float, ...]]]:
    return [[one.given, one.true] for one in curves]


def _curves_from_json(content: Sequence[Sequence[Sequence[float]]]) -> tuple[Curve, ...]:
    return tuple(Curve(tuple(given), tuple(true)) for given, true in content)
