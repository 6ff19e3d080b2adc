"""The prediction log of a project, as the service uses it: answers are appended, labels taken, old
days removed.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from retraining.datasets.columns import label_text
from retraining.errors import RetrainingError
from retraining.logs import log
from retraining.prediction_log.connection import (
    Patience,
    PredictionLogError,
    identity_of,
    open_database,
)
from retraining.prediction_log.labels import take_labels
from retraining.prediction_log.layout import ensure_layout
from retraining.prediction_log.retention import remove_old
from retraining.prediction_log.rows import AnsweredRequest
from retraining.prediction_log.tables import predictions
from retraining.prediction_log.traffic import as_told, recent_rows
from retraining.prediction_log.writer import LogWriter
from retraining.serving import ingesting
from retraining.serving.log import Logged, LogHealth
from retraining.serving.log_alerts import LogAlerts
from retraining.serving.refusals import not_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.prediction_log.batches import IngestedBatch
    from retraining.prediction_log.connection import Database
    from retraining.prediction_log.labels import GivenLabel, LabelOutcomes
    from retraining.records import Kind, Schema
    from retraining.serving.log import Predicted
    from retraining.serving.metrics import Metrics
    from retraining.serving.sent_batches import SentBatch
    from retraining.settings import Settings

LATELY = 300.0  # seconds for which a drop makes the service degraded
SECONDS_TO_COMMIT = 10.0  # at the end
BETWEEN_SWEEPS = 3600.0  # seconds between two removals of old days
FOR_LABELS = Patience(to_connect=2, for_a_lock=10, for_an_answer=20)


class ProjectLog:
    """The log that `PREDICTION_LOG_URI` names, for the project's model.

    Args:
        settings: of the project.
        metrics: told of commits, drops and labels.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._writer = LogWriter(
            settings.prediction_log_uri, settings.model_name, LogAlerts(settings, metrics)
        )
        self._database = open_database(settings.prediction_log_uri, FOR_LABELS)
        self._connected_to: object = None  # the file that connections may be open to
        self._laid_out: object = None  # the file whose tables were looked at
        self._ended = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep, name="retention", daemon=True)

    # --- answers ----------------------------------------------------------------------------------
    def start(self) -> None:
        """Make or upgrade the log where that is needed, and begin."""
        self._writer.start()
        if self._writer.health().ok:
            self._finish_batches()
        if self._settings.prediction_retention_days is not None:
            self._sweeper.start()

    async def write(self, predicted: Predicted) -> Logged:
        """Keep an answer's rows; back once they are committed, after a second at most.

        Raises:
            Refusal: 503, the log cannot take them and the settings say to refuse then.
        """
        if not is_in_share(predicted.request_id, self._settings.prediction_log_share):
            return Logged(logged=False)
        written = await self._writer.append(_as_request(predicted))
        if written.why is not None and self._settings.prediction_log_when_full == "refuse":
            raise not_now("log_unavailable", "The prediction log cannot take the rows; ask again.")
        return Logged(written.logged, written.repeated_ids)

    def health(self) -> LogHealth:
        """How the log is; answers at once."""
        now = self._writer.health()
        lately = now.last_drop is not None and time.time() - now.last_drop < LATELY
        return LogHealth(now.ok, now.queued, now.dropped, dropped_lately=lately)

    def last_rows(self, count: int) -> Sequence[Mapping[str, Any]]:
        """Features by column name of the newest logged rows; empty where they cannot be read."""
        query = (
            sa.select(predictions.c.features)
            .where(predictions.c.model_name == self._settings.model_name)
            .order_by(predictions.c.request_time.desc())
            .limit(count)
        )
        if self._let_go_of_a_moved_file() is None:
            return ()
        try:
            with self._database.reading() as connection:
                return [json.loads(features) for features in connection.execute(query).scalars()]
        except PredictionLogError:
            return ()

    def recent(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """The last rows of the log, newest first. Raises as the protocol says."""
        if self._let_go_of_a_moved_file() is None:
            return ()
        with self._database.reading() as connection:
            rows = recent_rows(connection, self._settings.model_name, limit)
        return [as_told(row) for row in rows]

    def close(self) -> None:
        """Commit what waits, then let go."""
        self._ended.set()
        if not self._writer.stop(SECONDS_TO_COMMIT):
            log.warning("the prediction log did not take the last rows in time")
        self._database.close()

    # --- labels -----------------------------------------------------------------------------------
    @property
    def database(self) -> Database:
        """The log itself, for what is written beside answers.

        Made and upgraded where that is needed.

        Raises:
            PredictionLogError: it cannot be reached or made.
        """
        seen = self._let_go_of_a_moved_file()
        if seen is None or seen != self._laid_out:
            ensure_layout(self._database)
            self._laid_out = self._let_go_of_a_moved_file()
        return self._database

    def _let_go_of_a_moved_file(self) -> object:
        """What tells the log from another of its name; None where there is no file.

        Connections to a file that was moved away or removed are closed: sqlite would go on
        reading and writing what nobody sees any more.
        """
        file = self._database.file
        seen: object = "a server" if file is None else identity_of(file)
        if seen != self._connected_to:
            self._database.close()
            self._connected_to = seen
        return seen

    def take_labels(self, given: Sequence[GivenLabel]) -> LabelOutcomes:
        """Write labels down; returns once they are committed.

        Raises:
            PredictionLogError: the log cannot be reached or written.
        """
        name = self._settings.model_name
        outcomes = take_labels(self.database, name, given, datetime.now(UTC))
        self._metrics.labelled(outcomes.counts)
        return outcomes

    # --- batches ----------------------------------------------------------------------------------
    def ingest(
        self, sent: SentBatch, schema: Schema, caller: str | None
    ) -> tuple[IngestedBatch, bool]:
        """Put a batch into the inbox as one file; whether it was there before.

        Raises as `ingesting.ingest`.
        """
        return ingesting.ingest(self._settings, self.database, schema, sent, caller)

    def _finish_batches(self) -> None:
        try:
            ingesting.finish_what_a_dead_service_left(self._settings, self.database)
        except (RetrainingError, OSError) as error:
            log.warning("batches of an earlier service were not looked after: %s", error)

    # --- retention --------------------------------------------------------------------------------
    def _sweep(self) -> None:
        days = self._settings.prediction_retention_days
        assert days is not None
        pause = 1.0  # the first sweep is soon, and not in the way of the start
        while not self._ended.wait(pause):
            pause = BETWEEN_SWEEPS
            try:
                database, name = self.database, self._settings.model_name
                removed = remove_old(database, name, days, datetime.now(UTC))
            except PredictionLogError as error:
                log.warning("old predictions were not removed: %s", error.what)
                continue
            if removed.predictions:
                log.info("%d predictions older than %d days removed", removed.predictions, days)


def is_in_share(request_id: str, share: float) -> bool:
    """Whether a request is among those that are logged: by the digest of its id, so that the same
    one always is or never is.

    >>> is_in_share("a", 1), is_in_share("a", 0)
    (True, False)
    """
    if share >= 1:
        return True
    digest = hashlib.sha256(request_id.encode()).digest()
    return int.from_bytes(digest[:7]) < share * 2**56


def _as_request(predicted: Predicted) -> AnsweredRequest:
    model, rows, answers = predicted.model, predicted.rows, predicted.answers
    kinds: dict[str, Kind] = {column.name: column.kind for column in model.schema.columns}
    features = {name: _as_sent(values, kinds[name]) for name, values in rows.columns.items()}
    probabilities = answers.probabilities
    return AnsweredRequest(
        request_id=predicted.request_id,
        request_time=predicted.time,
        model_version=model.version,
        prediction_ids=predicted.prediction_ids,
        ids_are_the_callers=predicted.ids_are_the_callers,
        features={**features, **rows.ignored},
        predictions=[label_text(label) for label in answers.labels],
        classes=None if probabilities is None else model.classes,
        probabilities=None if probabilities is None else probabilities.tolist(),
        execution_ms=round(predicted.seconds * 1000, 3),
        client_request_id=predicted.client_request_id,
        trace_id=predicted.trace_id,
        caller=predicted.caller,
        size=sum(_size_of(values) for values in features.values()),
    )


def _as_sent(values: Any, kind: Kind) -> Sequence[Any]:
    """A column's values as JSON has them: booleans are numbers in the frame and booleans in the
    log.
    """
    if kind != "boolean":
        return values  # type: ignore[no-any-return]
    return [None if np.isnan(value) else bool(value) for value in values]


def _size_of(values: Sequence[Any]) -> int:
    """About how many bytes a column takes while it waits."""
    if isinstance(values, np.ndarray):
        return 32 * len(values)
    return sum(64 if not isinstance(value, str) else 64 + len(value) for value in values)
