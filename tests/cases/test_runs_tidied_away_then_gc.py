"""Runs deleted in the UI to tidy up, then `mlflow gc`: told before it is too late, and a way on
without a backup after it.
"""

from __future__ import annotations

import shlex
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient
from mlflow.cli import gc

from tests.projects import tables

if TYPE_CHECKING:
    from tests.projects import Project


def store(project: Project) -> str:
    return f"sqlite:///{project.folder}/mlflow_server/backend_db/mlflow.db"


def delete_runs(project: Project, *versions: int) -> None:
    client = MlflowClient(store(project), store(project))
    for version in versions:
        run_id = client.get_model_version("classifier", str(version)).run_id
        assert run_id is not None
        client.delete_run(run_id)


def empty_the_bin(project: Project) -> None:
    """What `mlflow gc` does, in this process."""
    uri = store(project)
    words = ["--backend-store-uri", uri, "--tracking-uri", uri]
    gc.main(words, standalone_mode=False)


@pytest.fixture
def promoted(promoted: Project) -> Project:
    promoted.configure(RETRAIN_WHEN="always", PROMOTE_WHEN="unless_worse")
    return promoted


def test_check_warns_while_the_runs_lie_in_the_bin_and_restoring_them_mends_it(
    promoted: Project,
) -> None:
    delete_runs(promoted, 1, 2)
    problems = promoted.start("check", "--json").expect(0).json["problems"]
    assert [problem["where"] for problem in problems] == ["v2", "v1"]
    for problem in problems:
        assert "`mlflow gc` would remove its files for good" in problem["what"]
        run_id = problem["try"].split("--run-id ")[1].split("`")[0]
        MlflowClient(store(promoted), store(promoted)).restore_run(run_id)
    assert promoted.start("check", "--json").expect(0).json["problems"] == []


def test_check_warns_of_a_deleted_model_too_and_the_line_that_it_prints_restores_it(
    promoted: Project,
) -> None:
    client = MlflowClient(store(promoted), store(promoted))
    run_id = client.get_model_version("classifier", "2").run_id
    (model,) = client.search_logged_models(
        [client.get_run(str(run_id)).info.experiment_id],
        filter_string=f"source_run_id = '{run_id}'",
    )
    client.delete_logged_model(model.model_id)
    (problem,) = promoted.start("check", "--json").expect(0).json["problems"]
    assert f"The logged model of v2 ({model.model_id}) was deleted; `mlflow gc`" in problem["what"]
    program, file, statement = shlex.split(problem["try"].split("`")[1])
    assert program == "sqlite3"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(statement)
    assert promoted.start("check", "--json").expect(0).json["problems"] == []
    empty_the_bin(promoted)
    assert promoted.start("check").expect(0).out.startswith("No problem was found")


def test_after_gc_nobody_is_told_to_restore_a_model_that_is_gone(promoted: Project) -> None:
    client = MlflowClient(store(promoted), store(promoted))
    found = client.search_logged_models(["1"])
    client.delete_logged_model(
        next(
            one.model_id
            for one in found
            if one.source_run_id == client.get_model_version("classifier", "2").run_id
        )
    )
    empty_the_bin(promoted)
    failed = promoted.start("check", "--json").expect(3)
    (problem,) = failed.json["problems"]
    assert "model files of version 2 are missing" in problem["what"]
    assert "rollback --to 1" in problem["try"]
    assert "logged_models" not in failed.out + failed.err


def test_a_version_whose_run_is_still_there_is_advised_and_the_advice_works(
    promoted: Project,
) -> None:
    delete_runs(promoted, 2)
    empty_the_bin(promoted)
    promoted.deliver(*tables(3, seed=3))
    what, _, remedy = promoted.start("run").expect(3).error
    assert "manifest.json of version 2 is missing" in what
    assert "rollback --to 1" in remedy.replace(f" --project {promoted.folder}", "")
    assert (
        promoted.start("rollback", "--to", "1", "--json").expect(0).json["production_version"] == 1
    )
    shutil.rmtree(promoted.folder / ".retraining")
    promoted.deliver(*tables(3, seed=4))
    assert promoted.cycle()["production_version"] == 1


@pytest.mark.parametrize("notes", ["kept", "lost"])
def test_where_no_version_is_left_a_new_beginning_from_the_archive_is_advised_and_works(
    promoted: Project, notes: str
) -> None:
    delete_runs(promoted, 1, 2)
    empty_the_bin(promoted)
    promoted.deliver(*tables(3, seed=3))
    if notes == "lost":
        shutil.rmtree(promoted.folder / ".retraining")
    what, _, remedy = promoted.start("run").expect(3).error
    assert "manifest.json of version 2 is missing" in what
    assert "rollback" not in remedy
    assert "--train-from used_data --set-alias` begins anew" in remedy
    archive = promoted.names("used_data")
    promoted.register("--train-from", "used_data", "--set-alias")
    assert promoted.names("used_data") == archive
    told = promoted.cycle()
    assert (told["previous_version"], told["files"]["quarantined"]) == (3, 0)
    assert told["ending"] in ("promoted", "rejected", "kept")
    assert promoted.start("check", "--json").expect(0).json["problems"] == []
    shutil.rmtree(promoted.folder / ".retraining")
    assert promoted.start("status", "--json").expect(0).json["used"] >= len(archive)


def test_the_version_that_serves_may_be_adopted_anew_instead(promoted: Project) -> None:
    delete_runs(promoted, 1, 2)
    empty_the_bin(promoted)
    promoted.register("--adopt", "2")
    assert promoted.start("check", "--json").expect(0).json["problems"] == []
    promoted.deliver(*tables(3, seed=3, rows=120, turned=True))
    assert promoted.cycle()["previous_version"] == 2
