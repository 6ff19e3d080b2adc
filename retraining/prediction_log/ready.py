"""The labelled rows that may be exported, oldest first.

Rows that were exported before cost nothing: they are in no index that is read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from retraining.prediction_log.tables import OLDEST_FIRST, STANDS, labels, predictions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection, Row
    from sqlalchemy.sql import Select

    from retraining.prediction_log.waits import Waits

AT_ONCE = 5000  # rows that a driver hands over together
# Literals, not parameters: a partial index is only used where the planner sees its condition.
LABEL_WAITS = predictions.c.label_waits == sa.literal_column("1")
NO_LABEL_WAITS = predictions.c.label_waits == sa.literal_column("0")
WHAT_WAS_ASKED = (
    predictions.c.prediction_id,
    predictions.c.request_id,
    predictions.c.row_index,
    predictions.c.request_time,
    predictions.c.model_version,
    predictions.c.features,
)


@dataclass(frozen=True, slots=True)
class ReadyRow:
    """A row that may be exported: what was asked (`features`, JSON by column name), and the label
    that stands.
    """

    prediction_id: str
    request_id: str
    row_index: int
    request_time: datetime
    model_version: int
    features: str
    label: str
    ready_since: datetime
    is_silent: bool = False  # the label is what silence means: none came

    @property
    def age(self) -> tuple[datetime, str, int]:
        """What rows are ordered by."""
        return self.request_time, self.request_id, self.row_index


def ready_rows(
    connection: Connection, model_name: str, waits: Waits, now: datetime
) -> list[ReadyRow]:
    """The oldest rows that are ready, as many as a file holds at most."""
    rows = _labelled(connection, model_name, waits, now)
    if waits.if_silent is not None:
        rows += _silent(connection, model_name, waits, now, waits.if_silent)
        rows.sort(key=lambda row: row.age)
    return rows[: waits.rows_per_file]


def rows_of_other_classes(
    connection: Connection, model_name: str, classes: Sequence[str]
) -> Iterator[ReadyRow]:
    """Rows whose label is none of those classes, oldest first.

    No export takes them until production knows the class.
    """
    query: Select[Any] = (
        sa.select(*WHAT_WAS_ASKED, labels.c.label, labels.c.received_time)
        .join_from(predictions, labels, _its_label())
        .where(predictions.c.model_name == model_name, labels.c.label.not_in(classes))
        .order_by(*OLDEST_FIRST)
    )
    for row in connection.execution_options(yield_per=AT_ONCE).execute(query):
        yield _ready_row(row, row.label, row.received_time)


def _its_label() -> sa.ColumnElement[bool]:
    """That a label is of the prediction, and stands."""
    return sa.and_(
        labels.c.model_name == predictions.c.model_name,
        labels.c.prediction_id == predictions.c.prediction_id,
        STANDS,
    )


def _labelled(
    connection: Connection, model_name: str, waits: Waits, now: datetime
) -> list[ReadyRow]:
    query = (
        _asked_before(model_name, waits, now)
        .add_columns(labels.c.label, labels.c.received_time)
        .join_from(predictions, labels, _its_label())
        .where(LABEL_WAITS, labels.c.label.in_(waits.classes))
    )
    return [
        _ready_row(row, row.label, waits.ready_since(row.request_time, row.received_time))
        for row in connection.execute(query)
    ]


def _silent(
    connection: Connection, model_name: str, waits: Waits, now: datetime, label: str
) -> list[ReadyRow]:
    """Rows whose wait is over and for which no label came."""
    query = _asked_before(model_name, waits, now).where(
        predictions.c.exported_in.is_(None), NO_LABEL_WAITS
    )
    return [
        _ready_row(row, label, waits.ready_since(row.request_time, None), is_silent=True)
        for row in connection.execute(query)
    ]


def _ready_row(
    row: Row[Any], label: str, ready_since: datetime, *, is_silent: bool = False
) -> ReadyRow:
    return ReadyRow(
        prediction_id=row.prediction_id,
        request_id=row.request_id,
        row_index=row.row_index,
        request_time=row.request_time,
        model_version=row.model_version,
        features=row.features,
        label=label,
        ready_since=ready_since,
        is_silent=is_silent,
    )


def _asked_before(model_name: str, waits: Waits, now: datetime) -> Select[Any]:
    asked_in_time = predictions.c.request_time <= waits.cut(now)
    return (
        sa.select(*WHAT_WAS_ASKED)
        .where(predictions.c.model_name == model_name, asked_in_time)
        .order_by(*OLDEST_FIRST)
        .limit(waits.rows_per_file)
    )
