"""MLflow in the hands of a person: its own client, without a line of the project's, asked in a
worker of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlflow import MlflowClient, set_tracking_uri
from mlflow.artifacts import load_text
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore


def answer(question: str, store: str, model: str, experiment: str, *arguments: Any) -> Any:
    """What is asked of the store: `whole`, or a move by a person; `make_store` makes one."""
    if question == "make_store":
        unused = "mlflow-artifacts:/"  # our experiment has a place of its own
        return SqlAlchemyStore(store, unused).engine.dispose()
    set_tracking_uri(store)  # artifacts are read by a run's address, which goes by this
    client = MlflowClient(store, store)
    if question == "whole":
        return whole(client, store, model, experiment)
    getattr(client, question)(model, *arguments)
    return None


def whole(client: MlflowClient, store: str, model: str, experiment: str) -> dict[str, Any]:
    """Aliases, tags, versions with their manifests, and runs."""
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id], max_results=5000) if found else []
    registered = client.search_registered_models(f"name = '{model}'")
    versions = client.search_model_versions(f"name = '{model}'", max_results=5000)
    return {
        "aliases": (
            {name: int(number) for name, number in registered[0].aliases.items()}
            if registered
            else {}
        ),
        "tags": dict(registered[0].tags) if registered else {},
        "versions": {
            int(v.version): {"tags": dict(v.tags), "manifest": manifest(client, v.run_id)}
            for v in versions
        },
        "runs": [
            {
                "id": r.info.run_id,
                "name": r.info.run_name,
                "status": r.info.status,
                "tags": own(r.data.tags),
                "metrics": r.data.metrics,
            }
            for r in runs
        ],
    }


def own(tags: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if name.startswith("retraining.")}


def manifest(client: MlflowClient, run_id: str) -> Any:
    location = client.get_run(run_id).info.artifact_uri
    if location.startswith("file:"):
        from mlflow.utils.file_utils import local_file_uri_to_path

        return json.loads((Path(local_file_uri_to_path(location)) / "manifest.json").read_text())
    return json.loads(load_text(f"runs:/{run_id}/manifest.json"))
