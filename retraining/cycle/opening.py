"""A cycle that passed the gate: its identity, its files, its batch, and its run."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retraining.cycle.books import begin_run, end_run
from retraining.errors import (
    ArchiveMismatchError,
    RetrainingError,
    UnreachableError,
    UnreadableFileError,
)
from retraining.logs import log
from retraining.records import Batch, BatchFile, CycleRecord, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from retraining.cycle.claiming import Claimed
    from retraining.cycle.job import Job, Recovered
    from retraining.model_registry.interface import Registry
    from retraining.model_registry.production import Model
    from retraining.project import Project
    from retraining.records import DataFile, RowRange
    from retraining.settings import Settings


@dataclass(frozen=True)
class Cycle:
    """What the steps after the gate share.

    Attributes:
        batch: the files that are judged for the first time in this cycle; None where all were
            judged before.
    """

    job: Job
    recovered: Recovered
    production: Model
    claimed: Claimed
    batch: Batch | None
    number: int
    cycle_id: str
    started: datetime
    run_id: str | None

    @property
    def settings(self) -> Settings:
        """The project's settings."""
        return self.job.settings

    @property
    def registry(self) -> Registry:
        """The project's registry."""
        return self.job.registry

    @property
    def batches(self) -> tuple[Batch, ...]:
        """All batches, this cycle's included, oldest first."""
        earlier = self.recovered.ledger.batches
        return (*earlier, self.batch) if self.batch is not None else earlier

    @property
    def batch_digest(self) -> str:
        """One digest of the bytes that this cycle judges."""
        return hashlib.sha256(
            "".join(sorted(file.sha256 for file in self.claimed.files)).encode()
        ).hexdigest()


@contextmanager
def open_cycle(
    job: Job, recovered: Recovered, production: Model, claimed: Claimed
) -> Iterator[Cycle]:
    """Begin the cycle's run; if a step raises, the run is ended as FAILED and the error goes on."""
    started = job.now()
    cycle_id = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    number = recovered.ledger.next_number
    run_id: str | None = begin_run(job, cycle_id, started)  # a dry run has none
    job.tally.cycle_id, job.tally.run_id = cycle_id, run_id
    batch = _first_judged(job, recovered, claimed, number)
    cycle = Cycle(job, recovered, production, claimed, batch, number, cycle_id, started, run_id)
    try:
        with archive_readable(job):
            yield cycle
    except RetrainingError as error:
        if (
            run_id is not None
            and not job.tally.committed
            and not isinstance(error, UnreachableError)
        ):
            _end_as_failed(cycle, error)
        raise


@contextmanager
def archive_readable(project: Project) -> Iterator[None]:
    """Fresh files were refused if they could not be read, so one that cannot be read now stands in
    the archive.
    """
    try:
        yield
    except UnreadableFileError as error:
        raise ArchiveMismatchError(
            f"A learned file in {project.settings.used_data_dir} cannot be read any more: {error}.",
            remedy=(
                "If a CSV_* setting was changed, set it back or convert the archived files and"
                " register again; else restore the file from a backup."
            ),
        ) from error


def _first_judged(job: Job, recovered: Recovered, claimed: Claimed, number: int) -> Batch | None:
    """Cut and reserve the files that no earlier cycle judged.

    Those that one did keep what was reserved then.
    """
    known = recovered.ledger.known_files()
    new = [file for file in claimed.files if file.sha256 not in known]
    if not new:
        return None
    named = {file.sha256: file.name for file in job.inbox.with_archive_names(new)}
    return Batch(
        number,
        tuple(
            replace(file, name=named[file.sha256])
            for file in reserve_from(new, job.settings.holdout_fraction)
        ),
    )


def reserve_from(files: list[DataFile], fraction: float) -> tuple[BatchFile, ...]:
    """The files with the ranges of each that are reserved for testing."""
    from retraining.datasets import cut_into_blocks, reserve

    blocks = cut_into_blocks([(file.sha256, file.rows) for file in files])
    ranges: dict[str, list[RowRange]] = {file.sha256: [] for file in files}
    for block in reserve(blocks, fraction):
        ranges[block.sha256].append((block.start, block.stop))
    return tuple(
        BatchFile(file.name, file.sha256, file.rows, tuple(sorted(ranges[file.sha256])))
        for file in files
    )


def _end_as_failed(cycle: Cycle, error: RetrainingError) -> None:
    outcome = Outcome(
        "failed",
        error.what,
        exit_code=error.exit_code,
        cycle_id=cycle.cycle_id,
        run_id=cycle.run_id,
    )
    record = CycleRecord(cycle.number, cycle.cycle_id, cycle.run_id, cycle.started, outcome)
    # The first error is the one to tell; the next start ends the run.
    with suppress(RetrainingError):
        end_run(cycle.job, record, status="FAILED")
        log.debug("ended the run %s as FAILED", cycle.run_id)
