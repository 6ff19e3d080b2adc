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

from retraining.commands import foretelling, waiting_files
from retraining.errors import NOTHING_CHANGED
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
    example = min(project.folder.glob("used_data/*"))
    rows = pd.read_csv(example)
    tree = DecisionTreeClassifier(max_depth=2).fit(rows[["speed", "load"]], rows["target"])
    folder = project.folder / "model_of_another"
    mlflow.sklearn.save_model(tree, folder, serialization_format="cloudpickle")
    store = f"sqlite:///{project.folder}/mlflow_server/backend_db/mlflow.db"
    client = MlflowClient(store, store)
    number = client.create_model_version("classifier", folder.as_uri()).version
    project.configure(IGNORE_COLUMNS="city")
    words = ("--adopt", str(number), "--example", str(example))
    project.start(*words, script=REGISTER).expect(0)
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
REFUSED = (it_fails_on_a_row_of_one_file, columns_are_missing)


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
    if fault in REFUSED:  # neither `check` nor a dry run has anything to send back
        what, unchanged, remedy = project.start("run", "--dry-run").expect(code).error
        assert told[what] == remedy
        assert unchanged == NOTHING_CHANGED
        assert "requeue" not in remedy
        assert "requeue" in project.start("run").expect(code).error[2]
        return
    what, _, remedy = project.start("run").expect(code).error
    assert told[what] == remedy


def problems(project: Project, code: int) -> list[str]:
    found = project.start("check", "--json").expect(code).json["problems"]
    return [problem["what"] for problem in found]


def test_production_is_asked_about_the_archive_where_nothing_waits(
    tmp_path: Path, empty_store: Path
) -> None:
    """What was adopted came from elsewhere: a first look at it is not left to a cycle."""
    project = Project.made(tmp_path / "project")
    texts = tables(8, seed=1)
    beyond_a_tree = "1e300,0,north,1\n"
    project.deliver(*texts[:7], texts[7] + beyond_a_tree, to="used_data", age=7200)
    project.take_store(empty_store)
    project.register()
    assert problems(project, 0) == []
    adopt_what_another_registered(project)
    assert [what for what in problems(project, 3) if "v2 could not predict rows" in what]


def test_too_little_memory_is_a_warning_while_production_does_well(registered: Project) -> None:
    registered.deliver(*tables(3, seed=2))
    registered.configure(MAX_TRAINING_MEMORY="1K")
    (what,) = problems(registered, 0)
    assert what.startswith("Once a challenger is trained: Learning ")
    text = registered.start("check").expect(0).out
    assert text.splitlines()[-1] == "Nothing here stops a cycle until it trains a challenger."
    assert registered.cycle()["ending"] == "kept"


def test_files_that_would_take_too_long_to_score_are_named(
    registered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered.deliver(*tables(4, seed=2))
    monkeypatch.setattr(foretelling, "MODELS_ASKED", 1e9)
    (what,) = problems(registered, 0)
    seconds = f"{waiting_files.SECONDS:g} s"
    assert what.startswith(f"4 of 4 waiting files were not scored within {seconds}: batch-")


def test_an_alias_that_a_person_moved_back_is_told_before_a_cycle_holds_promotions(
    promoted: Project,
) -> None:
    store = f"sqlite:///{promoted.folder}/mlflow_server/backend_db/mlflow.db"
    MlflowClient(store, store).set_registered_model_alias("classifier", "production", 1)
    told = " was moved back from v2 to v1: the next start takes that for a roll-back"
    assert [what for what in problems(promoted, 0) if told in what]
    promoted.deliver(*tables(3, seed=3, turned=True))
    promoted.cycle()
    assert [what for what in problems(promoted, 0) if what.startswith("Promotions are held: ")]
