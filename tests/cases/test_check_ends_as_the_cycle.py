"""Whatever waiting files can end a cycle with, `check` ends with before: the same exit code, the
same cause, the same advice.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.tree import DecisionTreeClassifier

from tests.projects import REGISTER, Project, tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PICKY_RECIPE = """
from sklearn.base import BaseEstimator, ClassifierMixin


class Picky(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = [0, 1]
        return self

    def predict(self, X):
        if (X["speed"] > 1000).any():
            raise ValueError("this is too fast")
        answers = (X["speed"] > 0).astype(int)
        return answers.mask(X["speed"] < -1000, 7)


def train_model(X_train, y_train):
    return Picky().fit(X_train, y_train)
"""
TOO_FAST, TOO_SLOW = "4000,0,north,1\n", "-4000,0,north,0\n"


@pytest.fixture
def picky(tmp_path: Path, empty_store: Path) -> Project:
    """Production fails on rows over a speed of 1,000, and answers 7 on those under -1,000."""
    made = Project.made(tmp_path / "picky")
    (made.folder / "train_classification_model.py").write_text(PICKY_RECIPE)
    made.deliver(*tables(8, seed=1), to="used_data", age=7200)
    made.take_store(empty_store)
    made.register()
    return made


def adopt_what_another_registered(project: Project) -> Path:
    """A version that the job did not register is adopted and given the alias; where its files
    are.
    """
    rows = pd.concat(pd.read_csv(path) for path in project.folder.glob("used_data/*"))
    tree = DecisionTreeClassifier(max_depth=2).fit(rows[["speed", "load"]], rows["target"])
    folder = project.folder / "model_of_another"
    mlflow.sklearn.save_model(tree, folder, serialization_format="cloudpickle")
    store = f"sqlite:///{project.folder}/mlflow_server/backend_db/mlflow.db"
    client = MlflowClient(store, store)
    number = client.create_model_version("classifier", folder.as_uri()).version
    project.configure(IGNORE_COLUMNS="city")
    project.start("--adopt", str(number), script=REGISTER).expect(0)
    client.set_registered_model_alias("classifier", "production", number)
    return folder


def its_files_are_gone(project: Project) -> None:
    project.deliver(*tables(3, seed=2))
    shutil.rmtree(adopt_what_another_registered(project))


def its_pickle_cannot_be_read(project: Project) -> None:
    project.deliver(*tables(3, seed=2))
    (adopt_what_another_registered(project) / "model.pkl").write_bytes(b"no pickle")


def it_fails_on_a_row_of_one_file(project: Project) -> None:
    texts = tables(3, seed=2)
    project.deliver(*texts[:2], texts[2] + TOO_FAST)


def it_fails_on_a_row_of_each_file(project: Project) -> None:
    project.deliver(*(text + TOO_FAST for text in tables(3, seed=2)))


def it_answers_a_class_that_nobody_knows(project: Project) -> None:
    project.deliver(*(text + TOO_SLOW for text in tables(3, seed=2)))


def columns_are_missing(project: Project) -> None:
    project.deliver(*(text.replace("load", "weight") for text in tables(3, seed=2)))


def two_files_bring_a_new_class(project: Project) -> None:
    texts = tables(4, seed=2)
    project.deliver(*texts[:2], *(text + "1,1,north,2\n" for text in texts[2:]))


def the_rows_take_too_much_memory(project: Project) -> None:
    project.deliver(*tables(6, seed=2, rows=120, turned=True))
    project.configure(MAX_TRAINING_MEMORY="1K")


FAULTS: list[tuple[str, Callable[[Project], None], int]] = [
    ("registered", its_files_are_gone, 3),
    ("registered", its_pickle_cannot_be_read, 3),
    ("picky", it_fails_on_a_row_of_one_file, 1),
    ("picky", it_fails_on_a_row_of_each_file, 3),
    ("picky", it_answers_a_class_that_nobody_knows, 3),
    ("registered", columns_are_missing, 3),
    ("registered", two_files_bring_a_new_class, 3),
    ("registered", the_rows_take_too_much_memory, 3),
]


@pytest.mark.parametrize(
    ("kind", "fault", "code"), FAULTS, ids=[fault.__name__ for _, fault, _ in FAULTS]
)
def test_check_ends_as_the_cycle_would(
    request: pytest.FixtureRequest, kind: str, fault: Callable[[Project], None], code: int
) -> None:
    project: Project = request.getfixturevalue(kind)
    fault(project)
    problems = project.start("check", "--json").expect(code).json["problems"]
    told = {problem["what"]: problem["try"] for problem in problems}
    what, _, remedy = project.start("run").expect(code).error
    assert what in told
    if fault is not columns_are_missing:  # nothing is in quarantine yet, to be sent back
        assert told[what] == remedy
