"""Cycles that the service starts: processes of their own that go on when it ends.

Each runs under the job's own lock, so that it is never a second copy of a cycle.

What a cycle prints is kept in `.retraining/jobs/<job_id>.json`. Its process holds a kernel lock on
that file for as long as it lives, however it ends, so any worker, and a service that was started
again, can tell whether it runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from retraining.folders.lock import is_held
from retraining.logs import log
from retraining.report.live.material import CycleJob
from retraining.serving.refusals import Refusal, not_now
from retraining.serving.requests import time_ordered_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.settings import Settings

JOBS_KEPT = 100
NICENESS = 10  # answers come first
# Of a look at the log: beside one at 10, answers took longer than beside one at 5, as measured.
NICENESS_OF_A_LOOK = 5
OOM_SCORE = 500  # where memory is short, the cycle goes before the service
LONGEST_WHY = 500  # characters
LAST_LINES = 4000  # bytes of what a job said that are looked at
_LOG_HEAD = re.compile(r"^\d{4}-\d\d-\d\dT\S+ [A-Z]+ +")  # time and level of a line
_JOB_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class JobState:
    """How a started cycle is; the last four are None while it runs."""

    state: Literal["running", "ended"]
    ending: str | None = None
    exit_code: int | None = None
    reason: str | None = None
    cycle_id: str | None = None


class Jobs:
    """Starts cycles and tells how they went.

    Args:
        settings: of the project.
        environment: what a cycle's process gets.
    """

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = dict(environment)
        self._folder = settings.state_dir / "jobs"
        self._starting = threading.Lock()

    def start(self, *, force: bool = False, why: str = "") -> str:
        """Start a cycle; the job's id.

        Raises:
            Refusal: 409, a cycle runs already; 503, the project's folder cannot be written, or no
                process could be started.
        """
        with self._starting:
            if is_held(self._settings.state_dir) or self._one_of_ours_runs():
                raise Refusal(409, "cycle_runs", "A cycle is running; ask again when it has ended.")
            job_id = time_ordered_id()
            try:
                self._forget_old_ones()
                process = self._start_process(self._path(job_id), force=force, why=why)
            except OSError as error:
                log.error("no cycle could be started: %s", error)
                message = "No cycle could be started; the service's log says why."
                raise not_now("cycle_not_started", message) from error
        log.info("job %s: a cycle started as process %d", job_id, process.pid)
        threading.Thread(target=process.wait, name=f"job {job_id}", daemon=True).start()
        return job_id

    def state(self, job_id: str) -> JobState | None:
        """How a job is, or None where there is no such job (any more)."""
        if not _JOB_ID.fullmatch(job_id):
            return None
        try:
            with self._path(job_id).open("rb") as output:
                if _is_locked(output.fileno()):
                    return JobState("running")
                return _ended(output.read())
        except FileNotFoundError:
            return None

    def newest(self) -> CycleJob | None:
        """The cycle that was started last, and the last line that it wrote; None where none was."""
        for path in sorted(self._folder.glob("*.json"), reverse=True)[:1]:
            state = self.state(path.stem)
            if state is not None:
                said = _last_line(path.with_suffix(".err"))
                return CycleJob(
                    job_id=path.stem,
                    state=state.state,
                    started=_time_in(path.stem),
                    said=said,
                    ending=state.ending,
                    exit_code=state.exit_code,
                    reason=state.reason,
                    cycle_id=state.cycle_id,
                )
        return None

    @property
    def any_cycle_runs(self) -> bool:
        """Whether a cycle runs on the project, whoever started it."""
        return is_held(self._settings.state_dir)

    def _start_process(self, output: Path, *, force: bool, why: str) -> subprocess.Popen[bytes]:
        words = [*shlex.split(self._settings.command), "run", "--json"]
        if force:
            words.append("--force")
        if why:
            words += ["--why", why]
        with output.open("wb") as result, output.with_suffix(".err").open("wb") as errors:
            fcntl.flock(result, fcntl.LOCK_EX)  # the process inherits it with its stdout
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=result,
                stderr=errors,
                env=self._environment,
                cwd=self._settings.project,
                start_new_session=True,  # neither Ctrl-C nor the service's end reaches it
            )
        give_way(process.pid)
        return process

    def _one_of_ours_runs(self) -> bool:
        """Whether a job has started that may not have reached the project's lock yet."""
        newest = sorted(self._folder.glob("*.json"))[-1:]
        states = [self.state(path.stem) for path in newest]
        return any(state is not None and state.state == "running" for state in states)

    def _forget_old_ones(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._folder.glob("*.json"))[: 1 - JOBS_KEPT]:
            path.unlink(missing_ok=True)
            path.with_suffix(".err").unlink(missing_ok=True)

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"


class Clockwork:
    """Starts a cycle every so many seconds, for places without cron."""

    def __init__(self, jobs: Jobs, seconds: float) -> None:
        self._jobs = jobs
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="clockwork", daemon=True)
        self.next_start: datetime | None = None

    def start(self) -> None:
        """Begin to count."""
        self._thread.start()

    def close(self) -> None:
        """Start no more; a cycle that runs goes on."""
        self._stop.set()

    def _tick(self) -> None:
        while not self._waited():
            try:
                self._jobs.start(why="CYCLE_EVERY_SECONDS")
            except Refusal as refusal:
                log.debug("no cycle was started: %s", refusal.message)

    def _waited(self) -> bool:
        """Wait until the next start is due; whether there shall be none any more."""
        self.next_start = datetime.now(UTC) + timedelta(seconds=self._seconds)
        return self._stop.wait(self._seconds)


def _time_in(job_id: str) -> datetime:
    """When a job was started: its id begins with the milliseconds since 1970."""
    return datetime.fromtimestamp(int(job_id[:12], 16) / 1000, UTC)


def _last_line(path: Path) -> str:
    """The last line that a job wrote to its standard error, without its time.

    A long file is not read whole.
    """
    try:
        with path.open("rb") as said:
            said.seek(max(0, path.stat().st_size - LAST_LINES))
            lines = said.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    written = [line.strip() for line in lines if line.strip()]
    return _LOG_HEAD.sub("", written[-1]) if written else ""


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _ended(output: bytes) -> JobState:
    try:
        outcome = json.loads(output)
        return JobState(
            "ended", outcome["ending"], outcome["exit_code"], outcome["reason"], outcome["cycle_id"]
        )
    except (ValueError, KeyError, TypeError):
        reason = (
            "Its process was ended before it could report; the next start finishes or undoes what"
            " it began."
        )
        return JobState("ended", "failed", None, reason)


def give_way(pid: int, niceness: int = NICENESS) -> None:
    """Lower the priority of a process; where the platform does not let us, it runs as it is."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(OOM_SCORE))
