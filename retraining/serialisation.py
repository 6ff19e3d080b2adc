"""Facts to JSON and back: `--json`, `decision.json`, `manifest.json` and the local copies.

Nowhere else is an outcome, a record or a manifest made into JSON or read from it. A closed gate
prints JSON too, so only the standard library is loaded here, and records where one is read back.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from retraining.outcomes import Drift, FileCounts, Outcome, TrafficTrial

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from retraining.records import (
        AliasMove,
        Batch,
        BatchFile,
        Comparison,
        CycleRecord,
        Hindsight,
        Manifest,
        Schema,
        Score,
        Shape,
    )

    Json = dict[str, Any]
    Read = Mapping[str, Any]

SCHEMA_VERSION = 1


# --- outcomes: what `--json` prints ---------------------------------------------------------------


def outcome_to_json(outcome: Outcome, *, were_files_counted: bool = True) -> Json:
    """The contract's `--json` object: every key always there, null where it does not apply.

    Holds nothing but dicts, lists, str, int, finite float, bool and None, whatever numbers the
    outcome was made from. Where nobody could count the files, their counts are null.
    """
    comparison = outcome.comparison
    files: Json = outcome.files._asdict()
    if not were_files_counted:
        files = dict.fromkeys(files)
    content: Json = {
        "schema_version": SCHEMA_VERSION,
        "ending": outcome.ending,
        "reason": outcome.reason,
        "exit_code": outcome.exit_code,
        "dry_run": outcome.dry_run,
        "cycle_id": outcome.cycle_id,
        "run_id": outcome.run_id,
        "run_url": outcome.run_url,
        "trigger": outcome.trigger,
        "verdict": comparison.verdict if comparison else None,
        "production_version": outcome.production_version,
        "previous_version": outcome.previous_version,
        "challenger_version": outcome.challenger_version,
        "metric": outcome.metric,
        "threshold": outcome.threshold,
        "scores": {
            "production_on_new": _value(outcome.production_on_new),
            "production_on_test": _value(comparison.champion) if comparison else None,
            "challenger_on_test": _value(comparison.challenger) if comparison else None,
        },
        "improvement": comparison.improvement if comparison else None,
        "interval": comparison.interval if comparison else None,
        "confidence": comparison.confidence if comparison else None,
        "new_rows": outcome.new_rows,
        "copied_rows": outcome.copied_rows,
        "test_rows": comparison.rows if comparison else None,
        "traffic": outcome.traffic._asdict() if outcome.traffic else None,
        "files": files,
        "drift": drift_to_json(outcome.drift),
        "seconds": outcome.seconds,
    }
    return {name: plain(value) for name, value in content.items()}


def drift_to_json(drift: Drift) -> Json:
    """What drifted, and the figures of every feature."""
    if not drift.features:  # as at a closed gate: nothing is imported to say so
        return {"detected": drift.detected, "material": drift.material, "features": []}
    from dataclasses import asdict

    features = [plain(asdict(feature)) for feature in drift.features]
    return {"detected": drift.detected, "material": drift.material, "features": features}


def outcome_from_json(content: Read) -> Outcome:
    """The outcome that `outcome_to_json` wrote, as far as JSON holds it.

    It does not hold the intervals of the scores, the blocks, and the figures of classes and slices.
    """
    from retraining.records import Score

    metric, scores = content.get("metric"), content.get("scores") or {}
    on_new, new_rows = scores.get("production_on_new"), content.get("new_rows")
    served = None if on_new is None else Score(str(metric), on_new, new_rows or 0)
    return Outcome(
        ending=content["ending"],
        reason=content["reason"],
        exit_code=content.get("exit_code", 0),
        dry_run=content.get("dry_run", False),
        cycle_id=content.get("cycle_id"),
        run_id=content.get("run_id"),
        run_url=content.get("run_url"),
        trigger=content.get("trigger"),
        production_version=content.get("production_version"),
        previous_version=content.get("previous_version"),
        challenger_version=content.get("challenger_version"),
        metric=metric,
        threshold=content.get("threshold"),
        production_on_new=served,
        comparison=_comparison_from_json(content, scores),
        new_rows=new_rows,
        copied_rows=content.get("copied_rows"),
        files=FileCounts(**(content.get("files") or {})),
        drift=drift_from_json(content.get("drift") or {}),
        traffic=TrafficTrial(**content["traffic"]) if content.get("traffic") else None,
        seconds=content.get("seconds") or {},
    )


def _comparison_from_json(content: Read, scores: Read) -> Comparison | None:
    from retraining.records import Comparison, Score

    if content.get("verdict") is None:
        return None
    metric, rows = str(content["metric"]), content["test_rows"]
    return Comparison(
        champion=Score(metric, scores["production_on_test"], rows),
        challenger=Score(metric, scores["challenger_on_test"], rows),
        improvement=content["improvement"],
        interval=_interval_from_json(content["interval"]),
        confidence=content["confidence"],
        verdict=content["verdict"],
        rows=rows,
        blocks=0,
    )


def drift_from_json(content: Read) -> Drift:
    """The drift that `drift_to_json` wrote."""
    from dataclasses import fields

    from retraining.records import FeatureDrift

    names = [field.name for field in fields(FeatureDrift)]
    features = []
    for feature in content.get("features", ()):
        known = {name: feature.get(name) for name in names}
        features.append(FeatureDrift(**known))
    return Drift(content.get("detected"), content.get("material"), tuple(features))


def _value(score: Score | None) -> float | None:
    return None if score is None else score.value


def _interval_from_json(interval: list[float] | None) -> tuple[float, float] | None:
    return None if interval is None else (interval[0], interval[1])


# --- records of cycles ----------------------------------------------------------------------------


def record_to_json(record: CycleRecord) -> Json:
    """The content of `decision.json`: the outcome, and under `record` what later cycles need."""
    from dataclasses import asdict

    written: Json = {
        "number": record.number,
        "cycle_id": record.cycle_id,
        "run_id": record.run_id,
        "started": record.started.isoformat(),
        "deciding": record.deciding,
        "judged": list(record.judged),
        "batch": None if record.batch is None else _batch_to_json(record.batch),
        "served": None if record.served is None else asdict(record.served),
        "served_error": record.served_error,
        "served_blocks": record.served_blocks,
        "hindsight": None if record.hindsight is None else asdict(record.hindsight),
        "probation": record.probation,
    }
    return {**outcome_to_json(record.outcome), "record": written}


def record_from_json(content: Read) -> CycleRecord:
    """The record that `record_to_json` wrote."""
    from datetime import datetime

    from retraining.records import CycleRecord, Hindsight, Score

    written = content["record"]
    started = datetime.fromisoformat(written["started"])
    hindsight = written["hindsight"] and Hindsight(**_with_interval(written["hindsight"]))
    outcome = outcome_from_json(content)._replace(
        number=written["number"], started=started, hindsight=hindsight
    )
    return CycleRecord(
        number=written["number"],
        cycle_id=written["cycle_id"],
        run_id=written["run_id"],
        started=started,
        outcome=outcome,
        deciding=written["deciding"],
        judged=tuple(written["judged"]),
        batch=written["batch"] and _batch_from_json(written["batch"]),
        served=written["served"] and Score(**_with_interval(written["served"])),
        served_error=written["served_error"],
        served_blocks=written["served_blocks"],
        hindsight=hindsight,
        probation=written["probation"],
    )


def cycle_to_json(record: CycleRecord, hindsight: Hindsight | None) -> Json:
    """A past cycle as the commands print it: its outcome, its start, and what rows since say."""
    return {
        **outcome_to_json(record.outcome),
        "started": record.started.isoformat(),
        "hindsight": None if hindsight is None else _hindsight_to_json(hindsight),
    }


def move_to_json(move: AliasMove) -> Json:
    """A move of the production alias by a person."""
    return {
        "time": move.time.isoformat(),
        "before": move.before,
        "to": move.to,
        "why": move.why,
    }


def _hindsight_to_json(seen: Hindsight) -> Json:
    return {
        "challenger": seen.challenger,
        "rival": seen.rival,
        "promoted": seen.promoted,
        "gain": seen.gain,
        "interval": None if seen.interval is None else list(seen.interval),
        "rows": seen.rows,
        "batches": seen.batches,
    }


def _with_interval(content: Read) -> Json:
    return {**content, "interval": _interval_from_json(content["interval"])}


def _batch_to_json(batch: Batch) -> Json:
    return {"number": batch.number, "files": [_file_to_json(file) for file in batch.files]}


def _batch_from_json(content: Read) -> Batch:
    from retraining.records import Batch

    return Batch(content["number"], _files_from_json(content["files"]))


# --- manifests and schemas ------------------------------------------------------------------------


def manifest_to_json(manifest: Manifest) -> Json:
    """The content of `manifest.json`."""
    from dataclasses import asdict

    content = asdict(manifest)
    content["schema"] = schema_to_json(manifest.schema)
    for name in ("files", "held_out"):
        content[name] = [_file_to_json(file) for file in getattr(manifest, name)]
    return {"schema_version": SCHEMA_VERSION, **content}


def manifest_from_json(content: Read) -> Manifest:
    """The manifest that `manifest_to_json` wrote."""
    from retraining.records import Manifest

    values = {name: value for name, value in content.items() if name != "schema_version"}
    values["schema"] = schema_from_json(content["schema"])
    values["files"] = _files_from_json(content["files"])
    values["held_out"] = _files_from_json(content["held_out"])
    values["consumed"] = tuple(content["consumed"])
    values["left_out"] = tuple(content.get("left_out", ()))
    values["shape"] = _shape_from_json(content.get("shape"))
    return Manifest(**values)


def _shape_from_json(content: Read | None) -> Shape | None:
    from retraining.records import Shape

    if content is None:
        return None
    return Shape(**{**content, "ignore_columns": tuple(content["ignore_columns"])})


def schema_to_json(schema: Schema) -> Json:
    """A schema as JSON holds it."""
    from dataclasses import asdict

    return asdict(schema)


def schema_from_json(content: Read) -> Schema:
    """The schema that `schema_to_json` wrote."""
    from retraining.records import Column, Schema

    columns = []
    for column in content["columns"]:
        categories = column["categories"]
        seen = None if categories is None else tuple(categories)
        columns.append(Column(column["name"], column["kind"], seen))
    values = {
        **content,
        "columns": tuple(columns),
        "classes": tuple(content["classes"]),
        "ignored": tuple(content["ignored"]),
    }
    return Schema(**values)


def _file_to_json(file: BatchFile) -> Json:
    entry: Json = {"name": file.name, "sha256": file.sha256, "rows": file.rows}
    if file.reserved:
        entry["runs"] = [list(rows) for rows in file.reserved]
    return entry


def _files_from_json(entries: Iterable[Read]) -> tuple[BatchFile, ...]:
    from retraining.records import BatchFile

    files = []
    for entry in entries:
        reserved = tuple((start, stop) for start, stop in entry.get("runs", ()))
        files.append(BatchFile(entry["name"], entry["sha256"], entry["rows"], reserved))
    return tuple(files)


# --- values ---------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """`value` as JSON can hold it.

    Tuples become lists, numpy's scalars and arrays Python's, times ISO 8601, NaN and inf null.
    """
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if hasattr(value, "items"):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
