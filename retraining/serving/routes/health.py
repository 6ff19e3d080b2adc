"""`/live`, `/ready`, `/health`: asked by load balancers, without a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from retraining.serving.descriptions import described
from retraining.serving.refusals import ASK_AGAIN
from retraining.serving.requests import json_answer
from retraining.serving.scoped import ScopedRoute
from retraining.serving.service import service_of

if TYPE_CHECKING:
    from retraining.serving.log import LogHealth
    from retraining.serving.model import ServedModel
    from retraining.serving.production import Standing
    from retraining.serving.service import Service

HEALTH_EXAMPLE = {
    "status": "ok",
    "reasons": [],
    "model": {
        "name": "classifier",
        "version": 3,
        "alias": "production",
        "since": "2026-11-20T02:17:31+00:00",
    },
    "alias_version": 3,
    "store": {"ok": True, "since": "2026-11-19T08:00:02+00:00"},
    "log": {"ok": True, "queued": 0, "dropped": 0},
}
router = APIRouter(route_class=ScopedRoute)


@router.get("/live", **described("The process answers", {"status": "ok"}))
async def live() -> Response:
    """The process answers."""
    return json_answer({"status": "ok"})


@router.get("/ready", **described("There is a model", {"ready": True}, 503))
async def ready(request: Request) -> Response:
    """200 with a model, else 503."""
    has_model = service_of(request).production.model is not None
    return _answer({"ready": has_model}, has_model=has_model)


@router.get("/health", **described("How the service is", HEALTH_EXAMPLE, 503))
async def health(request: Request) -> Response:
    """What answers, what the registry says, how the log is, and why not all is well."""
    answer = health_of(service_of(request))
    return _answer(answer, has_model=answer["model"] is not None)


def _answer(content: dict[str, Any], *, has_model: bool) -> Response:
    if has_model:
        return json_answer(content)
    return json_answer(content, status=503, headers=ASK_AGAIN)


for path, endpoint in (("/live", live), ("/ready", ready), ("/health", health)):
    # some load balancers ask for the head alone
    router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)


def health_of(service: Service) -> dict[str, Any]:
    """The object of `/health`."""
    standing, log = service.production.standing, service.log.health()
    model = standing.model
    reasons = reasons_of(standing, log)
    status = "degraded" if reasons else "ok"
    return {
        "status": "no_model" if model is None else status,
        "reasons": reasons,
        "model": None if model is None else model_as_json(model),
        "alias_version": standing.alias_version,
        "store": {"ok": standing.store_ok, "since": standing.store_since.isoformat()},
        "log": {"ok": log.ok, "queued": log.queued, "dropped": log.dropped},
    }


def model_as_json(model: ServedModel) -> dict[str, Any]:
    """Which version answers, and since when."""
    return {
        "name": model.name,
        "version": model.version,
        "alias": model.alias,
        "since": model.since.isoformat(),
    }


def reasons_of(standing: Standing, log: LogHealth) -> list[str]:
    """Why the service is degraded; empty where it is not."""
    reasons = [standing.unserved] if standing.unserved else []
    if not log.ok:
        reasons.append("the prediction log cannot be written")
    elif log.dropped_lately:
        reasons.append("the prediction log dropped rows in the last 5 minutes")
    return reasons
