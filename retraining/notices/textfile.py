"""Metrics for node_exporter's textfile collector, in Prometheus' text format.

The file is its own memory: a start that failed keeps the time of the last success, and one that
ended at the gate keeps the last scores. Every series is labelled with the model and the project,
since the collector refuses one series in two files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retraining.endings import CYCLE_ENDINGS
from retraining.folders.disks import write_whole
from retraining.serialisation import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from retraining.outcomes import Outcome
    from retraining.settings import Settings


@dataclass(frozen=True)
class Family:
    """A metric: every one is a gauge.

    `remembered` ones keep their last values where this end has none.
    """

    name: str
    meaning: str
    remembered: bool = False


LAST_SUCCESS = Family(
    "retraining_last_success_timestamp_seconds",
    "End of the last cycle with exit code 0.",
    remembered=True,
)
LAST_RUN = Family("retraining_last_run_timestamp_seconds", "End of the last cycle.")
EXIT_CODE = Family("retraining_exit_code", "Exit code of the last cycle.")
ENDING = Family("retraining_ending", "1 for the ending of the last cycle, 0 for the others.")
VERSION = Family(
    "retraining_production_version", "Version that holds the production alias.", remembered=True
)
FILES = Family(
    "retraining_files", "Files waiting and judged in the inbox, and moved by the last cycle."
)
SCORE = Family("retraining_score", "Score of the last cycle that scored.", remembered=True)
THRESHOLD = Family(
    "retraining_threshold", "RETRAIN_THRESHOLD at the last cycle that scored.", remembered=True
)
IMPROVEMENT = Family(
    "retraining_improvement",
    "Challenger minus champion at the last comparison; above 0 is better.",
    remembered=True,
)
NEW_ROWS = Family(
    "retraining_new_rows", "Labelled rows judged by the last cycle that scored.", remembered=True
)
DRIFT = Family(
    "retraining_drift_material",
    "1 where the last cycle that judged drift found it material.",
    remembered=True,
)
STAGE = Family("retraining_stage_seconds", "Duration of each stage of the last cycle.")

TRAFFIC_ALERT = Family(
    "retraining_traffic_alert",
    "1 for each alert that held at the last look at the traffic, 0 for the others.",
    remembered=True,
)
TRAFFIC_ALERTS = ("data_drift", "concept_drift", "estimate_low")


def update(path: Path, outcome: Outcome, settings: Settings, now: datetime) -> None:
    """Write the file afresh, whole, readable by everybody the umask allows.

    The collector reads `*.prom` only.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(path, render(outcome, settings, now, _read(path)))


def update_traffic_alerts(path: Path, holding: Sequence[str], settings: Settings) -> None:
    """Write the file afresh with the traffic's alerts; what cycles wrote stays as it is.

    Raises:
        OSError: it cannot be written.
    """
    before = _read(path)
    common = {"model": settings.model_name, "project": str(settings.project)}
    parts = []
    for family in _FAMILIES:
        lines = _lines_of(family.name, before)
        if family is TRAFFIC_ALERT:
            lines = [
                _line(family.name, {**common, "kind": kind}, float(kind in holding))
                for kind in TRAFFIC_ALERTS
            ]
        parts += _part(family, lines)
    write_whole(path, "\n".join(parts) + "\n")


def render(outcome: Outcome, settings: Settings, now: datetime, before: str = "") -> str:
    """The file's new content; `before` is what it holds now."""
    common = {"model": settings.model_name, "project": str(settings.project)}
    lines_of: dict[Family, list[str]] = {}
    for family, labels, measured in _samples(outcome, now):
        value = plain(measured)
        if value is not None:
            lines_of.setdefault(family, []).append(
                _line(family.name, {**common, **labels}, float(value))
            )
    parts = []
    for family in _FAMILIES:
        lines = lines_of.get(family, [])
        if not lines and _is_remembered(family, settings):
            lines = _lines_of(family.name, before)
        parts += _part(family, lines)
    return "\n".join(parts) + "\n"


def _part(family: Family, lines: Sequence[str]) -> list[str]:
    """A family with its head; nothing where it has no series."""
    head = [f"# HELP {family.name} {family.meaning}", f"# TYPE {family.name} gauge"]
    return [*head, *lines] if lines else []


def _is_remembered(family: Family, settings: Settings) -> bool:
    """Whether the last value goes on where this end has none.

    A threshold that decides no more does not.
    """
    return family.remembered and (
        family is not THRESHOLD or settings.threshold_that_decides is not None
    )


_FAMILIES = (
    LAST_SUCCESS,
    LAST_RUN,
    EXIT_CODE,
    ENDING,
    VERSION,
    FILES,
    SCORE,
    THRESHOLD,
    IMPROVEMENT,
    NEW_ROWS,
    DRIFT,
    STAGE,
    TRAFFIC_ALERT,
)


def _samples(outcome: Outcome, now: datetime) -> Iterator[tuple[Family, dict[str, str], Any]]:
    """Family, labels and value of each series; None where this end has no value."""
    served, comparison = outcome.production_on_new, outcome.comparison
    on_new = served.value if served else None
    yield LAST_SUCCESS, {}, now.timestamp() if outcome.exit_code == 0 else None
    yield LAST_RUN, {}, now.timestamp()
    yield EXIT_CODE, {}, outcome.exit_code
    for ending in CYCLE_ENDINGS:
        yield ENDING, {"ending": ending}, ending == outcome.ending
    yield VERSION, {}, outcome.production_version
    for state, count in outcome.files._asdict().items():
        yield FILES, {"state": state}, count
    metric = {"metric": str(outcome.metric)}
    yield SCORE, {**metric, "on": "production_on_new"}, on_new
    if comparison is not None:
        yield SCORE, {**metric, "on": "production_on_test"}, comparison.champion.value
        yield SCORE, {**metric, "on": "challenger_on_test"}, comparison.challenger.value
    yield THRESHOLD, metric, outcome.threshold if on_new is not None else None
    yield IMPROVEMENT, metric, comparison.improvement if comparison else None
    yield NEW_ROWS, {}, outcome.new_rows
    yield DRIFT, {}, outcome.drift.material
    for stage, seconds in outcome.seconds.items():
        yield STAGE, {"stage": stage}, seconds


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{pairs}}} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):  # absent, or not ours
        return ""


def _lines_of(name: str, text: str) -> list[str]:
    return re.findall(rf"^{name}\{{.*\}} [0-9.eE+-]+$", text, re.MULTILINE)
