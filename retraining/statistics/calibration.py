"""How often a model is right at a probability that it gives: what turns its probabilities into an
estimated score.

A model that says 0.9 need not be right nine times of ten. On rows that it has not learned, isotonic
regression finds for each class against the rest how often the class was true at each probability
(Zadrozny and Elkan, 2002).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from retraining.statistics.metrics import Predictions

    Floats = NDArray[np.float64]

FEWEST_ROWS = 30  # of a class; from fewer its frequency cannot be told
MOST_ROWS = 20_000  # that are fitted; more would not show in a curve
RUNS = 10  # each is left out once, which tells how far the curves may be off


@dataclass(frozen=True)
class Curve:
    """Probability as given -> frequency: straight between the points, flat beyond them.

    `given` rises strictly.
    """

    given: tuple[float, ...]
    true: tuple[float, ...]

    def at(self, probabilities: Floats) -> Floats:
        """(n,) frequencies."""
        found: Floats = np.interp(probabilities, self.given, self.true)
        return found


@dataclass(frozen=True)
class Calibration:
    """What a version carries, all of it numbers.

    Attributes:
        classes: labels as text, in the order of their codes.
        rows: of each class, that were fitted.
        curves: one a class, of all rows; of two classes the second one's alone, since it tells the
            other.
        without_a_run: the same, each without one of ten runs of neighbouring rows.
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
    """Why a version carries none."""

    why: str

    def to_json(self) -> dict[str, Any]:
        """The content of `calibration.json` then."""
        return {"why_not": self.why}


def calibration_from_json(content: Mapping[str, Any]) -> Calibration | NotCalibrated:
    """What `to_json` wrote."""
    if "why_not" in content:
        return NotCalibrated(str(content["why_not"]))
    return Calibration(
        tuple(content["classes"]),
        tuple(content["rows"]),
        _curves_from_json(content["curves"]),
        tuple(_curves_from_json(one) for one in content["without_a_run"]),
    )


def fit_calibration(answers: Predictions, classes: Sequence[str]) -> Calibration | NotCalibrated:
    """Fit the curves on a model's answers to rows that it has not learned, in the order of time.

    Args:
        answers: with probabilities, (n, k).
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
    rows = np.arange(0, answers.truth.size, -(-answers.truth.size // MOST_ROWS))
    truth, given = answers.truth[rows], np.asarray(answers.probabilities[rows], dtype=np.float64)
    run = np.arange(rows.size) * RUNS // rows.size
    return Calibration(
        tuple(classes),
        tuple(int(count) for count in np.bincount(truth, minlength=answers.class_count)),
        _fit(truth, given),
        tuple(_fit(truth[run != left_out], given[run != left_out]) for left_out in range(RUNS)),
    )


def calibrated(curves: Sequence[Curve], probabilities: Floats) -> Floats:
    """(n, k) how likely each class is, each row adding up to 1.

    `probabilities` (n, k) are as the model gave them.
    """
    if len(curves) == 1:
        second = curves[0].at(probabilities[:, 1])
        return np.stack([1 - second, second], axis=1)
    columns = [curve.at(probabilities[:, code]) for code, curve in enumerate(curves)]
    likely = np.stack(columns, axis=1)
    total = likely.sum(axis=1, keepdims=True)
    return np.where(total > 0, likely / np.where(total > 0, total, 1), probabilities)


def _fit(truth: NDArray[np.integer[Any]], given: Floats) -> tuple[Curve, ...]:
    codes = [1] if given.shape[1] == 2 else range(given.shape[1])
    return tuple(_curve(given[:, code], truth == code) for code in codes)


def _curve(given: Floats, is_true: NDArray[np.bool_]) -> Curve:
    from sklearn.isotonic import IsotonicRegression  # loads what who only reads curves need not

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(given, is_true)
    return Curve(_numbers(fitted.X_thresholds_), _numbers(fitted.y_thresholds_))


def _numbers(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _curves_to_json(curves: Sequence[Curve]) -> list[list[tuple[float, ...]]]:
    return [[one.given, one.true] for one in curves]


def _curves_from_json(content: Sequence[Sequence[Sequence[float]]]) -> tuple[Curve, ...]:
    return tuple(Curve(tuple(given), tuple(true)) for given, true in content)
