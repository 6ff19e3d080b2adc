"""Requests over the last day, read from the counts that /metrics tells."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from retraining.serving import pulse
from retraining.serving.metrics import Metrics
from retraining.serving.pulse import PulseTaker, quantile

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Clock(datetime):
    """A minute later each time."""

    read = NOON

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        cls.read += timedelta(minutes=1)
        return cls.read


def test_only_what_came_between_two_readings_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "datetime", Clock)
    metrics = Metrics()
    taker = PulseTaker(metrics)
    metrics.answered("/predict", 200, 3.0)  # before the first reading
    taker.read()
    assert taker.stretches() == ()
    for route in ("/predict", "/predict", "/invocations", "/health"):
        metrics.answered(route, 200, 0.004)
    taker.read()
    (stretch,) = taker.stretches()
    assert (stretch.requests, stretch.seconds) == (3, 60)
    assert stretch.p50 is not None
    assert 0.0025 < stretch.p50 <= 0.005
    taker.read()
    nothing = taker.stretches()[-1]
    assert (nothing.requests, nothing.p50, nothing.p99) == (0, None, None)


def test_a_day_is_told_in_few_stretches_that_hold_all_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pulse, "datetime", Clock)
    metrics = Metrics()
    taker = PulseTaker(metrics)
    taker.read()
    for _ in range(600):
        metrics.answered("/predict", 200, 0.001)
        taker.read()
    stretches = taker.stretches()
    assert len(stretches) <= pulse.MOST_STRETCHES
    assert sum(one.requests for one in stretches) == 600


@pytest.mark.parametrize(
    ("share", "counts", "expected"),
    [
        (0.5, (0, 0, 0), None),
        (0.99, (0, 0, 5), 0.2),  # beyond the last bound nothing more is known
        (0.5, (4, 4, 4), 0.05),
        (1.0, (2, 4, 4), 0.2),
    ],
)
def test_quantiles_lie_between_bounds(
    share: float, counts: tuple[float, ...], expected: float | None
) -> None:
    found = quantile(share, (0.1, 0.2, math.inf), counts)
    assert found == (None if expected is None else pytest.approx(expected))
