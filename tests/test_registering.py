"""First models: what a person named is registered once, and `--set-alias` never puts another model into production than the one meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import joblib
import pandas as pd
import pytest

from tests.projects import REGISTER, Project, tables
from train_classification_model import train_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pickled(tmp_path: Path, empty_store: Path) -> Project:
    """Files in the archive and in the inbox, a pickle of one's own beside them, and nothing registered."""
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
