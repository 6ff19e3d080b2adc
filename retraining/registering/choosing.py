"""Which files a registration learns together: all that have the same columns.

Where they differ, the files that a person named decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from retraining.errors import PersonNeededError, UnreadableFileError
from retraining.registering.archive import schema_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.cycle.job import Job
    from retraining.records import DataFile, Schema


class Choice(NamedTuple):
    """How files are read from here on.

    `left_out` are files of the archive that cannot be read so: SHA-256 -> name and reason.
    """

    schema: Schema
    left_out: Mapping[str, str] = {}


def choose(job: Job, archived: tuple[DataFile, ...], named: tuple[DataFile, ...]) -> Choice:
    """Columns and classes of all files together, else those of the named ones.

    Raises:
        PersonNeededError: the named files (or the archive's, where none are named) do not fit each
            other.
    """
    given = {file.sha256 for file in named}
    others = tuple(file for file in archived if file.sha256 not in given)
    try:
        choice = Choice(schema_of(job, (*others, *named)))
    except PersonNeededError:
        if not named or not others:
            raise
        schema = schema_of(job, named)
        choice = Choice(schema, _unreadable(job, others, schema))
    for why in _unreadable(job, named, choice.schema).values():
        raise PersonNeededError(
            f"A file cannot be learned: {why}.", remedy="Mend it, or move it out of the folder."
        )
    return choice


def _unreadable(job: Job, files: tuple[DataFile, ...], schema: Schema) -> dict[str, str]:
    found = {}
    for file, facts in zip(files, job.tables.validate_many(files, schema), strict=True):
        if isinstance(facts, UnreadableFileError):
            found[file.sha256] = f"{file.name}: {facts}"
        elif facts.unknown_labels:
            found[file.sha256] = (
                f"{file.name}: it has the class {next(iter(facts.unknown_labels))!r}, which the"
                " named files lack"
            )
    return found
