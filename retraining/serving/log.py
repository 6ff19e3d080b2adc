"""The prediction log as the service sees it: what it hands over, and what it gets back.

`project_log` implements it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.prediction_log.batches import IngestedBatch
    from retraining.prediction_log.labels import GivenLabel, LabelOutcomes
    from retraining.records import Schema
    from retraining.serving.model import Answers, ServedModel
    from retraining.serving.rows import TypedRows
    from retraining.serving.sent_batches import SentBatch
    from retraining.serving.service import PredictionRequest, Question


@dataclass(frozen=True)
class Predicted:
    """One answered request, as the log keeps it.

    Attributes:
        prediction_ids: one for each row.
        ids_are_the_callers: whether the caller chose them, so that one may be there already.
        trace_id: of the caller's `traceparent`.
        caller: the token's name, where the caller had to show one.
        seconds: from the first byte of the request to its answer.
    """

    request_id: str
    client_request_id: str | None
    trace_id: str | None
    caller: str | None
    time: datetime
    seconds: float
    model: ServedModel
    rows: TypedRows
    answers: Answers
    prediction_ids: Sequence[str]
    ids_are_the_callers: bool

    @classmethod
    def of(
        cls, request: PredictionRequest, question: Question, model: ServedModel, answers: Answers
    ) -> Predicted:
        """What was asked, by what it was answered, and how."""
        return cls(
            request_id=request.request_id,
            client_request_id=question.client_request_id,
            trace_id=request.trace_id,
            caller=request.caller,
            time=request.time,
            seconds=(datetime.now(UTC) - request.time).total_seconds(),
            model=model,
            rows=question.rows,
            answers=answers,
            prediction_ids=question.prediction_ids,
            ids_are_the_callers=question.ids_are_the_callers,
        )


@dataclass(frozen=True)
class Logged:
    """What became of an answer's rows: whether all are committed, and whose ids were there
    already.
    """

    logged: bool
    repeated_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class LogHealth:
    """Whether rows can be logged, how many wait, and how many were not logged since the start."""

    ok: bool
    queued: int = 0
    dropped: int = 0
    dropped_lately: bool = False  # within the last five minutes


class PredictionLog(Protocol):
    """Where answers are kept."""

    def start(self) -> None:
        """Make what is needed, and begin; returns soon, whatever the log is like."""

    async def write(self, predicted: Predicted) -> Logged:
        """Keep an answer's rows; back once they are committed, after a second at most.

        Raises:
            Refusal: 503, the log cannot take them and the settings say to refuse then.
        """

    def health(self) -> LogHealth:
        """How the log is; answers at once."""

    def take_labels(self, given: Sequence[GivenLabel]) -> LabelOutcomes:
        """Write labels down; back once they are committed.

        Raises:
            PredictionLogError: the log cannot be reached or written.
        """

    def ingest(
        self, sent: SentBatch, schema: Schema, caller: str | None
    ) -> tuple[IngestedBatch, bool]:
        """Put a batch into the inbox as one file; whether it was there before.

        Raises:
            Refusal: 409 or 422.
            PredictionLogError, FolderGoneError, StoreError: it cannot be kept now.
        """

    def last_rows(self, count: int) -> Sequence[Mapping[str, Any]]:
        """Features by column name of the newest logged rows: a new version is tried on them.

        Empty where they cannot be read.
        """

    def recent(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """The last rows of the log by its column names, newest first, as JSON has them.

        Empty where there is no log.

        Raises:
            PredictionLogError: it cannot be reached or read.
        """

    def close(self) -> None:
        """Commit what waits, then let go."""
