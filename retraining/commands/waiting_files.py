"""What waits in the inbox, read as a dry run reads it, for a limited time. Part of `check`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from retraining.commands.problems import Problem
from retraining.cycle.claiming import claim_and_validate
from retraining.cycle.job import Job
from retraining.decisions import enough_files
from retraining.errors import EveryFileRefusedError, RetrainingError
from retraining.phrases import first_few, how_many
from retraining.records import DataFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from retraining.inbox import Waiting
    from retraining.records import Schema
    from retraining.settings import Settings

SECONDS = 20.0  # of reading; `run --dry-run` reads everything
BYTES_A_SECOND = 10e6  # read, typed and checked, before any was measured
SHOWN = 5
WHERE = "new_data"
NOT_MOVED_YET = (
    "Mend the files where they lie, or their producer; if the columns changed on purpose, "
    "docs/columns.md says how to register the next version."
)


def look_at_waiting_files(
    settings: Settings, waiting: Waiting, schema: Schema
) -> Iterator[Problem]:
    """Say what a cycle would refuse, and whether it would end for it.

    With a closed gate it would not.

    Args:
        settings: of the project, which is only read.
        waiting: what stands in the inbox.
        schema: how production reads files.
    """
    job = Job.open(settings, read_only=True, dry_run=True)
    is_open = enough_files(len(waiting.fresh), settings).act
    first = "" if is_open else "Once the gate opens: "
    read = _read_within(SECONDS, job, waiting.fresh, schema)
    whole = len(read) == len(waiting.fresh)
    try:
        claim_and_validate(job, waiting._replace(fresh=read), schema)
    except RetrainingError as error:
        if whole or not isinstance(error, EveryFileRefusedError):
            code = error.exit_code if is_open else 0
            all_refused = isinstance(error, EveryFileRefusedError)
            remedy = NOT_MOVED_YET if all_refused else error.remedy
            yield Problem(first + error.what, WHERE, remedy, code)
            return
    finally:
        job.inbox.release()
    yield from _refused(job, read, first)
    if not whole:
        left = [name for name in waiting.fresh if name not in read]
        what = (
            f"{len(left):,} of {len(waiting.fresh):,} waiting files were not read within"
            f" {SECONDS:g} s: {first_few(left, SHOWN)}."
        )
        command = "`python pipeline_orchestrator.py run --dry-run` reads them all."
        yield Problem(what, WHERE, command, 0)


def _refused(job: Job, read: Mapping[str, str], first: str) -> Iterator[Problem]:
    reasons = [f"{name}: {reason}" for name, _, reason in job.tally.refused if name in read]
    if reasons:
        # the reasons have commas of their own
        listed = "; ".join(reasons[:SHOWN])
        if len(reasons) > SHOWN:
            listed += f"; and {len(reasons) - SHOWN:,} more"
        what = f"{first}{how_many(len(reasons), 'waiting file')} would be refused: {listed}."
        remedy = (
            "Mend them, or their producer; a refused file goes to quarantine, the reason beside it."
        )
        yield Problem(what, WHERE, remedy, 0)


def _read_within(
    seconds: float, job: Job, fresh: Mapping[str, str], schema: Schema
) -> dict[str, str]:
    """Those of the fresh files (name -> SHA-256, by arrival) that could be read in the time.

    What was read is kept as tables.
    """
    started, size_read = time.monotonic(), 0
    read: dict[str, str] = {}
    for name, sha256 in fresh.items():
        path = job.settings.new_data_dir / name
        try:
            size = path.stat().st_size
        except FileNotFoundError:  # its producer took it back meanwhile
            continue
        spent = time.monotonic() - started
        pace = size_read / spent if size_read and spent > 1.0 else BYTES_A_SECOND
        if spent + size / pace > seconds:
            continue
        job.tables.validate_many([DataFile(name, sha256, path)], schema)
        size_read += size
        read[name] = sha256
    return read
