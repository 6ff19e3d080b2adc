"""Records to JSON and back: `manifest.json`, `decision.json` and the local copies of both."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from retraining.records import (
    Batch,
    BatchFile,
    Column,
    CycleRecord,
    Hindsight,
    Manifest,
    Schema,
    Score,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEMA_VERSION = 1


def _file_to_json(file: BatchFile) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": file.name, "sha256": file.sha256, "rows": file.rows}
    return entry | {"runs": [list(run) for run in file.reserved]} if file.reserved else entry


def _files_from_json(entries: Iterable[Mapping[str, Any]]) -> tuple[BatchFile, ...]:
    return tuple(
        BatchFile(e["name"], e["sha256"], e["rows"], tuple((a, b) for a, b in e.get("runs", ())))
        for e in entries
    )


def schema_to_json(schema: Schema) -> dict[str, Any]:
    """A schema as JSON holds it."""
    return asdict(schema)


def schema_from_json(content: Mapping[str, Any]) -> Schema:
    """The schema that `schema_to_json` wrote."""
    columns = (
        Column(c["name"], c["kind"], None if c["categories"] is None else tuple(c["categories"]))
        for c in content["columns"]
    )
    values = {
        **content,
        "columns": tuple(columns),
        "classes": tuple(content["classes"]),
        "ignored": tuple(content["ignored"]),
    }
    return Schema(**values)


def manifest_to_json(manifest: Manifest) -> dict[str, Any]:
    """The content of `manifest.json`."""
    content = asdict(manifest)
    content["schema"] = schema_to_json(manifest.schema)
    for name in ("files", "held_out"):
        content[name] = [_file_to_json(file) for file in getattr(manifest, name)]
    return {"schema_version": SCHEMA_VERSION, **content}


def manifest_from_json(content: Mapping[str, Any]) -> Manifest:
    """The manifest that `manifest_to_json` wrote."""
    values = {k: v for k, v in content.items() if k != "schema_version"}
    values["schema"] = schema_from_json(content["schema"])
    values["files"], values["held_out"] = (
        _files_from_json(content["files"]),
        _files_from_json(content["held_out"]),
    )
    return Manifest(
        **{
            **values,
            "consumed": tuple(content["consumed"]),
            "left_out": tuple(content.get("left_out", ())),
        }
    )


def record_to_json(record: CycleRecord) -> dict[str, Any]:
    """The content of `decision.json`: what `--json` printed, and under `record` what later cycles go on from."""
    kept = asdict(record)
    kept["started"] = record.started.isoformat()
    if record.batch is not None:
        kept["batch"] = {
            "number": record.batch.number,
            "files": [_file_to_json(file) for file in record.batch.files],
        }
    return {**kept.pop("told"), "record": kept}


def record_from_json(content: Mapping[str, Any]) -> CycleRecord:
    """The record that `record_to_json` wrote."""
    kept = dict(content["record"])
    kept["started"] = datetime.fromisoformat(kept["started"])
    if kept["batch"] is not None:
        kept["batch"] = Batch(kept["batch"]["number"], _files_from_json(kept["batch"]["files"]))
    for name, kind in (("served", Score), ("hindsight", Hindsight)):
        if kept[name] is not None:
            interval = kept[name]["interval"]
            kept[name] = kind(
                **{**kept[name], "interval": None if interval is None else tuple(interval)}
            )
    told = {k: v for k, v in content.items() if k != "record"}
    return CycleRecord(told=told, **{**kept, "judged": tuple(kept["judged"])})
