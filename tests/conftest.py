"""Fixtures that all rooms' tests may use, and the promise of CI that some tests are not skipped."""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests import postgres as postgres_server
from tests.projects import Project, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

# OpenMP crawls on small tables when the cores are shared
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.pop("MLFLOW_TRACKING_URI", None)  # projects of tests have stores of their own
# how long an example takes is the machine's doing
hypothesis_settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("untimed")
# names of markers; see .ci/run
MUST_NOT_SKIP = set(filter(None, os.environ.get("MUST_NOT_SKIP", "").split(",")))


@pytest.fixture(autouse=True)
def process_put_back() -> Generator[None]:
    """The process as the test found it.

    `mlflow.set_tracking_uri` writes into the environment, where the next test's project would find
    another project's store.
    """
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)
    if "mlflow.tracking" in sys.modules:
        sys.modules["mlflow.tracking"].set_tracking_uri(None)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with twelve files in the archive, an empty inbox and no store."""
    made = Project.made(tmp_path / "project")
    made.deliver(*tables(12, seed=1), to="used_data", age=7200)
    return made


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sqlite store with MLflow's tables and nothing in them."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    folder = tmp_path_factory.mktemp("empty-store")
    SqlAlchemyStore(f"sqlite:///{folder / 'mlflow.db'}", folder.as_uri()).engine.dispose()
    return folder / "mlflow.db"


@pytest.fixture(scope="session")
def first_model(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Project:
    """The pattern of `registered`: for reading alone."""
    return Project.with_first_model(tmp_path_factory.mktemp("first-model") / "project", empty_store)


@pytest.fixture
def registered(project: Project, first_model: Project) -> Project:
    """The same with version 1 in production."""
    shutil.rmtree(project.folder)
    first_model.copied(project.folder)
    return project


@pytest.fixture(scope="session")
def second_model(tmp_path_factory: pytest.TempPathFactory, first_model: Project) -> Project:
    """The pattern of `promoted`: for reading alone."""
    made = first_model.copied(tmp_path_factory.mktemp("second-model") / "project")
    made.deliver(*tables(6, seed=2, rows=120, turned=True))
    assert made.cycle()["ending"] == "promoted"
    return made


@pytest.fixture
def promoted(tmp_path: Path, second_model: Project) -> Project:
    """Version 2, which learned six files of a turned concept, has replaced version 1."""
    return second_model.copied(tmp_path / "project")


@pytest.fixture(scope="session")
def postgres() -> Generator[postgres_server.Postgres]:
    """A PostgreSQL server; `new_database` makes a database in it. Mark such tests `postgres`."""
    with postgres_server.running() as server:
        yield server


@pytest.fixture(scope="session")
def new_postgres_store(postgres: postgres_server.Postgres) -> Callable[[], str]:
    """Makes databases in it with MLflow's tables and nothing in them; answers their addresses."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    empty = postgres.new_database()
    SqlAlchemyStore(empty, "mlflow-artifacts:/").engine.dispose()
    return partial(postgres.new_database, empty.rpartition("/")[2])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where the machine was promised to have what the test needs."""
    report = yield
    marked = MUST_NOT_SKIP & {mark.name for mark in item.iter_markers()}
    if report.skipped and marked and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"skipped, though MUST_NOT_SKIP names {', '.join(sorted(marked))}: {report.longrepr}"
        )
    return report
