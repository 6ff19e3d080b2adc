"""Somebody watches between cycles: `monitor` in a process of its own, in time and when asked.

Page, gauges and routes all read what it found; none of them computes anything itself.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from retraining.logs import log
from retraining.prediction_log.connection import PredictionLogError
from retraining.prediction_log.watch import KeptResult, keep_result, kept_result, take_lease
from retraining.serving.heart import this_process
from retraining.serving.jobs import NICENESS_OF_A_LOOK, give_way
from retraining.serving.refusals import Refusal, not_now

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from retraining.prediction_log.connection import Database
    from retraining.settings import Settings

    Seen = dict[str, Any]

USUAL_DAYS = 30
FRESH = timedelta(seconds=5)  # who asks gets no older result
LONGEST_LOOK = 300.0  # seconds
ALERTS = 4  # the exit code of `monitor --alert` that says so
PAUSE_AFTER_A_FAILURE = 30.0  # seconds
OVERTAKEN_LOOK_LASTS = timedelta(seconds=30)


class MonitorFailedError(Exception):
    """How `monitor` ended: for the log, never for who asks over HTTP."""


class Gauges(Protocol):
    """Who is told of the scores."""

    def scored(self, realised: float | None, estimated: float | None, looked: datetime) -> None:
        """What the last look found, and when; None where nothing can be told."""

    def alerting(self, kinds: Collection[str]) -> None:
        """Which alerts hold."""


class Watch:
    """Looks at the traffic by `monitor --json`, one look at a time, and keeps what it found in the
    log.

    Args:
        settings: of the project.
        environment: what `monitor`'s process gets.
        open_log: the log's database; raises `PredictionLogError`.
        gauges: told what each look in time found.
        looks_in_time: whether to look every MONITOR_EVERY_SECONDS; of several copies one at a time
            does.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        open_log: Callable[[], Database],
        gauges: Gauges,
        *,
        looks_in_time: bool,
    ) -> None:
        self._settings = settings
        self._environment = dict(environment)
        self._open_log = open_log
        self._gauges = gauges
        self._looks_in_time = looks_in_time
        self._stop = threading.Event()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="monitor")
        self._clock = threading.Thread(target=self._tick, name="watch", daemon=True)
        self._asked = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to look in time, where that is asked for."""
        if self._looks_in_time:
            self._clock.start()

    def close(self) -> None:
        """Look no more; a look that runs is ended."""
        self._stop.set()
        process = self._process
        if process is not None:
            with suppress(OSError):
                process.terminate()
        self._worker.shutdown(wait=True, cancel_futures=True)

    async def fresh(self, days: int = USUAL_DAYS) -> Seen:
        """What `monitor --json` prints, 5 s old at most when it was asked for.

        Raises:
            Refusal: 503, it could not look.
        """
        oldest = datetime.now(UTC) - FRESH
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._at_least, days, oldest, True)

    def last(self, newest: datetime | None = None, holder: int | None = None) -> KeptResult | None:
        """What the last look in time found; where it is too old, or there is none, a look is begun.

        Nobody waits for that look: whoever asks again later is told what it found.

        Args:
            newest: when the last logged prediction was asked for. A look that found none, and
                began before it, is soon too old.
            holder: the version that holds the alias. A look at another one is soon too old too.
        """
        kept = self._kept(USUAL_DAYS)
        now = datetime.now(UTC)
        oldest = now - timedelta(seconds=self._settings.monitor_every_seconds)
        if kept is not None and _is_overtaken(kept, newest, holder):
            oldest = max(oldest, now - OVERTAKEN_LOOK_LASTS)
        if (kept is None or kept.made_time < oldest) and self._asked.acquire(blocking=False):
            self._worker.submit(self._look_unasked, oldest)
        return kept

    def _look_unasked(self, oldest: datetime) -> None:
        """Look because somebody watches the page; one at a time, and not at once again."""
        try:
            self._at_least(USUAL_DAYS, oldest, False)
        except Refusal as refusal:
            log.debug("the traffic was not looked at: %s", _cause(refusal))
            self._stop.wait(PAUSE_AFTER_A_FAILURE)
        finally:
            self._asked.release()

    def _at_least(self, days: int, oldest: datetime, somebody_waits: bool) -> Seen:
        """A result of a look that began at `oldest` or later.

        Of those who wait, all share the next one.
        """
        kept = self._kept(days)
        if kept is not None and kept.made_time >= oldest:
            seen: Seen = json.loads(kept.content)
            return seen
        began = datetime.now(UTC)
        content = self._ask_monitor(days, somebody_waits)
        try:
            result = KeptResult(began, content)
            keep_result(self._open_log(), self._settings.model_name, _name(days), result)
        except PredictionLogError as error:
            log.warning("what was seen of the traffic is not kept: %s", error.what)
        looked: Seen = json.loads(content)
        return looked

    def _ask_monitor(self, days: int, somebody_waits: bool) -> str:
        """Run the command.

        Answers come first: it gives way to them, also where somebody waits for it.
        """
        command = [*shlex.split(self._settings.command), "monitor", "--json", "--days", str(days)]
        if not somebody_waits:  # a look in time is the one that tells
            command.append("--alert")
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            cwd=self._settings.project,
        )
        self._process = process
        give_way(process.pid, NICENESS_OF_A_LOOK)
        try:
            output, errors = process.communicate(timeout=LONGEST_LOOK)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise not_now("monitor_failed", "The traffic could not be looked at in time.") from None
        finally:
            self._process = None
        if self._stop.is_set():  # which ended it
            raise not_now("monitor_failed", "The service ends.")
        if process.returncode not in (0, ALERTS):
            last_lines = " ".join(errors.decode(errors="replace").splitlines()[-3:])
            words = last_lines or "it said nothing"
            failure = MonitorFailedError(f"monitor ended with {process.returncode}: {words}")
            log.warning("%s", failure)
            message = "The traffic could not be looked at; see the log."
            raise not_now("monitor_failed", message) from failure
        return output.decode()

    def _kept(self, days: int) -> KeptResult | None:
        try:
            return kept_result(self._open_log(), self._settings.model_name, _name(days))
        except PredictionLogError:
            return None

    # --- in time ----------------------------------------------------------------------------------
    def _tick(self) -> None:
        every = self._settings.monitor_every_seconds
        while not self._stop.wait(every):
            try:
                self._look_if_it_is_our_turn(every)
            except Refusal as refusal:
                if not self._stop.is_set():
                    log.warning("the traffic was not looked at: %s", _cause(refusal))
            except Exception as error:  # noqa: BLE001 - whatever it is, the thread must go on
                if not self._stop.is_set():
                    log.warning(
                        "the traffic was not looked at: %s: %s", type(error).__name__, error
                    )

    def _look_if_it_is_our_turn(self, every: float) -> None:
        """Look, or read what another copy saw; the gauges are told either way."""
        length = timedelta(seconds=2 * every)
        name = f"monitor {self._settings.model_name}"
        now = datetime.now(UTC)
        if take_lease(self._open_log(), name, this_process(), now=now, length=length):
            seen = self._worker.submit(self._at_least, USUAL_DAYS, now - FRESH, False).result()
        else:
            kept = self._kept(USUAL_DAYS)
            if kept is None:
                return
            seen, now = json.loads(kept.content), kept.made_time
        self._gauges.scored(_value(seen["realised"]), _value(seen["estimated"]), now)
        self._gauges.alerting({alert["kind"] for alert in seen["alerts"]})


def _is_overtaken(kept: KeptResult, newest: datetime | None, holder: int | None) -> bool:
    """Whether the first predictions, or another holder of the alias, came after a look."""
    seen: Seen = json.loads(kept.content)
    looked_at = seen.get("drift", {}).get("reference_version")
    if looked_at is not None and holder is not None and looked_at != holder:
        return True
    has_come_since = newest is not None and kept.made_time < newest
    return has_come_since and seen["predictions"] == 0


def _name(days: int) -> str:
    return f"last {days} days"


def _cause(refusal: Refusal) -> str:
    """What the log says: how `monitor` ended, where it did."""
    return str(refusal.__cause__ or refusal.message)


def _value(score: dict[str, Any] | None) -> float | None:
    return None if score is None else score["value"]
