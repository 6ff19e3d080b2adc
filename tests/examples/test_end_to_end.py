"""Both examples as their READMEs play them: real files, a real store, the shipped recipes and settings."""

from __future__ import annotations

import csv
import runpy
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from mlflow import MlflowClient, pyfunc, set_tracking_uri
from mlflow.artifacts import download_artifacts
from sklearn.metrics import balanced_accuracy_score

from tests.projects import Project

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
KNOWS_THE_RULE, GUESSES = 0.8, 0.6  # balanced accuracy


def example(name: str, folder: Path, empty_store: Path) -> tuple[Project, Callable[..., None]]:
    """A copy of an example as it is shipped, and its simulator."""
    project = Project(folder / name)
    for part in ("new_data", "used_data"):
        (project.folder / part).mkdir(parents=True)
    for part in (".env", "train_classification_model.py"):
        shutil.copyfile(EXAMPLES / name / part, project.folder / part)
    project.take_store(empty_store)
    program = runpy.run_path(str(EXAMPLES / name / "data_simulator.py"), run_name="simulator")

    def simulate(*flags: str, into: str = "new_data") -> None:
        assert program["main"]([*flags, "--into", str(project.folder / into)]) == 0

    return project, simulate


def address(project: Project) -> str:
    return f"sqlite:///{project.folder}/mlflow_server/backend_db/mlflow.db"


def static_score(project: Project, folder: str) -> float:
    """What the first model, had it been left alone, scores on the files of a folder; loaded as anybody loads it."""
    set_tracking_uri(address(project))
    first = pyfunc.load_model("models:/driver-assistance/1")
    rows = pd.concat([pd.read_csv(path) for path in sorted((project.folder / folder).glob("*.csv"))])
    names = first.metadata.get_input_schema().input_names()
    types = {name: type_.to_pandas() for name, type_ in zip(names, first.metadata.get_input_schema().input_types(), strict=True)}
    return float(balanced_accuracy_score(rows["intervention_needed"], first.predict(rows[names].astype(types))))


def test_under_sudden_drift_the_static_model_decays_and_the_job_promotes_and_recovers(tmp_path: Path, empty_store: Path) -> None:
    fleet, simulate = example("adas", tmp_path, empty_store)
    sudden = ("--scenario", "sudden", "--first-batch")
    simulate(*sudden, "0", "--batches", "2", into="used_data")
    fleet.register()
    simulate(*sudden, "2", "--batches", "8")
    usual = fleet.cycle()
    assert (usual["ending"], usual["new_rows"]) == ("kept", 12_000)
    assert usual["scores"]["production_on_new"] > KNOWS_THE_RULE
    decayed = []
    for batch in ("10", "11", "12"):
        simulate(*sudden, batch)
        decayed.append(fleet.cycle())
    assert max(cycle["scores"]["production_on_new"] for cycle in decayed) < GUESSES
    assert [cycle["ending"] for cycle in decayed] == ["rejected", "rejected", "promoted"]
    simulate(*sudden, "13")
    assert static_score(fleet, "new_data") < GUESSES
    recovered = fleet.cycle()
    assert (recovered["ending"], recovered["production_version"]) == ("kept", decayed[-1]["challenger_version"])
    assert recovered["scores"]["production_on_new"] > KNOWS_THE_RULE


def test_the_clinics_challenger_is_refused_by_a_floor_and_then_promoted(tmp_path: Path, empty_store: Path) -> None:
    clinic, simulate = example("diabetes", tmp_path, empty_store)
    simulate(into="used_data")
    clinic.register()
    simulate("--guideline", "new", "--seed", "1")
    refused = clinic.cycle(MIN_MODEL_ROC_AUC="0.95")
    assert (refused["ending"], refused["production_version"]) == ("rejected", 1)
    assert refused["improvement"] > 0.05
    assert "MIN_MODEL_ROC_AUC" in refused["reason"]
    promoted = clinic.cycle()
    assert (promoted["ending"], promoted["production_version"]) == ("promoted", promoted["challenger_version"])
    assert promoted["files"]["archived"] == 15
    for version in (1, promoted["production_version"]):
        candidates = search_table(clinic, version)
        assert {line["param_model"].partition("(")[0] for line in candidates} >= {"GradientBoostingClassifier", "RandomForestClassifier"}
        assert float(candidates[0]["mean_test_score"]) == max(float(line["mean_test_score"]) for line in candidates)


def search_table(project: Project, version: int) -> list[dict[str, str]]:
    """The table on the version's run."""
    client = MlflowClient(address(project))
    run_id = client.get_model_version("diabetes", str(version)).run_id
    path = download_artifacts(run_id=run_id, artifact_path="search_results.csv", tracking_uri=address(project))
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
