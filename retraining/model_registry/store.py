"""The store that all parts of the registry share: the line to MLflow, our experiment in it, its
artifacts, and the clock.

The experiment is found by its name, and created with an artifact root that does not depend on the
working directory.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, TypeVar

from retraining.errors import DeletedExperimentError, RenamedExperimentError, StoreError
from retraining.folders.local_state import writable_or_own
from retraining.model_registry.artifact_roots import artifact_root, root_problem
from retraining.model_registry.artifacts import Artifacts
from retraining.model_registry.failures import already_exists, is_not_there
from retraining.model_registry.names import LEFT, MADE_AS, left_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from mlflow import MlflowClient
    from mlflow.entities import Experiment

    from retraining.model_registry.connection import Connection
    from retraining.settings import Settings


T = TypeVar("T")
# else the UI takes it for agents, and hides the note and the Models page
KIND = {"mlflow.experimentKind": "custom_model_development"}


class Store:
    """One project's place in MLflow.

    Attributes:
        settings: the project's.
        connection: the line to MLflow; every question goes by it.
        clock: the time, aware.
        artifacts: files of runs and models, with a scratch folder for private copies.
    """

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        clock: Callable[[], datetime],
        scratch: Path | None = None,
    ) -> None:
        self.settings = settings
        self.connection = connection
        self.clock = clock
        # a cycle sweeps its own scratch folder; who works beside cycles brings another
        folder = scratch or writable_or_own(settings.state_dir / "tmp")
        self.artifacts = Artifacts(connection, folder)
        self._experiment: Experiment | None = None

    @property
    def model_name(self) -> str:
        """The registered model's name."""
        return self.settings.model_name

    def look(self, question: Callable[[MlflowClient], T]) -> T | None:
        """The answer, or None where MLflow says that there is no such thing, or where there is no
        store yet.
        """

        def ask(mlflow: MlflowClient) -> T | None:
            try:
                return question(mlflow)
            except Exception as error:
                if is_not_there(error):
                    return None
                raise

        return self.connection.ask(ask) if self.connection.holds_a_store() else None

    def known_experiment(self) -> Experiment | None:
        """Our experiment, or None where it was not created yet."""
        name = self.settings.mlflow_experiment_name
        if self._experiment is None and self.connection.holds_a_store():
            self._experiment = self.connection.ask(
                lambda mlflow: mlflow.get_experiment_by_name(name)
            )
            if self._experiment is None:
                self._check_that_it_was_not_renamed()
        if self._experiment is not None and self._experiment.lifecycle_stage == "deleted":
            number = self._experiment.experiment_id
            raise DeletedExperimentError(
                f"The MLflow experiment {name!r} ({number}) was deleted, and with it the record of"
                " the cycles; `mlflow gc` would remove them and the models' files for good.",
                remedy=(
                    f"Restore it: `mlflow experiments restore --experiment-id {number}`, with"
                    " MLFLOW_TRACKING_URI set to this store."
                ),
            )
        return self._experiment

    def _check_that_it_was_not_renamed(self) -> None:
        """An experiment of that name is not there: a new one would begin without the records of
        past cycles.
        """
        now = self.look(self._experiment_of_last_cycle)
        name = self.settings.mlflow_experiment_name
        if now is None or now.name == name or now.tags.get(MADE_AS) != name:
            return  # none yet, or the settings name a new one on purpose
        number = now.experiment_id
        rename = (
            f"mlflow experiments rename --experiment-id {number} --new-name {shlex.quote(name)}"
        )
        raise RenamedExperimentError(
            f"The MLflow experiment {name!r}, which holds the record of the cycles, is called"
            f" {now.name!r} now.",
            remedy=(
                f"Set MLFLOW_EXPERIMENT_NAME={now.name} in .env, or give it its name back:"
                f" `{rename}`."
            ),
        )

    def _experiment_of_last_cycle(self, mlflow: MlflowClient) -> Experiment | None:
        left = left_from(mlflow.get_registered_model(self.model_name).tags.get(LEFT))
        if left is None or not left.run_id:
            return None
        run = mlflow.get_run(left.run_id)
        return mlflow.get_experiment(run.info.experiment_id)

    def own_experiment(self) -> Experiment:
        """Our experiment, created where it is not there yet."""
        experiment = self.known_experiment()
        if experiment is None:
            self.connection.ask(self._make_experiment)
            experiment = self.known_experiment()
        if experiment is None:
            raise StoreError(
                f"MLflow created the experiment {self.settings.mlflow_experiment_name!r} but does"
                " not find it.",
                remedy=(
                    "Look at the experiments in the MLflow UI; set MLFLOW_EXPERIMENT_NAME to"
                    " another name if it stays so."
                ),
            )
        problem = root_problem(experiment, self.settings)
        if problem is not None:  # nothing is written to where an older place of the project was
            raise problem
        return experiment

    def _make_experiment(self, mlflow: MlflowClient) -> None:
        # a server knows where its artifacts belong (it may proxy them); a bare store would put them
        # into the working directory
        root = None if self.connection.is_server else artifact_root(self.settings)
        name = self.settings.mlflow_experiment_name
        try:
            mlflow.create_experiment(name, artifact_location=root, tags={**KIND, MADE_AS: name})
        except Exception as error:
            if not already_exists(error):
                raise
