"""The experiment was renamed in the UI: no new one is begun without the records, and both names
lead back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from tests.projects import tables

if TYPE_CHECKING:
    from tests.projects import Project


def client_of(project: Project) -> MlflowClient:
    uri = f"sqlite:///{project.folder}/mlflow_server/backend_db/mlflow.db"
    return MlflowClient(uri, uri)


@pytest.fixture
def renamed(registered: Project) -> Project:
    experiment = client_of(registered).get_experiment_by_name("retraining")
    assert experiment is not None
    client_of(registered).rename_experiment(experiment.experiment_id, "night shift")
    registered.deliver(*tables(3, seed=2))
    return registered


def test_cycle_and_check_name_it_and_no_new_one_is_made(renamed: Project) -> None:
    what, _, remedy = renamed.start("run").expect(3).error
    assert "'retraining', which holds the record of the cycles, is called 'night shift' now" in what
    assert "MLFLOW_EXPERIMENT_NAME=night shift" in remedy
    problems = renamed.start("check", "--json").expect(3).json["problems"]
    assert what in [problem["what"] for problem in problems]
    assert client_of(renamed).get_experiment_by_name("retraining") is None


def test_with_its_new_name_in_the_settings_everything_goes_on(renamed: Project) -> None:
    renamed.configure(MLFLOW_EXPERIMENT_NAME="night shift")
    assert renamed.cycle()["ending"] == "kept"
    assert renamed.start("check", "--json").expect(0).json["problems"] == []
    assert renamed.start("relocate", "--json").expect(0).json["changed"] is False


def test_another_name_in_the_settings_begins_a_new_experiment_on_purpose(
    registered: Project,
) -> None:
    registered.configure(MLFLOW_EXPERIMENT_NAME="second")
    registered.deliver(*tables(3, seed=2))
    assert registered.cycle()["ending"] == "kept"
    assert client_of(registered).get_experiment_by_name("second") is not None
