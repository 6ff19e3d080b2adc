"""What a person is told of the columns at a registration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.datasets.survey import Remark, survey
from retraining.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from retraining.cycle.job import Job
    from retraining.registering.plan import Plan

SHOWN = 12  # more are not read; --json has them all


def remarks_on(job: Job, plan: Plan) -> tuple[Remark, ...]:
    """All remarks on the columns that are learned, most important first.

    None for a play, which nobody reads.
    """
    if not job.shows_pages:
        return ()
    tables = job.tables.tables_many(plan.files, plan.schema)
    files = [(file.name, table) for file, table in zip(plan.files, tables, strict=True)]
    return survey(files, plan.schema, job.settings, _indexes(job, plan))


def _indexes(job: Job, plan: Plan) -> dict[str, str]:
    """Columns that hold pandas' index, and the first file that has each."""
    first_file: dict[str, str] = {}
    facts = job.tables.validate_many(plan.files, plan.schema)
    for file, one in zip(plan.files, facts, strict=True):
        if not isinstance(one, UnreadableFileError):
            for column in one.index_columns:
                first_file.setdefault(column, file.name)
    return first_file


def remarks_in_words(remarks: Sequence[Remark]) -> Iterator[str]:
    """A line each, and how many are not shown."""
    if remarks:
        yield "Look at these columns, most important first:"
    for remark in remarks[:SHOWN]:
        yield f"- {remark}"
    if len(remarks) > SHOWN:
        yield f"- and {len(remarks) - SHOWN} more; --json has them all"


def as_json(remark: Remark) -> dict[str, str | int]:
    """What `--json` prints of a remark."""
    return {
        "subject": remark.subject,
        "column": remark.column,
        "what": remark.what,
        "file": remark.place.file,
        "row": remark.place.row,
        "advice": remark.advice,
    }
