"""`POST /ingest/batch`: labelled rows, as one file of the inbox."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from retraining.errors import FolderGoneError, StoreError
from retraining.logs import log
from retraining.prediction_log.connection import PredictionLogError
from retraining.serving.descriptions import BATCH_ANSWER, BATCH_BODY, JSON, described
from retraining.serving.json_bodies import json_object
from retraining.serving.refusals import not_now
from retraining.serving.requests import json_answer, must_be_json, naming_ignored, payer_of
from retraining.serving.scoped import ScopedRoute
from retraining.serving.sent_batches import sent_batch
from retraining.serving.service import service_of

if TYPE_CHECKING:
    from retraining.records import Schema
    from retraining.serving.sent_batches import SentBatch
    from retraining.serving.service import Service

router = APIRouter(route_class=ScopedRoute)


@router.post(
    "/ingest/batch",
    **described(
        "The batch is one whole file in the inbox; 200 where it was there before",
        BATCH_ANSWER,
        *(400, 409, 413, 415, 422, 429, 503),
        status=201,
        bodies={JSON: {"schema": BATCH_BODY}},
        scope="ingest",
    ),
)
async def ingest_batch(request: Request) -> Response:
    """Put one batch of labelled rows into the inbox as one whole file.

    Sending it again changes nothing.
    """
    service = service_of(request)
    must_be_json(request)
    body = await service.intake.body_of(request)
    schema = service.production.model_now().schema
    caller = request.state.caller.name
    try:
        sent = await asyncio.to_thread(_read, service, schema, body)
        service.charge(payer_of(request), sent.rows)
        batch, was_there = await asyncio.to_thread(service.log.ingest, sent, schema, caller)
    except PredictionLogError:
        message = "The prediction log, which remembers batches, cannot be written; send it again."
        raise not_now("log_unavailable", message) from None
    except (FolderGoneError, StoreError, OSError) as error:
        log.warning("a batch could not be put into the inbox: %s", error)
        message = "The inbox cannot be written; send the batch again."
        raise not_now("inbox_unavailable", message) from None
    answer = {
        "batch_id": batch.batch_id,
        "file": batch.file,
        "rows": batch.rows,
        "sha256": batch.sha256,
        "repeated": was_there,
    }
    headers = naming_ignored(sent.not_learned)
    return json_answer(answer, status=200 if was_there else 201, headers=headers)


def _read(service: Service, schema: Schema, body: bytes) -> SentBatch:
    return sent_batch(
        json_object(body), schema, service.settings, at_most=service.settings.max_request_rows
    )
