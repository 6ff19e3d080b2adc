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
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from retraining.cycle.job import Job, Recovered
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
    known = recovered.ledger.known_files()
    new = [file for file in read if file.sha256 not in known]
    number = recovered.ledger.next_number
    cut = (
        reserve_from(new, job.settings.holdout_fraction)
        if reserve and new
        else tuple(BatchFile(f.name, f.sha256, f.rows) for f in new)
    )
    batch = Batch(number, cut) if new else None
    started = job.now()
    cycle_id = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    batches = (*recovered.ledger.batches, batch) if batch is not None else recovered.ledger.batches
    testing = {one.number for one in last_batches(batches)} if reserve else set()
    here = {file.sha256: file.name for file in read}
    ordered = [
        replace(
            file, name=here[file.sha256], reserved=file.reserved if one.number in testing else ()
        )
        for one in batches
        for file in one.files
        if file.sha256 in here
    ]
    holder = recovered.facts.aliases.get(job.settings.production_alias)
    manifest = Manifest(
        files=tuple(
            replace(file, reserved=())
            for file in ordered
            if ranges_outside(file.rows, file.reserved)
        ),
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
