"""First models: what a person named is registered once, and `--set-alias` never puts another model
into production than the one meant.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import joblib
import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.tree import DecisionTreeClassifier

from retraining.errors import StoreError
from retraining.model_registry.registered_model import RegisteredModel
from tests.projects import CLONE, REGISTER, Project, tables
from train_classification_model import train_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pickled(tmp_path: Path, empty_store: Path) -> Project:
    """Files in the archive and in the inbox, a pickle of one's own beside them, and nothing
    registered.
    """
    project = Project.made(tmp_path / "project")
    project.take_store(empty_store)
    rows = pd.concat(
        pd.read_csv(path) for path in project.deliver(*tables(6, seed=1), to="used_data", age=7200)
    )
    joblib.dump(
        train_model(rows.drop(columns="target"), rows["target"]), project.folder / "own.pkl"
    )
    project.deliver(*tables(3, seed=2))
    return project


def own(project: Project, *words: str) -> str:
    return (
        project.start(
            "--model", str(project.folder / "own.pkl"), "--trust-pickle", *words, script=REGISTER
        )
        .expect(0)
        .out
    )


def test_the_advice_after_a_registration_gives_the_alias_to_that_very_model(
    pickled: Project,
) -> None:
    assert "register_first_model.py --project" in own(pickled)
    assert (
        "It is registered already as v1"
        in pickled.start("--set-alias", script=REGISTER).expect(0).out
    )
    assert pickled.start("status", "--json").json["production_version"] == 1


def test_an_example_that_is_not_there_is_named(pickled: Project) -> None:
    words = ("--model", str(pickled.folder / "own.pkl"), "--trust-pickle", "--example", "gone.csv")
    done = pickled.start(*words, script=REGISTER).expect(2)
    assert "gone.csv is not there" in done.error[0]


def test_a_pickle_of_other_columns_is_told_what_to_name(pickled: Project) -> None:
    for path in (*pickled.folder.glob("new_data/*"), *pickled.folder.glob("used_data/*")):
        pd.read_csv(path).assign(extra=1.0).drop(columns="load").to_csv(path, index=False)
    done = pickled.start(
        "--model", str(pickled.folder / "own.pkl"), "--trust-pickle", script=REGISTER
    ).expect(2)
    assert "own.pkl does not fit the data" in done.error[0]
    assert "--example" in done.error[2]


def test_the_same_pickle_again_changes_nothing_however_the_archive_grew(pickled: Project) -> None:
    own(pickled, "--set-alias")
    pickled.configure(RETRAIN_WHEN="always", MIN_IMPROVEMENT="-1")
    assert pickled.cycle()["ending"] == "promoted"
    assert "The alias 'production' stays on v2" in own(pickled, "--set-alias")
    assert pickled.start("status", "--json").json["production_version"] == 2


def test_a_model_trained_on_an_archive_that_tests_nothing_is_scored_on_the_inbox(
    pickled: Project,
) -> None:
    own(pickled, "--set-alias")
    said = pickled.start("--train-from", "used_data", "--set-alias", script=REGISTER).expect(0).out
    assert " rows that it had not seen." in said
    assert "v1 held it before" in said


# --- "registered already" -------------------------------------------------------------------------


def versions_after(project: Project, *words: str) -> tuple[bool, int]:
    """Whether a registration made a version, and which one it speaks of."""
    told = project.start(*words, "--json", script=REGISTER).expect(0).json
    return told["changed"], told["version"]


@pytest.mark.parametrize("words", [(), ("--train-from", "used_data")])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IGNORE_COLUMNS", "load"),
        ("POSITIVE_CLASS", "0"),
        ("HOLDOUT_FRACTION", "0.3"),
        ("TARGET_COLUMN", "city"),
        ("CSV_ENCODING", "latin-1"),
    ],
)
def test_a_setting_that_shapes_a_version_makes_the_next_one_once(
    registered: Project, name: str, value: str, words: tuple[str, ...]
) -> None:
    assert versions_after(registered, *words) == (False, 1)
    registered.configure(**{name: value})
    assert versions_after(registered, *words) == (True, 2)
    assert versions_after(registered, *words) == (False, 2)


def test_the_next_version_has_the_columns_of_the_settings_as_they_are_now(
    registered: Project,
) -> None:
    registered.configure(IGNORE_COLUMNS="load")
    said = registered.start("--set-alias", script=REGISTER).expect(0).out
    assert "Columns: 1 number (speed); 1 string (city)" in said
    assert registered.start("status", "--json").json["production_version"] == 2


def test_a_setting_that_shapes_nothing_makes_no_version(registered: Project) -> None:
    registered.configure(MIN_NEW_FILES="7", RETRAIN_THRESHOLD="0.6", PROMOTE_WHEN="manual")
    assert versions_after(registered) == (False, 1)


def test_a_file_in_another_separator_is_read_once_the_setting_is_corrected(
    tmp_path: Path, empty_store: Path
) -> None:
    project = Project.made(tmp_path / "project")
    texts = [text.replace(",", ";").replace(".", ",") for text in tables(6, seed=1)]
    project.deliver(*texts, to="used_data", age=7200)
    project.take_store(empty_store)
    failed = project.start("--set-alias", script=REGISTER).expect(2)
    assert (
        "separated by semicolons, not by commas: CSV_SEPARATOR=; and CSV_DECIMAL=,?" in failed.err
    )
    project.configure(CSV_SEPARATOR=";")
    said = project.start("--set-alias", script=REGISTER).expect(0).out
    assert "taken as string; CSV_DECIMAL=,?" in said
    project.configure(CSV_DECIMAL=",")
    said = project.start("--set-alias", script=REGISTER).expect(0).out
    assert "Registered v2" in said
    assert "Columns: 2 number (speed, load); 1 string (city)" in said


def test_another_recipe_or_an_edited_helper_of_it_makes_the_next_version(
    registered: Project,
) -> None:
    recipe = (CLONE / "train_classification_model.py").read_text()
    registered.put("train_classification_model.py", f"{recipe}\nimport helper\n", to=".")
    registered.put("helper.py", "DEPTH = 3\n", to=".")
    assert versions_after(registered) == (True, 2)
    registered.put("helper.py", "DEPTH = 4\n", to=".")
    assert versions_after(registered) == (True, 3)
    assert versions_after(registered) == (False, 3)


def test_a_file_that_was_put_into_the_archive_makes_the_next_version(registered: Project) -> None:
    registered.deliver(*tables(1, seed=9), to="used_data")
    assert versions_after(registered) == (True, 2)


def test_what_cycles_archived_is_no_change(registered: Project) -> None:
    registered.configure(RETRAIN_WHEN="always", MIN_IMPROVEMENT="-1")
    registered.deliver(*tables(3, seed=2))
    assert registered.cycle()["ending"] == "promoted"
    assert versions_after(registered) == (False, 2)


def test_a_mended_file_of_the_archive_is_taken_up_once_the_old_bytes_are_withdrawn(
    registered: Project,
) -> None:
    path = min((registered.folder / "used_data").glob("*.csv"))
    path.write_text(path.read_text() + "0.5,0.5,north,1\n")
    failed = registered.start("--set-alias", script=REGISTER).expect(3)
    sha = re.search(r"\(([0-9a-f]{12})\)", failed.error[0])
    assert sha is not None
    assert "forget SHA" in failed.error[2]
    assert "begin again: docs/first-hour.md" in failed.error[2]  # no cycle has run yet
    registered.start("forget", sha[1], "--why", "mended").expect(0)
    assert versions_after(registered, "--set-alias") == (True, 2)
    registered.start("check").expect(0)


@pytest.mark.slow
def test_a_pickle_under_other_columns_is_another_version(pickled: Project) -> None:
    own(pickled)
    pickled.configure(POSITIVE_CLASS="0")
    assert "Registered v2" in own(pickled)
    assert "It is registered already as v2" in own(pickled)


def test_check_says_which_settings_have_parted_from_production(registered: Project) -> None:
    assert "when it was made" not in registered.start("check").expect(0).out
    registered.configure(IGNORE_COLUMNS="load", CSV_SEPARATOR=";", POSITIVE_CLASS="0")
    told = registered.start("check", "--json").json["problems"]
    parted = [one["what"] for one in told if "when it was made" in one["what"]]
    assert parted == [
        "IGNORE_COLUMNS is load, and was not set when it was made (v1).",
        "POSITIVE_CLASS is '0', and was not set when it was made (v1).",
        "CSV_SEPARATOR is ';', and was ',' when it was made (v1).",
    ]


def test_a_cycle_under_another_separator_says_that_the_archive_is_written_otherwise(
    registered: Project,
) -> None:
    registered.configure(CSV_SEPARATOR=";", RETRAIN_WHEN="always")
    registered.deliver(*(text.replace(",", ";") for text in tables(3, seed=2)))
    failed = registered.start("run").expect(3)
    assert "cannot be read any more" in failed.error[0]
    assert "separated by commas, not by semicolons" in failed.error[0]
    assert "If a CSV_* setting was changed, set it back" in failed.error[2]


def test_registering_asks_for_no_threshold_and_suggests_one(
    project: Project, empty_store: Path
) -> None:
    project.settings.pop("RETRAIN_THRESHOLD")
    project.configure(METRIC="balanced_accuracy")
    project.take_store(empty_store)
    assert "RETRAIN_THRESHOLD=" in project.register().out


def test_registration_and_check_tell_of_a_column_that_tells_the_label(
    tmp_path: Path, empty_store: Path
) -> None:
    project = Project.made(tmp_path / "project")
    for text in tables(4, seed=1):
        head, *rows = text.splitlines()
        told = [f"{row},{'yes' if row.endswith('1') else 'no'}" for row in rows]
        project.deliver("\n".join([f"{head},churned", *told]) + "\n", to="used_data", age=7200)
    project.take_store(empty_store)
    said = project.register().out
    remark = "column 'churned' repeats the label 'target' in all 160 rows (first in "
    assert f"- {remark}" in said
    assert "A perfect accuracy of 1.0 is seldom true" in said
    checked = project.start("check", "--json").expect(0).json["problems"]
    assert [one for one in checked if remark in one["what"]]
    project.configure(IGNORE_COLUMNS="churned")
    (problem,) = project.start("check", "--json").expect(0).json["problems"]
    assert problem["what"].startswith("IGNORE_COLUMNS is churned, and was not set")


# --- what is said of the score --------------------------------------------------------------------


def test_a_score_on_too_few_blocks_says_why_it_has_no_interval(
    project: Project, empty_store: Path
) -> None:
    """Of twelve files a fifth is three."""
    project.take_store(empty_store)
    project.configure(HOLDOUT_FRACTION="0.2")
    few = project.register().out.splitlines()[0]
    assert re.search(
        r"; accuracy 0\.\d{4} on 120 rows that it had not seen "
        r"\(no interval, for these rows are in 3 blocks and it takes 5\)\.$",
        few,
    ), few


def test_production_is_set_beside_the_new_version_on_the_same_rows(
    project: Project, empty_store: Path
) -> None:
    """Both learn the same files less the same rows, so production's score is that of its own
    registration.
    """
    project.take_store(empty_store)
    words = ("--train-from", "used_data", "--set-alias", "--json")
    first = project.register(*words).json
    assert first["production_score"] is None
    project.configure(IGNORE_COLUMNS="speed")  # all that the label follows
    second = project.register(*words).json
    assert second["production_score"] == pytest.approx(first["score"])
    assert second["score"] < 0.65 < first["score"]


def test_how_production_does_is_said_before_the_alias_moves(
    registered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise StoreError("the alias was not moved.", remedy="Try again.")

    registered.configure(IGNORE_COLUMNS="speed")
    monkeypatch.setattr(RegisteredModel, "set_alias", refused)
    words = ("--train-from", "used_data", "--set-alias")
    done = registered.start(*words, script=REGISTER).expect(1)
    said = " ".join(done.err.split())
    assert re.search(
        r"v1, which is in production: accuracy 0\.[89]\d{3} \[.*?\] on 200 rows that neither has "
        r"learned; v2: 0\.[3-6]\d{3} \[.*?\]\..*the alias was not moved",
        said,
    ), said


# --- a version that somebody else registered ------------------------------------------------------


def registered_by_another(project: Project, columns: list[str]) -> str:
    """A tree that takes these columns, registered past the job; its version's number."""
    rows = pd.concat(pd.read_csv(path) for path in project.folder.glob("used_data/*"))
    tree = DecisionTreeClassifier(max_depth=2).fit(rows[columns], rows["target"])
    store = f"sqlite:///{project.folder}/mlflow_server/backend_db/mlflow.db"
    folder = project.folder / "-".join(["model", *columns])
    mlflow.sklearn.save_model(tree, folder, serialization_format="cloudpickle")
    client = MlflowClient(store, store)
    if not client.search_registered_models():
        client.create_registered_model("classifier")
    return str(client.create_model_version("classifier", folder.as_uri()).version)


def test_a_version_that_cannot_predict_rows_of_the_archive_is_not_adopted(
    pickled: Project,
) -> None:
    number = registered_by_another(pickled, ["load"])
    failed = pickled.start("--adopt", number, script=REGISTER).expect(2)
    assert f"v{number} does not fit the data. The model could not predict" in failed.error[0]
    store = f"sqlite:///{pickled.folder}/mlflow_server/backend_db/mlflow.db"
    client = MlflowClient(store, store)
    assert not client.get_model_version("classifier", number).tags
    assert client.search_runs(["0", "1"]) == []
    fitting = registered_by_another(pickled, ["speed", "load"])
    pickled.configure(IGNORE_COLUMNS="city")
    assert f"Adopted v{fitting}" in pickled.start("--adopt", fitting, script=REGISTER).expect(0).out
