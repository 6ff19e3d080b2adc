"""Removes rows from the log: whole old days, and single rows that a person withdraws."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from retraining.prediction_log.locking import ALONE, in_chunks, lock_the_labels
from retraining.prediction_log.tables import exports, labels, predictions, repeated_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection
    from sqlalchemy.sql import Select

    from retraining.prediction_log.connection import Database

Key = TypeVar("Key", str, int)
AT_ONCE = 2_000  # rows in one transaction: who appends meanwhile waits for no longer


@dataclass(frozen=True)
class Removed:
    """How much a sweep removed."""

    predictions: int
    unknown_labels: int


@dataclass(frozen=True)
class ForgottenPrediction:
    """A row that was removed with its labels; `file` is the one that it was exported to."""

    prediction_id: str
    file: str | None


def first_kept(days: int, now: datetime) -> datetime:
    """The beginning (UTC) of the oldest day that is kept, so that every row stays for `days` days
    at least.

    >>> from datetime import datetime
    >>> first_kept(30, datetime(2026, 3, 31, 18, tzinfo=UTC))
    datetime.datetime(2026, 3, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    day = (now - timedelta(days=days)).astimezone(UTC)
    return day.replace(hour=0, minute=0, second=0, microsecond=0)


def remove_old(database: Database, model_name: str, days: int, now: datetime) -> Removed:
    """Remove the days before the last `days`, in small transactions.

    Labelled rows that were not exported stay; unlabelled rows go, and labels whose prediction never
    came.

    Raises:
        PredictionLogError: the log cannot be reached or written; what was removed before stays
            removed.
    """
    cut = first_kept(days, now)
    rows = _remove_predictions(database, model_name, cut)
    strays = _remove_unknown_labels(database, model_name, cut)
    with database.writing() as connection:
        old = (repeated_ids.c.model_name == model_name, repeated_ids.c.last_time < cut)
        connection.execute(sa.delete(repeated_ids).where(*old))
    return Removed(rows, strays)


def forget_predictions(
    database: Database, model_name: str, ids: Sequence[str]
) -> list[ForgottenPrediction]:
    """Remove rows and their labels at once.

    Ids without a row are left out of the answer, their labels are removed all the same.

    Raises:
        PredictionLogError: the log cannot be reached or written.
    """
    forgotten: list[ForgottenPrediction] = []
    for chunk in in_chunks(ids):
        with database.writing() as connection:
            lock_the_labels(connection, model_name, alone=ALONE)
            query = sa.select(predictions.c.prediction_id, predictions.c.exported_in).where(
                predictions.c.model_name == model_name, predictions.c.prediction_id.in_(chunk)
            )
            files = dict(connection.execute(query).all())
            _delete(connection, model_name, chunk)
        forgotten += [ForgottenPrediction(i, files[i]) for i in chunk if i in files]
    return forgotten


def _remove_predictions(database: Database, model_name: str, cut: datetime) -> int:
    being_delivered = sa.select(exports.c.file).where(
        exports.c.model_name == model_name, exports.c.state == "prepared"
    )
    query = (
        sa.select(predictions.c.prediction_id)
        .where(
            predictions.c.model_name == model_name,
            predictions.c.request_time < cut,
            predictions.c.label_waits == 0,
            sa.or_(
                predictions.c.exported_in.is_(None),
                predictions.c.exported_in.not_in(being_delivered),
            ),
        )
        .order_by(predictions.c.request_time)
        .limit(AT_ONCE)
    )

    def delete(connection: Connection, ids: Sequence[str]) -> None:
        _delete(connection, model_name, ids)

    return _remove_what_is_found(database, model_name, query, delete)


def _remove_unknown_labels(database: Database, model_name: str, cut: datetime) -> int:
    is_predicted = sa.exists().where(
        predictions.c.model_name == labels.c.model_name,
        predictions.c.prediction_id == labels.c.prediction_id,
    )
    query = (
        sa.select(labels.c.number)
        .where(labels.c.model_name == model_name, labels.c.received_time < cut, ~is_predicted)
        .limit(AT_ONCE)
    )

    def delete(connection: Connection, numbers: Sequence[int]) -> None:
        connection.execute(sa.delete(labels).where(labels.c.number.in_(numbers)))

    return _remove_what_is_found(database, model_name, query, delete)


def _remove_what_is_found(
    database: Database,
    model_name: str,
    query: Select[Key],
    delete: Callable[[Connection, Sequence[Key]], None],
) -> int:
    """Delete what a query finds, as many at a time as it is limited to, until it finds no more."""
    removed = 0
    while True:
        with database.writing() as connection:
            lock_the_labels(connection, model_name, alone=ALONE)
            keys = connection.execute(query).scalars().all()
            for some in in_chunks(keys):
                delete(connection, some)
        removed += len(keys)
        if len(keys) < AT_ONCE:
            return removed


def _delete(connection: Connection, model_name: str, ids: Sequence[str]) -> None:
    for table in (labels, repeated_ids, predictions):
        those = (table.c.model_name == model_name, table.c.prediction_id.in_(ids))
        connection.execute(sa.delete(table).where(*those))
