"""`/invocations`, `/ping`, `/version`: MLflow's clients change an address and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from retraining.datasets.values import missing_column
from retraining.model_registry.scoring_protocol import (
    CONTENT_TYPES,
    CSV,
    JSON,
    MLFLOW_VERSION,
    PARQUET,
    ContentType,
    NotTakenError,
    cast_rows,
)
from retraining.serving.descriptions import FORMS, described, rows_as_json
from retraining.serving.model import ModelFailedError
from retraining.serving.refusals import Refusal, bad_request, too_large, unfit
from retraining.serving.requests import json_answer, payer_of, trace_id_of
from retraining.serving.routes.predicting import headers_of
from retraining.serving.rows import TypedRows, rows_as_mlflow_casts_them
from retraining.serving.scoped import ScopedRoute
from retraining.serving.service import PredictionRequest, Question, service_of

if TYPE_CHECKING:
    from retraining.records import Schema

INVOCATIONS_BODIES = {
    **rows_as_json(
        {"type": "object", "properties": {k: FORMS[k] for k in FORMS if k != "features"}}
    ),
    CSV: {"schema": {"type": "string"}, "example": "speed,city\n1.5,north\n"},
    PARQUET: {"schema": {"type": "string", "format": "binary"}},
}
router = APIRouter(route_class=ScopedRoute)


@router.post(
    "/invocations",
    **described(
        "The version's labels",
        {"predictions": [1]},
        *(400, 413, 415, 422, 429, 503),
        bodies=INVOCATIONS_BODIES,
        scope="predict",
    ),
)
async def invocations(request: Request) -> Response:
    """Answer rows that are read and cast as MLflow's scoring server does."""
    service = service_of(request)
    content_type = content_type_of(request.headers.get("content-type", ""))
    sent = RequestAsOfMlflow(
        body=await service.intake.body_of(request),
        request_id=request.state.request_id,
        trace_id=trace_id_of(request),
        caller=request.state.caller.name,
        paid_by=payer_of(request),
        content_type=content_type,
    )
    try:
        predicted, _ = await service.answer(service, sent)
    except ModelFailedError as error:
        if not error.absent:
            raise
        # MLflow lets columns be absent, and few models can do without
        problems = tuple(map(missing_column, error.absent))
        refusal = unfit("The model cannot answer without some columns.", problems)
        raise refusal.after_asking(error.version) from None
    return json_answer({"predictions": predicted.answers.labels}, headers=headers_of(predicted))


@router.get("/ping", **described("There is a model", "\n", 404, scope="predict"))
async def ping(request: Request) -> Response:
    """200 with a model, as MLflow's server; 404 without one."""
    has_model = service_of(request).production.model is not None
    return Response("\n", 200 if has_model else 404, media_type=JSON)


@router.get("/version", **described("MLflow's version", MLFLOW_VERSION, scope="predict"))
async def version() -> Response:
    """MLflow's version."""
    return Response(MLFLOW_VERSION, media_type=JSON)


def content_type_of(header: str) -> ContentType:
    """Which of the three content types a header names.

    Raises:
        Refusal: 415, none of them, or another charset than UTF-8.
    """
    kind, *parameters = [part.strip() for part in header.lower().split(";")]
    if any(parameter not in ("charset=utf-8", 'charset="utf-8"') for parameter in parameters):
        raise Refusal(415, "unknown_content_type", "The only parameter taken is charset=utf-8.")
    for known in CONTENT_TYPES:
        if kind == known:
            return known
    raise Refusal(415, "unknown_content_type", f"Send one of {', '.join(CONTENT_TYPES)}.")


def _no_row(rows: TypedRows, content_type: ContentType) -> Refusal:
    """Why nothing can be answered: nothing was sent, or nothing under a name that is known here."""
    if not rows.extra:
        return unfit("There is no row in the request.")
    separated = " Separate the cells of CSV by commas." if content_type == CSV else ""
    return unfit(f"None of the columns that were sent is one of the model's.{separated}")


@dataclass(frozen=True, kw_only=True)
class RequestAsOfMlflow(PredictionRequest):
    """A request in MLflow's protocol, not read yet."""

    content_type: ContentType

    async def read_by(self, schema: Schema, at_most: int) -> Question:
        """The rows in the request, read in a thread: MLflow's parsers take their time.

        Raises:
            Refusal: 400, 413 or 422.
        """
        return await asyncio.to_thread(self._read_by, schema, at_most)

    def _read_by(self, schema: Schema, at_most: int) -> Question:
        try:
            cast = cast_rows(self.body, self.content_type, schema)
        except NotTakenError as error:
            raise bad_request("not_readable", f"{error}.") from None
        rows = rows_as_mlflow_casts_them(cast, schema)
        if not rows.count:
            raise _no_row(rows, self.content_type)
        if rows.count > at_most:
            raise too_large(f"{rows.count} rows; at most {at_most} are taken (MAX_REQUEST_ROWS).")
        ids = [f"{self.request_id}:{row}" for row in range(rows.count)]
        return Question(rows, ids, ids_are_the_callers=True, client_request_id=None)
