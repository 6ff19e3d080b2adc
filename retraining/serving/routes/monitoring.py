"""What traffic shows: performance by day, drift, the last predictions and alerts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from retraining.notices.alerts import recent_alerts
from retraining.prediction_log.connection import PredictionLogError
from retraining.serving.descriptions import described
from retraining.serving.refusals import Refusal, not_now
from retraining.serving.requests import json_answer
from retraining.serving.scoped import ScopedRoute
from retraining.serving.service import service_of

if TYPE_CHECKING:
    from collections.abc import Mapping

API = "/mlops/api/monitoring"
MOST_DAYS = 3650
MOST_ROWS = 1000
SCORE_EXAMPLE = {"value": 0.912, "interval": [0.897, 0.927], "rows": 1400}
SHARE_EXAMPLE = {
    "predictions": 2000,
    "labelled": 1400,
    "realised": SCORE_EXAMPLE,
    "estimated": {"value": 0.905, "interval": [0.887, 0.923], "rows": 2000, "method": "CBPE"},
}
DAYS_EXAMPLE = {
    "days": [
        {"date": "2026-11-20", **SHARE_EXAMPLE, "by_version": [{"version": 3, **SHARE_EXAMPLE}]}
    ]
}
DRIFT_EXAMPLE = {
    "drift_detected": True,
    "material": True,
    "drift_features": ["speed"],
    "feature_psi": {"speed": 0.31, "city": 0.004},
    "psi_scores": {"speed": 0.33, "city": 0.021},
    "window_rows": 1000,
    "reference_version": 3,
}
ROWS_EXAMPLE = {
    "predictions": [{"prediction_id": "order-17", "model_version": 3, "features": {"speed": 1.5}}]
}
ALERTS_EXAMPLE = {
    "alerts": [
        {
            "time": "2026-11-20T02:17:31+00:00",
            "cycle": "20261120T021731Z-4711",
            "kind": "data_drift",
            "what": "inputs drifted: speed",
            "numbers": {"psi": {"speed": 0.31}},
            "try": "Find out why these columns changed.",
        }
    ]
}
router = APIRouter(route_class=ScopedRoute)


@router.get(
    f"{API}/performance/{{days}}", **described("By day", DAYS_EXAMPLE, 422, 503, scope="read")
)
async def performance(request: Request, days: str) -> Response:
    """Traffic, labels and scores of each of the last days (UTC) that had any."""
    number = number_in(days, MOST_DAYS, "days")
    seen = await service_of(request).watch.fresh(number)
    return json_answer({"days": seen["days"]})


@router.get(f"{API}/drift/check", **described("Drift", DRIFT_EXAMPLE, 503, scope="read"))
async def drift_check(request: Request) -> Response:
    """The last predictions against what production learned.

    `psi_scores` are as measured; from `feature_psi` the PSI without any drift is subtracted.
    """
    seen = await service_of(request).watch.fresh()
    return json_answer(drift_of(seen["drift"]))


def drift_of(drift: Mapping[str, Any]) -> dict[str, Any]:
    """The object of `drift/check`."""
    features = drift["features"]
    return {
        "drift_detected": drift["detected"],
        "material": drift["material"],
        "drift_features": [one["name"] for one in features if one["detected"]],
        "feature_psi": {one["name"]: one["psi_corrected"] for one in features},
        "psi_scores": {one["name"]: one["psi"] for one in features},
        "window_rows": drift["window_rows"],
        "reference_version": drift["reference_version"],
    }


@router.get(
    f"{API}/predictions/recent/{{limit}}",
    **described("Rows of the log, newest first", ROWS_EXAMPLE, 422, 503, scope="read"),
)
async def recent_predictions(request: Request, limit: str) -> Response:
    """The last predictions, with the features of every caller."""
    number = number_in(limit, MOST_ROWS, "rows")
    try:
        rows = await asyncio.to_thread(service_of(request).log.recent, number)
    except PredictionLogError as error:
        raise not_now("log_unavailable", error.what) from error
    return json_answer({"predictions": rows})


@router.get(
    f"{API}/alerts/recent",
    **described("Lines of alerts.jsonl, newest first", ALERTS_EXAMPLE, scope="read"),
)
async def alerts(request: Request) -> Response:
    """The last alerts, each with what to do."""
    folder = service_of(request).settings.state_dir
    return json_answer({"alerts": await asyncio.to_thread(recent_alerts, folder)})


def number_in(text: str, most: int, what: str) -> int:
    """The number in an address.

    Raises:
        Refusal: 422, it is none from 1 to `most`.
    """
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= number <= most:
        message = f"The number of {what} is a whole number from 1 to {most}."
        raise Refusal(422, "not_in_range", message)
    return number
