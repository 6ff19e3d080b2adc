"""The traffic between two cycles: how many predictions, which labels came, and what the answers
scored.

Everything is computed from the log's rows as they are now, so a corrected label changes every sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from retraining.cycle.estimating import (
    estimate_parts,
    no_calibrations,
    rows_to_estimate,
    why_not_estimated,
)
from retraining.cycle.realised import (
    HOURS_A_DAY,
    by_label_age,
    labelled_rows,
    score_of_groups,
    score_of_rows,
)
from retraining.datasets.columns import label_text
from retraining.prediction_log.label_ages import labels_in_days
from retraining.prediction_log.traffic import draw_answers, traffic_groups
from retraining.scoring import coding
from retraining.statistics import Calibration, metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy.engine import Connection

    from retraining.cycle.estimating import AnsweredRows, Calibrations, Part
    from retraining.cycle.realised import LabelAge, LabelledRows
    from retraining.prediction_log.traffic import DrawnAnswers, TrafficGroup
    from retraining.records import Schema, Score
    from retraining.statistics import Metric

    Integers = NDArray[np.int64]

Key = TypeVar("Key", int, date)
EPOCH = date(1970, 1, 1)
MOST_READ = 20_000  # single rows; of more a share is read, always the same one


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
        labels_in_days: after how many days 95 % of the labels that came were there. Labels of young
            predictions can only have been quick, so where labels are late it is rather too small.
            None without labels.
        by_version: version -> its part, oldest first.
        days: those that had traffic, oldest first.
        by_label_age: scores apart by how long labels took, quickest first.
        why_not_estimated: why the whole has no estimated score; None where it has one.
    """

    whole: Share
    coverage: tuple[Coverage, ...]
    labels_in_days: int | None
    by_version: Mapping[int, Share]
    days: tuple[DayOfTraffic, ...]
    by_label_age: tuple[LabelAge, ...] = ()
    why_not_estimated: str | None = None


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
        schema: production's: a label counts where it is one of its classes. None: no label is of a
            known class.
        metric_name: of the score.
        since: from when on.
        now: what ages are told by.
        calibrations_of: what versions, by number, carry for an estimate.
    """
    groups = list(traffic_groups(connection, model_name, since, now))
    codes = {} if schema is None else _codes(schema)
    chosen = metric(metric_name)
    drawn = _as_many_as_may(connection, model_name, since, groups)
    with_probabilities = chosen.needs == "probabilities"
    rows = labelled_rows(drawn.of_labelled, codes, with_probabilities=with_probabilities)
    calibrations = calibrations_of({group.version for group in groups})
    estimates: Mapping[Part, Score] = {}
    if any(isinstance(one, Calibration) for one in calibrations.values()):
        calibrated_rows = rows_to_estimate(drawn.of_all, calibrations, tuple(codes))
        estimates = _estimates(chosen, calibrated_rows, calibrations)
    scored = _ScoredRows(chosen, codes, rows, estimates)
    whole = scored.share(groups)
    why_not = why_not_estimated(chosen, calibrations, tuple(codes))
    return Traffic(
        whole=whole,
        coverage=_coverage(groups, codes),
        labels_in_days=labels_in_days(rows.delays),
        by_label_age=by_label_age(chosen, rows),
        by_version=scored.by_version(groups),
        days=scored.by_day(groups),
        why_not_estimated=why_not if whole.estimated is None else None,
    )


def _as_many_as_may(
    connection: Connection, model_name: str, since: datetime, groups: Sequence[TrafficGroup]
) -> DrawnAnswers:
    """Single answers of the groups, about `MOST_READ` of all and as many of the labelled ones."""
    with_a_label = (group for group in groups if group.label is not None)
    return draw_answers(
        connection,
        model_name,
        since,
        share=MOST_READ / max(1, _count(groups)),
        share_of_labelled=MOST_READ / max(1, _count(with_a_label)),
    )


@dataclass(frozen=True)
class _ScoredRows:
    """Rows that were read one by one, from which the scores of any part come.

    Attributes:
        codes: of each class, by its text in the log.
        rows: labelled ones.
        estimates: scores of rows without labels, by day and version.
    """

    metric: Metric
    codes: Mapping[str, int]
    rows: LabelledRows
    estimates: Mapping[Part, Score]

    def share(
        self, groups: Sequence[TrafficGroup], day: date | None = None, version: int | None = None
    ) -> Share:
        """The part that these groups are: of one day (UTC), of one version, or of all."""
        if self.metric.needs == "labels":
            realised = score_of_groups(self.metric, groups, self.codes)
        else:
            realised = score_of_rows(self.metric, self.rows, _rows_of(self.rows, day, version))
        labelled = _count(_labelled(groups, self.codes))
        return Share(_count(groups), labelled, realised, self.estimates.get((day, version)))

    def by_version(
        self, groups: Sequence[TrafficGroup], day: date | None = None
    ) -> dict[int, Share]:
        """Each version's part of the groups, oldest version first."""
        parts = _apart(groups, lambda group: group.version)
        return {version: self.share(part, day, version) for version, part in parts.items()}

    def by_day(self, groups: Sequence[TrafficGroup]) -> tuple[DayOfTraffic, ...]:
        """Each day's part of the groups, oldest day first."""
        parts = _apart(groups, lambda group: group.hour.date())
        return tuple(
            DayOfTraffic(day, self.share(part, day), self.by_version(part, day))
            for day, part in parts.items()
        )


def _estimates(
    chosen: Metric, rows: AnsweredRows, calibrations: Calibrations
) -> Mapping[Part, Score]:
    """Estimated scores by day and version, None for all of them; of rows that are there."""
    day_numbers = np.unique(rows.hours // HOURS_A_DAY)
    days: list[date | None] = [None, *map(_day_of, day_numbers.tolist())]
    versions: list[int | None] = [None, *np.unique(rows.versions).tolist()]
    parts = {
        (day, version): _rows_of(rows, day, version) for day, version in product(days, versions)
    }
    return estimate_parts(chosen, rows, calibrations, parts)


def _rows_of(
    rows: AnsweredRows | LabelledRows, day: date | None, version: int | None
) -> NDArray[np.bool_]:
    """(n,) whether a row is of that day (UTC) and answered by that version; None: of any."""
    mine = np.ones(rows.hours.size, dtype=bool)
    if day is not None:
        mine &= rows.hours // HOURS_A_DAY == _day_number(day)
    if version is not None:
        mine &= rows.versions == version
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


def _day_number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days
