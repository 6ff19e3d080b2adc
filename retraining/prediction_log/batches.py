"""Which batch became which file: an id is claimed before its file has its name, so that it is never
delivered twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from retraining.prediction_log.tables import ingested_batches

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Row

    from retraining.prediction_log.connection import Database


@dataclass(frozen=True)
class IngestedBatch:
    """A batch and its file.

    `content_sha256` is of what was sent, `sha256` and `size` are of the file.
    """

    batch_id: str
    content_sha256: str
    file: str
    sha256: str
    size: int
    rows: int
    prepared_at: datetime
    caller: str | None = None
    state: Literal["prepared", "delivered"] = "prepared"
    refused: Literal[False] = False  # a batch is refused before it becomes a file
    reason: str = ""


_COLUMNS = ingested_batches.c


def batch_of_id(database: Database, model_name: str, batch_id: str) -> IngestedBatch | None:
    """The batch with an id.

    Raises:
        PredictionLogError: the log cannot be reached or read.
    """
    return _first(database, _COLUMNS.model_name == model_name, _COLUMNS.batch_id == batch_id)


def batch_of_bytes(database: Database, model_name: str, sha256: str) -> IngestedBatch | None:
    """A batch whose file has, or had, these bytes."""
    return _first(database, _COLUMNS.model_name == model_name, _COLUMNS.sha256 == sha256)


def unfinished_batches(database: Database, model_name: str) -> list[IngestedBatch]:
    """The batches that were claimed and whose file may not have its name."""
    query = sa.select(ingested_batches).where(
        _COLUMNS.model_name == model_name, _COLUMNS.state == "prepared"
    )
    with database.reading() as connection:
        return [_batch(row) for row in connection.execute(query)]


def claim_batch(database: Database, model_name: str, batch: IngestedBatch) -> None:
    """Note the batch with its file, which is set aside.

    Raises:
        PredictionLogError: the log cannot be reached or written, or the id is known.
    """
    values = {
        "model_name": model_name,
        "batch_id": batch.batch_id,
        "content_sha256": batch.content_sha256,
        "file": batch.file,
        "sha256": batch.sha256,
        "size": batch.size,
        "rows": batch.rows,
        "state": "prepared",
        "received_time": batch.prepared_at,
        "caller": batch.caller,
    }
    with database.writing() as connection:
        connection.execute(sa.insert(ingested_batches).values(values))


def mark_batch_delivered(database: Database, model_name: str, batch: IngestedBatch) -> None:
    """Note that the file has its name."""
    with database.writing() as connection:
        statement = sa.update(ingested_batches).where(*_this(model_name, batch))
        connection.execute(statement.values(state="delivered"))


def release_batch(database: Database, model_name: str, batch: IngestedBatch) -> None:
    """Forget a batch whose bytes were lost before anybody was told of it."""
    with database.writing() as connection:
        connection.execute(sa.delete(ingested_batches).where(*_this(model_name, batch)))


def _this(model_name: str, batch: IngestedBatch) -> tuple[sa.ColumnElement[bool], ...]:
    return (_COLUMNS.model_name == model_name, _COLUMNS.batch_id == batch.batch_id)


def _first(database: Database, *conditions: sa.ColumnElement[bool]) -> IngestedBatch | None:
    with database.reading() as connection:
        row = connection.execute(sa.select(ingested_batches).where(*conditions)).first()
    return None if row is None else _batch(row)


def _batch(row: Row[tuple[object, ...]]) -> IngestedBatch:
    return IngestedBatch(
        batch_id=row.batch_id,
        content_sha256=row.content_sha256,
        file=row.file,
        sha256=row.sha256,
        size=row.size,
        rows=row.rows,
        prepared_at=row.received_time,
        caller=row.caller,
        state=row.state,
    )
