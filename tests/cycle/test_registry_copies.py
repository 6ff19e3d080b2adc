"""The tables that show the registry to SQL: filled at a cycle's end, the same however often."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

import pipeline_orchestrator
from retraining.cycle.registry_copies import show_the_registry
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.layout import ensure_layout
from retraining.prediction_log.tables import drift_events, model_versions, training_jobs
from tests.cycle.conftest import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.cycle.job import Job
    from retraining.prediction_log.connection import Database
    from tests.cycle.desk import Desk


@pytest.fixture
def database(desk: Desk) -> Iterator[Database]:
    folder = desk.project.folder / "predictions"
    folder.mkdir()
    made = open_database(f"sqlite:///{folder}/predictions.db", JOB)
    ensure_layout(made)
    yield made
    made.close()


def run_cycle(desk: Desk, **settings: str) -> Job:
    """A whole cycle whose pages somebody looks at."""
    job = desk.job(**settings)
    job.shows_pages = True
    pipeline_orchestrator.run_cycle(job)
    return job


def rows(database: Database, table: sa.Table) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute(sa.select(table)))


def test_a_cycles_end_fills_them_and_the_next_one_fills_them_anew(
    desk: Desk, database: Database
) -> None:
    desk.deliver(4)
    run_cycle(desk, **ALWAYS)
    versions = {row.version: row for row in rows(database, model_versions)}
    assert (versions[1].status, versions[2].status) == ("approved", "approved")
    columns = [column["name"] for column in json.loads(versions[2].schema)["columns"]]
    assert "speed" in columns
    assert versions[2].made_time is not None
    jobs = {row.ending: row for row in rows(database, training_jobs)}
    assert set(jobs) == {"registered", "promoted"}
    assert (jobs["promoted"].challenger_version, jobs["promoted"].why) == (2, "always")
    assert jobs["promoted"].ended_time > jobs["promoted"].started_time
    drifted = rows(database, drift_events)
    assert {row.feature for row in drifted} >= {"speed", "city"}
    assert {row.cycle_id for row in drifted} == {jobs["promoted"].cycle_id}
    desk.deliver(4, seed=3)
    run_cycle(desk, RETRAIN_WHEN="drop")
    assert len(rows(database, drift_events)) == 2 * len(drifted)
    assert len(rows(database, training_jobs)) == 2, "the second cycle kept its model"
    assert len(rows(database, model_versions)) == 2


def test_they_are_what_the_registry_holds_however_often_they_are_filled(
    desk: Desk, database: Database
) -> None:
    desk.deliver(4)
    job = run_cycle(desk, **ALWAYS)
    before = [rows(database, table) for table in (model_versions, training_jobs, drift_events)]
    with database.writing() as connection:
        connection.execute(model_versions.update().values(status="a person wrote this"))
    show_the_registry(job, desk.registry.cycle_records())
    after = [rows(database, table) for table in (model_versions, training_jobs, drift_events)]
    assert after == before


def test_a_log_that_cannot_be_written_fails_no_cycle(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    folder = desk.project.folder / "predictions"
    folder.mkdir()
    (folder / "predictions.db").write_bytes(b"no database" * 100)
    desk.deliver(4)
    run_cycle(desk, **ALWAYS)
    assert "copies of the registry were not filled" in caplog.text
