"""The estimated score of traffic: what its probabilities say of it while no labels are there.

Each version's rows are read by its own calibration. Calibrations that lack a part of the test rows
show how far the estimate may be off. Chance in the labels that are not known yet is added to that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import orjson
from scipy import special

from retraining.datasets.columns import label_text
from retraining.records import Score
from retraining.statistics import (
    Calibration,
    NotCalibrated,
    calibrated,
    calibration_from_json,
    expected_score,
    noise_of_labels,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from retraining.model_registry.interface import Registry
    from retraining.prediction_log.traffic import Answer
    from retraining.statistics import Metric

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Calibrations = Mapping[int, Calibration | NotCalibrated]
    Part = tuple[date | None, int | None]  # a day and a version, None for all of them

METHOD = "CBPE"  # confidence-based performance estimation
CONFIDENCE = 0.95
SECONDS_AN_HOUR = 3600
NO_CALIBRATION = "it has no calibration: it was adopted, or made by an older version of this job"


@dataclass(frozen=True)
class AnsweredRows:
    """Rows whose version is calibrated.

    Attributes:
        hours: (n,) since 1970.
        versions: (n,) which answered.
        predicted: (n,) codes of the labels as answered.
        given: (n, k) probabilities as the models gave them.
        classes: k labels as text, in the order of the codes.
    """

    hours: Integers
    versions: Integers
    predicted: Integers
    given: Floats
    classes: tuple[str, ...]


def calibrations_of(registry: Registry, versions: Iterable[int]) -> Calibrations:
    """What each version carries; a version that is gone, or not of this job, carries none."""
    return {number: _calibration_of(registry, number) for number in versions}


def no_calibrations(_versions: Iterable[int]) -> Calibrations:
    """For callers that need no estimate."""
    return {}


def why_not_estimated(
    chosen: Metric, calibrations: Calibrations, classes: Sequence[str]
) -> str | None:
    """Why there is no estimated score, by the newest version that answered.

    None where nothing was answered.
    """
    if not calibrations:
        return None
    newest = max(calibrations)
    found = calibrations[newest]
    if isinstance(found, NotCalibrated):
        return f"v{newest}: {found.why}"
    if set(found.classes) != set(classes):
        return f"v{newest}: it knows other classes than production"
    return (
        f"{chosen.name} cannot be computed from answers and probabilities, or no row was answered"
        " with any"
    )


def _calibration_of(registry: Registry, number: int) -> Calibration | NotCalibrated:
    version = registry.version(number)
    if version is None or not version.is_ours:
        return NotCalibrated("it is no version that this job knows")
    content = registry.calibration(version)
    return NotCalibrated(NO_CALIBRATION) if content is None else calibration_from_json(content)


def rows_to_estimate(
    answers: Iterable[Answer], calibrations: Calibrations, classes: Sequence[str]
) -> AnsweredRows:
    """Rows of calibrated versions whose classes are production's.

    Those that were answered without probabilities are left out.
    """
    codes = {label: code for code, label in enumerate(classes)}
    fit = {
        number
        for number, one in calibrations.items()
        if isinstance(one, Calibration) and set(one.classes) == set(classes)
    }
    orders: dict[str, list[int]] = {}  # few texts of classes, many rows
    cells: list[tuple[int, int, int]] = []
    given: list[list[float]] = []
    for one in answers:
        code = codes.get(one.prediction or "")
        if one.version not in fit or code is None or not (one.classes and one.probabilities):
            continue
        order = orders.get(one.classes)
        if order is None:
            order = orders[one.classes] = _order(one.classes, classes)
        row = orjson.loads(one.probabilities)
        if len(order) == len(classes) == len(row) and None not in row:
            hour = int(one.request_time.timestamp()) // SECONDS_AN_HOUR
            cells.append((hour, one.version, code))
            given.append([row[place] for place in order])
    hours, versions, predicted = np.asarray(cells, dtype=np.int64).reshape(-1, 3).T
    stacked = np.asarray(given, dtype=np.float64).reshape(-1, len(classes))
    return AnsweredRows(hours, versions, predicted, stacked, tuple(classes))


def _order(answered: str, classes: Sequence[str]) -> list[int]:
    """Where each class stands among those that a row names, as JSON.

    Empty where they are not the same ones.
    """
    named = [label_text(label) for label in orjson.loads(answered)]
    return [named.index(label) for label in classes] if set(named) == set(classes) else []


def estimate_parts(
    chosen: Metric,
    rows: AnsweredRows,
    calibrations: Calibrations,
    parts: Mapping[Part, NDArray[np.bool_]],
) -> dict[Part, Score]:
    """The estimated score of each part, a mask over the rows.

    A part is left out where none can be told.
    """
    values = _values_without_a_run(chosen, rows, calibrations, parts)
    likely = _likely(rows, calibrations, None)
    scores: dict[Part, Score] = {}
    for name, mine in parts.items():
        predicted, given = rows.predicted[mine], rows.given[mine]
        value = expected_score(chosen, predicted, given, likely[mine])
        if value is not None:
            noise = noise_of_labels(chosen, predicted, given, likely[mine])
            interval = _interval(chosen, value, values[name], noise)
            scores[name] = Score(chosen.name, value, predicted.size, interval)
    return scores


def _values_without_a_run(
    chosen: Metric,
    rows: AnsweredRows,
    calibrations: Calibrations,
    parts: Mapping[Part, NDArray[np.bool_]],
) -> dict[Part, list[float | None]]:
    """Of each part, its value by the curves that lack one run of the test rows."""
    values: dict[Part, list[float | None]] = {name: [] for name in parts}
    known = [one for one in calibrations.values() if isinstance(one, Calibration)]
    for left_out in range(min((len(one.without_a_run) for one in known), default=0)):
        likely = _likely(rows, calibrations, left_out)
        for name, mine in parts.items():
            value = expected_score(chosen, rows.predicted[mine], rows.given[mine], likely[mine])
            values[name].append(value)
    return values


def _likely(rows: AnsweredRows, calibrations: Calibrations, left_out: int | None) -> Floats:
    """(n, k) how likely each class is, by the curves of each row's version."""
    likely = np.zeros_like(rows.given)
    for number, one in calibrations.items():
        mine = rows.versions == number
        if isinstance(one, Calibration) and mine.any():
            curves = one.curves if left_out is None else one.without_a_run[left_out]
            places = [one.classes.index(label) for label in rows.classes]
            own = np.argsort(places)  # from production's order to the version's
            likely[mine] = calibrated(curves, rows.given[mine][:, own])[:, places]
    return likely


def _interval(
    chosen: Metric, value: float, without_a_run: Sequence[float | None], noise: float
) -> tuple[float, float] | None:
    """Jackknife over the runs (Shao and Tu, 1995, section 2.3), and the labels' own luck beside it.

    Within the metric's range.
    """
    known = [one for one in without_a_run if one is not None]
    if len(known) < 2 or len(known) < len(without_a_run):
        return None
    spread = np.asarray(known) - np.mean(known)
    error = math.sqrt((len(known) - 1) / len(known) * float(spread @ spread))
    of_curves = float(special.stdtrit(len(known) - 1, (1 + CONFIDENCE) / 2)) * error
    of_labels = float(special.ndtri((1 + CONFIDENCE) / 2)) * noise
    half = math.hypot(of_curves, of_labels)
    return max(chosen.low, value - half), min(chosen.high, value + half)
