"""`run`: one cycle, with its notices around it."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from retraining.commands import Answer
from retraining.cycle.gate import counts_of, what_waits
from retraining.cycle.job import Job
from retraining.errors import NOTHING_CHANGED, FolderGoneError, LockHeldError, RetrainingError
from retraining.failures import in_three_lines
from retraining.inbox import Inbox
from retraining.kill_points import kill_point
from retraining.local_state import LocalState
from retraining.outcomes import FileCounts, Outcome
from retraining.report.note import verdict_block
from retraining.serialisation import outcome_to_json
from retraining.sources import sources_of
from retraining.terminal import columns

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from datetime import datetime

    from retraining.logs import OpenLog
    from retraining.model_registry.interface import Registry
    from retraining.settings import Settings


def add_flags(command: argparse.ArgumentParser) -> None:
    """What a cycle can be told."""
    command.add_argument("--dry-run", action="store_true", help="decide everything, change nothing")
    command.add_argument(
        "--force",
        action="store_true",
        help="skip gate and trigger, judge again, try a lost attempt again",
    )
    command.add_argument(
        "--why", default="", metavar="TEXT", help="who asked and why, kept with the cycle"
    )


def answer(
    asked: argparse.Namespace,
    settings: Settings,
    open_log: OpenLog,
    run_cycle: Callable[[Job], Outcome],
) -> Answer:
    """Run one cycle and say how it ended."""
    job = new_job(settings, dry_run=asked.dry_run, force=asked.force)
    job.why = asked.why
    if asked.log_file is not None or job.sources or _notices_wanted(settings):
        open_log()  # these speak before the gate
    job.on_lock = lambda: _tell_the_start(settings, dry_run=asked.dry_run)
    job.on_begin = lambda: open_log().keep()
    job.log_lines = lambda: open_log().lines
    job.terminal = (
        sys.__stderr__
        if sys.__stderr__ is not None and sys.__stderr__.isatty() and not asked.quiet
        else None
    )
    failure: BaseException | None = None
    try:
        outcome = run_cycle(job)
        failure = job.source_error
        if failure is not None:
            outcome = replace(outcome, exit_code=in_three_lines(failure)[0])
    except BaseException as error:  # noqa: BLE001 - it goes on to the edge, with the cycle's object beside it
        failure = error
        _own_up(error, job)
        open_log().keep_failure(error)
        outcome = _failed(job, error)
    kill_point("before_notices")
    _tell_the_end(settings, outcome, open_log)
    return Answer(
        outcome_to_json(outcome),
        "" if outcome.ending == "failed" else verdict_block(outcome, columns(), settings.command),
        outcome.exit_code,
        failure,
    )


def _own_up(error: BaseException, job: Job) -> None:
    """An error is raised where nobody knows what was moved before: files that were refused stay refused."""
    if (
        isinstance(error, RetrainingError)
        and error.unchanged == NOTHING_CHANGED
        and job.quarantined
        and not job.dry_run
    ):
        refused = f"{len(job.quarantined)} refused file{'s' if len(job.quarantined) > 1 else ''}"
        error.unchanged = f"No alias moved; {refused} went to {job.settings.quarantine_dir} before that, no other file moved."


def _failed(job: Job, error: BaseException) -> Outcome:
    code, lines = in_three_lines(error)
    counts = FileCounts(archived=job.archived, quarantined=len(job.quarantined))
    if not isinstance(error, (FolderGoneError, LockHeldError)):
        with suppress(
            OSError, RetrainingError
        ):  # the first error is the one to tell; counting may meet the same full disk
            counts = counts_of(job, what_waits(job))
    return Outcome(
        "failed",
        lines[-3],
        exit_code=code,
        dry_run=job.dry_run,
        cycle_id=job.cycle_id,
        run_id=job.run_id,
        files=counts,
        seconds=job.seconds,
    )


def _notices_wanted(settings: Settings) -> bool:
    return any((settings.healthcheck_url, settings.webhook_url, settings.metrics_textfile))


def _tell_the_start(settings: Settings, *, dry_run: bool) -> None:
    if _notices_wanted(settings):
        from retraining import notices

        notices.send_start(settings, dry_run=dry_run)


def _tell_the_end(settings: Settings, outcome: Outcome, open_log: OpenLog) -> None:
    """Send the notices; a start that found nothing to do, with nobody to tell, imports nothing for that."""
    if (
        _notices_wanted(settings)
        or outcome.files.quarantined
        or outcome.ending not in ("unchanged", "too_few_files")
    ):
        from retraining import notices

        notices.send(settings, outcome, log_tail=open_log().lines[-20:])


def now() -> datetime:
    """The time, aware."""
    from datetime import UTC, datetime

    return datetime.now(UTC)


def new_job(settings: Settings, *, dry_run: bool = False, force: bool = False) -> Job:
    """A job on the real clock, folders and registry of a project."""
    state = LocalState(settings.state_dir)
    inbox = Inbox(settings, state, dry_run=dry_run)
    return Job(
        settings,
        state,
        inbox,
        lambda: open_registry(settings, dry_run=dry_run),
        now,
        dry_run,
        force,
        sources=sources_of(settings),
    )


def open_registry(settings: Settings, *, dry_run: bool = False) -> Registry:
    """The project's registry on MLflow; a dry run's writes go nowhere."""
    from retraining.model_registry.mlflow_registry import MlflowRegistry

    registry: Registry = MlflowRegistry(settings)
    if not dry_run:
        return registry
    from retraining.model_registry.dry_run import ReadOnlyRegistry

    return cast("Registry", ReadOnlyRegistry(registry))
