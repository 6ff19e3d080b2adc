"""Where artifacts are kept: made so that a bare store and our server see the same files, and checked to be in reach."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from retraining.model_registry.artifacts import local_folder
from retraining.model_registry.connection import Connection, sqlite_uri
from retraining.model_registry.runs import now
from retraining.model_registry.store import Store, artifact_root

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.settings import Settings


def prepare_local_store(settings: Settings) -> Settings:
    """Create the project's own sqlite store and our experiment in it, where they are not there yet; the settings that name that store."""
    file = settings.project / "mlflow_server" / "backend_db" / "mlflow.db"
    local = replace(settings, mlflow_tracking_uri=sqlite_uri(file))
    _store_of(local).own_experiment()
    return local


def artifact_root_problem(settings: Settings) -> str | None:
    """Why this machine cannot read and write what the experiment keeps, with what to do; None where it can, or nothing is kept yet."""
    experiment = _store_of(settings).known_experiment()
    if experiment is None:
        return None
    name, root = settings.mlflow_experiment_name, str(experiment.artifact_location)
    if root.startswith("mlflow-artifacts:"):
        if settings.mlflow_tracking_uri.startswith("http"):
            return None
        return (
            f"The experiment {name!r} keeps its artifacts behind a server ({root}), which a bare store cannot reach: "
            "set MLFLOW_TRACKING_URI to that server, or MLFLOW_EXPERIMENT_NAME to a new name."
        )
    folder = local_folder(root)
    if folder is None or _is_in_reach(folder):
        return None
    return (
        f"The experiment {name!r} keeps its artifacts in {folder}, which cannot be reached or written from here "
        f"(this project would use {local_folder(artifact_root(settings))}): move the files back or mount that folder, "
        "or set MLFLOW_EXPERIMENT_NAME to a new name."
    )


def _store_of(settings: Settings) -> Store:
    return Store(settings, Connection(settings.mlflow_tracking_uri), now)


def _is_in_reach(folder: Path) -> bool:
    """Whether the folder is there and writable; one that was not made yet is in reach when its parents can be made."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    nothing_stored_yet = there in (folder, folder.parent, folder.parent.parent)
    return folder.is_absolute() and nothing_stored_yet and os.access(there, os.W_OK | os.X_OK)
