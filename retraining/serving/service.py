"""The parts of a running service, and what one request asks and gets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from retraining.prediction_log.rows import TimeOrderedIds
from retraining.serving.forms import sent_rows
from retraining.serving.json_bodies import json_object
from retraining.serving.refusals import unfit
from retraining.serving.rows import TypedRows, typed_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from retraining.records import Schema
    from retraining.serving.access import Access
    from retraining.serving.batching import Batches
    from retraining.serving.heart import Heart
    from retraining.serving.intake import Intake
    from retraining.serving.jobs import Clockwork, Jobs
    from retraining.serving.live import LivePage
    from retraining.serving.log import Logged, Predicted, PredictionLog
    from retraining.serving.metrics import Metrics
    from retraining.serving.production import Production
    from retraining.serving.rates import RateLimit
    from retraining.serving.watching import Watch
    from retraining.settings import Settings

LARGE_BODY = 100_000  # bytes; a larger one is read in a thread, so that others need not wait
LONGEST_ID = 128
LONGEST_CLIENT_REQUEST_ID = 1024
BESIDES_ROWS = ("ids", "client_request_id")


@dataclass(frozen=True)
class Service:
    """What the routes work with; each process has one."""

    settings: Settings
    production: Production
    batches: Batches
    log: PredictionLog
    access: Access
    intake: Intake
    rates: RateLimit | None
    metrics: Metrics
    jobs: Jobs
    clockwork: Clockwork | None
    watch: Watch
    heart: Heart
    history: Callable[[], list[Any]]
    page: LivePage
    report_of: Callable[[str], str | None]
    answer: Answer

    def charge(self, payer: str, rows: int) -> None:
        """Count the rows that a caller sends on its account, where there is a limit.

        Raises:
            Refusal: 429, too many in a short time.
        """
        if self.rates is not None:
            self.rates.take(payer, rows)

    def start(self) -> None:
        """Open the log, load the version that holds the alias, where one does, and follow it.

        Begin to answer.
        """
        self.batches.start()
        self.log.start()
        self.production.start()
        self.heart.start()
        self.watch.start()
        self.page.start()
        if self.clockwork is not None:
            self.clockwork.start()

    def close(self) -> None:
        """Answer what waits, commit what is to be logged, let go."""
        if self.clockwork is not None:
            self.clockwork.close()
        self.page.close()
        self.watch.close()
        self.heart.close()
        self.batches.close()
        self.log.close()
        self.production.close()


@dataclass(frozen=True)
class PredictionRequest:
    """One request for predictions, not read yet."""

    body: bytes
    request_id: str
    trace_id: str | None = None
    caller: str | None = None
    paid_by: str = ""
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def read_by(self, schema: Schema, at_most: int) -> Question:
        """The rows and ids in the request; a large body is read in a thread.

        Raises:
            Refusal: 400, 413 or 422.
        """
        if len(self.body) > LARGE_BODY:
            return await asyncio.to_thread(read_question, self.body, schema, at_most)
        return read_question(self.body, schema, at_most)


@dataclass(frozen=True)
class Question:
    """Typed rows, and the ids under which the caller wants to find the answers again."""

    rows: TypedRows
    prediction_ids: Sequence[str]
    ids_are_the_callers: bool
    client_request_id: str | None


_IDS = TimeOrderedIds()
Answer = Callable[[Service, PredictionRequest], Awaitable[tuple["Predicted", "Logged"]]]


def read_question(body: bytes, schema: Schema, at_most: int) -> Question:
    """Read the body of `/predict` by a version's schema."""
    fields = json_object(body)
    sent = sent_rows(fields, schema.names, at_most=at_most, besides=BESIDES_ROWS)
    ids = fields.get("ids")
    return Question(
        rows=typed_rows(sent, schema),
        prediction_ids=new_ids(sent.count) if ids is None else _checked_ids(ids, sent.count),
        ids_are_the_callers=ids is not None,
        client_request_id=_checked_client_request_id(fields.get("client_request_id")),
    )


def new_ids(count: int) -> list[str]:
    """Ids of predictions that sort by time, then by row; none is given twice."""
    return _IDS.take(count)


def _checked_ids(ids: Any, count: int) -> list[str]:
    if not isinstance(ids, list) or len(ids) != count:
        raise unfit("`ids` must be a list of one id a row.")
    if not all(map(is_id, ids)):
        raise unfit(f"An id is a text of 1 to {LONGEST_ID} printable characters.")
    return ids


def is_id(value: Any) -> bool:
    """Whether a value can be the id of a prediction."""
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_ID and value.isprintable()


def _checked_client_request_id(value: Any) -> str | None:
    if value is None:
        return None
    fits = isinstance(value, str) and len(value) <= LONGEST_CLIENT_REQUEST_ID
    if not fits or not value.isprintable():
        most = LONGEST_CLIENT_REQUEST_ID
        raise unfit(f"`client_request_id` is a text of {most} printable characters at most.")
    return str(value)


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    service: Service = request.app.state.service
    return service
