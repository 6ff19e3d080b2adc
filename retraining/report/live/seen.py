"""What comes to the page as JSON: `monitor --json`, lines of `alerts.jsonl`, rows of the log."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from retraining.prediction_log.times import time_in
from retraining.report.live.material import (
    Age,
    AlertLine,
    AnswerShare,
    Day,
    LoggedRow,
    Part,
    ScoreOnRows,
    SeenTraffic,
)
from retraining.serialisation import drift_from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    Read = Mapping[str, Any]


def seen_traffic(content: Read, made: datetime, days: int) -> SeenTraffic:
    """The object of `monitor --json`, made at `made` over so many days.

    Keys that an older or a newer `monitor` does not write are taken as absent.
    """
    drift: Read = content.get("drift") or {}
    return SeenTraffic(
        made=made,
        days=days,
        whole=_part(content),
        by_version={int(one["version"]): _part(one) for one in content.get("by_version", ())},
        by_day=tuple(_day(one) for one in content.get("days", ())),
        coverage=tuple(_age(one) for one in content.get("coverage", ())),
        labels_in_days=content.get("labels_in_days"),
        drift=drift_from_json(drift) if drift else None,
        window_rows=drift.get("window_rows", 0),
        reference_version=drift.get("reference_version"),
        answers=tuple(_share(one) for one in content.get("answers", ())),
        alerts=tuple(alert_line(one) for one in content.get("alerts", ())),
        not_estimated=content.get("why_not_estimated"),
    )


def alert_line(content: Read) -> AlertLine:
    """A line of `alerts.jsonl`; what it lacks is empty."""
    return AlertLine(
        kind=str(content.get("kind", "")),
        what=str(content.get("what", "")),
        remedy=str(content.get("try", "")),
        time=_time(content.get("time")),
        cycle_id=content.get("cycle"),
    )


def logged_row(row: Read) -> LoggedRow:
    """A row of the log as the page shows it."""
    features = row["features"]
    values = features if isinstance(features, dict) else {}
    return LoggedRow(
        time=time_in(row["request_time"]),
        prediction_id=str(row["prediction_id"]),
        version=row["model_version"],
        answer=row["prediction"],
        sure=_sure(row),
        milliseconds=row["execution_ms"] or 0.0,
        caller=row["caller"],
        features=", ".join(f"{name}={value}" for name, value in values.items()),
    )


def _sure(row: Read) -> float | None:
    """The probability of the class that was answered."""
    classes, probabilities = row["classes"], row["probabilities"]
    if not classes or not probabilities or len(classes) != len(probabilities):
        return None
    by_class = {str(name): share for name, share in zip(classes, probabilities, strict=True)}
    found = by_class.get(str(row["prediction"]))
    return found if isinstance(found, float) else None


def _part(content: Read) -> Part:
    return Part(
        predictions=content["predictions"],
        labelled=content["labelled"],
        realised=_score_on_rows(content.get("realised")),
        estimated=_score_on_rows(content.get("estimated")),
    )


def _score_on_rows(content: Read | None) -> ScoreOnRows | None:
    if content is None or content.get("value") is None:
        return None
    interval = content.get("interval")
    ends = None if interval is None else (float(interval[0]), float(interval[1]))
    return ScoreOnRows(float(content["value"]), ends, content.get("rows", 0))


def _day(content: Read) -> Day:
    return Day(date.fromisoformat(content["date"]), _part(content))


def _age(content: Read) -> Age:
    return Age(content["age_days"], content["predictions"], content["labelled"])


def _share(content: Read) -> AnswerShare:
    return AnswerShare(str(content["class"]), content["learned"], content["now"])


def _time(text: object) -> datetime | None:
    """A time with its zone; None where a stranger's line has none."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
