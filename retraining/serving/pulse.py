"""How many requests for predictions come, and how long they take, over the last day.

Read now and then from the counts that `/metrics` tells, so that answering a request costs no more.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from retraining.logs import log
from retraining.report.live.material import Pulse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.serving.metrics import Metrics

ROUTES = ("/predict", "/invocations")
SECONDS_BETWEEN = 15.0
READINGS_KEPT = 24 * 60 * 4  # a day of them
MOST_STRETCHES = 60  # that are shown


@dataclass(frozen=True)
class _Reading:
    """Answers since the start that took so many seconds or less, at a moment."""

    time: datetime
    counts: Mapping[float, float]


class PulseTaker:
    """Reads the counts every few seconds, in a thread of its own."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._readings: deque[_Reading] = deque(maxlen=READINGS_KEPT)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.read()
        self._thread.start()

    def close(self) -> None:
        """Read no more."""
        self._stop.set()

    def read(self) -> None:
        """Read the counts once."""
        counts = self._metrics.request_times(ROUTES)
        self._readings.append(_Reading(datetime.now(UTC), counts))

    def stretches(self) -> tuple[Pulse, ...]:
        """The stretches between readings, oldest first.

        Neighbours are joined where they are many.
        """
        readings = list(self._readings)
        every = max(1, -(-(len(readings) - 1) // MOST_STRETCHES))
        chosen = readings[::-1][::every][::-1]
        return tuple(_stretch(before, after) for before, after in pairwise(chosen))

    def _tick(self) -> None:
        while not self._stop.wait(SECONDS_BETWEEN):
            try:
                self.read()
            except Exception as error:  # noqa: BLE001 - whatever it is, the thread must go on
                log.warning("requests were not counted: %s: %s", type(error).__name__, error)


def _stretch(before: _Reading, after: _Reading) -> Pulse:
    """What came between two readings.

    A worker that died takes its counts along, never below zero.
    """
    seconds = sorted(after.counts)
    counts = [max(0.0, after.counts[one] - before.counts.get(one, 0.0)) for one in seconds]
    return Pulse(
        start=before.time,
        seconds=max((after.time - before.time).total_seconds(), 1e-3),
        requests=round(counts[-1]) if counts else 0,
        p50=quantile(0.5, seconds, counts),
        p99=quantile(0.99, seconds, counts),
    )


def quantile(share: float, seconds: Sequence[float], counts: Sequence[float]) -> float | None:
    """The time that a share of answers took at most.

    Between two bounds in proportion, as Prometheus does.

    Args:
        share: of the answers.
        seconds: upper bounds, ascending; the last one is infinite.
        counts: answers that took no longer than each.

    >>> quantile(0.5, (0.1, 0.2, float("inf")), (10, 20, 20))
    0.1
    >>> quantile(0.75, (0.1, 0.2, float("inf")), (10, 20, 20))
    0.15000000000000002
    """
    total = counts[-1] if counts else 0.0
    if total <= 0:
        return None
    wanted, below, lower = share * total, 0.0, 0.0
    for bound, count in zip(seconds, counts, strict=True):
        if count >= wanted:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * (wanted - below) / max(count - below, 1e-9)
        below, lower = count, bound
    return lower
