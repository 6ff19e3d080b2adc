"""The project folder was moved: the cycle says what `check` says, no roll-back is advised, and
`relocate` mends it.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.projects import tables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.projects import Project


@pytest.fixture
def promoted(promoted: Project) -> Project:
    promoted.configure(RETRAIN_WHEN="always", PROMOTE_WHEN="unless_worse")
    return promoted


@pytest.fixture
def moved(promoted: Project, tmp_path: Path) -> Project:
    place = tmp_path / "another place" / "project"
    place.parent.mkdir()
    shutil.move(promoted.folder, place)
    project = replace(promoted, folder=place)
    project.deliver(*tables(3, seed=3, rows=120, turned=True))
    return project


def addresses(project: Project) -> list[str]:
    """Every address in the store that names a folder."""
    store = project.folder / "mlflow_server" / "backend_db" / "mlflow.db"
    with closing(sqlite3.connect(store)) as database:
        return [
            address
            for table, column in (
                ("experiments", "artifact_location"), ("runs", "artifact_uri"),
                ("logged_models", "artifact_location"), ("model_versions", "source"),
                ("model_versions", "storage_location"),
            )
            for (address,) in database.execute(f"SELECT {column} FROM {table}")
            if address is not None
        ]  # fmt: skip


def test_the_cycle_says_what_check_says_and_advises_no_roll_back(moved: Project) -> None:
    what, unchanged, remedy = moved.start("run").expect(3).error
    assert "keeps its artifacts in " in what
    assert f"this project would use {moved.folder}" in what
    assert unchanged.startswith("Nothing was changed")
    assert "rollback" not in remedy
    assert f"relocate --project '{moved.folder}'" in remedy or " relocate --dry-run`" in remedy
    (problem,) = moved.start("check", "--json").expect(3).json["problems"]
    assert (problem["what"], problem["try"]) == (what, remedy)


def test_nothing_is_written_to_the_old_place(moved: Project, tmp_path: Path) -> None:
    moved.start("run").expect(3)
    moved.start(
        "--train-from", "used_data", "--set-alias", script="register_first_model.py"
    ).expect(3)
    assert not (tmp_path / "project").exists()


def test_relocate_points_the_store_here_and_the_next_cycle_goes_on(moved: Project) -> None:
    done = moved.start("relocate", "--json").expect(0).json
    assert done["changed"] is True
    assert (done["models"], done["versions"]) == (2, 2)
    here = (moved.folder / "mlflow_server" / "artifacts").as_uri()
    assert sum(one.startswith(f"{here}/retraining") for one in addresses(moved)) >= 8
    assert [one for one in addresses(moved) if one.startswith(done["old"])] == []
    assert moved.start("check", "--deep", "--json").expect(0).json["problems"] == []
    assert moved.cycle()["ending"] in ("promoted", "rejected")
    assert moved.start("rollback").expect(0)
    assert moved.start("relocate", "--json").expect(0).json["changed"] is False


def test_a_dry_run_of_relocate_changes_no_address(moved: Project) -> None:
    before = addresses(moved)
    said = moved.start("relocate", "--dry-run").expect(0)
    assert "would be pointed" in said.out
    assert addresses(moved) == before
    moved.start("run").expect(3)


def test_relocate_refuses_where_the_files_are_not_here(moved: Project) -> None:
    before = addresses(moved)
    for manifest in moved.folder.glob("mlflow_server/artifacts/**/manifest.json"):
        manifest.unlink()
    what, _, remedy = moved.start("relocate").expect(3).error
    assert "those of v2 are not there" in what
    assert "backup" in remedy
    assert addresses(moved) == before


def test_relocate_leaves_another_experiment_and_another_model_as_they_are(moved: Project) -> None:
    store = moved.folder / "mlflow_server" / "backend_db" / "mlflow.db"
    with closing(sqlite3.connect(store)) as database, database:
        database.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage,"
            " workspace) SELECT 77, 'theirs', artifact_location || '-theirs', 'active', workspace"
            " FROM experiments WHERE name = 'retraining'"
        )
    theirs = next(one for one in addresses(moved) if one.endswith("-theirs"))
    moved.start("relocate").expect(0)
    assert theirs in addresses(moved)


def test_a_copy_whose_original_is_still_there_is_told_that_it_would_write_there(
    promoted: Project, tmp_path: Path
) -> None:
    copy = replace(promoted, folder=tmp_path / "copy")
    shutil.copytree(promoted.folder, copy.folder)
    (problem,) = copy.start("check", "--json").expect(0).json["problems"]
    assert "a cycle here would write to the other place" in problem["what"]
    copy.start("relocate").expect(0)
    assert copy.start("check", "--json").expect(0).json["problems"] == []
    assert promoted.start("check", "--json").expect(0).json["problems"] == []


def test_relocate_names_the_check_of_this_very_project(moved: Project) -> None:
    said = moved.start("relocate").expect(0).out
    assert f"--project '{moved.folder}' check --deep` loads every version" in said


def test_behind_a_server_relocate_says_where_it_must_be_done(moved: Project) -> None:
    moved.configure(MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    what, _, remedy = moved.start("relocate").expect(2).error
    assert what == "A server lets nobody change where artifacts are."
    assert "MLFLOW_TRACKING_URI" in remedy
