"""What the service counts, for Prometheus.

With several workers each writes files of its own, and whoever is asked adds them up.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from retraining.notices.textfile import TRAFFIC_ALERTS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from typing import Literal

    from retraining.serving.production import Outcome, Standing

    Mode = Literal["livesum", "livemin", "livemax", "livemostrecent"]

# named by prometheus-client, which reads it when imported
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
RELOADS = ("loaded", "refused", "failed")
DROPPED = ("full", "unwritable")
LABELS = ("new", "repeated", "changed", "unknown", "new_class")


class Metrics:
    """The contract's metrics. Gauges hold only for workers that live."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        # a series more for each, which nobody reads
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Answers.", "route", "code")
        self._seconds = self._histogram(
            "request_seconds", "From a request's head to its answer.", SECONDS, "route"
        )
        self._rows = self._counter("rows", "Rows answered.", "version")
        self._batch_rows = self._histogram("batch_rows", "Rows that were answered together.", ROWS)
        self._queue_rows = self._gauge("queue_rows", "Rows that wait to be answered.", "livesum")
        self._model_version = self._gauge("model_version", "The version that answers.", "livemin")
        self._alias_version = self._gauge(
            "alias_version", "The version that holds the alias.", "livemax"
        )
        self._loaded = self._gauge(
            "model_loaded_timestamp_seconds", "When the version took over.", "livemin"
        )
        self._reloads = self._counter(
            "reloads", "Attempts to load a version that got the alias.", "outcome"
        )
        self._log_rows = self._counter("log_rows", "Rows committed to the prediction log.")
        self._log_dropped = self._counter("log_dropped", "Rows that were not logged.", "why")
        self._log_seconds = self._histogram(
            "log_commit_seconds", "How long a commit to the prediction log took.", SECONDS
        )
        self._labels = self._counter("labels", "Labels that were received.", "outcome")
        self._realised = self._gauge(
            "realised_score", "METRIC on the labelled predictions of 30 days.", "livemostrecent"
        )
        self._estimated = self._gauge(
            "estimated_score", "METRIC as estimated without labels.", "livemostrecent"
        )
        self._monitored = self._gauge(
            "monitored_timestamp_seconds", "When the traffic was last looked at.", "livemax"
        )
        self._traffic_alert = Gauge(
            "retraining_traffic_alert",
            "1 for each alert that held at the last look at the traffic.",
            ["kind"],
            registry=self._registry,
            multiprocess_mode="livemostrecent",
        )
        self._set_scores(None, None)
        self.alerting(())
        for counter, values in (
            (self._reloads, RELOADS),
            (self._log_dropped, DROPPED),
            (self._labels, LABELS),
        ):
            for value in values:  # a series that is not there yet cannot be told from zero
                counter.labels(value)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"retraining_{name}", what, labels, registry=self._registry)

    def _histogram(
        self, name: str, what: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            f"retraining_{name}", what, labels, buckets=buckets, registry=self._registry
        )

    def _gauge(self, name: str, what: str, mode: Mode) -> Gauge:
        return Gauge(f"retraining_{name}", what, registry=self._registry, multiprocess_mode=mode)

    # --- told by the edge, the worker and the log ---
    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, version: int, rows: int, rows_waiting: int) -> None:
        """A batch was taken from the queue, which holds so many rows now."""
        self._batch_rows.observe(rows)
        self.waiting(rows_waiting)
        self._rows.labels(str(version)).inc(rows)

    def waiting(self, rows: int) -> None:
        """So many rows wait to be answered."""
        self._queue_rows.set(rows)

    def logged(self, rows: int) -> None:
        """Rows were committed to the prediction log."""
        self._log_rows.inc(rows)

    def dropped(self, rows: int, why: str) -> None:
        """Rows were not logged; `why` is `full` or `unwritable`."""
        self._log_dropped.labels(why).inc(rows)

    def committed(self, seconds: float) -> None:
        """A commit to the prediction log took so long."""
        self._log_seconds.observe(seconds)

    def labelled(self, counts: Mapping[str, int]) -> None:
        """Labels came: by outcome, how many."""
        for outcome, count in counts.items():
            self._labels.labels(outcome).inc(count)

    # --- told by who watches the traffic ---
    def scored(self, realised: float | None, estimated: float | None, looked: datetime) -> None:
        """The scores as somebody found them who looked at the traffic then."""
        self._monitored.set(looked.timestamp())
        self._set_scores(realised, estimated)

    def _set_scores(self, realised: float | None, estimated: float | None) -> None:
        """NaN where nothing can be told, since zero would be a score."""
        self._realised.set(math.nan if realised is None else realised)
        self._estimated.set(math.nan if estimated is None else estimated)

    def alerting(self, kinds: Collection[str]) -> None:
        """Which alerts of the traffic hold."""
        for kind in TRAFFIC_ALERTS:
            self._traffic_alert.labels(kind).set(float(kind in kinds))

    # --- told by who follows the alias ---
    def tried(self, version: int, outcome: Outcome, why: str) -> None:  # noqa: ARG002
        """A version was taken over, or was not."""
        self._reloads.labels(outcome).inc()

    def stands(self, standing: Standing) -> None:
        """A look at the registry ended, or another version takes over."""
        self._alias_version.set(standing.alias_version or 0)  # 0: no version holds it
        if standing.model is not None:
            self._model_version.set(standing.model.version)
            self._loaded.set(standing.model.since.timestamp())

    def request_times(self, routes: Collection[str]) -> dict[float, float]:
        """Answers on some routes since the start that took so many seconds or less, over all
        workers.
        """
        name, counts = "retraining_request_seconds_bucket", dict.fromkeys((*SECONDS, math.inf), 0.0)
        for family in self._together().collect():
            for sample in family.samples:
                if sample.name == name and sample.labels["route"] in routes:
                    counts[float(sample.labels["le"])] += sample.value
        return counts

    def text(self) -> bytes:
        """All metrics as Prometheus reads them."""
        return generate_latest(self._together())

    def _together(self) -> CollectorRegistry:
        """What this process counted, or where there are several workers, what all of them did."""
        if SHARED_FOLDER not in os.environ:
            return self._registry
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return together
