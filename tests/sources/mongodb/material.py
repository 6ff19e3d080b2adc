"""What the tests of the source share: a schema, documents that fit it, a project, and what stands
in its folders.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bson import ObjectId

from retraining.records import Column, Schema
from retraining.settings import Settings, load

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = Schema(
    columns=(
        Column("serial", "number"),
        Column("speed", "number"),
        Column("road", "string"),
        Column("position.lat", "number"),
    ),
    target="braked",
    label_kind="integer",
    classes=(0, 1),
)


def document(serial: int, **fields: Any) -> dict[str, Any]:
    """A reading that fits the schema; its serial number tells it from all others in the files."""
    values = {
        "serial": serial,
        "speed": serial / 7,
        "road": ("Urban", "Rural")[serial % 2],
        "position": {"lat": 52.5},
        "braked": serial % 2,
    }
    return {**values, **fields}


def object_id(seconds: float, unique: int) -> ObjectId:
    """An ObjectId that was made at that second since 1970."""
    return ObjectId(int(seconds).to_bytes(4, "big") + unique.to_bytes(8, "big"))


def project_at(folder: Path, uri: str, database: str, **settings: Any) -> Settings:
    """A project fed by the collection `readings`."""
    for name in ("new_data", "used_data"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    values = {
        "MONGO_URI": uri,
        "DATABASE_NAME": database,
        "COLLECTION_NAME": "readings",
        "MONGO_ROWS_PER_FILE": 10,
        "TARGET_COLUMN": "braked",
    }
    lines = [f"{name}={value}\n" for name, value in {**values, **settings}.items()]
    (folder / ".env").write_text("".join(lines))
    return load(folder)


def now() -> datetime:
    return datetime.now(UTC)


def rows_in(settings: Settings) -> list[dict[str, str]]:
    """Every row of every file in the inbox and the archive."""
    rows = []
    for folder in (settings.new_data_dir, settings.used_data_dir):
        for path in sorted(folder.glob("*.csv")):
            with path.open(newline="", encoding=settings.csv_encoding) as stream:
                rows += list(csv.DictReader(stream, delimiter=settings.csv_separator))
    return rows


def serials_in(settings: Settings) -> Counter[int]:
    """How often each serial number stands in the files."""
    return Counter(int(row["serial"]) for row in rows_in(settings))


def refused_in(settings: Settings) -> list[dict[str, Any]]:
    """Every line of the files of refused documents."""
    paths = sorted(settings.quarantine_dir.glob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def leftovers_in(settings: Settings) -> list[str]:
    """Names of unfinished files in the folders."""
    folders = (settings.new_data_dir, settings.used_data_dir, settings.quarantine_dir)
    return [
        path.name
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if path.name.endswith(".tmp")
    ]
