"""The registered model was renamed, deleted, or looked for in another store: the message says what
is there, and never lets a person begin anew by accident.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from tests.projects import tables

if TYPE_CHECKING:
    from tests.projects import Project


@pytest.fixture
def client(registered: Project) -> MlflowClient:
    registered.deliver(*tables(3, seed=2))
    store = f"sqlite:///{registered.folder}/mlflow_server/backend_db/mlflow.db"
    return MlflowClient(store, store)


def told_alike(project: Project) -> tuple[str, str]:
    what, _, remedy = project.start("run").expect(3).error
    (problem,) = project.start("check", "--json").expect(3).json["problems"]
    assert (problem["what"], problem["try"]) == (what, remedy)
    assert project.start("rollback", "--why", "x").expect(3).error[0] == what
    return what, remedy


def test_a_renamed_model_is_named_and_following_the_advice_is_enough(
    registered: Project, client: MlflowClient
) -> None:
    client.rename_registered_model("classifier", "churn")
    what, remedy = told_alike(registered)
    assert what.endswith("it has no version there; there are models of this job called churn.")
    assert remedy.startswith("If 'classifier' was given another name in MLflow, set MODEL_NAME")
    registered.configure(MODEL_NAME="churn")
    assert registered.cycle()["production_version"] == 1


def test_a_deleted_model_is_told_apart_from_a_missing_alias(
    registered: Project, client: MlflowClient
) -> None:
    client.delete_registered_model("classifier")
    what, remedy = told_alike(registered)
    assert what.endswith("it has no version there.")
    assert "--set-alias`, which registers a first model; but if this project had one" in remedy
    assert "restore the store's backup" in remedy
