"""Alerts of the traffic between two cycles, each with what a person should do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from retraining.notices.alerts import alert
from retraining.phrases import first_few, how_many, in_brackets
from retraining.records import Score
from retraining.statistics import Calibration, Estimate, combine, metric, t_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from retraining.cycle.traffic import Share
    from retraining.cycle.traffic_drift import TrafficDrift
    from retraining.records import CycleRecord
    from retraining.settings import Settings

TrafficAlertKind = Literal["data_drift", "concept_drift", "estimate_low"]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class TrafficAlert:
    """An alert that holds now; `numbers` are the facts behind it."""

    kind: TrafficAlertKind
    what: str
    action_required: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As a line of `alerts.jsonl` has it, without time and cycle.

        `try` is what all alerts have.
        """
        line = alert(self.kind, self.what, self.action_required, **self.numbers)
        return {**line, "action_required": self.action_required}


@dataclass(frozen=True)
class Standard:
    """What a version's score is compared with.

    Attributes:
        version: its number.
        record: what it scored before, on the batches that it served, else on its test rows; None if
            it is not known.
        threshold: RETRAIN_THRESHOLD, where it decides.
    """

    version: int
    record: Score | None
    threshold: float | None


def alerts_of(
    standard: Standard, share: Share | None, drift: TrafficDrift, settings: Settings
) -> tuple[TrafficAlert, ...]:
    """The alerts that hold now.

    Args:
        standard: of the version that holds the alias.
        share: of the traffic that it answered; None where it answered nothing.
        drift: of the last predictions against what it learned.
        settings: of the project.
    """
    alerts = [*_data_drift(drift, settings)]
    if share is not None:
        alerts += _concept_drift(standard, share, settings)
        alerts += _estimate_low(standard, share, settings)
    return tuple(alerts)


def record_of(
    version: int,
    records: Sequence[CycleRecord],
    settings: Settings,
    promised: float | None,
    calibration: Calibration | None,
) -> Score | None:
    """What a version scored on the batches that it served; before its first one, on its test rows.

    Args:
        version: its number.
        records: of past cycles.
        settings: of the project.
        promised: its score on its test rows, when it was made.
        calibration: which knows how many test rows there were.
    """
    served = [
        Estimate(record.served.value, record.served_error, record.served.rows, record.served_blocks)
        for record in records
        if record.served is not None
        and record.outcome.previous_version == version
        and record.served.metric == settings.metric
    ]
    known = [one for one in served if one.value is not None and one.standard_error is not None]
    found = combine(known) if known else _promise(promised, calibration, settings)
    if found is None or found.value is None:
        return None
    return Score(settings.metric, found.value, found.rows, t_interval(found, CONFIDENCE))


def _promise(
    promised: float | None, calibration: Calibration | None, settings: Settings
) -> Estimate | None:
    """A share of right answers tells its own error; of other metrics nobody kept it."""
    if promised is None or calibration is None or not metric(settings.metric).is_proportion:
        return None
    rows = sum(calibration.rows)
    return Estimate(promised, math.sqrt(promised * (1 - promised) / rows), rows, rows)


# --- the rules ------------------------------------------------------------------------------------


def _data_drift(drift: TrafficDrift, settings: Settings) -> Iterator[TrafficAlert]:
    if not drift.found.material:
        return
    moved = [feature for feature in drift.found.features if feature.material]
    yield TrafficAlert(
        "data_drift",
        f"the last {how_many(drift.window_rows, 'prediction')} drifted from what "
        f"v{drift.reference_version} learned: {first_few([one.name for one in moved], 5)}",
        f"Find out why these columns changed; `{settings.command} monitor` shows how much. "
        "RETRAIN_WHEN=threshold,drift would retrain because of it.",
        {
            "psi": {one.name: one.psi_corrected for one in moved[:20]},
            "threshold": settings.drift_threshold,
            "rows": drift.window_rows,
        },
    )


def _concept_drift(standard: Standard, share: Share, settings: Settings) -> Iterator[TrafficAlert]:
    """The realised score is too low: labels that came say so."""
    score = share.realised
    if score is None or score.value is None:
        return
    than = _worse_than(standard, score, settings)
    if score.interval is None:
        than = _under_the_threshold(standard, score, settings)
    if than is not None:
        yield TrafficAlert(
            "concept_drift",
            f"v{standard.version} scored {_in_words(score)} in traffic, worse than {than}",
            "Check whether the features still predict the label, and let a cycle learn from these"
            f" rows: `{settings.command} run --force`.",
            _numbers(standard, score),
        )


def _estimate_low(standard: Standard, share: Share, settings: Settings) -> Iterator[TrafficAlert]:
    """The score is estimated to be too low, before labels can say so."""
    score = share.estimated
    than = None if score is None else _worse_than(standard, score, settings)
    if score is not None and than is not None:
        yield TrafficAlert(
            "estimate_low",
            f"v{standard.version} is estimated to score {_in_words(score)}, worse than {than}; "
            "no label says so yet",
            f"Look at the columns that moved (`{settings.command} monitor`) and get the labels "
            "of these rows soon. An estimate alone retrains nothing.",
            _numbers(standard, score),
        )


def _worse_than(standard: Standard, score: Score, settings: Settings) -> str | None:
    """What a score is significantly worse than: its interval lies wholly on the wrong side."""
    if score.interval is None:
        return None
    best = score.interval[1] if settings.greater_is_better else score.interval[0]
    record, limit = standard.record, standard.threshold
    if limit is not None and _is_worse(best, limit, settings):
        return f"the threshold {limit:g}"
    if record is None or record.interval is None:
        return None
    lowest = record.interval[0] if settings.greater_is_better else record.interval[1]
    if _is_worse(best, lowest, settings):
        return f"its record, {_in_words(record)}"
    return None


def _under_the_threshold(standard: Standard, score: Score, settings: Settings) -> str | None:
    """Labels of a few hours have no interval.

    As a cycle does, rows enough are taken at their word.
    """
    limit = standard.threshold
    if limit is None or score.value is None or score.rows < settings.min_test_rows:
        return None
    if not _is_worse(score.value, limit, settings):
        return None
    return f"the threshold {limit:g} (perhaps by chance: the labels are of too few hours to tell)"


def _is_worse(value: float, limit: float, settings: Settings) -> bool:
    return value < limit if settings.greater_is_better else value > limit


def _in_words(score: Score) -> str:
    interval = "" if score.interval is None else f" {in_brackets(score.interval, '.4f')}"
    return f"{score.metric} {score.value:.4f}{interval} on {how_many(score.rows, 'row')}"


def _numbers(standard: Standard, score: Score) -> dict[str, Any]:
    record = standard.record
    return {
        "score": score.value,
        "interval": score.interval,
        "rows": score.rows,
        "threshold": standard.threshold,
        "record": None if record is None else record.value,
    }
