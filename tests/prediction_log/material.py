"""Answered requests and labels for tests of the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from retraining.prediction_log.appending import append_all
from retraining.prediction_log.labels import GivenLabel, LabelOutcomes, take_labels
from retraining.prediction_log.rows import AnsweredRequest
from retraining.prediction_log.tables import labels, predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.prediction_log.connection import Database

MODEL = "classifier"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def asked(*ids: str, at: datetime = NOON, named: bool = True, **more: Any) -> AnsweredRequest:
    """A request of as many rows as ids; the feature `x` tells them apart."""
    values: dict[str, Any] = {
        "request_id": f"request-{ids[0]}",
        "request_time": at,
        "model_version": 1,
        "prediction_ids": ids,
        "ids_are_the_callers": named,
        "features": {"x": [float(place) for place, _ in enumerate(ids)]},
        "predictions": ["1"] * len(ids),
        "classes": [0, 1],
        "probabilities": [[0.25, 0.75]] * len(ids),
        "execution_ms": 1.5,
        "size": 50 * len(ids),
    }
    return AnsweredRequest(**{**values, **more})


def append(
    database: Database, *requests: AnsweredRequest, model: str = MODEL
) -> list[tuple[str, ...]]:
    with database.writing() as connection:
        return append_all(connection, model, requests)


def label(
    database: Database,
    given: dict[str, str],
    *,
    when: datetime | None = None,
    received: datetime = NOON + timedelta(hours=1),
    classes: Sequence[str] = ("0", "1"),
    model: str = MODEL,
) -> LabelOutcomes:
    every = [GivenLabel(i, text, text in classes, when) for i, text in given.items()]
    return take_labels(database, model, every, received)


def logged(database: Database, model: str = MODEL) -> dict[str, Any]:
    """The rows of a model by their ids."""
    query = sa.select(predictions).where(predictions.c.model_name == model)
    with database.reading() as connection:
        return {row.prediction_id: row for row in connection.execute(query)}


def standing(database: Database, prediction_id: str) -> list[str]:
    """The labels of a prediction that stand."""
    query = sa.select(labels.c.label).where(
        labels.c.prediction_id == prediction_id, labels.c.superseded == 0
    )
    with database.reading() as connection:
        return list(connection.execute(query).scalars())


def kept(database: Database, prediction_id: str) -> list[tuple[str, bool]]:
    """All labels of a prediction in the order in which they came, and whether each is
    superseded.
    """
    query = (
        sa.select(labels.c.label, labels.c.superseded)
        .where(labels.c.prediction_id == prediction_id)
        .order_by(labels.c.number)
    )
    with database.reading() as connection:
        return [(row.label, bool(row.superseded)) for row in connection.execute(query)]
