"""Notes in the log that this process lives and which version it answers with.

`check` reads it there, since it may run on another machine.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retraining.logs import log
from retraining.prediction_log.connection import PredictionLogError
from retraining.prediction_log.heartbeats import (
    SECONDS_BETWEEN_BEATS,
    Heartbeat,
    beat,
    stop_beating,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from retraining.prediction_log.connection import Database
    from retraining.serving.production import Outcome, Standing

SECONDS_TO_END = 5.0


def this_process() -> str:
    """What tells this process from those of other machines."""
    return f"{socket.gethostname()} {os.getpid()}"


class Heart:
    """Beats every half minute, and at once when another version takes over.

    In a thread of its own, so that a log that is slow or down keeps nobody waiting.

    Args:
        model_name: of the project.
        open_log: the log's database; raises `PredictionLogError`.
    """

    def __init__(self, model_name: str, open_log: Callable[[], Database]) -> None:
        self._model_name = model_name
        self._open_log = open_log
        self._version: int | None = None
        self._news = threading.Event()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def close(self) -> None:
        """Beat no more; who ends well is forgotten at once."""
        self._ends = True
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(SECONDS_TO_END)

    def tried(self, version: int, outcome: Outcome, why: str) -> None:
        """What is tried does not answer yet."""

    def stands(self, standing: Standing) -> None:
        """A look ended; it is news where another version answers now."""
        version = None if standing.model is None else standing.model.version
        if version != self._version:
            self._version = version
            self._news.set()

    def _run(self) -> None:
        service = this_process()
        while True:
            self._news.clear()
            if self._ends:  # asked after the clearing, which would lose the news of the end
                break
            self._beat(Heartbeat(service, datetime.now(UTC), self._version))
            self._news.wait(SECONDS_BETWEEN_BEATS)
        with suppress(PredictionLogError):
            stop_beating(self._open_log(), self._model_name, service)

    def _beat(self, beating: Heartbeat) -> None:
        try:
            beat(self._open_log(), self._model_name, beating)
        except PredictionLogError as error:
            log.debug("no heartbeat was written: %s", error.what)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread must go on
            log.warning("no heartbeat was written: %s: %s", type(error).__name__, error)
