"""Writes an alert when the prediction log begins to drop rows: one line until it is well again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retraining.logs import log
from retraining.notices import alerts

if TYPE_CHECKING:
    from retraining.prediction_log.writer import Why
    from retraining.serving.metrics import Metrics
    from retraining.settings import Settings

KIND = "log_dropped"


class LogAlerts:
    """Writes `log_dropped`, and passes on what it is told to `metrics`."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._lock = threading.Lock()
        self._problem: str | None = None
        self._told = False

    def committed(self, rows: int, seconds: float) -> None:
        """A full queue is over once a commit went through."""
        self._metrics.logged(rows)
        self._metrics.committed(seconds)
        with self._lock:
            if self._problem is None:
                self._told = False

    def dropped(self, rows: int, why: Why) -> None:
        """Tell a person, once a spell."""
        self._metrics.dropped(rows, why)
        with self._lock:
            was_told, self._told = self._told, True
            problem = self._problem
        if not was_told:
            self._tell(rows, why, problem)

    def turned_unwell(self, problem: str) -> None:
        """Remember why: the alert of the first dropped row says it."""
        with self._lock:
            self._problem = problem

    def turned_well(self) -> None:
        """The problem is over; the spell is once rows were committed: a full disk looks well to
        whoever writes nothing.
        """
        with self._lock:
            self._problem = None

    def _tell(self, rows: int, why: Why, problem: str | None) -> None:
        if why == "full":
            what = "More rows wait for the prediction log than it may keep waiting."
        else:
            what = problem or "The prediction log did not take rows within a second."
        remedy = (
            f"Answers are {self._whats_done()} until it works again. "
            f"Run `{self._settings.command} check`, which looks at PREDICTION_LOG_URI."
        )
        head = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "cycle": None}
        line = {**head, **alerts.alert(KIND, what, remedy, rows=rows, why=why)}
        try:
            alerts.append(self._settings.state_dir, [line])
        except OSError as error:
            log.warning("%s could not be written: %s", alerts.NAME, error)

    def _whats_done(self) -> str:
        refuses = self._settings.prediction_log_when_full == "refuse"
        return "refused (503)" if refuses else "given and not logged"
