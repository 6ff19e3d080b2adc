"""Both examples, played by the commands of their READMEs: real files, a real store, the shipped
recipes and settings.
"""

from __future__ import annotations

import csv
import re
import runpy
import shlex
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient, pyfunc, set_tracking_uri
from mlflow.artifacts import download_artifacts
from sklearn.metrics import balanced_accuracy_score

from retraining.settings import load
from tests.examples.quick_recipe import without_the_slowest_models
from tests.projects import ORCHESTRATOR, REGISTER, Project
from tests.serving.services import running, until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
KNOWS_THE_RULE, GUESSES = 0.8, 0.6  # balanced accuracy


@dataclass(frozen=True)
class Example:
    """A copy of an example as it is shipped, and a reader who types what its README says."""

    project: Project
    name: str
    service: tuple[str, ...] = ()  # flags that name one

    @classmethod
    def shipped(cls, name: str, folder: Path, empty_store: Path) -> Example:
        project = Project(folder / name)
        shutil.copytree(
            EXAMPLES / name,
            project.folder,
            ignore=shutil.ignore_patterns("mlflow_server", ".retraining", "__pycache__"),
        )
        for part in ("new_data", "used_data"):
            shutil.rmtree(project.folder / part)
            (project.folder / part).mkdir()
        project.take_store(empty_store)
        return cls(project, name)

    def play(self, heading: str) -> list[Any]:
        """Obey the commands under a heading of the README; the JSON of each cycle."""
        told = [self.obey(command) for command in self.commands(heading)]
        return [cycle for cycle in told if cycle is not None]

    def commands(self, heading: str) -> list[str]:
        """The commands under a heading of the README."""
        section = (
            (EXAMPLES / self.name / "README.md")
            .read_text(encoding="utf-8")
            .partition(f"\n## {heading}\n")[2]
            .partition("\n## ")[0]
        )
        return [
            line
            for block in re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
            for line in block.splitlines()
        ]

    def obey(self, command: str) -> Any:
        """Obey one command; a cycle's JSON, None for all other commands."""
        words = shlex.split(command)
        environment = dict(word.split("=", 1) for word in words[: words.index(".venv/bin/python")])
        script, *arguments = words[len(environment) + 1 :]
        if script == f"examples/{self.name}/data_simulator.py":
            return self.simulate(*arguments)
        if script == f"examples/{self.name}/visits.py":
            return self.visit(*arguments)
        place = arguments.index("--project")
        assert arguments[place + 1] == f"examples/{self.name}"
        del arguments[place : place + 2]
        if script == ORCHESTRATOR and not arguments:
            return self.project.cycle(**environment)
        assert script in (ORCHESTRATOR, REGISTER), command
        self.project.start(*arguments, script=script, **environment).expect(0)
        return None

    def simulate(self, *flags: str) -> None:
        """Start the copy's simulator, which writes into the copy."""
        own = [flag.replace(f"examples/{self.name}", str(self.project.folder)) for flag in flags]
        assert (
            runpy.run_path(str(self.project.folder / "data_simulator.py"), run_name="simulator")[
                "main"
            ](own)
            == 0
        )

    def visit(self, *words: str) -> None:
        """Ask the service of the copy, or send it outcomes."""
        notes = ("--notes", str(self.project.folder / "visits.json"))
        path = str(EXAMPLES / self.name / "visits.py")
        assert runpy.run_path(path, run_name="visits")["main"]([*words, *self.service, *notes]) == 0

    @property
    def store(self) -> str:
        return f"sqlite:///{self.project.folder}/mlflow_server/backend_db/mlflow.db"


def static_score(fleet: Example, folder: str) -> float:
    """What the first model, had it been left alone, scores on the files of a folder.

    Loaded as anybody loads it.
    """
    set_tracking_uri(fleet.store)
    first = pyfunc.load_model("models:/driver-assistance/1")
    rows = pd.concat(
        [pd.read_csv(path) for path in sorted((fleet.project.folder / folder).glob("*.csv"))]
    )
    signature = first.metadata.get_input_schema()
    types = {
        name: kind.to_pandas()
        for name, kind in zip(signature.input_names(), signature.input_types(), strict=True)
    }
    return float(
        balanced_accuracy_score(
            rows["intervention_needed"], first.predict(rows[list(types)].astype(types))
        )
    )


