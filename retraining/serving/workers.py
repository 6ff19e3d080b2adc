"""Several processes that answer on one socket.

Started together, restarted one by one, ended together.

The parent imports what they share, forks, and never answers itself. The port is listened on once
every worker has its model or has found none: until then each waits at a barrier. A worker whose
parent is gone ends too.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retraining.errors import RetrainingError
from retraining.logs import log

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    Barrier = Callable[[], None]
    Serve = Callable[[int, Barrier], None]

SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client looks for it when it is imported
SECONDS_TO_END = 15.0
SECONDS_BETWEEN_LOOKS = 0.1
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0  # before a worker that ended by itself is started again
MOST_FAILED_STARTS = 5


class WorkersFailedError(RetrainingError):
    """No worker gets as far as answering."""


@contextmanager
def shared_metrics() -> Iterator[None]:
    """A folder in which workers count; to be made before prometheus-client is imported."""
    folder = tempfile.mkdtemp(prefix="retraining-metrics-")
    os.environ[SHARED_METRICS] = folder
    try:
        yield
    finally:
        del os.environ[SHARED_METRICS]
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Worker:
    number: int
    pid: int
    ready: bool = False
    failed_starts: int = 0


@dataclass
class Workers:
    """The parent of the workers.

    Args:
        count: how many there are.
        listener: the socket that they answer on; the parent closes it first when all is to end.
        serve: answers until SIGTERM; told the worker's number, and the barrier to wait at before it
            listens.
    """

    count: int
    listener: socket.socket
    serve: Serve
    _workers: dict[int, _Worker] = field(default_factory=dict)
    _waiting: list[tuple[float, int, int]] = field(default_factory=list)
    _ending: bool = False

    def run(self) -> None:
        """Keep the workers running until SIGTERM or Ctrl-C, then let them finish.

        Raises:
            WorkersFailedError: one ended again and again before it could answer.
        """
        self._ready_in, self._ready_out = os.pipe()
        self._barrier_in, self._barrier_out = os.pipe()
        self._life_in, self._life_out = os.pipe()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signal_number, self._end)
        for number in range(self.count):
            self._fork(number)
        try:
            while not self._ending:
                self._hear_who_is_ready()
                self._look_who_ended()
                self._start_again()
        finally:
            self._end_all()

    def _end(self, _number: int, _frame: object) -> None:
        self._ending = True

    def _fork(self, number: int, failed_starts: int = 0) -> None:
        pid = os.fork()
        if pid:
            self._workers[pid] = _Worker(number, pid, failed_starts=failed_starts)
            return
        code = 1
        try:
            self._be_a_worker(number)
            code = 0
        except BaseException as error:  # noqa: BLE001 - the edge of the process
            log.error("worker %d failed: %s: %s", number, type(error).__name__, error)
        finally:
            os._exit(code)

    def _be_a_worker(self, number: int) -> None:
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signal_number, signal.SIG_DFL)
        for parents in (self._ready_in, self._barrier_out, self._life_out):
            with suppress(OSError):  # the barrier is open, and its end closed, once all were ready
                os.close(parents)
        threading.Thread(target=self._end_with_the_parent, daemon=True).start()
        self.serve(number, self._wait_at_the_barrier)

    def _wait_at_the_barrier(self) -> None:
        os.write(self._ready_out, os.getpid().to_bytes(4))
        os.read(self._barrier_in, 1)  # ends when the parent closes its end

    def _end_with_the_parent(self) -> None:
        os.read(self._life_in, 1)  # ends when the parent does
        os.kill(os.getpid(), signal.SIGTERM)

    def _hear_who_is_ready(self) -> None:
        heard, _, _ = select.select([self._ready_in], [], [], SECONDS_BETWEEN_LOOKS)
        if not heard:
            return
        pid = int.from_bytes(os.read(self._ready_in, 4))
        if pid in self._workers:
            self._workers[pid].ready = True
        all_are = len(self._workers) == self.count
        if all_are and all(worker.ready for worker in self._workers.values()):
            with suppress(OSError):  # it is open already where a worker was started again
                os.close(self._barrier_out)

    def _look_who_ended(self) -> None:
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            worker = self._workers.pop(pid, None)
            if worker is None:  # in a container we are process 1, which orphans are handed to
                continue
            self._forget_gauges(pid)
            failed = 0 if worker.ready else worker.failed_starts + 1
            log.error("worker %d ended (%s)", worker.number, _how(status))
            if failed >= MOST_FAILED_STARTS:
                raise WorkersFailedError(
                    f"Worker {worker.number} ended {failed} times before it could answer.",
                    unchanged="No alias moved, no file moved.",
                    remedy="The log above says why; start again with --workers 1 -v to see more.",
                )
            pause = min(FIRST_PAUSE * 2**failed, LONGEST_PAUSE)
            self._waiting.append((time.monotonic() + pause, worker.number, failed))

    def _start_again(self) -> None:
        due = [one for one in self._waiting if one[0] <= time.monotonic()]
        for one in due:
            self._waiting.remove(one)
            self._fork(one[1], failed_starts=one[2])

    def _end_all(self) -> None:
        """Take no more connections, ask all to end, and make those that do not."""
        self.listener.close()
        self._signal_all(signal.SIGTERM)
        deadline = time.monotonic() + SECONDS_TO_END
        while self._workers and time.monotonic() < deadline:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            self._workers.pop(pid, None)
            if not pid:
                time.sleep(SECONDS_BETWEEN_LOOKS)
        self._signal_all(signal.SIGKILL)

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self._workers:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _forget_gauges(self, pid: int) -> None:
        """What a worker counted stays; what it was like is over."""
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
