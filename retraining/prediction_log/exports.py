"""Which rows were exported in which file: claimed in one transaction, so that each row is in one
file, whenever a process is killed.

An export is `prepared` once its rows are claimed, `delivered` once its file has its name, and
`released` where its bytes were lost before that: its rows are then exported in another file.
Numbers are never used twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from retraining.folders.file_moves import exported_name
from retraining.prediction_log.locking import ALONE, in_chunks, lock_the_labels
from retraining.prediction_log.tables import exports, labels, predictions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from retraining.prediction_log.connection import Database
    from retraining.prediction_log.ready import ReadyRow


@dataclass(frozen=True)
class PreparedExport:
    """A file whose rows are claimed.

    `owner` says on which machine, for which project, it was written aside.
    """

    number: int
    file: str
    sha256: str
    size: int  # bytes
    rows: int
    owner: str


@dataclass(frozen=True)
class FileAside:
    """A file that was written aside; it gets its name once its number is known."""

    stem: str
    suffix: str
    sha256: str
    size: int
    owner: str


def claim(
    database: Database, model_name: str, aside: FileAside, rows: Sequence[ReadyRow], now: datetime
) -> PreparedExport | None:
    """Claim the rows for a file.

    None where one of them was exported, or its label changed, since they were read.

    Raises:
        PredictionLogError: the log cannot be reached or written.
    """
    with database.writing() as connection:
        lock_the_labels(connection, model_name, alone=ALONE)
        if not _are_as_they_were(connection, model_name, rows):
            return None
        newest = sa.select(sa.func.max(exports.c.number)).where(exports.c.model_name == model_name)
        number = (connection.execute(newest).scalar() or 0) + 1
        name = exported_name(aside.stem, number, aside.sha256, aside.suffix)
        prepared = PreparedExport(number, name, aside.sha256, aside.size, len(rows), aside.owner)
        connection.execute(sa.insert(exports).values(_record(model_name, prepared, now)))
        _mark(connection, model_name, name, rows)
    return prepared


def unfinished(database: Database, model_name: str) -> list[PreparedExport]:
    """The exports whose rows are claimed and whose file may not have its name, oldest first.

    Raises:
        PredictionLogError: the log cannot be reached or read.
    """
    columns = exports.c
    query = (
        sa.select(
            columns.number,
            columns.file,
            columns.sha256,
            columns.size,
            columns.rows,
            columns.owner,
        )
        .where(columns.model_name == model_name, columns.state == "prepared")
        .order_by(columns.number)
    )
    with database.reading() as connection:
        return [PreparedExport(*row) for row in connection.execute(query)]


def mark_delivered(
    database: Database, model_name: str, export: PreparedExport, now: datetime
) -> None:
    """Note that the file has its name."""
    with database.writing() as connection:
        _set_state(connection, model_name, export, state="delivered", delivered_time=now)


def release(database: Database, model_name: str, export: PreparedExport) -> None:
    """Give the rows of a file back whose bytes were lost before anybody could see them."""
    with database.writing() as connection:
        lock_the_labels(connection, model_name, alone=ALONE)
        _set_state(connection, model_name, export, state="released")
        has_label = sa.exists().where(
            labels.c.model_name == predictions.c.model_name,
            labels.c.prediction_id == predictions.c.prediction_id,
        )
        given_back = (
            sa.update(predictions)
            .where(predictions.c.model_name == model_name, predictions.c.exported_in == export.file)
            .values(
                exported_in=None,
                exported_label=None,
                label_waits=sa.case((has_label, 1), else_=0),
            )
        )
        connection.execute(given_back)


def _set_state(
    connection: Connection, model_name: str, export: PreparedExport, **values: object
) -> None:
    this = (exports.c.model_name == model_name, exports.c.number == export.number)
    connection.execute(sa.update(exports).where(*this).values(**values))


def _are_as_they_were(connection: Connection, model_name: str, rows: Sequence[ReadyRow]) -> bool:
    """Whether none of the rows has left, and each label still stands."""
    return all(_are_some_as_they_were(connection, model_name, some) for some in in_chunks(rows))


def _are_some_as_they_were(
    connection: Connection, model_name: str, rows: Sequence[ReadyRow]
) -> bool:
    standing = sa.and_(
        labels.c.model_name == predictions.c.model_name,
        labels.c.prediction_id == predictions.c.prediction_id,
        labels.c.superseded == 0,
    )
    query = (
        sa.select(predictions.c.prediction_id, labels.c.label)
        .join_from(predictions, labels, standing, isouter=True)
        .where(
            predictions.c.model_name == model_name,
            predictions.c.prediction_id.in_([row.prediction_id for row in rows]),
            predictions.c.exported_in.is_(None),
        )
    )
    found = dict(connection.execute(query).all())
    for row in rows:
        expected = None if row.is_silent else row.label
        if row.prediction_id not in found or found[row.prediction_id] != expected:
            return False
    return True


def _mark(connection: Connection, model_name: str, file: str, rows: Sequence[ReadyRow]) -> None:
    statement = (
        sa.update(predictions)
        .where(
            predictions.c.model_name == model_name,
            predictions.c.prediction_id == sa.bindparam("the_id"),
        )
        .values(exported_in=file, exported_label=sa.bindparam("the_label"), label_waits=0)
    )
    marks = [{"the_id": row.prediction_id, "the_label": row.label} for row in rows]
    connection.execute(statement, marks)


def _record(model_name: str, export: PreparedExport, now: datetime) -> dict[str, object]:
    return {
        "model_name": model_name,
        "number": export.number,
        "file": export.file,
        "sha256": export.sha256,
        "size": export.size,
        "rows": export.rows,
        "owner": export.owner,
        "state": "prepared",
        "prepared_time": now,
    }
