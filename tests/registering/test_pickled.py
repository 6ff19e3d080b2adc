"""Pickles with classes of one's own: found in the project, carried by value, tried in a clean
process before anything is registered.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import runpy
import subprocess
import sys
from typing import TYPE_CHECKING

import joblib
import mlflow
import pytest
import sklearn
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression

from retraining.registering.pickled import packages_of
from tests.projects import REGISTER, Finished, Project, tables

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = '''
import pathlib
import sys

import joblib
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

FOLDER = pathlib.Path(__file__).parent
COLUMN = "speed"


def positive(values):
    return (values > 0).astype(int)


class Rule(ClassifierMixin, BaseEstimator):
    """The label follows the sign of one column."""

    def fit(self, X, y):
        self.classes_ = sorted(set(y))
        return self

    def predict(self, X):
        return positive(X[COLUMN])


with (FOLDER / "starts.txt").open("a") as log:
    log.write("started\\n")
rows = pd.concat(map(pd.read_csv, sorted(FOLDER.glob("used_data/*.csv"))))
joblib.dump(Rule().fit(rows, rows["target"]), FOLDER / "own.pkl")
'''
FEATURES = """
from sklearn.base import BaseEstimator, ClassifierMixin

import signs


class Rule(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = sorted(set(y))
        return self

    def predict(self, X):
        return signs.positive(X["speed"])
"""
SIGNS = """
def positive(values):
    return (values > 0).astype(int)
"""
BESIDE = """
import pathlib

import joblib
import pandas as pd

from features import Rule

folder = pathlib.Path(__file__).parent
rows = pd.concat(map(pd.read_csv, sorted(folder.glob("used_data/*.csv"))))
joblib.dump(Rule().fit(rows, rows["target"]), folder / "own.pkl")
"""
LOAD = """
import sys
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/classifier/1")
rows = pandas.DataFrame({"speed": [-1.0, 1.0], "load": 0.0, "city": "north"})
print(model.predict(rows).tolist())
"""


@pytest.fixture
def unregistered(tmp_path: Path, empty_store: Path) -> Project:
    """Files in the archive, and nothing registered."""
    project = Project.made(tmp_path / "project")
    project.take_store(empty_store)
    project.deliver(*tables(4, seed=1), to="used_data", age=7200)
    return project


def written_by(project: Project, script: str, **beside: str) -> None:
    """Let a script of the project write `own.pkl`, as its user once did.

    Forked, so that nothing is imported anew.
    """
    for name, text in beside.items():
        project.put(f"{name}.py", text, to=".")
    path = project.put("train.py", script, to=".")
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            sys.path.insert(0, str(project.folder))
            runpy.run_path(str(path), run_name="__main__")
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def registered_from(project: Project, *words: str) -> Finished:
    model = str(project.folder / "own.pkl")
    return project.start("--model", model, "--trust-pickle", *words, script=REGISTER)


def store_of(project: Project) -> str:
    return f"sqlite:///{project.folder}/mlflow_server/backend_db/mlflow.db"


def answers_far_away(project: Project) -> str:
    """What version 1 predicts in a process that cannot import anything of the project."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOAD, store_of(project)],
        cwd="/",
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def nothing_is_left(project: Project) -> bool:
    """Whether the store has no run and no version, and no artifact stands anywhere in the
    project.
    """
    client = MlflowClient(store_of(project), store_of(project))
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, run_view_type=mlflow.entities.ViewType.ALL)
    artifacts = [
        path
        for path in project.folder.rglob("*")
        if path.name in ("MLmodel", "manifest.json", "decision.json")
    ]
    return not runs and not client.search_registered_models() and not artifacts


def test_a_class_of_the_script_is_taken_from_it_without_running_it(unregistered: Project) -> None:
    written_by(unregistered, SCRIPT)
    said = registered_from(unregistered, "--set-alias").expect(0).out
    assert "Registered v1" in said
    assert (unregistered.folder / "starts.txt").read_text() == "started\n"
    (unregistered.folder / "train.py").unlink()
    assert answers_far_away(unregistered) == "[0, 1]"


def test_modules_that_stood_beside_the_script_travel_with_the_version(
    unregistered: Project,
) -> None:
    """One beside the pickle, one in the project's `src`."""
    written_by(unregistered, BESIDE, features=FEATURES, signs=SIGNS)
    (unregistered.folder / "src").mkdir()
    (unregistered.folder / "signs.py").rename(unregistered.folder / "src" / "signs.py")
    registered_from(unregistered, "--set-alias").expect(0)
    for name in ("train.py", "features.py", "src/signs.py"):
        (unregistered.folder / name).unlink()
    assert answers_far_away(unregistered) == "[0, 1]"
    unregistered.deliver(*tables(3, seed=2))
    assert unregistered.cycle()["scores"]["production_on_new"] > 0.9


