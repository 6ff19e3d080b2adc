"""A cycle's end fills the tables of the prediction log that show the registry to SQL and
Grafana.
"""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

from retraining.errors import DamagedModelError
from retraining.ledger import REGISTERED
from retraining.logs import log
from retraining.prediction_log.connection import JOB, PredictionLogError, open_database
from retraining.prediction_log.layout import layout_of
from retraining.prediction_log.registry_copies import (
    DriftEvent,
    ModelVersion,
    TrainingJob,
    refill,
    schemas_kept,
)
from retraining.serialisation import schema_to_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from retraining.cycle.job import Job
    from retraining.model_registry.interface import Registry
    from retraining.records import CycleRecord, Version

MOST_CYCLES = 1000  # the newest; the registry keeps them all


def show_the_registry(job: Job, records: Sequence[CycleRecord]) -> None:
    """Fill the tables again; a log that cannot be written is a warning, for no cycle fails for it.

    Args:
        job: whose log; a replay has none.
        records: of all cycles and registrations, oldest first.
    """
    settings = job.settings
    if not (job.shows_pages and settings.has_prediction_log):
        return
    newest = records[-MOST_CYCLES:]
    try:
        with closing(open_database(settings.prediction_log_uri, JOB)) as database:
            if layout_of(database) is None:
                return
            kept = schemas_kept(database, settings.model_name)
            made = {record.cycle_id: record.started for record in records}
            versions = [
                _version(version, job.registry, kept, made) for version in job.registry.versions()
            ]
            events, jobs = list(_events(newest)), list(_jobs(newest))
            refill(database, settings.model_name, events, jobs, versions)
    except PredictionLogError as error:
        log.warning("the log's copies of the registry were not filled: %s", error.what)


def _events(records: Sequence[CycleRecord]) -> Iterator[DriftEvent]:
    for record in records:
        for feature in record.outcome.drift.features:
            yield DriftEvent(
                record.cycle_id,
                feature.name,
                record.started,
                psi=feature.psi,
                p_value=feature.p,
                detected=_as_number(feature.detected),
                material=_as_number(feature.material),
            )


def _as_number(said: bool | None) -> int | None:
    return None if said is None else int(said)


def _jobs(records: Sequence[CycleRecord]) -> Iterator[TrainingJob]:
    """Cycles whose trigger fired, and registrations."""
    for record in records:
        outcome = record.outcome
        if outcome.trigger is None and record.ending != REGISTERED:
            continue
        took = timedelta(seconds=sum(outcome.seconds.values()))
        yield TrainingJob(
            job_id=record.cycle_id,
            started_time=record.started,
            ended_time=record.started + took if outcome.seconds else None,
            state="ended",
            ending=record.ending,
            exit_code=outcome.exit_code,
            reason=outcome.reason,
            why=outcome.trigger,
            cycle_id=record.cycle_id,
            challenger_version=outcome.challenger_version,
        )


def _version(
    version: Version, registry: Registry, kept: Mapping[int, str], made: Mapping[str, datetime]
) -> ModelVersion:
    schema = kept.get(version.number)
    if schema is None and version.is_ours:
        schema = _schema_of(version, registry)
    return ModelVersion(
        version.number,
        version.status or None,
        version.reason,
        made.get(version.cycle_id or ""),
        schema,
    )


def _schema_of(version: Version, registry: Registry) -> str | None:
    """As JSON; None where its manifest is gone."""
    try:
        return json.dumps(schema_to_json(registry.manifest(version).schema))
    except DamagedModelError:
        return None
