"""One look at a project's traffic: counts, scores and drift from the prediction log, as JSON and in
words.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from retraining.console.terminal import columns, labelled
from retraining.cycle.books import load_ledger
from retraining.cycle.drift import Sketch
from retraining.cycle.estimating import METHOD, calibrations_of
from retraining.cycle.traffic import NO_TRAFFIC, first_moment, read_traffic
from retraining.cycle.traffic_alerts import Standard, alerts_of, record_of
from retraining.cycle.traffic_drift import (
    MOST_ROWS,
    TrafficDrift,
    answered_classes,
    judge_traffic,
)
from retraining.model_registry.production import Model
from retraining.phrases import how_many, in_brackets
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.label_ages import WHY_TO_WAIT, is_too_short
from retraining.prediction_log.layout import layout_of
from retraining.prediction_log.traffic import newest_rows
from retraining.records import Drift
from retraining.report.words import printable, size_of_psi
from retraining.serialisation import drift_to_json
from retraining.statistics import Calibration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from retraining.cycle.realised import LabelAge
    from retraining.cycle.traffic import DayOfTraffic, Share, Traffic
    from retraining.cycle.traffic_alerts import TrafficAlert
    from retraining.project import Project
    from retraining.records import FeatureDrift, RegistryFacts, Score
    from retraining.settings import Settings

LABEL_WIDTH = 13  # of the longest, `concept_drift`
FEATURES_SHOWN = 10  # --json has them all


@dataclass(frozen=True)
class Seen:
    """What one run of `monitor` found."""

    metric: str
    traffic: Traffic
    drift: TrafficDrift
    alerts: tuple[TrafficAlert, ...] = ()  # that hold now, whether or not they were told before

    def to_json(self) -> dict[str, Any]:
        """The object of `--json`."""
        traffic, drift = self.traffic, self.drift
        return {
            "metric": self.metric,
            **_share_to_json(traffic.whole),
            "why_not_estimated": traffic.why_not_estimated,
            "coverage": [asdict(one) for one in traffic.coverage],
            "labels_in_days": traffic.labels_in_days,
            "by_label_age": [_label_age_to_json(one) for one in traffic.by_label_age],
            "by_version": _by_version_to_json(traffic.by_version),
            "days": [_day_to_json(day) for day in traffic.days],
            "drift": {
                **drift_to_json(drift.found),
                "window_rows": drift.window_rows,
                "reference_version": drift.reference_version,
            },
            "answers": [
                {"class": one.name, "learned": one.learned, "now": one.now} for one in drift.answers
            ],
            "alerts": [one.to_json() for one in self.alerts],
        }


def look(project: Project, days: int, now: datetime) -> Seen:
    """One look at a project's traffic.

    Raises:
        PredictionLogError: the log cannot be reached or read.
        UnreachableError: the registry cannot.
    """
    settings = project.settings
    facts = project.registry.facts()
    production = production_of(project, facts)
    number = None if production is None else production.number
    nothing = Seen(settings.metric, NO_TRAFFIC, TrafficDrift(Drift(), 0, number))
    if not settings.has_prediction_log:
        return nothing
    database = open_database(settings.prediction_log_uri, JOB)
    try:
        if layout_of(database) is None:
            return nothing
        with database.reading() as connection:
            traffic = read_traffic(
                connection,
                settings.model_name,
                None if production is None else production.schema,
                settings.metric,
                since=first_moment(days, now),
                now=now,
                calibrations_of=partial(calibrations_of, project.registry),
            )
            drift = _drift(connection, settings, production)
        alerts = () if production is None else _alerts(project, facts, production, traffic, drift)
        return Seen(settings.metric, traffic, drift, alerts)
    finally:
        database.close()


def _alerts(
    project: Project,
    facts: RegistryFacts,
    production: Model,
    traffic: Traffic,
    drift: TrafficDrift,
) -> tuple[TrafficAlert, ...]:
    """What a person should act on; production is held to its own record."""
    settings, number = project.settings, production.number
    carried = calibrations_of(project.registry, [number])[number]
    record = record_of(
        number,
        load_ledger(project, facts).cycles,
        settings,
        promised=project.registry.metrics(production.version).get(settings.metric),
        calibration=carried if isinstance(carried, Calibration) else None,
    )
    standard = Standard(number, record, settings.threshold_that_decides)
    return alerts_of(standard, traffic.by_version.get(number), drift, settings)


def production_of(project: Project, facts: RegistryFacts) -> Model | None:
    """The version that holds the alias, where this job knows it."""
    holder = facts.aliases.get(project.settings.production_alias)
    version = None if holder is None else project.registry.version(holder)
    if version is None or not version.is_ours:
        return None
    return Model.of(version, project.registry)


def _drift(connection: Connection, settings: Settings, production: Model | None) -> TrafficDrift:
    span = timedelta(hours=settings.drift_window_hours)
    window = settings.drift_detection_window
    rows = newest_rows(connection, settings.model_name, window, span, MOST_ROWS)
    if production is None:
        return TrafficDrift(Drift(), len(rows), None)
    content = production.registry.sketches(production.version)
    if content is None or not rows:
        return TrafficDrift(Drift(), len(rows), production.number)
    reference, schema, number = Sketch.from_json(content), production.schema, production.number
    found = judge_traffic(reference, schema, number, rows, threshold=settings.drift_threshold)
    answers = answered_classes(reference, schema, number, rows)
    return TrafficDrift(found, len(rows), number, answers)


def _share_to_json(share: Share) -> dict[str, Any]:
    estimated = _score_to_json(share.estimated)
    return {
        "predictions": share.predictions,
        "labelled": share.labelled,
        "realised": _score_to_json(share.realised),
        "estimated": None if estimated is None else {**estimated, "method": METHOD},
    }


def _score_to_json(score: Score | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return {"value": score.value, "interval": score.interval, "rows": score.rows}


def _label_age_to_json(one: LabelAge) -> dict[str, Any]:
    ages = {"from_days": one.from_days, "to_days": one.to_days}
    return {**ages, "realised": _score_to_json(one.realised)}


def _by_version_to_json(by_version: Mapping[int, Share]) -> list[dict[str, Any]]:
    return [{"version": number, **_share_to_json(share)} for number, share in by_version.items()]


def _day_to_json(day: DayOfTraffic) -> dict[str, Any]:
    return {
        "date": day.date.isoformat(),
        **_share_to_json(day.whole),
        "by_version": _by_version_to_json(day.by_version),
    }


def in_words(seen: Seen, days: int, settings: Settings) -> str:
    """A look at that many days as a person reads it."""
    width = columns()
    lines: list[str] = []
    for label, text in _facts(seen, days, settings):
        lines += labelled(label, text, width, room=LABEL_WIDTH)
    return "\n".join(lines)


def _facts(seen: Seen, days: int, settings: Settings) -> Iterator[tuple[str, str]]:
    """Label and text of each line."""
    if not settings.has_prediction_log:
        yield "predictions", "there is no prediction log yet: the service makes it"
        return
    whole = seen.traffic.whole
    yield "predictions", f"{whole.predictions:,} in the last {how_many(days, 'day')}"
    yield "labelled", _labels_in_words(seen.traffic)
    wait, in_days = settings.label_wait_days, seen.traffic.labels_in_days
    if in_days is not None and is_too_short(wait, in_days):
        yield "", f"LABEL_WAIT_DAYS={wait:g} is shorter: {WHY_TO_WAIT}"
    yield "realised", _score_in_words(seen.metric, whole.realised)
    yield "estimated", _estimate_in_words(seen)
    for number, share in seen.traffic.by_version.items():
        counts = f"{how_many(share.predictions, 'prediction')}, {share.labelled:,} labelled"
        yield f"v{number}", f"{counts}; {_score_in_words(seen.metric, share.realised)}"
    yield from _drift_in_words(seen.drift)
    for alert in seen.alerts:
        yield alert.kind, f"{alert.what}. {alert.action_required}"


def _labels_in_words(traffic: Traffic) -> str:
    whole = traffic.whole
    if not whole.labelled:
        return "none"
    text = f"{whole.labelled:,} ({whole.labelled / whole.predictions:.0%})"
    if traffic.labels_in_days is None:
        return text
    return f"{text}; 95 % of these came within {how_many(traffic.labels_in_days, 'day')}"


def _estimate_in_words(seen: Seen) -> str:
    estimated = seen.traffic.whole.estimated
    if estimated is None:
        return f"no estimate: {seen.traffic.why_not_estimated or 'nothing was answered'}"
    score = _score_in_words(seen.metric, estimated)
    return (
        f"{score}, from probabilities alone: it cannot see that features and label are related in"
        " another way than before"
    )


def _score_in_words(metric: str, score: Score | None) -> str:
    if score is None or score.value is None:
        return f"{metric} cannot be computed"
    interval = "" if score.interval is None else f" {in_brackets(score.interval, '.4f')}"
    return f"{metric} {score.value:.4f}{interval} on {how_many(score.rows, 'row')}"


def _drift_in_words(drift: TrafficDrift) -> Iterator[tuple[str, str]]:
    window = f"the last {how_many(drift.window_rows, 'prediction')}"
    if not drift.window_rows:
        return
    if drift.reference_version is None:
        yield "drift", f"not judged: no version of this job holds the alias ({window})"
        return
    if not drift.found.features:
        yield "drift", f"not judged: v{drift.reference_version} has no reference ({window})"
        return
    against = f"{window} against what v{drift.reference_version} learned"
    yield "drift", f"{_verdict(drift.found)}: {against}"
    for feature in drift.found.features[:FEATURES_SHOWN]:
        yield "", _feature_in_words(feature)


def _verdict(drift: Drift) -> str:
    if drift.detected is None:
        return "too few requests to judge"
    if drift.material:
        return "material"
    return "detected, but small" if drift.detected else "none detected"


def _feature_in_words(feature: FeatureDrift) -> str:
    psi = feature.psi_corrected
    judged = " (detected)" if feature.detected else ""
    return f"{printable(feature.name, 80)}: PSI {psi:.3f}, {size_of_psi(psi)}{judged}"
