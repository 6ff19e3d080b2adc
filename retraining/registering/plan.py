"""What a registration is made of beside the estimator: who, when, which files, which columns, and
the manifest.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from retraining.cycle.opening import reserve_from
from retraining.errors import PersonNeededError, UnreadableFileError
from retraining.ledger import last_batches, ranges_outside
from retraining.records import Batch, BatchFile, DataFile, Manifest, Marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from retraining.cycle.job import Job, Recovered
    from retraining.ledger import Ledger
    from retraining.records import Schema, Shape
    from retraining.registering.choosing import Choice


@dataclass(frozen=True)
class Plan:
    """Everything a registration is made of but the estimator: who, when, which files, which
    columns.
    """

    cycle_id: str
    started: datetime
    files: tuple[DataFile, ...]  # of the archive, by arrival
    batch: Batch | None
    schema: Schema
    manifest: Manifest
    marks: Marks
    # archived files that are not learned: SHA-256 -> name and reason
    left_out: Mapping[str, str] = field(default_factory=dict)


def make_plan(
    job: Job,
    recovered: Recovered,
    files: tuple[DataFile, ...],
    choice: Choice,
    made_by: str,
    shape: Shape,
    *,
    reserve: bool,
    key: str,
) -> Plan:
    """Read every file by the schema, put new ones into a batch, and write the manifest."""
    schema = choice.schema
    read = tuple(_read(job, files, schema))
    fraction = job.settings.holdout_fraction if reserve else 0.0
    batch = _batch_of_new_files(read, recovered.ledger, fraction)
    batches = recovered.ledger.batches
    if batch is not None:
        batches = (*batches, batch)
    ordered = _with_what_still_tests(read, batches, last_batches(batches) if reserve else ())
    started = job.now()
    cycle_id = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    holder = recovered.facts.aliases.get(job.settings.production_alias)
    learned = [file for file in ordered if ranges_outside(file.rows, file.reserved)]
    manifest = Manifest(
        files=tuple(replace(file, reserved=()) for file in learned),
        held_out=tuple(file for file in ordered if file.reserved),
        consumed=(),
        schema=schema,
        recipe_sha256=made_by,
        cycle_id=cycle_id,
        origin="registered",
        champion=holder,
        attempt_key=key,
        left_out=tuple(choice.left_out),
        shape=shape,
    )
    marks = Marks(attempt_key=key, previous=holder, status="approved")
    return Plan(cycle_id, started, read, batch, schema, manifest, marks, choice.left_out)


def _batch_of_new_files(files: Sequence[DataFile], ledger: Ledger, fraction: float) -> Batch | None:
    """The batch of the files that no batch has, a `fraction` of its blocks reserved."""
    known = ledger.known_files()
    new = [file for file in files if file.sha256 not in known]
    if not new:
        return None
    if fraction:
        return Batch(ledger.next_number, reserve_from(new, fraction))
    unreserved = tuple(BatchFile(file.name, file.sha256, file.rows) for file in new)
    return Batch(ledger.next_number, unreserved)


def _with_what_still_tests(
    files: Sequence[DataFile], batches: Sequence[Batch], testing: Sequence[Batch]
) -> list[BatchFile]:
    """The files by arrival; only those of batches that still test have reserved rows."""
    names = {file.sha256: file.name for file in files}
    numbers = {batch.number for batch in testing}
    ordered = []
    for batch in batches:
        for file in batch.files:
            if file.sha256 in names:
                reserved = file.reserved if batch.number in numbers else ()
                ordered.append(replace(file, name=names[file.sha256], reserved=reserved))
    return ordered


def _read(job: Job, files: tuple[DataFile, ...], schema: Schema) -> Iterator[DataFile]:
    for file, facts in zip(files, job.tables.validate_many(files, schema), strict=True):
        if isinstance(facts, UnreadableFileError):
            raise PersonNeededError(
                f"{file.path} cannot be learned: {facts}.",
                remedy="Mend it or move it out of the folder.",
            )
        yield replace(file, rows=facts.rows)


def with_reservations(plan: Plan) -> list[BatchFile]:
    """The learned files, each with the rows that it was kept from."""
    reserved = {file.sha256: file.reserved for file in plan.manifest.held_out}
    return [replace(file, reserved=reserved.get(file.sha256, ())) for file in plan.manifest.files]
