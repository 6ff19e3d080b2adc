"""Looks at our MLflow experiment alone, for the server and `check`, which need nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.model_registry.artifact_roots import RELOCATE, is_of_another_place, root_problem
from retraining.model_registry.connection import Connection, sqlite_uri
from retraining.model_registry.runs import now
from retraining.model_registry.store import Store

if TYPE_CHECKING:
    from retraining.errors import ArtifactsElsewhereError
    from retraining.settings import Settings


def prepare_local_store(settings: Settings) -> Settings:
    """Create the project's own sqlite store and our experiment in it, where they are not there yet.

    The settings that name that store.
    """
    file = settings.project / "mlflow_server" / "backend_db" / "mlflow.db"
    local = settings._replace(mlflow_tracking_uri=sqlite_uri(file))
    store_of(local).own_experiment()
    return local


def artifact_root_problem(settings: Settings) -> ArtifactsElsewhereError | None:
    """What a cycle would end with because artifacts are out of reach.

    None where they are not, or nothing is kept yet.
    """
    experiment = store_of(settings).known_experiment()
    return None if experiment is None else root_problem(experiment, settings)


def copied_from(settings: Settings) -> tuple[str, str] | None:
    """Where the artifacts of a copied project are written to instead of here, and what to do.

    None where they are its own.
    """
    experiment = store_of(settings).known_experiment()
    if experiment is None or not is_of_another_place(experiment, settings):
        return None
    what = (
        f"The experiment {experiment.name!r} keeps its artifacts in {experiment.artifact_location},"
        " though this project has such files of its own: a cycle here would write to the other"
        " place."
    )
    return what, f"If this project is a copy, `{RELOCATE}` lets it use its own files."


def store_of(settings: Settings) -> Store:
    """A project's place in MLflow."""
    return Store(settings, Connection(settings.mlflow_tracking_uri), now)
