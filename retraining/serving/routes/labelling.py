"""`POST /labels`: true labels, by the ids of the predictions."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from retraining.prediction_log.connection import PredictionLogError
from retraining.serving.descriptions import JSON, LABELS_ANSWER, LABELS_BODY, described
from retraining.serving.given_labels import given_labels
from retraining.serving.json_bodies import json_object
from retraining.serving.refusals import not_now
from retraining.serving.requests import json_answer, must_be_json, payer_of
from retraining.serving.scoped import ScopedRoute
from retraining.serving.service import service_of

router = APIRouter(route_class=ScopedRoute)


@router.post(
    "/labels",
    **described(
        "How many labels were new, repeated or changed, and the ids of the others",
        LABELS_ANSWER,
        *(400, 413, 415, 422, 429, 503),
        bodies={JSON: {"schema": LABELS_BODY}},
        scope="label",
    ),
)
async def labels(request: Request) -> Response:
    """Write down the true labels of predictions, before or after these are logged.

    Sending them again changes nothing.
    """
    service = service_of(request)
    must_be_json(request)
    body = json_object(await service.intake.body_of(request))
    schema = service.production.model_now().schema
    given = given_labels(body, schema, at_most=service.settings.max_request_rows)
    service.charge(payer_of(request), len(given))
    try:
        counts = await asyncio.to_thread(service.log.take_labels, given)
    except PredictionLogError:
        message = "The prediction log cannot be written; send the labels again."
        raise not_now("log_unavailable", message) from None
    return json_answer(
        {
            "new": counts.new,
            "repeated": counts.repeated,
            "changed": counts.changed,
            "unknown": counts.unknown,
            "new_class": counts.new_class,
        }
    )
