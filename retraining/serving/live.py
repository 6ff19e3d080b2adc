"""What the live page shows, gathered from the service's parts.

Never slower than the log's last rows.

The registry is read in the background, and the page shows what it read before meanwhile.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from retraining.env_file import read_env_file
from retraining.errors import RetrainingError
from retraining.logs import log
from retraining.notices.alerts import recent_alerts
from retraining.prediction_log.connection import PredictionLogError
from retraining.report.live.lists import MOST_ALERTS, MOST_PREDICTIONS
from retraining.report.live.material import (
    Doing,
    LiveFacts,
    PageSettings,
    Serving,
)
from retraining.report.live.seen import alert_line, logged_row, seen_traffic
from retraining.serving.pulse import PulseTaker
from retraining.serving.watching import USUAL_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from retraining.report.live.material import AlertLine, Books, LoggedRow, SeenTraffic
    from retraining.serving.jobs import Clockwork, Jobs
    from retraining.serving.log import PredictionLog
    from retraining.serving.metrics import Metrics
    from retraining.serving.production import Production
    from retraining.serving.watching import Watch
    from retraining.settings import Settings

REPORTS = "page/reports/{}"
BOOKS_ARE_FRESH = timedelta(seconds=10)
WAIT_FOR_THE_FIRST_BOOKS = 3.0  # seconds


class LivePage:
    """Gathers what the page shows; each process has one of these.

    Args:
        settings: of the project.
        production: which version answers.
        predictions: the log.
        watch: what the last look at the traffic found.
        jobs: cycles that the service started.
        clockwork: where the service starts cycles by itself.
        metrics: what is counted.
        read_books: reads the registry; slow.
    """

    def __init__(
        self,
        settings: Settings,
        production: Production,
        predictions: PredictionLog,
        watch: Watch,
        jobs: Jobs,
        clockwork: Clockwork | None,
        metrics: Metrics,
        read_books: Callable[[], Books],
    ) -> None:
        self.page_settings = PageSettings.of(settings)
        self._settings = settings
        self._production = production
        self._predictions = predictions
        self._watch = watch
        self._jobs = jobs
        self._clockwork = clockwork
        self._pulse = PulseTaker(metrics)
        self._books = _InTheBackground(read_books)
        self._up_since = datetime.now(UTC)
        self._env_file = settings.env_file or settings.project / ".env"
        self._known_settings = read_env_file(self._env_file)

    def start(self) -> None:
        """Begin to count."""
        self._pulse.start()

    def close(self) -> None:
        """Read and count no more."""
        self._pulse.close()
        self._books.close()

    def facts(self, *, may_operate: bool) -> LiveFacts:
        """All that the page shows now."""
        books, not_read = self._books.newest()
        rows = self._rows()
        return LiveFacts(
            now=datetime.now(UTC),
            settings=self.page_settings,
            serving=self._serving(),
            seen=self._seen(rows),
            books=books,
            not_read=not_read,
            pulse=self._pulse.stretches(),
            rows=rows,
            alerts=self._alerts(),
            doing=self._doing(may_operate=may_operate),
            reports=REPORTS,
        )

    def _serving(self) -> Serving:
        standing = self._production.standing
        model = standing.model
        health = self._predictions.health()
        return Serving(
            version=None if model is None else model.version,
            alias_version=standing.alias_version,
            since=None if model is None else model.since,
            up_since=self._up_since,
            store_ok=standing.store_ok,
            store_since=standing.store_since,
            unserved=standing.unserved,
            log_ok=health.ok,
            log_dropped_lately=health.dropped_lately,
            settings_changed=read_env_file(self._env_file) != self._known_settings,
        )

    def _seen(self, rows: tuple[LoggedRow, ...] | None) -> SeenTraffic | None:
        kept = self._watch.last(
            newest=rows[0].time if rows else None,
            holder=self._production.standing.alias_version,
        )
        if kept is None:
            return None
        return seen_traffic(json.loads(kept.content), kept.made_time, USUAL_DAYS)

    def _rows(self) -> tuple[LoggedRow, ...] | None:
        try:
            rows = self._predictions.recent(MOST_PREDICTIONS)
        except PredictionLogError:
            return None
        return tuple(logged_row(row) for row in rows)

    def _alerts(self) -> tuple[AlertLine, ...]:
        lines = recent_alerts(self._settings.state_dir, MOST_ALERTS)
        return tuple(alert_line(line) for line in lines)

    def _doing(self, *, may_operate: bool) -> Doing:
        clockwork = self._clockwork
        return Doing(
            may_operate=may_operate,
            job=self._jobs.newest(),
            cycle_runs=self._jobs.any_cycle_runs,
            next_start=None if clockwork is None else clockwork.next_start,
        )


class _InTheBackground:
    """The registry's facts, read again when they are old and somebody asks.

    Nobody waits but the first.
    """

    def __init__(self, read: Callable[[], Books]) -> None:
        self._read = read
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="books")
        self._lock = threading.Lock()
        self._reading: Future[None] | None = None
        self._asked = datetime.min.replace(tzinfo=UTC)
        self._books: Books | None = None
        self._problem: str | None = None

    def newest(self) -> tuple[Books | None, str | None]:
        """What was read last, None where nothing could be.

        And why the last reading failed, if it did.
        """
        with self._lock:
            before, reading = self._reading, self._reading
            is_old = datetime.now(UTC) - self._asked > BOOKS_ARE_FRESH
            if before is None or (is_old and before.done()):
                self._asked = datetime.now(UTC)
                reading = self._reading = self._worker.submit(self._read_once)
        if before is None and reading is not None:
            with suppress(NotInTimeError):
                reading.result(timeout=WAIT_FOR_THE_FIRST_BOOKS)
        return self._books, self._problem

    def close(self) -> None:
        """Read no more."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _read_once(self) -> None:
        try:
            self._books = self._read()
            self._problem = None
        except RetrainingError as error:
            self._problem = error.what
        except Exception as error:  # noqa: BLE001 - whatever a library raises, the page is shown
            self._problem = f"{type(error).__name__}, the log says more"
            log.warning(
                "the registry was not read for the page: %s: %s", type(error).__name__, error
            )