def test_a_module_that_is_nowhere_is_named_and_nothing_is_left(unregistered: Project) -> None:
    written_by(unregistered, BESIDE, features=FEATURES, signs=SIGNS)
    (unregistered.folder / "features.py").unlink()
    failed = registered_from(unregistered).expect(2)
    assert "it needs the module 'features', which is not installed" in failed.error[0]
    assert f"put features.py into {unregistered.folder}" in failed.error[2]
    assert nothing_is_left(unregistered)


def test_a_script_that_is_gone_is_told_by_what_it_defined(unregistered: Project) -> None:
    written_by(unregistered, SCRIPT)
    (unregistered.folder / "train.py").unlink()
    failed = registered_from(unregistered).expect(2)
    assert "it needs 'Rule' of the script that wrote it" in failed.error[0]
    assert nothing_is_left(unregistered)


def test_two_scripts_that_define_the_class_differently_are_named(unregistered: Project) -> None:
    written_by(unregistered, SCRIPT)
    unregistered.put(
        "older.py", SCRIPT.replace("positive(X[COLUMN])", "1 - positive(X[COLUMN])"), to="."
    )
    failed = registered_from(unregistered).expect(2)
    assert "older.py" in failed.error[0]
    assert "train.py" in failed.error[0]
    unregistered.put("older.py", f"# a copy\n{SCRIPT}", to=".")
    registered_from(unregistered).expect(0)


@pytest.mark.slow
def test_a_module_from_another_folder_on_the_path_travels_too(
    unregistered: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unregistered.put("only_here.py", SCRIPT.partition("with (FOLDER")[0], to="../elsewhere")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    rule = importlib.import_module("only_here").Rule()
    joblib.dump(rule.fit([[0], [1]], [0, 1]), unregistered.folder / "own.pkl")
    registered_from(unregistered, "--set-alias").expect(0)
    assert answers_far_away(unregistered) == "[0, 1]"


NEEDS_A_FILE = """
    def __setstate__(self, state):
        pathlib.Path("weights.txt").read_text()
        self.__dict__.update(state)
"""


def test_a_model_that_only_this_process_can_load_is_refused_and_nothing_is_left(
    unregistered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(unregistered.folder)
    unregistered.put("weights.txt", "1", to=".")
    head, rest = SCRIPT.split("\n\nwith (FOLDER")
    written_by(unregistered, f"{head}{NEEDS_A_FILE}\n\nwith (FOLDER{rest}")
    failed = registered_from(unregistered).expect(3)
    assert "cannot be loaded where this project is not" in failed.error[0]
    assert "No such file or directory: 'weights.txt'" in failed.error[0]
    assert nothing_is_left(unregistered)


def test_a_pickle_that_does_not_fit_the_data_leaves_nothing(unregistered: Project) -> None:
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), unregistered.folder / "own.pkl")
    failed = registered_from(unregistered).expect(2)
    assert "own.pkl does not fit the data" in failed.error[0]
    assert nothing_is_left(unregistered)


def test_a_recipe_that_fails_leaves_nothing_and_moves_no_file(unregistered: Project) -> None:
    unregistered.put("train_classification_model.py", "def train_model(X, y):\n    1 / 0\n", to=".")
    unregistered.deliver(*tables(3, seed=2))
    before = unregistered.names("new_data")
    failed = unregistered.start("--train-from", "new_data", script=REGISTER)
    assert failed.code == 1
    assert "ZeroDivisionError" in failed.error[0]
    assert nothing_is_left(unregistered)
    assert unregistered.names("new_data") == before


def test_scikit_learns_warning_of_another_version_is_shown(unregistered: Project) -> None:
    from tests.registering.samples import pickle_of_version

    pickle_of_version(unregistered, "1.0.2")
    done = registered_from(unregistered).expect(0)
    assert "from version 1.0.2 when using version" in done.err


def test_what_cannot_be_read_is_told_with_the_versions_then_and_now(unregistered: Project) -> None:
    content = b"\x80\x04cnumpy._gone\nthing\n._sklearn_version\x94\x8c\x051.0.2\x94."
    unregistered.put("own.pkl", content, to=".")
    failed = registered_from(unregistered).expect(2)
    assert "No module named 'numpy._gone'" in failed.error[0]
    assert "it was written with scikit-learn 1.0.2" in failed.error[0]
    assert f"scikit-learn {sklearn.__version__}" in failed.error[0]


def test_the_packages_of_an_estimator_are_those_that_its_pickle_refers_to() -> None:
    fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    assert {"sklearn", "numpy"} <= packages_of(fitted)
    assert not {"pandas", "mlflow", "json"} & packages_of(fitted)
