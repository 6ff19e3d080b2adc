"""What a person sees in MLflow after a cycle, and what other programs can do with it, this code not
importable.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.dummy import DummyClassifier

from retraining.errors import DeletedExperimentError
from retraining.model_registry.mlflow_registry import MlflowRegistry
from retraining.model_registry.own_experiment import artifact_root_problem
from retraining.records import Marks
from tests.model_registry.samples import RECIPE, ROWS, STARTED, candidate, end, project, record

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.settings import Settings


@pytest.fixture
def registry(on_sqlite: Settings) -> MlflowRegistry:
    return MlflowRegistry(on_sqlite)


@pytest.fixture
def client(on_sqlite: Settings) -> MlflowClient:
    return MlflowClient(on_sqlite.mlflow_tracking_uri, on_sqlite.mlflow_tracking_uri)


def runs(client: MlflowClient) -> dict[str, Any]:
    return {
        run.info.run_name: run
        for e in client.search_experiments()
        for run in client.search_runs([e.experiment_id])
    }


def artifact(client: MlflowClient, run_id: str, name: str) -> str:
    return (mlflow.artifacts.load_text(f"{client.get_run(run_id).info.artifact_uri}/{name}")) or ""


def test_a_cycle_is_one_parent_with_nested_stages_and_a_point_on_the_timeline(
    registry: MlflowRegistry, client: MlflowClient
) -> None:
    run_id = registry.begin_cycle("cycle-1", STARTED)
    registry.log_stage(
        run_id,
        "ModelMonitoring",
        metrics={"accuracy": 0.9, "psi": float("nan")},
        params={"rows": "4"},
        dataset=("b", "ef" * 32, 4),
    )
    registry.register(candidate(metrics={"fit_rows": 4}), parent=run_id, run_name="ModelRetraining")
    name = "promoted v2, 2026-11-20 02:17 UTC"
    registry.end_cycle(
        record(run_id, 7, "promoted"),
        name=name,
        status="FINISHED",
        metrics={"accuracy/production_on_new": 0.9},
        batch_digest="ab" * 32,
        note="| a | b |",
    )
    seen = runs(client)
    assert set(seen) == {name, "ModelMonitoring", "ModelRetraining", "timeline"}
    assert {run.info.status for run in seen.values()} == {"FINISHED"}
    assert all(run.info.end_time >= run.info.start_time for run in seen.values())
    nested = {n for n, run in seen.items() if run.data.tags.get("mlflow.parentRunId") == run_id}
    assert nested == {"ModelMonitoring", "ModelRetraining"}
    assert seen[name].data.tags["retraining.ending"] == "promoted"
    assert seen[name].data.tags["retraining.batch_digest"] == "ab" * 32
    assert seen[name].data.tags["mlflow.note.content"] == "| a | b |"
    assert seen[name].data.metrics == {"accuracy/production_on_new": 0.9}
    assert [
        (m.step, m.value)
        for m in client.get_metric_history(
            seen["timeline"].info.run_id, "accuracy/production_on_new"
        )
    ] == [(7, 0.9)]
    monitoring = seen["ModelMonitoring"]
    assert monitoring.data.metrics == {"accuracy": 0.9}
    dataset = monitoring.inputs.dataset_inputs[0].dataset
    assert (dataset.name, dataset.digest, json.loads(dataset.profile)) == (
        "b",
        "ef" * 18,
        {"num_rows": 4},
    )
    assert json.loads(artifact(client, run_id, "decision.json"))["ending"] == "promoted"


def test_all_cycles_draw_one_timeline(
    registry: MlflowRegistry, on_sqlite: Settings, client: MlflowClient
) -> None:
    for number in (1, 2, 3):
        fresh = MlflowRegistry(on_sqlite)
        end(
            fresh,
            fresh.begin_cycle(f"cycle-{number}", STARTED),
            number=number,
            started=STARTED + timedelta(days=number),
        )
    lines = [run for run in client.search_runs(["1"]) if run.info.run_name == "timeline"]
    assert len(lines) == 1
    assert sorted(
        m.step
        for m in client.get_metric_history(lines[0].info.run_id, "accuracy/production_on_new")
    ) == [1, 2, 3]


def test_a_versions_run_holds_manifest_recipe_and_sketches(
    registry: MlflowRegistry, client: MlflowClient
) -> None:
    number = registry.register(
        candidate(search_results={"mean_test_score": [0.5]}, params={"grid": "x" * 9000}),
        parent=registry.begin_cycle("cycle-1", STARTED),
        run_name="ModelRetraining",
    )
    version = client.get_model_version("classifier", str(number))
    assert (
        json.loads(artifact(client, version.run_id, "manifest.json"))["files"][0]["name"]
        == "Straße 1.csv"
    )
    assert artifact(client, version.run_id, "train_classification_model.py") == RECIPE
    assert artifact(client, version.run_id, "search_results.csv") == "mean_test_score\n0.5\n"
    grid = client.get_run(version.run_id).data.params["grid"]
    assert (len(grid), grid[-1]) == (6000, "…")


def test_the_models_page_compares_versions_by_the_bare_metric(
    registry: MlflowRegistry, client: MlflowClient
) -> None:
    number = registry.register(
        candidate(), parent=registry.begin_cycle("cycle-1", STARTED), run_name="ModelRetraining"
    )
    registry.log_model_metrics(number, {"accuracy": 0.75})
    model = client.search_logged_models(["1"])[0]
    assert [(m.key, m.value) for m in model.metrics] == [("accuracy", 0.75)]
    assert model.source_run_id == client.get_model_version("classifier", "1").run_id
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "classifier", "version": 1}]


def test_long_texts_are_cut_with_an_ellipsis(
    registry: MlflowRegistry, client: MlflowClient
) -> None:
    run_id = registry.begin_cycle("cycle-1", STARTED)
    registry.register(candidate(), parent=run_id, run_name="ModelRetraining")
    registry.mark(1, Marks(reason="r" * 200_000), "d" * 200_000)
    registry.hold("h" * 200_000)
    ended = record(run_id)
    told = replace(ended, outcome=ended.outcome._replace(reason="r" * 200_000))
    registry.end_cycle(told, name="n" * 900, status="FAILED", metrics={})
    version = client.get_model_version("classifier", "1")
    texts = [
        version.tags["retraining.reason"],
        version.description,
        registry.facts().hold or "",
        runs_tag(client, run_id),
    ]
    assert [len(text) for text in texts] == [5000, 5000, 5000, 8000]
    assert {text[-1] for text in texts} == {"…"}


def runs_tag(client: MlflowClient, run_id: str) -> str:
    return str(client.get_run(run_id).data.tags["retraining.reason"])


def test_only_our_own_runs_are_ended(
    registry: MlflowRegistry, on_sqlite: Settings, client: MlflowClient
) -> None:
    registry.begin_cycle("cycle-1", STARTED)
    other = MlflowRegistry(project(on_sqlite.project, MODEL_NAME="other"))
    other.begin_cycle("cycle-1", STARTED)
    theirs = client.create_run("1", run_name="somebody's notebook")
    assert registry.end_abandoned_runs() == 1
    assert client.get_run(theirs.info.run_id).info.status == "RUNNING"
    assert other.open_runs() == 1
    assert other.cycle_records() == ()


def test_a_deleted_experiment_is_named_with_the_way_back(
    registry: MlflowRegistry, on_sqlite: Settings, client: MlflowClient
) -> None:
    registry.begin_cycle("cycle-1", STARTED)
    client.delete_experiment("1")
    with pytest.raises(DeletedExperimentError) as caught:
        MlflowRegistry(on_sqlite).begin_cycle("cycle-2", STARTED)
    assert "mlflow experiments restore --experiment-id 1" in caught.value.remedy


def test_a_version_of_another_flavour_can_be_adopted(
    registry: MlflowRegistry, on_sqlite: Settings, client: MlflowClient
) -> None:
    class Always(mlflow.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return ["yes"] * len(model_input)

    registry.begin_cycle("cycle-1", STARTED)
    folder = on_sqlite.project / "somebody's model"
    mlflow.pyfunc.save_model(str(folder), python_model=Always(), pip_requirements=["mlflow"])
    client.create_registered_model("classifier")
    client.create_model_version("classifier", folder.as_uri())
    version = registry.version(1)
    assert version is not None
    assert not version.is_ours
    manifest = candidate("adoption").manifest
    registry.adopt(version, manifest, Marks(status="approved"))
    adopted = registry.version(1)
    assert adopted is not None
    assert registry.manifest(adopted) == manifest
    assert list(registry.model(adopted).predict(ROWS)) == ["yes"] * 4


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("integer", (3, 5, 3, 5)),
        ("string", ("no", "yes", "no", "yes")),
        ("boolean", (False, True, False, True)),
    ],
)
def test_labels_come_back_as_in_the_files(
    kind: str, labels: tuple[Any, ...], registry: MlflowRegistry, on_sqlite: Settings
) -> None:
    wanted = candidate(labels=labels, kind=kind)
    number = registry.register(
        wanted, parent=registry.begin_cycle("cycle-1", STARTED), run_name="ModelRetraining"
    )
    registry.set_alias("production", number)
    mlflow.set_tracking_uri(on_sqlite.mlflow_tracking_uri)
    model = mlflow.pyfunc.load_model("models:/classifier@production")
    assert tuple(np.asarray(model.predict(ROWS)).tolist()) == labels


ELSEWHERE = """
import sys, json, mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
rows = pandas.DataFrame(json.loads(sys.argv[2]))
rows["speed"] = rows["speed"].astype("float64")
model = mlflow.pyfunc.load_model("models:/classifier@production")
print(json.dumps([int(label) for label in model.predict(rows)]))
assert not any(name.startswith("retraining") for name in sys.modules)
"""


def test_the_model_predicts_from_any_folder_with_this_code_not_importable(
    registry: MlflowRegistry, on_sqlite: Settings, tmp_path: Path
) -> None:
    registry.set_alias(
        "production",
        registry.register(
            candidate(), parent=registry.begin_cycle("c", STARTED), run_name="ModelRetraining"
        ),
    )
    rows = json.dumps(ROWS.to_dict(orient="list"))
    command = [sys.executable, "-I", "-c", ELSEWHERE, on_sqlite.mlflow_tracking_uri, rows]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "[0, 1, 0, 1]", done.stderr[-2000:]


def test_artifact_roots_are_checked(
    registry: MlflowRegistry, on_sqlite: Settings, client: MlflowClient
) -> None:
    assert artifact_root_problem(on_sqlite) is None
    registry.begin_cycle("cycle-1", STARTED)
    assert artifact_root_problem(on_sqlite) is None
    client.create_experiment("proxied", artifact_location="mlflow-artifacts:/1")
    behind = project(on_sqlite.project, MLFLOW_EXPERIMENT_NAME="proxied")
    assert "behind a server" in str(artifact_root_problem(behind))
    client.create_experiment("moved", artifact_location="file:///somewhere/else/artifacts/moved")
    moved = project(on_sqlite.project, MLFLOW_EXPERIMENT_NAME="moved")
    assert "/somewhere/else" in str(artifact_root_problem(moved))


def test_thousands_of_versions_are_all_found(
    registry: MlflowRegistry, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.begin_cycle("cycle-1", STARTED)
    client.create_registered_model("classifier")
    for _ in range(5):
        client.create_model_version("classifier", "file:///nowhere")
    from retraining.model_registry import registered_model

    monkeypatch.setattr(registered_model, "PAGE", 2)
    assert [version.number for version in registry.versions()] == [1, 2, 3, 4, 5]


def test_a_dummy_estimator_of_somebody_else_is_not_ours(
    registry: MlflowRegistry, client: MlflowClient, on_sqlite: Settings
) -> None:
    registry.begin_cycle("cycle-1", STARTED)
    mlflow.set_tracking_uri(on_sqlite.mlflow_tracking_uri)
    mlflow.set_experiment("somebody else")
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            DummyClassifier(strategy="constant", constant=0).fit(ROWS, [0, 0, 0, 1]),
            name="model",
            registered_model_name="classifier",
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
        )
    version = registry.version(1)
    assert version is not None
    assert not version.is_ours
    registry.adopt(version, candidate("adoption").manifest, Marks())
    adopted = registry.version(1)
    assert adopted is not None
    assert list(registry.model(adopted).predict(ROWS)) == [0, 0, 0, 0]
    assert "manifest.json" in [entry.path for entry in client.list_artifacts(adopted.run_id)]


@pytest.mark.parametrize(
    ("kind", "label_type"), [("integer", "long"), ("string", "string"), ("boolean", "boolean")]
)
def test_the_signature_is_the_schema(
    kind: str, label_type: str, registry: MlflowRegistry, on_sqlite: Settings
) -> None:
    registry.register(
        candidate(kind=kind),
        parent=registry.begin_cycle("cycle-1", STARTED),
        run_name="ModelRetraining",
    )
    mlflow.set_tracking_uri(on_sqlite.mlflow_tracking_uri)
    signature = mlflow.models.get_model_info("models:/classifier/1").signature
    assert [(c.name, c.type.name, c.required) for c in signature.inputs] == [
        ("speed", "double", False),
        ("rain", "boolean", False),
        ("road", "string", False),
    ]
    assert [c.type.name for c in signature.outputs] == [label_type]


def test_a_row_with_missing_values_passes_the_signature(
    registry: MlflowRegistry, on_sqlite: Settings
) -> None:
    estimator = DummyClassifier(strategy="constant", constant=1).fit(ROWS, [0, 1, 0, 1])
    registry.register(
        candidate(estimator=estimator),
        parent=registry.begin_cycle("cycle-1", STARTED),
        run_name="ModelRetraining",
    )
    mlflow.set_tracking_uri(on_sqlite.mlflow_tracking_uri)
    model = mlflow.pyfunc.load_model("models:/classifier/1")
    rows = pd.DataFrame({"speed": [1.0, np.nan], "rain": [True, None], "road": ["a", None]})
    assert list(model.predict(rows)) == [1, 1]
