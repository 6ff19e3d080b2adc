"""`POST /predict`: rows in, labels and probabilities out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from retraining.serving.descriptions import (
    PREDICT_ANSWER,
    PREDICT_BODY,
    described,
    rows_as_json,
)
from retraining.serving.refusals import model_version
from retraining.serving.requests import (
    json_answer,
    must_be_json,
    naming_ignored,
    payer_of,
    trace_id_of,
)
from retraining.serving.scoped import ScopedRoute
from retraining.serving.service import PredictionRequest, service_of

if TYPE_CHECKING:
    from retraining.serving.log import Logged, Predicted

router = APIRouter(route_class=ScopedRoute)


@router.post(
    "/predict",
    **described(
        "A label a row and, where the version has them, probabilities in the order of `classes`",
        PREDICT_ANSWER,
        *(400, 413, 415, 422, 429, 503),
        bodies=rows_as_json(PREDICT_BODY),
        scope="predict",
    ),
)
async def predict(request: Request) -> Response:
    """Answer rows with the version that holds the alias."""
    service = service_of(request)
    must_be_json(request)
    sent = PredictionRequest(
        body=await service.intake.body_of(request),
        request_id=request.state.request_id,
        trace_id=trace_id_of(request),
        caller=request.state.caller.name,
        paid_by=payer_of(request),
    )
    predicted, logged = await service.answer(service, sent)
    return json_answer(as_json(predicted, logged), headers=headers_of(predicted))


route = next(one for one in router.routes if isinstance(one, ScopedRoute))


def as_json(predicted: Predicted, logged: Logged) -> dict[str, Any]:
    """The answer's object."""
    model, answers = predicted.model, predicted.answers
    return {
        "predictions": answers.labels,
        "classes": model.classes,
        "probabilities": answers.probabilities,
        "prediction_ids": predicted.prediction_ids,
        "repeated_ids": logged.repeated_ids,
        "request_id": predicted.request_id,
        "client_request_id": predicted.client_request_id,
        "logged": logged.logged,
        "model": {"name": model.name, "version": model.version, "alias": model.alias},
    }


def headers_of(predicted: Predicted) -> dict[str, str]:
    """Which version answered, and which columns it did not look at."""
    return model_version(predicted.model.version) | naming_ignored(predicted.rows.extra)
