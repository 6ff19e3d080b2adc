"""Where artifacts are kept: the project's own place can always be made, another one must be in
reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mlflow.entities import Experiment

from retraining.model_registry import artifact_roots
from retraining.model_registry.artifact_roots import (
    artifact_root,
    is_of_another_place,
    root_problem,
    same_root_here,
)
from tests.model_registry.samples import project

if TYPE_CHECKING:
    from pathlib import Path


def experiment(root: str) -> Experiment:
    return Experiment("1", "retraining", root, "active")


def test_the_projects_own_place_need_not_be_made_yet(tmp_path: Path) -> None:
    """A store elsewhere, such as a database, leaves the project without any folder of MLflow's."""
    settings = project(tmp_path)
    assert not (tmp_path / "mlflow_server").exists()
    assert root_problem(experiment(artifact_root(settings)), settings) is None


@pytest.mark.parametrize("has_files", [False, True])
def test_a_place_that_is_gone_is_a_problem_and_relocate_is_advised_where_it_can_work(
    tmp_path: Path, has_files: bool
) -> None:
    settings = project(tmp_path)
    gone = experiment("file:///gone/away/mlflow_server/artifacts/retraining")
    if has_files:
        (tmp_path / "mlflow_server" / "artifacts" / "retraining" / "run").mkdir(parents=True)
    problem = root_problem(gone, settings)
    assert problem is not None
    assert problem.exit_code == 3
    assert ("relocate" in problem.remedy) == has_files


def test_a_place_of_its_own_that_this_user_may_not_write_is_told_by_the_right_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = project(tmp_path)
    (tmp_path / "mlflow_server" / "artifacts" / "retraining").mkdir(parents=True)
    # for who is root every folder may be written
    monkeypatch.setattr(artifact_roots.os, "access", lambda *_: False)
    problem = root_problem(experiment(artifact_root(settings)), settings)
    assert problem is not None
    assert "where this user may not write" in problem.what
    assert "relocate" not in problem.remedy


def test_an_experiment_that_was_renamed_keeps_its_folders_name(tmp_path: Path) -> None:
    settings = project(tmp_path, MLFLOW_EXPERIMENT_NAME="night shift")
    here = same_root_here("file:///gone/mlflow_server/artifacts/retraining", settings)
    assert here == (tmp_path / "mlflow_server" / "artifacts" / "retraining").as_uri()


def test_a_root_of_ones_own_choice_is_no_copy(tmp_path: Path) -> None:
    settings = project(tmp_path)
    (tmp_path / "mlflow_server" / "artifacts" / "shared" / "run").mkdir(parents=True)
    assert not is_of_another_place(experiment(f"file://{tmp_path}/shared"), settings)
