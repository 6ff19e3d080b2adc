"""What traffic shows between two cycles: how much of it, which labels came, and what the answers scored.

Everything is told from the log's rows as they are now: no sum is kept aside that a corrected label would not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import orjson

from retraining.cycle.estimating import (
    estimate_parts,
    no_calibrations,
    rows_to_estimate,
    why_not_estimated,
)
from retraining.datasets.columns import label_text
from retraining.prediction_log.traffic import answers_since, labelled_answers, traffic_groups
from retraining.records import Score
from retraining.scoring import coding
from retraining.statistics import Calibration, Predictions, metric, score, score_interval, subset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from retraining.cycle.estimating import AnsweredRows, Calibrations, Part
    from retraining.prediction_log.traffic import LabelledAnswer, TrafficGroup
    from retraining.records import Schema
    from retraining.statistics import Metric

    Integers = NDArray[np.int64]

Key = TypeVar("Key", int, date)
EPOCH = date(1970, 1, 1)
MOST_ESTIMATED = 100_000  # rows that are read; of more, their share is the same to three digits
DAYS_FOR_BLOCKS = 8  # from so many days on, a day is a block; before that an hour is
MOST_LABELS_IN = 0.95
SECONDS_AN_HOUR = 3600
HOURS_A_DAY = 24


@dataclass(frozen=True)
class Coverage:
    """Predictions that are so many whole days old, and those of them whose label came."""

    age_days: int
    predictions: int
    labelled: int


@dataclass(frozen=True)
class Share:
    """A part of the traffic.

    Attributes:
        realised: what its labelled rows scored, None where none can be told.
        estimated: what its rows score as far as probabilities tell, None where that is not honest.
    """

    predictions: int
    labelled: int
    realised: Score | None
    estimated: Score | None = None


@dataclass(frozen=True)
class DayOfTraffic:
    """A day (UTC) that had traffic."""

    date: date
    whole: Share
    by_version: Mapping[int, Share]


@dataclass(frozen=True)
class Traffic:
    """What was answered since a day.

    Attributes:
        whole: all of it.
        coverage: by age, youngest first.
        labels_in_days: after how many days 95 % of the labels that came were there. Labels of young predictions can
            only have been quick, so where labels are late it is rather too small. None without labels.
        by_version: version -> its part, oldest first.
        days: those that had traffic, oldest first.
        why_not_estimated: why the whole has no estimated score; None where it has one.
    """

    whole: Share
    coverage: tuple[Coverage, ...]
    labels_in_days: int | None
    by_version: Mapping[int, Share]
    days: tuple[DayOfTraffic, ...]
    why_not_estimated: str | None = None


@dataclass(frozen=True)
class _Rows:
    """Labelled rows, each array (n,): hours since 1970, versions, and answers beside labels."""

    hours: Integers
    versions: Integers
    answers: Predictions


NO_TRAFFIC = Traffic(Share(0, 0, None), (), None, {}, ())


def first_moment(days: int, now: datetime) -> datetime:
    """When the last `days` days (UTC), today among them, began."""
    first_day = now.astimezone(UTC).date() - timedelta(days=days - 1)
    return datetime.combine(first_day, time(), UTC)


def read_traffic(
    connection: Connection,
    model_name: str,
    schema: Schema | None,
    metric_name: str,
    *,
    since: datetime,
    now: datetime,
    calibrations_of: Callable[[Iterable[int]], Calibrations] = no_calibrations,
) -> Traffic:
    """Count and score a model's traffic.

    Args:
        connection: to the log.
        model_name: whose rows.
        schema: production's: a label counts where it is one of its classes. None: no label is of a known class.
        metric_name: of the score.
        since: from when on.
        now: what ages are told by.
        calibrations_of: what versions, by number, carry for an estimate.
    """
    groups = traffic_groups(connection, model_name, since, now)
    codes = {} if schema is None else _codes(schema)
    chosen = metric(metric_name)
    if chosen.needs == "labels":
        rows = _rows_of_groups(groups, codes)
    else:
        rows = _rows_with_probabilities(labelled_answers(connection, model_name, since), codes)
    calibrations = calibrations_of({group.version for group in groups})
    estimates: Mapping[Part, Score] = {}
    if any(isinstance(one, Calibration) for one in calibrations.values()):
        share_read = min(1.0, MOST_ESTIMATED / _count(groups))
        answers = answers_since(connection, model_name, since, share_read)
        estimates = _estimates(
            chosen, rows_to_estimate(answers, calibrations, tuple(codes)), calibrations
        )

    def share(
        some: Sequence[TrafficGroup], day: date | None = None, version: int | None = None
    ) -> Share:
        mine = _rows_of(rows.hours, rows.versions, day, version)
        realised = _score(chosen, rows, mine)
        estimated = estimates.get((day, version))
        return Share(_count(some), _count(_labelled(some, codes)), realised, estimated)

    def by_version(some: Sequence[TrafficGroup], day: date | None = None) -> dict[int, Share]:
        apart = _apart(some, lambda group: group.version)
        return {version: share(part, day, version) for version, part in apart.items()}

    by_day = _apart(groups, lambda group: group.hour.date())
    whole = share(groups)
    return Traffic(
        whole=whole,
        coverage=_coverage(groups, codes),
        labels_in_days=_labels_in_days(_labelled(groups, codes)),
        by_version=by_version(groups),
        days=tuple(
            DayOfTraffic(day, share(some, day), by_version(some, day))
            for day, some in by_day.items()
        ),
        why_not_estimated=None
        if whole.estimated
        else why_not_estimated(chosen, calibrations, tuple(codes)),
    )


def _estimates(
    chosen: Metric, rows: AnsweredRows, calibrations: Calibrations
) -> Mapping[Part, Score]:
    """Estimated scores by day and version, None for all of them; of rows that are there."""
    days: list[date | None] = [None, *map(_day_of, np.unique(rows.hours // HOURS_A_DAY).tolist())]
    versions: list[int | None] = [None, *np.unique(rows.versions).tolist()]
    parts = {
        (day, version): _rows_of(rows.hours, rows.versions, day, version)
        for day, version in product(days, versions)
    }
    return estimate_parts(chosen, rows, calibrations, parts)


def _rows_of(
    hours: Integers, versions: Integers, day: date | None, version: int | None
) -> NDArray[np.bool_]:
    """(n,) whether a row is of that day (UTC) and answered by that version; None: of any."""
    mine = np.ones(hours.size, dtype=bool)
    if day is not None:
        mine &= hours // HOURS_A_DAY == _day_number(day)
    if version is not None:
        mine &= versions == version
    return mine


def _day_of(number: int) -> date:
    """The day that is so many after the first of 1970."""
    return EPOCH + timedelta(days=number)


def _codes(schema: Schema) -> dict[str, int]:
    """The code of each class by its text in the log."""
    return {label_text(label): code for code, label in enumerate(coding(schema))}


def _count(groups: Iterable[TrafficGroup]) -> int:
    return sum(group.rows for group in groups)


def _labelled(groups: Sequence[TrafficGroup], codes: Mapping[str, int]) -> list[TrafficGroup]:
    return [group for group in groups if group.label in codes]


def _apart(
    groups: Sequence[TrafficGroup], key: Callable[[TrafficGroup], Key]
) -> dict[Key, list[TrafficGroup]]:
    """Groups by a key, smallest first."""
    apart: dict[Key, list[TrafficGroup]] = {}
    for group in groups:
        apart.setdefault(key(group), []).append(group)
    return dict(sorted(apart.items()))


def _coverage(groups: Sequence[TrafficGroup], codes: Mapping[str, int]) -> tuple[Coverage, ...]:
    by_age = _apart(groups, lambda group: group.age_days)
    return tuple(
        Coverage(age, _count(some), _count(_labelled(some, codes))) for age, some in by_age.items()
    )


def _labels_in_days(labelled: Sequence[TrafficGroup]) -> int | None:
    """The number of whole days after which 95 % of the labels that came were there."""
    delays: dict[int, int] = {}
    for group in labelled:
        delay = group.label_delay_days or 0
        delays[delay] = delays.get(delay, 0) + group.rows
    enough, there = MOST_LABELS_IN * sum(delays.values()), 0
    for delay in sorted(delays):
        there += delays[delay]
        if there >= enough:
            return delay + 1
    return None


def _day_number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days


def _hour_number(hour: datetime) -> int:
    return int(hour.timestamp()) // SECONDS_AN_HOUR


def _rows_of_groups(groups: Sequence[TrafficGroup], codes: Mapping[str, int]) -> _Rows:
    """Rows for a metric that looks at labels alone: those of a group are equal, so no row need be read."""
    found = []
    for one in groups:
        label, answer = codes.get(one.label or ""), codes.get(one.prediction or "")
        if label is not None and answer is not None:
            found.append((_hour_number(one.hour), one.version, label, answer, one.rows))
    table = np.asarray(found, dtype=np.int64).reshape(-1, 5)
    hours, versions, truth, predicted = np.repeat(table[:, :4], table[:, 4], axis=0).T
    return _Rows(hours, versions, Predictions(truth, predicted, None, hours, max(len(codes), 1)))


def _rows_with_probabilities(answers: Iterable[LabelledAnswer], codes: Mapping[str, int]) -> _Rows:
    """Rows for a metric that looks at probabilities; those that were answered without any are left out."""
    cells: list[tuple[int, int, int, int]] = []
    probabilities: list[NDArray[np.float64]] = []
    for one in answers:
        label, answer = codes.get(one.label), codes.get(one.prediction or "")
        row = _probabilities(one, codes)
        if label is not None and answer is not None and row is not None:
            cells.append((_hour_number(one.hour), one.version, label, answer))
            probabilities.append(row)
    hours, versions, truth, predicted = np.asarray(cells, dtype=np.int64).reshape(-1, 4).T
    stacked = np.asarray(probabilities).reshape(-1, len(codes))
    return _Rows(hours, versions, Predictions(truth, predicted, stacked, hours, max(len(codes), 1)))


def _probabilities(one: LabelledAnswer, codes: Mapping[str, int]) -> NDArray[np.float64] | None:
    """(classes,) in the order of the codes; None where there are none, or one for a class that is not known now."""
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


def _score(chosen: Metric, rows: _Rows, mine: NDArray[np.bool_]) -> Score | None:
    """What some rows scored, with an interval over days, or over hours while there are few days."""
    if not mine.any():
        return None
    some, hours = subset(rows.answers, mine), rows.hours[mine]
    value = score(chosen, some)
    if value is None:
        return None
    days = hours // HOURS_A_DAY
    blocks = days if np.unique(days).size >= DAYS_FOR_BLOCKS else hours
    blocked = Predictions(some.truth, some.predicted, some.probabilities, blocks, some.class_count)
    return Score(chosen.name, value, int(mine.sum()), score_interval(chosen, blocked))
