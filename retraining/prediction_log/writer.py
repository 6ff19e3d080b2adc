"""The one thread of a service that appends to the log: requests that wait are committed together,
each is told afterwards.

A caller is never kept for long. What cannot be committed within a second is taken out of the queue
and told `logged: false`; while the log is known to be unwell, nothing is queued at all, and the
thread looks every second whether it is well again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from retraining.kill_points import kill_point
from retraining.prediction_log.appending import append_all
from retraining.prediction_log.connection import (
    SERVICE,
    UNCHANGED,
    Patience,
    PredictionLogError,
    identity_of,
    open_database,
)
from retraining.prediction_log.layout import ensure_layout

if TYPE_CHECKING:
    from retraining.prediction_log.connection import Database
    from retraining.prediction_log.rows import AnsweredRequest

Why = Literal["full", "unwritable"]

LONGEST_WAIT = 1.0  # seconds that an answer waits for the log
MORE_FOR_A_ROW = (
    2e-4  # seconds: a request of thousands of rows is not given up while they are written
)
MOST_ROWS_WAITING = 50_000
MOST_BYTES_WAITING = 64 << 20
ROWS_AT_ONCE = 5_000  # of one commit, unless a single request has more
LOOK_AGAIN = 1.0  # seconds until a log that is unwell is tried again

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """What became of a request's rows: whether all of them are committed, and the ids that were
    known before.
    """

    logged: bool
    repeated_ids: tuple[str, ...] = ()
    why: Why | None = None  # where it is not logged


@dataclass(frozen=True)
class LogHealth:
    """How the log is: `problem` in our words where it is not ok.

    Counts of rows since this service started.
    """

    ok: bool
    problem: str | None
    queued: int
    dropped: int
    last_drop: float | None  # time.time()


class Observer(Protocol):
    """Who is told what happens to the log: metrics, alerts. Called from several threads."""

    def committed(self, rows: int, seconds: float) -> None:
        """Rows were committed, and how long the transaction took."""

    def dropped(self, rows: int, why: Why) -> None:
        """Rows were answered and not logged."""

    def turned_unwell(self, problem: str) -> None:
        """The log failed after it was well, or at the start."""

    def turned_well(self) -> None:
        """The log works again."""


class Unobserved:
    """An observer that nobody needs."""

    def committed(self, rows: int, seconds: float) -> None:
        """Nothing."""

    def dropped(self, rows: int, why: Why) -> None:
        """Nothing."""

    def turned_unwell(self, problem: str) -> None:
        """Nothing."""

    def turned_well(self) -> None:
        """Nothing."""


@dataclass(eq=False)
class _Waiting:
    request: AnsweredRequest
    future: Future[Written] = field(default_factory=Future)

    @property
    def rows(self) -> int:
        return len(self.request.prediction_ids)


class LogWriter:
    """Appends the answers of one service, for one model, to the log at `uri`.

    `start` it once, `stop` it at the end.
    """

    def __init__(
        self,
        uri: str,
        model_name: str,
        observer: Observer | None = None,
        *,
        patience: Patience = SERVICE,
    ) -> None:
        # A commit outlives any kill at once. To wait for the disk too takes several times as long
        # as an answer.
        self.database: Database = open_database(uri, patience, waits_for_the_disk=False)
        self.model_name = model_name
        self._observer: Observer = observer or Unobserved()
        self._queue: deque[_Waiting] = deque()
        self._rows_waiting = 0
        self._bytes_waiting = 0
        self._changed = threading.Condition()
        self._problem: str | None = "is not opened yet"
        self._warned_of: str | None = None
        self._file_seen: tuple[int, int] | None = None
        self._committing_since: float | None = None
        self._is_slow = False  # a caller gave up on the commit that is under way
        self._dropped = 0
        self._last_drop: float | None = None
        self._stopping = False
        self._first_look = threading.Event()
        self._thread = threading.Thread(target=self._work, name="prediction log", daemon=True)

    # --- for the service --------------------------------------------------------------------------
    def start(self) -> None:
        """Begin; the log is made or upgraded by the thread.

        Returns once it was looked at, or after two seconds.
        """
        self._thread.start()
        self._first_look.wait(2)

    async def append(self, request: AnsweredRequest) -> Written:
        """Append the rows of a request.

        Returns once they are committed, or cannot be within a second.

        Where the caller is told that they are not logged, they were taken out of the queue and are
        counted as dropped. A commit that was under way at that moment may still succeed.
        """
        waiting = self._enqueue(request)
        if not isinstance(waiting, _Waiting):
            return self._not_logged(request, waiting)
        try:
            # A time-out cancels the future, which takes the request out unless its commit is under
            # way.
            patience = LONGEST_WAIT + MORE_FOR_A_ROW * waiting.rows
            written = await asyncio.wait_for(asyncio.wrap_future(waiting.future), patience)
        except TimeoutError:
            self._is_slow = self._committing_since is not None
            return self._not_logged(request, "unwritable")
        return written if written.why is None else self._not_logged(request, written.why)

    def health(self) -> LogHealth:
        """How the log is now."""
        with self._changed:
            problem = self._problem_now()
            return LogHealth(
                problem is None, problem, self._rows_waiting, self._dropped, self._last_drop
            )

    def stop(self, seconds: float) -> bool:
        """Commit what waits, and end; False where that took longer than it may."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        ended = not self._thread.is_alive()
        if ended:
            self.database.close()
        return ended

    # --- the queue --------------------------------------------------------------------------------
    def _enqueue(self, request: AnsweredRequest) -> _Waiting | Why:
        waiting = _Waiting(request)
        with self._changed:
            if self._problem_now() is not None or self._stopping:
                return "unwritable"
            rows = self._rows_waiting + waiting.rows
            size = self._bytes_waiting + request.size
            # A request that is larger than the bound is taken where it is alone.
            if self._queue and (rows > MOST_ROWS_WAITING or size > MOST_BYTES_WAITING):
                return "full"
            self._rows_waiting, self._bytes_waiting = rows, size
            self._queue.append(waiting)
            self._changed.notify()
        return waiting

    def _problem_now(self) -> str | None:
        if self._is_slow and self._committing_since is not None:
            return f"The prediction log {self.database.shown} takes longer than a second to commit."
        return self._problem

    def _not_logged(self, request: AnsweredRequest, why: Why) -> Written:
        rows = len(request.prediction_ids)
        with self._changed:
            self._dropped += rows
            self._last_drop = time.time()
        self._observer.dropped(rows, why)
        return Written(logged=False, why=why)

    def _take(self) -> list[_Waiting]:
        """The requests of the next commit; those that were given up meanwhile are left out."""
        taken: list[_Waiting] = []
        rows = 0
        with self._changed:
            while self._queue and (not taken or rows + self._queue[0].rows <= ROWS_AT_ONCE):
                waiting = self._queue.popleft()
                self._rows_waiting -= waiting.rows
                self._bytes_waiting -= waiting.request.size
                if waiting.future.set_running_or_notify_cancel():
                    taken.append(waiting)
                    rows += waiting.rows
        return taken

    # --- the thread -------------------------------------------------------------------------------
    def _work(self) -> None:
        while self._wait_for_work():
            taken: list[_Waiting] = []
            try:
                self._commit_what_waits(taken)
            except PredictionLogError as error:
                self._turn_unwell(error.what, taken)
            except Exception as error:  # noqa: BLE001 - the thread must live, whatever a row held
                # Its message may quote a caller's values.
                problem = f"The prediction log failed with {type(error).__name__}."
                self._turn_unwell(problem, taken)
            self._first_look.set()

    def _wait_for_work(self) -> bool:
        """Until there is something to do; False at the end."""
        with self._changed:
            if self._problem is not None and self._first_look.is_set() and not self._stopping:
                self._changed.wait(LOOK_AGAIN)
            while self._problem is None and not self._queue and not self._stopping:
                self._changed.wait()
            return bool(self._queue) or not self._stopping

    def _commit_what_waits(self, taken: list[_Waiting]) -> None:
        if self._problem is not None or self._is_another_file():
            self._open()
        # The lock comes before the rows: who waits for it can still be given up.
        with self.database.writing() as connection:
            taken += self._take()
            self._is_slow = False
            start = self._committing_since = time.monotonic()
            requests = [waiting.request for waiting in taken]
            repeated = append_all(connection, self.model_name, requests)
            kill_point("log_before_commit")
        kill_point("log_after_commit")
        seconds = time.monotonic() - start
        if self._is_another_file():
            raise PredictionLogError(
                f"The prediction log {self.database.shown} was moved away or removed.",
                unchanged=UNCHANGED,
                remedy="Nothing needs to be done: a new one is made.",
            )
        self._committing_since = None
        self._turn_well()
        if taken:
            self._warned_of = None
            # before anybody is told, so that no metric is older than an answer
            self._observer.committed(sum(waiting.rows for waiting in taken), seconds)
        for waiting, ids in zip(taken, repeated, strict=True):
            waiting.future.set_result(Written(logged=True, repeated_ids=ids))

    def _open(self) -> None:
        was_lost = self._file_seen is not None and self._is_another_file()
        self.database.close()
        ensure_layout(self.database)
        if self.database.file is not None:
            self._file_seen = identity_of(self.database.file)
        if was_lost:
            words = "was moved away or removed: rows go to another file of that name now."
            log.warning("The prediction log %s %s", self.database.shown, words)

    def _is_another_file(self) -> bool:
        """Whether the file was removed or replaced: sqlite would go on writing to the one that
        nobody sees.
        """
        return self.database.file is not None and identity_of(self.database.file) != self._file_seen

    def _turn_well(self) -> None:
        with self._changed:
            was, self._problem = self._problem, None
        if was is not None:
            self._observer.turned_well()

    def _turn_unwell(self, problem: str, taken: list[_Waiting]) -> None:
        with self._changed:
            was_told = self._problem is not None and self._first_look.is_set()
            self._problem, self._committing_since = problem, None
            given_up = [*taken, *self._queue]
            self._queue.clear()
            self._rows_waiting = self._bytes_waiting = 0
        for waiting in given_up:
            if waiting.future.running() or waiting.future.set_running_or_notify_cancel():
                waiting.future.set_result(Written(logged=False, why="unwritable"))
        if was_told:
            return
        self._observer.turned_unwell(problem)
        if problem != self._warned_of:  # a full disk looks well to whoever writes nothing
            log.warning("%s Answers are given and not logged until it works again.", problem)
            self._warned_of = problem
