"""The cycles of a fleet on an engine's workers."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from retraining import settings
from retraining.engines import on_dask, worker
from retraining.engines.forker import Request
from retraining.errors import RetrainingError, UsageError
from retraining.fleet.children import Ended

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from distributed import Future

    from retraining.engines.on_dask import Engine
    from retraining.fleet.children import Children

# Dask sets these for its workers; a start takes over what stands here.
OF_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MALLOC_TRIM_THRESHOLD_",
)


def each_end(
    named: str,
    words: Sequence[str],
    lent: Mapping[str, str],
    projects: Sequence[Path],
    env_file: Path | None,
    children: Children,
) -> Iterator[Ended]:
    """Start each project on some worker, and yield how it ended, as it ends.

    Args:
        named: ENGINE.
        words: of each start, but for its project.
        lent: what a start adds to the environment before packages load.
        projects: seen by every worker at the same path.
        env_file: the settings file that was named in place of the projects' own.
        children: that know whether a signal asked for an end.

    Raises:
        EngineUnreachableError: there is no scheduler, or it was lost.
        OtherVersionsError: its workers have other versions of packages.
        Stopped: a signal came before there was a scheduler.
    """
    with on_dask.engine(named, children.raise_if_stopped) as workers:
        token = secrets.token_hex(8)
        sendable = []
        for project in projects:
            refusal = None if workers.is_here else _why_not_elsewhere(project, env_file)
            if refusal is None:
                sendable.append(project)
            else:
                yield Ended.by_error(project, refusal)
        sent = [
            workers.submit(worker.run_start, token, _request(project, words, workers), dict(lent))
            for project in sendable
        ]
        stop = _Stop(workers, token, children)
        for place in workers.ended(sent, stop.if_asked):
            yield _end_of(sendable[place], sent[place], children)


class _Stop:
    """Passes a signal on to the workers, once."""

    def __init__(self, workers: Engine, token: str, children: Children) -> None:
        self._workers, self._token, self._children = workers, token, children
        self._was_told = False

    def if_asked(self) -> None:
        if self._children.stopped_by is not None and not self._was_told:
            self._was_told = True
            self._workers.on_every_worker(worker.stop_starts, self._token)


def _request(project: Path, words: Sequence[str], workers: Engine) -> Request:
    ours = {*settings.SETTING_NAMES, *OF_THREADS}
    environment = {name: value for name, value in os.environ.items() if name in ours}
    unset = tuple(sorted(ours - environment.keys()))
    cycles = max(workers.hosts.values())
    folder = str(project.resolve())
    return Request(folder, (*words, "--project", folder), environment, unset, cycles)


def _why_not_elsewhere(project: Path, env_file: Path | None) -> UsageError | None:
    """Why a project cannot be worked on by another machine.

    None where it can, or where its start will tell.
    """
    try:
        store = settings.load(project, os.environ, env_file).mlflow_tracking_uri
    except (RetrainingError, OSError):
        return None
    if not store.startswith("sqlite"):
        return None
    return UsageError(
        f"{project}: workers on other machines cannot share a sqlite store.",
        remedy="Set MLFLOW_TRACKING_URI to a server or a PostgreSQL database, or ENGINE=dask.",
    )


def _end_of(project: Path, task: Future, children: Children) -> Ended:
    error = task.exception()
    if error is not None:
        reason = f"Its task failed on the workers: {type(error).__name__}: {error}"
        return Ended(project, 1, err=f"{reason}\n", reason=reason)
    answer = task.result()
    if not answer.had_begun and children.stopped_by is not None:
        return Ended.before_its_start(project, children.stopped_by)
    return Ended(project, answer.code, answer.out, answer.err, answer.seconds)
