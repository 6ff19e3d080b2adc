"""A cycle in MLflow: one parent run, its nested stages, its point on the timeline, and the record
that later cycles go on from.
"""

from __future__ import annotations

import json
from operator import methodcaller
from typing import TYPE_CHECKING

from mlflow.entities import Dataset, DatasetInput, InputTag, Run
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from retraining.model_registry import texts
from retraining.model_registry.failures import without_credentials
from retraining.model_registry.names import DECISION, ENDING, ROLE, run_tags
from retraining.model_registry.runs import (
    ANY,
    CYCLE,
    STAGE,
    TIMELINE,
    in_milliseconds,
)
from retraining.serialisation import record_from_json, record_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from retraining.model_registry.interface import EndStatus
    from retraining.model_registry.runs import Runs
    from retraining.model_registry.store import Store
    from retraining.records import CycleRecord

_ENDED = ("FINISHED", "FAILED")  # KILLED is a cycle that died, perhaps between its tags and its end
_ABOUT_THE_TIMELINE = (
    "The metrics of every cycle, one point each; the step is the cycle's number. The charts are"
    " under *Model metrics*."
)
_DIGEST_LENGTH = 36  # MLflow's limit for a data set's digest


class Cycles:
    """The part of `Registry` that is about cycles."""

    def __init__(self, store: Store, runs: Runs) -> None:
        self._store = store
        self._runs = runs

    # --- reading ----------------------------------------------------------------------------------
    def cycle_records(self) -> tuple[CycleRecord, ...]:
        """Every ended cycle and registration, oldest first, from `decision.json` of their runs
        (slow; for a lost cache).
        """
        ended = [
            run
            for run in self._runs.find(CYCLE)
            if run.info.status in _ENDED and ENDING in run.data.tags
        ]
        records = [record for run in ended if (record := self._record(run)) is not None]
        return tuple(sorted(records, key=lambda record: (record.number, record.started)))

    def cycle_record(self, run_id: str) -> CycleRecord | None:
        """The record in one run's `decision.json`, ended or not."""
        run = self._runs.run(run_id)
        return None if run is None else self._record(run)

    def _record(self, run: Run) -> CycleRecord | None:
        content = self._store.artifacts.read(run.info.artifact_uri, DECISION)
        try:
            return None if content is None else record_from_json(json.loads(content))
        # cut short when the disk was full: the cycle left no record
        except (ValueError, KeyError, TypeError):
            return None

    def open_runs(self) -> int:
        """How many of our runs are RUNNING."""
        return len(self._runs.find(ANY, "attributes.status = 'RUNNING'"))

    def read_text(self, run_id: str, name: str) -> str | None:
        """A small text artifact of a run, or None where there is none."""
        run = self._runs.run(run_id)
        content = None if run is None else self._store.artifacts.read(run.info.artifact_uri, name)
        return None if content is None else content.decode("utf-8", "replace")

    def run_url(self, run_id: str) -> str | None:
        """Where a browser shows the run, or None on a bare store."""
        experiment = self._store.known_experiment() if self._store.connection.is_server else None
        if experiment is None:
            return None
        server = without_credentials(self._store.connection.uri).rstrip("/")
        return f"{server}/#/experiments/{experiment.experiment_id}/runs/{run_id}"

    # --- writing ----------------------------------------------------------------------------------
    def end_abandoned_runs(self) -> int:
        """End our runs that a dead cycle left RUNNING as KILLED; how many there were."""
        self._store.artifacts.sweep()
        abandoned = self._runs.find(ANY, "attributes.status = 'RUNNING'")
        for run in abandoned:
            self._runs.end(
                run.info.run_id, "FINISHED" if run.data.tags[ROLE] == TIMELINE else "KILLED"
            )
        return len(abandoned)

    def begin_cycle(self, cycle_id: str, started: datetime) -> str:
        """Create the cycle's parent run, RUNNING; its run id."""
        name = f"running, {started:%Y-%m-%d %H:%M} UTC"
        return self._runs.create(name, CYCLE, cycle_id, started)

    def log_stage(
        self,
        parent: str,
        name: str,
        *,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, str] | None = None,
        dataset: tuple[str, str, int] | None = None,
    ) -> None:
        """Add a nested, FINISHED run such as `ModelMonitoring`.

        `dataset` = name, digest, rows of what it read.
        """
        run_id = self._runs.create_nested(parent, name, STAGE)
        self._runs.log(
            run_id,
            texts.metrics(metrics or {}, in_milliseconds(self._store.clock())),
            texts.params(params or {}),
        )
        if dataset is not None:
            for read_by in (run_id, parent):
                self._store.connection.ask(
                    methodcaller("log_inputs", read_by, datasets=[_dataset_input(*dataset)])
                )
        self._runs.end(run_id, "FINISHED")

    def end_cycle(
        self,
        record: CycleRecord,
        *,
        name: str,
        status: EndStatus,
        metrics: Mapping[str, float],
        batch_digest: str | None = None,
        note: str | None = None,
    ) -> None:
        """Mark, rename and end the parent run, draw its point on the timeline.

        The cycle counts as ended once this returns.

        Repeating it changes nothing: a point is identified by its cycle's start and number.
        """
        if record.run_id is None:
            return
        self._runs.save_files(
            record.run_id, {DECISION: json.dumps(record_to_json(record), indent=1, allow_nan=False)}
        )
        began = in_milliseconds(record.started)
        tags = {**run_tags(record, batch_digest), MLFLOW_RUN_NAME: name}
        if note is not None:
            tags[MLFLOW_RUN_NOTE] = note
        self._runs.log(
            record.run_id,
            texts.metrics(metrics, began),
            tags=texts.run_tags(tags),
        )
        if metrics:
            self._runs.log(
                self._timeline(record.started), texts.metrics(metrics, began, step=record.number)
            )
        self._runs.end(record.run_id, status)

    def _timeline(self, started: datetime) -> str:
        """The run whose metrics are the line chart over all cycles.

        One for ever, FINISHED between two cycles.
        """
        found = self._runs.find(TIMELINE, at_most=1)
        if found:
            return str(found[0].info.run_id)
        run_id = self._runs.create("timeline", TIMELINE, "", started)
        self._runs.log(run_id, tags=texts.run_tags({MLFLOW_RUN_NOTE: _ABOUT_THE_TIMELINE}))
        self._runs.end(run_id, "FINISHED")
        return run_id


def _dataset_input(name: str, digest: str, rows: int) -> DatasetInput:
    """What a stage read.

    The digest is ours, since MLflow's own reads 10,000 rows and takes seconds.
    """
    dataset = Dataset(
        name=texts.cut(name, 500),
        digest=digest[:_DIGEST_LENGTH],
        source_type="local",
        source=json.dumps({"uri": texts.cut(name, 500), "digest": digest}),
        profile=json.dumps({"num_rows": rows}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "reading")])
