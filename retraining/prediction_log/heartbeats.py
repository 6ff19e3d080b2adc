"""The table in which each running service notes which version it answers with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from retraining.prediction_log.tables import heartbeats

if TYPE_CHECKING:
    from datetime import datetime

    from retraining.prediction_log.connection import Database

SECONDS_BETWEEN_BEATS = 30.0
# a service that was quiet for longer is dead, or cannot reach the log
LIFE_SHOWN_BY_A_BEAT = timedelta(seconds=4 * SECONDS_BETWEEN_BEATS)
KEPT = timedelta(days=1)  # what a killed service left


@dataclass(frozen=True)
class Heartbeat:
    """That a service lives.

    Attributes:
        service: names one process of one machine.
        model_version: what it answers with, None where nothing is loaded.
    """

    service: str
    beat_time: datetime
    model_version: int | None


def beat(database: Database, model_name: str, beating: Heartbeat) -> None:
    """Put a heartbeat in the place of the service's last one.

    Raises:
        PredictionLogError: the log cannot be reached or written.
    """
    columns = heartbeats.c
    own = columns.model_name == model_name, columns.service == beating.service
    dead = columns.model_name == model_name, columns.beat_time < beating.beat_time - KEPT
    values = {"beat_time": beating.beat_time, "model_version": beating.model_version}
    with database.writing() as connection:
        connection.execute(heartbeats.delete().where(*dead))
        changed = connection.execute(heartbeats.update().where(*own).values(values))
        if not changed.rowcount:
            row = {"model_name": model_name, "service": beating.service, **values}
            connection.execute(heartbeats.insert().values(row))


def stop_beating(database: Database, model_name: str, service: str) -> None:
    """Forget a service that ends.

    Raises:
        PredictionLogError: the log cannot be reached or written.
    """
    columns = heartbeats.c
    own = columns.model_name == model_name, columns.service == service
    with database.writing() as connection:
        connection.execute(heartbeats.delete().where(*own))


def living_services(database: Database, model_name: str, now: datetime) -> tuple[Heartbeat, ...]:
    """The last heartbeat of each service that lives.

    Raises:
        PredictionLogError: the log cannot be reached or read.
    """
    columns = heartbeats.c
    query = (
        sa.select(columns.service, columns.beat_time, columns.model_version)
        .where(columns.model_name == model_name, columns.beat_time >= now - LIFE_SHOWN_BY_A_BEAT)
        .order_by(columns.service)
    )
    with database.reading() as connection:
        return tuple(Heartbeat(*row) for row in connection.execute(query))
