"""Where an experiment keeps its artifacts: a folder that a bare store and our server both see, and
that must be in reach.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from retraining.errors import NOTHING_CHANGED, ArtifactsElsewhereError
from retraining.model_registry.artifacts import local_folder

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow.entities import Experiment

    from retraining.settings import Settings

RELOCATE = "python pipeline_orchestrator.py relocate"


def artifact_root(settings: Settings) -> str:
    """Where this project's experiment keeps its artifacts, beside the store and absolute."""
    return _in_the_project(quote(settings.mlflow_experiment_name), settings)


def same_root_here(root: str, settings: Settings) -> str:
    """Where this project would keep what some root holds.

    An experiment that was renamed keeps its folder's name.
    """
    return _in_the_project(root.rstrip("/").rpartition("/")[2], settings)


def _in_the_project(name: str, settings: Settings) -> str:
    folder = settings.project / "mlflow_server" / "artifacts"
    return f"{folder.as_uri()}/{name}"


def root_problem(experiment: Experiment, settings: Settings) -> ArtifactsElsewhereError | None:
    """Why this machine cannot read and write what the experiment keeps, with what to do.

    None where it can.
    """
    name, root = settings.mlflow_experiment_name, str(experiment.artifact_location)
    if root.startswith("mlflow-artifacts:"):
        if settings.mlflow_tracking_uri.startswith("http"):
            return None
        return ArtifactsElsewhereError(
            f"The experiment {name!r} keeps its artifacts behind a server ({root}), which a bare"
            " store cannot reach.",
            unchanged=NOTHING_CHANGED,
            remedy=(
                "Set MLFLOW_TRACKING_URI to that server, or MLFLOW_EXPERIMENT_NAME to a new name."
            ),
        )
    folder = local_folder(root)
    is_ours = folder == local_folder(same_root_here(root, settings))
    if folder is None or _is_in_reach(folder, settings.project if is_ours else None):
        return None
    if is_ours and folder.is_dir():
        return ArtifactsElsewhereError(
            f"The experiment {name!r} keeps its artifacts in {folder}, where this user may not"
            " write.",
            unchanged=NOTHING_CHANGED,
            remedy="Start as the user who owns the project, or give this one the right to write.",
        )
    remedy = (
        "Move the files back or mount that folder, or set MLFLOW_EXPERIMENT_NAME to a new name."
    )
    if has_artifacts_here(root, settings):
        remedy = (
            f"If the project was moved here, `{RELOCATE} --dry-run` shows what would be pointed"
            f" here, and `{RELOCATE}` does it; else move the files back, or mount that folder."
        )
    return ArtifactsElsewhereError(
        f"The experiment {name!r} keeps its artifacts in {folder}, which cannot be reached or"
        " written from here (this project would use"
        f" {local_folder(same_root_here(root, settings))}).",
        unchanged=NOTHING_CHANGED,
        remedy=remedy,
    )


def is_of_another_place(experiment: Experiment, settings: Settings) -> bool:
    """Whether the artifacts are read and written at another project's place, though this project
    has such files of its own.

    So it is where a project was copied and the original is still there: the copy would write into
    it.
    """
    root = str(experiment.artifact_location)
    here, there = local_folder(same_root_here(root, settings)), local_folder(root)
    if there is None or there == here or not has_artifacts_here(root, settings):
        return False
    return here is not None and there.parts[-3:] == here.parts[-3:]


def has_artifacts_here(root: str, settings: Settings) -> bool:
    """Whether files lie where this project would keep what some root holds."""
    folder = local_folder(same_root_here(root, settings))
    return folder is not None and folder.is_dir() and any(folder.iterdir())


def _is_in_reach(folder: Path, project: Path | None) -> bool:
    """Whether the folder is there and writable, or can be made: nothing may have been stored yet.

    In the project all of it can be made; elsewhere a missing folder above it is a disk that is not
    mounted, or a project that was moved away.
    """
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    can_be_made = there in (folder, folder.parent, folder.parent.parent, project)
    return folder.is_absolute() and can_be_made and os.access(there, os.W_OK | os.X_OK)
