"""Real files and stores for the tests of this room."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

from retraining.datasets import UNLABELLED, TableStore
from retraining.records import DataFile
from retraining.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from retraining.records import Schema


def put(folder: Path, content: bytes, name: str = "batch.csv") -> DataFile:
    path = folder / name
    path.write_bytes(content)
    return DataFile(name, hashlib.sha256(content).hexdigest(), path)


def settings(folder: Path, **changed: Any) -> Settings:
    return Settings(project=folder)._replace(**changed)


def store(folder: Path, **changed: Any) -> TableStore:
    return TableStore(folder / "tables", settings(folder, **changed))


def rows_of(table: pa.Table, schema: Schema) -> list[tuple[Any, ...]]:
    """A table's rows as plain values, None where one is missing; the label is last."""
    columns = []
    for position, column in enumerate(schema.columns):
        values = table.column(position).to_pylist()
        if column.kind != "string":
            values = [None if math.isnan(value) else value for value in values]
        columns.append(
            [bool(v) if column.kind == "boolean" and v is not None else v for v in values]
        )
    codes = table.column(len(schema.columns)).to_pylist()
    labels = [None if code == UNLABELLED else schema.classes[code] for code in codes]
    return list(zip(*columns, labels, strict=True))
