"""The store on a real PostgreSQL: cycles go through, and what the database refuses is told at
once.
"""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from retraining.errors import (
    CredentialsRefusedError,
    MissingDriverError,
    RetrainingError,
    StoreError,
    UnreachableError,
)
from retraining.model_registry.mlflow_registry import MlflowRegistry
from tests.model_registry.samples import project
from tests.projects import Project, tables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres import Postgres

pytestmark = pytest.mark.postgres


def refused(folder: Path, address: str) -> RetrainingError:
    """The error that a first question ends with: at once, and without the password."""
    began = time.monotonic()
    with pytest.raises(RetrainingError) as caught:
        MlflowRegistry(project(folder, address)).facts()
    assert time.monotonic() - began < 60, "MLflow's own patience is 102 s"
    assert "geheim" not in "".join(caught.value.lines())
    return caught.value


def test_a_project_on_postgresql_is_registered_promoted_checked_moved_and_relocated(
    tmp_path: Path, postgres: Postgres
) -> None:
    address = postgres.new_database().replace("+psycopg", "")  # as people write it
    made = Project.made(
        tmp_path / "project",
        MLFLOW_TRACKING_URI=address, RETRAIN_WHEN="always", PROMOTE_WHEN="unless_worse",
    )  # fmt: skip
    made.deliver(*tables(12, seed=1), to="used_data", age=7200)
    made.register()
    made.deliver(*tables(6, seed=2, rows=120, turned=True))
    assert made.cycle()["ending"] == "promoted"
    told = made.start("check", "--json").expect(0)
    assert told.json["problems"] == []
    assert "geheim" not in told.out + told.err
    moved = replace(made, folder=tmp_path / "elsewhere" / "project")
    shutil.copytree(made.folder, moved.folder)
    shutil.rmtree(made.folder)
    assert moved.start("check").expect(3)
    assert moved.start("relocate", "--json").expect(0).json["versions"] == 2
    assert moved.start("check", "--deep", "--json").expect(0).json["problems"] == []


def test_a_wrong_password_is_the_settings_fault(tmp_path: Path, postgres: Postgres) -> None:
    postgres.new_database()
    found = refused(tmp_path, postgres.address("postgres", password="geheim-nicht"))
    assert isinstance(found, CredentialsRefusedError)
    assert 'password authentication failed for user "ada"' in found.what


def test_a_database_that_is_not_there_is_told_with_the_way(
    tmp_path: Path, postgres: Postgres
) -> None:
    found = refused(tmp_path, postgres.address("nowhere"))
    assert isinstance(found, StoreError)
    assert "createdb" in found.remedy


def test_a_database_that_stops_under_the_job_is_out_of_reach(
    tmp_path: Path, postgres: Postgres
) -> None:
    registry = MlflowRegistry(project(tmp_path, postgres.new_database()))
    assert registry.facts().aliases == {}
    postgres.stop()
    try:
        with pytest.raises(UnreachableError) as caught:
            registry.facts()
    finally:
        postgres.start()
    assert "Start the database" in caught.value.remedy


def test_a_driver_that_is_not_installed_is_named_with_the_line_that_installs_it(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = postgres.new_database()
    for name in [name for name in sys.modules if name.partition(".")[0] == "psycopg"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    found = refused(tmp_path, address)
    assert isinstance(found, MissingDriverError)
    assert found.what.endswith("needs the package psycopg, which is not installed here.")
    assert "requirements-postgres.txt" in found.remedy
