"""Copies of what the registry holds, for SQL and Grafana: filled again as a whole, so that they
never differ from it for long.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from retraining.prediction_log.tables import drift_events, model_versions, training_jobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from retraining.prediction_log.connection import Database


@dataclass(frozen=True)
class DriftEvent:
    """What a cycle found of one column."""

    cycle_id: str
    feature: str
    event_time: datetime
    psi: float | None
    p_value: float | None
    detected: int | None
    material: int | None


@dataclass(frozen=True)
class TrainingJob:
    """A cycle that set out to train, or a registration; `why` is who asked for it, and what for."""

    job_id: str
    started_time: datetime
    ended_time: datetime | None
    state: str
    ending: str | None
    exit_code: int | None
    reason: str | None
    why: str | None
    cycle_id: str | None
    challenger_version: int | None


@dataclass(frozen=True)
class ModelVersion:
    """A version of the registry; `schema` is JSON."""

    version: int
    status: str | None
    reason: str | None
    made_time: datetime | None
    schema: str | None


def schemas_kept(database: Database, model_name: str) -> Mapping[int, str]:
    """The schemas that the log has already, by version: a version's never changes.

    Raises:
        PredictionLogError: the log cannot be reached or read.
    """
    columns = model_versions.c
    query = sa.select(columns.version, columns.schema).where(
        columns.model_name == model_name, columns.schema.is_not(None)
    )
    with database.reading() as connection:
        return {row.version: row.schema for row in connection.execute(query)}


def refill(
    database: Database,
    model_name: str,
    events: Sequence[DriftEvent],
    jobs: Sequence[TrainingJob],
    versions: Sequence[ModelVersion],
) -> None:
    """Put these in place of all that the log has of the model, in one transaction.

    Raises:
        PredictionLogError: the log cannot be reached or written.
    """
    filled = ((drift_events, events), (training_jobs, jobs), (model_versions, versions))
    with database.writing() as connection:
        for table, facts in filled:
            connection.execute(table.delete().where(table.c.model_name == model_name))
            rows = [{"model_name": model_name, **asdict(fact)} for fact in facts]
            if rows:
                connection.execute(table.insert(), rows)
