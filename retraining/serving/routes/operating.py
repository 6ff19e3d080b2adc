"""For people and their programs: the model's facts, past cycles, a cycle started, metrics."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from retraining.errors import RetrainingError
from retraining.serialisation import schema_to_json
from retraining.serving.descriptions import JSON, TRIGGER_BODY, described
from retraining.serving.jobs import LONGEST_WHY
from retraining.serving.json_bodies import json_object
from retraining.serving.metrics import Metrics
from retraining.serving.refusals import Refusal, bad_request, not_now
from retraining.serving.requests import json_answer, must_be_json
from retraining.serving.scoped import ScopedRoute
from retraining.serving.service import service_of

if TYPE_CHECKING:
    from retraining.serving.model import ServedModel
    from retraining.serving.production import Standing
    from retraining.serving.service import Service

API = "/mlops/api"
JOB_ID_EXAMPLE = "01a2182f7b3d92b6a67213cb0775942c"
JOB_EXAMPLE = {
    "state": "ended",
    "ending": "promoted",
    "exit_code": 0,
    "reason": "better by 0.021",
    "cycle_id": "20261120T021731Z-4711",
}
INFO_EXAMPLE = {
    "name": "classifier",
    "version": 3,
    "alias": "production",
    "since": "2026-11-20T02:17:31+00:00",
    "why": "better by 0.021",
    "metrics": {"accuracy": 0.912},
    "schema": {"columns": [{"name": "speed", "kind": "number", "categories": None}]},
    "previous_version": 2,
    "hold": None,
    "links": {},
}
METRICS_EXAMPLE = "retraining_model_version 3.0\n"
TRIGGER_BODIES = {
    JSON: {"schema": TRIGGER_BODY, "example": {"force": False, "why": "new prices since Monday"}}
}
router = APIRouter(route_class=ScopedRoute)


@router.get(f"{API}/model/info", **described("The version", INFO_EXAMPLE, 503, scope="read"))
async def model_info(request: Request) -> Response:
    """The version that answers: why it is there, its scores and columns, which one was before."""
    production = service_of(request).production
    return json_answer(info_of(production.model_now(), production.standing))


def info_of(model: ServedModel, standing: Standing) -> dict[str, Any]:
    """The object of `model/info`."""
    is_of_the_same = standing.model is model
    facts = (standing.facts if is_of_the_same else None) or model.facts
    return {
        "name": model.name,
        "version": model.version,
        "alias": model.alias,
        "since": model.since.isoformat(),
        "why": facts.why,
        "metrics": facts.metrics,
        "schema": schema_to_json(model.schema),
        "previous_version": facts.previous_version,
        "hold": standing.hold,
        "links": facts.links,
    }


@router.get(
    f"{API}/retrain/history",
    **described("Cycles, newest first", [{"ending": "promoted"}], 503, scope="read"),
)
async def history(request: Request) -> Response:
    """The last cycles, newest first: what `history --json` prints."""
    service = service_of(request)
    try:
        cycles = await asyncio.to_thread(service.history)
    except RetrainingError as error:
        raise not_now("no_history", error.what) from error
    return json_answer(cycles)


@router.post(
    f"{API}/retrain/trigger",
    **described(
        "A cycle was started",
        {"job_id": JOB_ID_EXAMPLE, "state": "running"},
        *(400, 409, 415),
        status=202,
        bodies=TRIGGER_BODIES,
        scope="operate",
    ),
)
async def trigger(request: Request) -> Response:
    """Start a cycle in a process of its own, unless one runs."""
    service = service_of(request)
    must_be_json(request)
    body = json_object(await service.intake.body_of(request))
    force, why = body.get("force", False), body.get("why", "")
    has_other_keys = not body.keys() <= {"force", "why"}
    if has_other_keys or not isinstance(force, bool) or not _is_a_reason(why):
        expected = f"`force` (true or false) and `why` (up to {LONGEST_WHY} printable characters)"
        raise bad_request("not_a_trigger", f"An object was expected with {expected}.")
    job_id = await asyncio.to_thread(service.jobs.start, force=force, why=why)
    return json_answer({"job_id": job_id, "state": "running"}, status=202)


@router.get(
    f"{API}/retrain/jobs/{{job_id}}",
    **described("How the cycle is", JOB_EXAMPLE, 404, scope="read"),
)
async def job(request: Request, job_id: str) -> Response:
    """How a cycle that the service started is going, or how it ended."""
    state = await asyncio.to_thread(service_of(request).jobs.state, job_id)
    if state is None:
        raise Refusal(404, "no_such_job", "There is no such job.")
    return json_answer(asdict(state))


@router.get("/metrics", **described("Metrics", METRICS_EXAMPLE, scope="read"))
async def metrics(request: Request) -> Response:
    """Counts and gauges for Prometheus, over all workers."""
    service = service_of(request)
    service.metrics.waiting(service.batches.rows_waiting)
    text = await asyncio.to_thread(_metrics_of, service)
    return Response(text, media_type=Metrics.content_type)


def _metrics_of(service: Service) -> bytes:
    """All metrics, never of a moment when only they name the version that takes over."""
    with service.production.taking_over:
        return service.metrics.text()


def _is_a_reason(why: Any) -> bool:
    return isinstance(why, str) and len(why) <= LONGEST_WHY and (not why or why.isprintable())
