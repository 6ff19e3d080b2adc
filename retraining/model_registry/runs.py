"""Runs of ours: how they are marked, found, created once and filled in few calls."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import methodcaller
from typing import TYPE_CHECKING

from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from retraining.model_registry.connection import paged
from retraining.model_registry.names import CYCLE_ID, MODEL, ROLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, Run, RunTag

    from retraining.model_registry.store import Store

CYCLE, STAGE, TRAINING, TIMELINE, ANY = "cycle", "stage", "training", "timeline", "%"
_PER_CALL = 100  # MLflow's limit for tags and parameters in one call


def now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


def in_milliseconds(moment: datetime) -> int:
    """A time as MLflow stores it."""
    return int(moment.timestamp() * 1000)


class Runs:
    """Runs of this project.

    Each says so in its tags: its role, its cycle, and the registered model that it is about.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._made: dict[str, Run] = {}

    def run(self, run_id: str) -> Run | None:
        """A run as it was when it was made or first looked at; None where there is none."""
        if run_id not in self._made:
            found = self._store.look(lambda mlflow: mlflow.get_run(run_id))
            if found is None:
                return None
            self._made[run_id] = found
        return self._made[run_id]

    def find(self, role: str, *conditions: str, at_most: int | None = None) -> list[Run]:
        """Our runs of a role, newest first; other projects may use the same experiment."""
        experiment = self._store.known_experiment()
        if experiment is None:
            return []
        ours = (
            f"tags.`{ROLE}` LIKE '{role}'",
            f"tags.`{MODEL}` = '{self._store.model_name}'",
            *conditions,
        )
        return self._store.connection.ask(
            lambda mlflow: paged(
                mlflow.search_runs,
                experiment_ids=[experiment.experiment_id],
                filter_string=" and ".join(ours),
                max_results=at_most or 1000,
                at_most=at_most,
            )
        )

    def create(
        self, name: str, role: str, cycle_id: str, started: datetime, parent: str | None = None
    ) -> str:
        """Create a RUNNING run of ours.

        After an unclear answer the one that was created is found by its cycle, role and parent.
        """
        experiment = self._store.own_experiment().experiment_id
        tags = {ROLE: role, CYCLE_ID: cycle_id, MODEL: self._store.model_name} | (
            {MLFLOW_PARENT_RUN_ID: parent} if parent else {}
        )
        same = [
            f"tags.`{k}` = '{v}'"
            for k, v in {CYCLE_ID: cycle_id, MLFLOW_PARENT_RUN_ID: parent}.items()
            if v
        ]

        def find(mlflow: MlflowClient) -> Run | None:
            condition = " and ".join(
                [
                    f"tags.`{ROLE}` = '{role}'",
                    f"tags.`{MODEL}` = '{self._store.model_name}'",
                    *same,
                ]
            )
            runs = mlflow.search_runs(
                [experiment], f"{condition} and attributes.status = 'RUNNING'"
            )
            return next((run for run in runs if run.info.run_name == name), None)

        start = in_milliseconds(started)
        run = self._store.connection.create(
            methodcaller("create_run", experiment, start_time=start, tags=tags, run_name=name), find
        )
        self._made[run.info.run_id] = run
        return str(run.info.run_id)

    def create_nested(self, parent: str, name: str, role: str) -> str:
        """Create a run under another one, of the same cycle."""
        above = self.run(parent)
        cycle_id = above.data.tags.get(CYCLE_ID, "") if above is not None else ""
        return self.create(name, role, cycle_id, self._store.clock(), parent)

    def save_files(self, run_id: str, texts: Mapping[str, str]) -> None:
        """Save small text artifacts (name -> content) on a run."""
        run = self.run(run_id)
        if run is not None:
            self._store.artifacts.save_texts(run.info.artifact_uri, texts)

    def log(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
    ) -> None:
        """Log all at once, in as few calls as MLflow's limits allow."""
        for start in range(0, max(len(params), len(tags), 1 if metrics else 0), _PER_CALL):
            part = slice(start, start + _PER_CALL)
            some = metrics if start == 0 else ()
            self._store.connection.ask(
                methodcaller(
                    "log_batch", run_id, metrics=some, params=params[part], tags=tags[part]
                )
            )

    def end(self, run_id: str, status: str) -> None:
        """End a run now."""
        self._store.connection.ask(
            lambda mlflow: mlflow.set_terminated(
                run_id, status, in_milliseconds(self._store.clock())
            )
        )
