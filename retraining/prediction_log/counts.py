"""How much the log holds, for people who ask: counts over one model's rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from retraining.prediction_log.tables import STANDS, exports, labels, predictions, repeated_ids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection


@dataclass(frozen=True)
class LogCounts:
    """Rows that are logged, that have a label of a known class, and that were exported."""

    logged: int
    labelled: int
    exported: int


@dataclass(frozen=True)
class StrayLabels:
    """Labels that cannot become a file: of no prediction (some of them for long), of no known
    class, or changed too late.
    """

    unknown: int
    unknown_for_long: int
    new_class: dict[str, int]  # class -> predictions
    changed_after_export: int


@dataclass(frozen=True)
class OfLater:
    """Predictions, and labels that stand, whose time is after some moment."""

    predictions: int
    labels: int


def log_counts(connection: Connection, model_name: str, classes: Sequence[str]) -> LogCounts:
    """Count the rows of a model; a label counts where its text is among the classes."""
    columns = predictions.c
    rows = sa.select(sa.func.count(), sa.func.count(columns.exported_in)).where(
        columns.model_name == model_name
    )
    logged, exported = connection.execute(rows).one()
    labelled = (
        sa.select(sa.func.count())
        .select_from(labels)
        .where(
            labels.c.model_name == model_name, STANDS, labels.c.label.in_(classes), _is_predicted()
        )
    )
    return LogCounts(logged, connection.execute(labelled).scalar_one(), exported)


def stray_labels(
    connection: Connection, model_name: str, classes: Sequence[str], *, long_before: datetime
) -> StrayLabels:
    """Count what needs a look."""
    mine = (labels.c.model_name == model_name, STANDS)
    came_long_before = sa.case((labels.c.received_time < long_before, 1))
    unknown = (
        sa.select(sa.func.count(), sa.func.count(came_long_before))
        .select_from(labels)
        .where(*mine, ~_is_predicted())
    )
    strange = (
        sa.select(labels.c.label, sa.func.count())
        .where(*mine, labels.c.label.not_in(classes), _is_predicted())
        .group_by(labels.c.label)
        .order_by(sa.func.count().desc())
        .limit(1000)
    )
    changed = (
        sa.select(sa.func.count())
        .select_from(predictions)
        .join(
            labels,
            sa.and_(
                labels.c.model_name == predictions.c.model_name,
                labels.c.prediction_id == predictions.c.prediction_id,
            ),
        )
        .where(*mine, predictions.c.exported_label.is_not(None))
        .where(predictions.c.exported_label != labels.c.label)
    )
    of_no_prediction, for_long = connection.execute(unknown).one()
    return StrayLabels(
        unknown=of_no_prediction,
        unknown_for_long=for_long,
        new_class={row[0]: row[1] for row in connection.execute(strange)},
        changed_after_export=connection.execute(changed).scalar_one(),
    )


def size_on_a_server(connection: Connection) -> int:
    """The bytes of the log's two large tables with their indexes, on PostgreSQL."""
    size = sa.func.pg_total_relation_size
    query = sa.select(size(predictions.name) + size(labels.name))
    return int(connection.execute(query).scalar_one())


def ids_with_other_features(connection: Connection, model_name: str) -> int:
    """Ids that came again with other features: most likely of things, not of predictions."""
    columns = repeated_ids.c
    query = (
        sa.select(sa.func.count())
        .select_from(repeated_ids)
        .where(columns.model_name == model_name, columns.other_features == 1)
    )
    return int(connection.execute(query).scalar_one())


def other_exporters(connection: Connection, model_name: str, owner: str) -> list[str]:
    """Who else exported rows of the model since `owner` first did.

    A project that was moved is not among them: nothing is exported from its old place any more.
    """
    of_model = exports.c.model_name == model_name
    first = sa.select(sa.func.min(exports.c.number)).where(of_model, exports.c.owner == owner)
    query = (
        sa.select(exports.c.owner)
        .distinct()
        .where(of_model, exports.c.owner != owner, exports.c.number > first.scalar_subquery())
        .order_by(exports.c.owner)
    )
    return list(connection.execute(query).scalars())


def later_than(connection: Connection, model_name: str, moment: datetime) -> OfLater:
    """Count what a wrong clock wrote."""
    rows = sa.select(sa.func.count()).where(
        predictions.c.model_name == model_name, predictions.c.request_time > moment
    )
    given = sa.select(sa.func.count()).where(
        labels.c.model_name == model_name, STANDS, labels.c.label_time > moment
    )
    return OfLater(
        predictions=connection.execute(rows).scalar_one(),
        labels=connection.execute(given).scalar_one(),
    )


def _is_predicted() -> sa.ColumnElement[bool]:
    return sa.exists().where(
        predictions.c.model_name == labels.c.model_name,
        predictions.c.prediction_id == labels.c.prediction_id,
    )
