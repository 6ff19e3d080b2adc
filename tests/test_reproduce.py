"""`reproduce`: a version is made again from its recipe and its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.projects import CLONE, REGISTER, tables

if TYPE_CHECKING:
    from tests.projects import Project

SHIPPED = (CLONE / "train_classification_model.py").read_text()
WITH_A_HELPER = """
from sklearn.tree import DecisionTreeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from depth import DEPTH

def numbers_of(X):
    return X[["speed", "load"]].fillna(0)

def train_model(X_train, y_train):
    tree = DecisionTreeClassifier(max_depth=DEPTH, random_state=0)
    return make_pipeline(FunctionTransformer(numbers_of), tree).fit(X_train, y_train)
"""


def promoted(project: Project) -> None:
    """Version 2, promoted."""
    project.configure(RETRAIN_WHEN="always", MIN_IMPROVEMENT="-1", PROBATION_BATCHES="0")
    project.deliver(*tables(6, seed=2, turned=True))
    assert project.cycle()["ending"] == "promoted"


def test_versions_of_a_registration_and_of_a_cycle_are_made_again_to_the_last_bit(
    registered: Project,
) -> None:
    promoted(registered)
    before = sorted(path.stat().st_mtime_ns for path in registered.folder.rglob("*.db"))
    for words in (("v1",), ()):
        told = registered.start("reproduce", *words, "--json").expect(0).json
        assert told["same"] is True
        assert told["rows"] > 50
        assert (told["agreement"], told["largest_difference"]) == (1.0, 0.0)
        assert told["missing_files"] == []
        then, now = told["packages"]["scikit-learn"]
        assert then == now
    assert told["version"] == 2
    assert sorted(path.stat().st_mtime_ns for path in registered.folder.rglob("*.db")) == before


def test_a_sample_is_drawn_again_as_it_was(registered: Project) -> None:
    registered.configure(TRAIN_WINDOW="1+1", MAX_TRAINING_ROWS="200")
    promoted(registered)
    registered.configure(MAX_TRAINING_ROWS="100")
    assert registered.start("reproduce", "v2", "--json").expect(0).json["same"] is True


def test_what_the_recipe_says_today_does_not_matter_but_its_helpers_do(
    project: Project,
) -> None:
    (project.folder / "train_classification_model.py").write_text(WITH_A_HELPER)
    (project.folder / "depth.py").write_text("DEPTH = 5\n")
    project.register()
    (project.folder / "train_classification_model.py").write_text(SHIPPED)
    assert project.start("reproduce", "--json").expect(0).json["same"] is True
    (project.folder / "depth.py").write_text("DEPTH = 1\n")
    told = project.start("reproduce", "--json").expect(1).json
    assert told["same"] is False
    assert told["agreement"] < 1
    assert "is another model" in project.start("reproduce").expect(1).out


def test_files_that_are_gone_are_named_with_the_ways_back(registered: Project) -> None:
    gone = min((registered.folder / "used_data").glob("*.csv"))
    gone.unlink()
    ended = registered.start("reproduce", "v1", "--json").expect(3)
    assert ended.json["missing_files"] == [gone.name]
    assert ended.json["same"] is None
    what, _, remedy = ended.error
    assert what.startswith(f"1 file that v1 was made from cannot be found: {gone.name}")
    assert "dvc pull" in remedy


@pytest.mark.parametrize("word", ["v9", "9"])
def test_a_version_that_is_not_there_is_named(registered: Project, word: str) -> None:
    assert "v9 is no version" in registered.start("reproduce", word).expect(2).error[0]


def test_a_registry_without_any_version_is_told_by_the_setting_that_names_another(
    project: Project,
) -> None:
    what, _, remedy = project.start("reproduce", "v2").expect(2).error
    assert "the registry holds no version" in what
    assert "MLFLOW_TRACKING_URI" in remedy


IN_PARTS = """
import pandas

def train_model_in_parts(parts):
    read = [part() for part in parts]
    return train_model(*(pandas.concat(each, ignore_index=True) for each in zip(*read)))
"""


def test_a_version_that_was_learned_in_parts_is_made_again_in_parts(project: Project) -> None:
    (project.folder / "train_classification_model.py").write_text(SHIPPED + IN_PARTS)
    project.configure(MAX_TRAINING_MEMORY="1K")
    project.register()
    project.configure(MAX_TRAINING_MEMORY="8G")
    assert project.start("reproduce", "--json").expect(0).json["same"] is True


def test_too_many_rows_for_the_memory_end_a_start_with_3_and_three_ways_out(
    project: Project,
) -> None:
    """Registering, a cycle and making again are refused alike, before anything is trained."""
    words = ("--train-from", "used_data", "--set-alias")
    refused = project.start(*words, script=REGISTER, MAX_TRAINING_MEMORY="1K").expect(3)
    assert "would take some" in refused.error[0]
    project.register()
    project.configure(RETRAIN_WHEN="always", MAX_TRAINING_MEMORY="1K")
    names = {path.name for path in project.deliver(*tables(6, seed=2))}
    ended = project.start("run", "--json").expect(3)
    assert ended.json["ending"] == "failed"
    for way in ("MAX_TRAINING_ROWS", "TRAIN_WINDOW", "train_model_in_parts"):
        assert way in ended.error[2]
    assert project.names("new_data") == names
    assert project.start("reproduce", "v1").expect(3).error[0].startswith("Learning ")