def test_under_sudden_drift_the_static_model_decays_and_the_job_promotes_and_recovers(
    tmp_path: Path, empty_store: Path
) -> None:
    fleet = Example.shipped("adas", tmp_path, empty_store)
    usual, *decayed = fleet.play("From nothing to a promoted model")
    assert (usual["ending"], usual["new_rows"]) == ("kept", 12_000)
    assert usual["scores"]["production_on_new"] > KNOWS_THE_RULE
    assert [cycle["ending"] for cycle in decayed] == ["rejected", "rejected", "promoted"]
    assert max(cycle["scores"]["production_on_new"] for cycle in decayed) < GUESSES
    fleet.simulate("--scenario", "sudden", "--first-batch", "13")
    assert static_score(fleet, "new_data") < GUESSES
    recovered = fleet.project.cycle()
    assert (recovered["ending"], recovered["production_version"]) == (
        "kept",
        decayed[-1]["challenger_version"],
    )
    assert recovered["scores"]["production_on_new"] > KNOWS_THE_RULE


@pytest.mark.slow
def test_the_clinics_challenger_is_refused_by_a_floor_and_then_promoted(
    tmp_path: Path, empty_store: Path
) -> None:
    clinic = Example.shipped("diabetes", tmp_path, empty_store)
    refused, promoted = clinic.play("A first model, a floor, a promotion")
    assert (refused["ending"], refused["production_version"]) == ("rejected", 1)
    assert refused["improvement"] > 0.05
    assert "MIN_MODEL_ROC_AUC" in refused["reason"]
    assert (promoted["ending"], promoted["production_version"]) == (
        "promoted",
        promoted["challenger_version"],
    )
    assert promoted["files"]["archived"] == 15
    for version in (1, promoted["production_version"]):
        candidates = search_table(clinic, version)
        assert {line["param_model"].partition("(")[0] for line in candidates} >= {
            "GradientBoostingClassifier",
            "RandomForestClassifier",
        }
        assert float(candidates[0]["mean_test_score"]) == max(
            float(line["mean_test_score"]) for line in candidates
        )


def search_table(clinic: Example, version: int) -> list[dict[str, str]]:
    """The table of the search on the version's run."""
    run_id = MlflowClient(clinic.store).get_model_version("diabetes", str(version)).run_id
    path = download_artifacts(
        run_id=run_id, artifact_path="search_results.csv", tracking_uri=clinic.store
    )
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_clinics_service_answers_with_a_version_that_learned_from_its_visits(
    tmp_path: Path, empty_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clinic = Example.shipped("diabetes", tmp_path, empty_store)
    recipe = clinic.project.folder / "train_classification_model.py"
    recipe.write_text(without_the_slowest_models(recipe.read_text()))
    commands = clinic.commands("The clinic as a loop")
    for command in commands[:2]:
        clinic.obey(command)
    ask, outcomes, cycle, ask_again = commands[2:]
    settings = load(clinic.project.folder, {"RELOAD_SECONDS": "0.1"})
    with running(settings) as service:
        clinic = replace(clinic, service=("--url", f"http://127.0.0.1:{service.port}"))
        clinic.obey(ask)
        clinic.obey(outcomes)
        told = clinic.obey(cycle)
        assert (told["ending"], told["new_rows"]) == ("promoted", 1200)
        assert told["files"]["archived"] == 15
        newest = told["production_version"]
        assert until(lambda: service.ask("GET", "/health").json["model"]["version"] == newest)
        clinic.obey(ask_again)
    first, taken, second = capsys.readouterr().out.splitlines()[-3:]
    assert "1200 visits asked about, answered by v1" in first
    assert taken == "1200 outcomes taken, 0 known, 0 unknown"
    assert f"answered by v{newest}" in second
    assert share_right(second) > share_right(first)


def share_right(line: str) -> int:
    return int(line.partition(";")[2].partition("%")[0])
