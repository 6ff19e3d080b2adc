"""The children of a fleet: so many at once, each waited for, and all reached by a signal."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from retraining.console.failures import AGAIN
from retraining.errors import RetrainingError
from retraining.fleet.child import fork_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        code: its exit code; a negative one is the signal that ended it, with a minus.
        out: what it printed on stdout.
        err: what it printed on stderr.
        seconds: from its start to its end.
        reason: why it was not started, or its end is not known; empty elsewhere.
    """

    project: Path
    code: int
    out: str = ""
    err: str = ""
    seconds: float = 0.0
    reason: str = ""

    @classmethod
    def by_error(cls, project: Path, error: RetrainingError, code: int | None = None) -> Ended:
        """One that was not started, or whose end is not known, because of an error.

        `code` is its exit code where the error's own is not meant.
        """
        said = "".join(f"{line}\n" for line in error.lines())
        code = error.exit_code if code is None else code
        return cls(project, code, err=said, reason=error.what)

    @classmethod
    def before_its_start(cls, project: Path, by: signal.Signals) -> Ended:
        """One that a signal came before: nothing of it had begun."""
        what = f"Interrupted by {in_words(by)} before it was started."
        return cls.by_error(project, RetrainingError(what, remedy=AGAIN), -by)


def in_words(by: signal.Signals) -> str:
    """A signal as people know it."""
    return "Ctrl-C" if by == signal.SIGINT else by.name


class Stopped(KeyboardInterrupt):
    """A signal asked for an end; a KeyboardInterrupt, so that nothing on the way takes it for an
    error of its own.
    """

    def __init__(self, by: signal.Signals) -> None:
        super().__init__()
        self.by = by


@dataclass(frozen=True)
class _Running:
    project: Path
    began: float
    out: IO[bytes]
    err: IO[bytes]


class Children:
    """Those that run now."""

    def __init__(self) -> None:
        self._running: dict[int, _Running] = {}
        self.stopped_by: signal.Signals | None = None  # start no more

    def __len__(self) -> int:
        return len(self._running)

    @contextmanager
    def reached_by_signals(self) -> Iterator[None]:
        """Pass SIGTERM, SIGINT and SIGHUP on to every child meanwhile.

        One that is ignored stays so.
        """
        before = {number: signal.getsignal(number) for number in PASSED_ON}
        heeded = [number for number in PASSED_ON if before[number] is not signal.SIG_IGN]
        for number in heeded:
            signal.signal(number, self._pass_on)
        try:
            yield
        finally:
            for number in heeded:
                signal.signal(number, before[number])

    def start(self, project: Path, live: Callable[[], int]) -> None:
        """Fork a child that does `live`, its output kept aside.

        Raises:
            OSError: the machine has no room for its process or its output.
        """
        out = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the child's end
        err = tempfile.TemporaryFile()  # noqa: SIM115 - as is this
        before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
        try:
            pid = fork_child(live, out, err, PASSED_ON)
            self._running[pid] = _Running(project, time.monotonic(), out, err)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def wait_for_one(self) -> Ended:
        """Wait until a child ends."""
        pid, status = os.wait()
        while pid not in self._running:  # a child of whoever became this process
            pid, status = os.wait()
        child = self._running.pop(pid)
        seconds = time.monotonic() - child.began
        code = os.waitstatus_to_exitcode(status)
        return Ended(child.project, code, _text_of(child.out), _text_of(child.err), seconds)

    def raise_if_stopped(self) -> None:
        """Raise `Stopped` where a signal came, for whoever waits while no child runs."""
        if self.stopped_by is not None:
            raise Stopped(self.stopped_by)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        self.stopped_by = signal.Signals(number)
        for pid in list(self._running):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, number)


def _text_of(stream: IO[bytes]) -> str:
    with stream:
        stream.seek(0)
        return stream.read().decode("utf-8", "backslashreplace")
