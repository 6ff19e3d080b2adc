"""What a Dask worker does: a cycle, in a child of the process beside it, or a play, in its own
thread.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING

from retraining.engines import forker
from retraining.folders.lock import is_held
from retraining.settings import STATE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.engines.forker import Answer, Request
    from retraining.replay.history import Cut, History
    from retraining.replay.judging import Play
    from retraining.replay.policies import Lineup

NAMED = (
    "mlflow", "scikit-learn", "pandas", "numpy", "scipy", "pyarrow", "cloudpickle", "xgboost-cpu",
)  # fmt: skip
PATIENCE = 5.0  # seconds for the end of a try whose worker is gone
_here = threading.local()
_all: list[Forker] = []
_one_play_at_a_time = threading.Lock()  # a recipe's modules and its output are the process's
_stopped: set[str] = set()


@dataclass(frozen=True)
class Site:
    """Where a worker is, and what is installed there: what must be equal, and what need not be."""

    host: str
    versions: Mapping[str, str]


def site() -> Site:
    """Where this process is."""
    import platform

    import retraining

    versions = {"Python": platform.python_version(), "retraining": retraining.__version__}
    for name in NAMED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "none"
    return Site(socket.gethostname(), versions)


# --- cycles ---------------------------------------------------------------------------------------


class Forker:
    """The process beside this thread that forks."""

    def __init__(self, lent: Mapping[str, str]) -> None:
        start = forker.start_line()
        self._process = subprocess.Popen(
            [*start["args"], json.dumps(dict(lent))],
            cwd=start["cwd"],
            env={**os.environ, **lent},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        _all.append(self)

    def serve(self, request: Request) -> Answer:
        """Have a start made.

        Raises:
            OSError: the process is gone; the task may be run again.
        """
        self.say(json.dumps(asdict(request)))
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ChildProcessError("the process that forks is gone")
        return forker.Answer(**json.loads(line))

    def say(self, line: str) -> None:
        """Send it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    @property
    def is_alive(self) -> bool:
        """Whether it still serves."""
        return self._process.poll() is None


def run_start(token: str, request: Request, lent: Mapping[str, str]) -> Answer:
    """Make a start; one that was to be stopped before it began is not made."""
    if token in _stopped:
        return forker.Answer(-signal.SIGTERM, "", "", 0.0, had_begun=False)
    mine: Forker | None = getattr(_here, "forker", None)
    if mine is None or not mine.is_alive:
        mine = _here.forker = Forker(lent)
    _wait_for_an_earlier_try(Path(request.project) / STATE_FOLDER)
    return mine.serve(request)


def _wait_for_an_earlier_try(state: Path) -> None:
    """A task that was lost with its worker may still hold the project's lock for a moment."""
    until = time.monotonic() + PATIENCE
    while state.is_dir() and is_held(state) and time.monotonic() < until:
        time.sleep(0.1)


def stop_starts(token: str) -> None:
    """End what runs here in order, and begin no more of this fleet's."""
    _stopped.add(token)
    for one in _all:
        if one.is_alive:
            one.say(forker.STOP)


# --- plays ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlayTask:
    """What one play, or the yardsticks of one offset, needs beside the history."""

    cut: Cut
    lineup: Lineup
    recipe: Path
    scratch: Path
    files_per_cycle: int
    days_per_cycle: float


def play(task: PlayTask, history: History) -> dict[str, Play]:
    """Play it; name -> play."""
    from retraining.replay.replaying import Stage, play_from

    run_cycle = import_module("pipeline_orchestrator").run_cycle
    stage = Stage(
        run_cycle,
        history,
        task.recipe,
        _folder_here(task.scratch),
        task.files_per_cycle,
        task.days_per_cycle,
        keeps_files=True,
    )
    with _one_play_at_a_time:
        return play_from(task.cut, task.lineup, stage)


@cache
def _folder_here(scratch: Path) -> Path:
    """A folder for all plays of a replay in this process: in its own scratch, if that is to be seen
    here.
    """
    if scratch.is_dir():
        folder = scratch / f"{socket.gethostname()}-{os.getpid()}"
        folder.mkdir(exist_ok=True)
        return folder
    own = Path(tempfile.mkdtemp(prefix="replay-"))
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return own
