"""The realised score of traffic: what its answers scored on the labels that came.

Intervals take days as blocks, or hours while there are few days: rows of a day are alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from retraining.datasets.columns import label_text
from retraining.records import Score
from retraining.statistics import Predictions, score, score_interval, subset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from retraining.prediction_log.traffic import Answer, TrafficGroup
    from retraining.statistics import Metric

    Integers = NDArray[np.int64]

DAYS_FOR_BLOCKS = 8  # from so many days on, a day is a block; before that an hour is
SECONDS_AN_HOUR = 3600
HOURS_A_DAY = 24
LABEL_AGES = (0, 1, 2, 4, 8, 15, 31)  # whole days at which a part of the labels begins


@dataclass(frozen=True)
class LabelledRows:
    """Labelled rows, each array (n,): hours since 1970, versions, whole days until the label came,
    answers beside labels.
    """

    hours: Integers
    versions: Integers
    delays: Integers
    answers: Predictions


@dataclass(frozen=True)
class LabelAge:
    """What the answers scored whose labels came after `from_days` whole days and up to `to_days`,
    None for any later.
    """

    from_days: int
    to_days: int | None
    realised: Score


def score_of_groups(
    chosen: Metric, groups: Iterable[TrafficGroup], codes: Mapping[str, int]
) -> Score | None:
    """For a metric that looks at labels alone: rows of a group are equal, so none need be read.

    None where nothing can be told.
    """
    counted = []
    for one in groups:
        label, answer = codes.get(one.label or ""), codes.get(one.prediction or "")
        if label is not None and answer is not None:
            counted.append((hour_number(one.hour), label, answer, one.rows))
    table = np.asarray(counted, dtype=np.int32).reshape(-1, 4)
    blocks, rows = _blocks(table[:, 0]), table[:, 3]
    # small integers: there may be millions of rows
    labels, answered = table[:, 1:3].T.astype(np.int16)
    truth, predicted = np.repeat(labels, rows), np.repeat(answered, rows)
    answers = Predictions(truth, predicted, None, np.repeat(blocks, rows), max(len(codes), 1))
    return _score(chosen, answers)


def score_of_rows(chosen: Metric, rows: LabelledRows, mine: NDArray[np.bool_]) -> Score | None:
    """What some rows, a mask (n,), scored; None where nothing can be told."""
    answers = subset(rows.answers, mine)
    return _score(chosen, replace(answers, blocks=_blocks(answers.blocks)))


def _blocks(hours: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """(n,) the days of those hours, or the hours themselves while there are few days."""
    days = hours // HOURS_A_DAY
    return days if np.unique(days).size >= DAYS_FOR_BLOCKS else hours


def _score(chosen: Metric, answers: Predictions) -> Score | None:
    """With an interval over the blocks; None where nothing can be told."""
    value = score(chosen, answers)
    if value is None:
        return None
    return Score(chosen.name, value, answers.truth.size, score_interval(chosen, answers))


def labelled_rows(
    answers: Iterable[Answer], codes: Mapping[str, int], *, with_probabilities: bool
) -> LabelledRows:
    """Rows with a known label.

    Where probabilities are asked for, those without any are left out.
    """
    cells: list[tuple[int, int, int, int, int]] = []
    probabilities: list[NDArray[np.float64]] = []
    for one in answers:
        label, answer = codes.get(one.label or ""), codes.get(one.prediction or "")
        if label is None or answer is None or one.received_time is None:
            continue
        if with_probabilities:
            row = _probabilities(one, codes)
            if row is None:
                continue
            probabilities.append(row)
        delay = max(0, (one.received_time - one.request_time).days)
        cells.append((hour_number(one.request_time), one.version, delay, label, answer))
    hours, versions, delays, truth, predicted = np.asarray(cells, np.int64).reshape(-1, 5).T
    classes = max(len(codes), 1)  # none is known where no version holds the alias
    stacked = np.asarray(probabilities).reshape(-1, classes) if with_probabilities else None
    found = Predictions(truth, predicted, stacked, hours, classes)
    return LabelledRows(hours, versions, delays, found)


def _probabilities(one: Answer, codes: Mapping[str, int]) -> NDArray[np.float64] | None:
    """(classes,) in the order of the codes.

    None where there are none, or one for a class that is not known now.
    """
    if one.classes is None or one.probabilities is None:
        return None
    row = np.zeros(len(codes))
    pairs = zip(orjson.loads(one.classes), orjson.loads(one.probabilities), strict=True)
    for label, probability in pairs:
        code = codes.get(label_text(label))
        if code is None or probability is None:
            return None
        row[code] = probability
    return row


def by_label_age(chosen: Metric, rows: LabelledRows) -> tuple[LabelAge, ...]:
    """Scores apart by how long labels took, quickest first: labels that come early are no random
    sample.
    """
    ages = []
    for start, end in pairwise((*LABEL_AGES, None)):
        mine = rows.delays >= int(start or 0)
        if end is not None:
            mine &= rows.delays < end
        realised = score_of_rows(chosen, rows, mine)
        if realised is not None:
            ages.append(LabelAge(int(start or 0), None if end is None else end - 1, realised))
    return tuple(ages)


def hour_number(moment: datetime) -> int:
    """Hours since 1970."""
    return int(moment.timestamp()) // SECONDS_AN_HOUR
