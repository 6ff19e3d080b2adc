"""`run`: one cycle, with its notices around it."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.console.failures import in_three_lines
from retraining.cycle.gate import counts_of, what_waits
from retraining.cycle.job import Hooks, Job
from retraining.errors import NOTHING_CHANGED, FolderGoneError, LockHeldError, RetrainingError
from retraining.folders.failed_start import forget_failed_start, note_begun_start, note_failed_start
from retraining.outcomes import Failure, FileCounts, Outcome
from retraining.project import utc_now
from retraining.serialisation import outcome_to_json
from retraining.settings import spelled_out

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import TextIO

    from retraining.logs import OpenLog
    from retraining.settings import Settings


def add_flags(command: argparse.ArgumentParser) -> None:
    """What a cycle can be told."""
    command.add_argument("--dry-run", action="store_true", help="decide everything, change nothing")
    command.add_argument(
        "--force",
        action="store_true",
        help="skip gate and trigger, judge all files again, repeat an attempt that lost",
    )
    command.add_argument(
        "--why", default="", metavar="TEXT", help="who asked and why, kept with the cycle"
    )


def answer(
    args: argparse.Namespace,
    settings: Settings,
    open_log: OpenLog,
    run_cycle: Callable[[Job], Outcome],
) -> Answer:
    """Run one cycle and say how it ended."""
    hooks = Hooks(
        on_lock=lambda: _tell_the_start(settings, dry_run=args.dry_run),
        on_begin=lambda: _note_the_beginning(settings, open_log, dry_run=args.dry_run),
        log_lines=lambda: open_log().lines,
    )
    job = Job.open(
        settings,
        read_only=args.dry_run,
        dry_run=args.dry_run,
        force=args.force,
        why=args.why,
        hooks=hooks,
        terminal=None if args.quiet else _terminal(),
    )
    speaks_before_the_gate = job.sources or job.dry_run or _notices_wanted(settings)
    if args.log_file is not None or speaks_before_the_gate:
        open_log()
    failure: BaseException | None = None
    try:
        outcome = run_cycle(job)
        failure = job.tally.source_error
        if failure is not None:
            code = in_three_lines(failure)[0]
            outcome = outcome._replace(exit_code=code, failure=_told(failure, settings))
    except BaseException as error:  # noqa: BLE001
        # it goes on to the edge, with the cycle's object beside it
        failure = error
        _own_up(error, job)
        open_log().keep_failure(error)
        outcome = _failed(job, error)
    _note_the_end(settings, job, failure)
    _tell_the_end(settings, outcome, open_log)
    is_read = not (args.json or args.quiet)
    text = _in_words(outcome, settings) if is_read else ""
    return Answer(outcome_to_json(outcome), text, outcome.exit_code, failure)


def _in_words(outcome: Outcome, settings: Settings) -> str:
    """The end for a terminal; a failure is told by its three lines."""
    if outcome.ending == "failed":
        return ""
    from retraining.console.terminal import columns
    from retraining.report.note import verdict_block

    return verdict_block(outcome, columns(), settings.command)


def _terminal() -> TextIO | None:
    """Where a person watches; None where nobody does."""
    stderr = sys.__stderr__
    return stderr if stderr is not None and stderr.isatty() else None


def _note_the_beginning(settings: Settings, open_log: OpenLog, *, dry_run: bool) -> None:
    """The start passed the gate: its log is kept, and should it be killed, `status` tells that."""
    open_log().keep()
    if not dry_run:
        note_begun_start(settings.state_dir, utc_now())


def _note_the_end(settings: Settings, job: Job, failure: BaseException | None) -> None:
    """Keep what `status` and `history` say of a start that failed.

    A dry run is not one that counts.
    """
    if job.dry_run:
        return
    if failure is None:
        forget_failed_start(settings.state_dir)
        return
    from retraining.masking import without_secrets

    code = in_three_lines(failure)[0]
    told = _told(failure, settings)
    what, remedy = (without_secrets(text, settings.secrets()) for text in told)
    note_failed_start(settings.state_dir, job.now(), code, what, remedy)


def _told(error: BaseException, settings: Settings) -> Failure:
    """What stderr says of an error, its commands as they are typed for this project."""
    what, _, advice = in_three_lines(error)[1][-3:]
    return Failure(what, spelled_out(advice, settings))


def _own_up(error: BaseException, job: Job) -> None:
    """An error is raised where nobody knows what was moved before: files that were exported or
    refused stay where they are.
    """
    if job.dry_run or not isinstance(error, RetrainingError):
        return
    from retraining.phrases import how_many

    moved = []
    if job.tally.exported:
        exported = how_many(job.tally.exported, "exported file")
        moved.append(f"{exported} went to {job.settings.new_data_dir}")
    if job.tally.refused:
        refused = how_many(len(job.tally.refused), "refused file")
        moved.append(f"{refused} went to {job.settings.quarantine_dir}")
    if moved and error.unchanged == NOTHING_CHANGED:
        before = " and ".join(moved)
        error.unchanged = f"No alias moved; {before} before that, no other file moved."


def _failed(job: Job, error: BaseException) -> Outcome:
    code, lines = in_three_lines(error)
    counts = FileCounts(archived=job.tally.archived, quarantined=len(job.tally.refused))
    if not isinstance(error, (FolderGoneError, LockHeldError)):
        # the first error is the one to tell; counting may meet the same full disk
        with suppress(OSError, RetrainingError):
            counts = counts_of(job, what_waits(job))
    return Outcome(
        "failed",
        lines[-3],
        exit_code=code,
        dry_run=job.dry_run,
        cycle_id=job.tally.cycle_id,
        run_id=job.tally.run_id,
        files=counts,
        seconds=job.tally.seconds,
        failure=_told(error, job.settings),
    )


def _notices_wanted(settings: Settings) -> bool:
    return any((settings.healthcheck_url, settings.webhook_url, settings.metrics_textfile))


def _tell_the_start(settings: Settings, *, dry_run: bool) -> None:
    if _notices_wanted(settings):
        from retraining import notices

        notices.send_start(settings, dry_run=dry_run)


def _tell_the_end(settings: Settings, outcome: Outcome, open_log: OpenLog) -> None:
    """Send the notices.

    A start that found nothing to do, with nobody to tell, imports nothing for that.
    """
    if (
        _notices_wanted(settings)
        or outcome.files.quarantined
        or outcome.exit_code  # a source failed, though too few files waited
        or outcome.ending not in ("unchanged", "too_few_files")
    ):
        from retraining import notices

        notices.send(settings, outcome, log_tail=open_log().lines[-20:])
