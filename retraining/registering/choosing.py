"""Which files a registration learns together: all that have the same columns.

Where they differ, the files that a person named decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from retraining.errors import PersonNeededError, UnreadableFileError
from retraining.logs import log
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


def choose(
    job: Job,
    archived: tuple[DataFile, ...],
    named: tuple[DataFile, ...],
    production: Schema | None = None,
) -> Choice:
    """Columns and classes of all files together, else those of the named ones; where none are
    named, those of all files without the columns that production ignored in some.

    Raises:
        PersonNeededError: the named files (or the archive's, where none are named) do not fit each
            other.
    """
    given = {file.sha256 for file in named}
    others = tuple(file for file in archived if file.sha256 not in given)
    try:
        choice = Choice(schema_of(job, (*others, *named)))
    except PersonNeededError:
        extra = _extra_columns(job, others, production) if not named and production else {}
        if extra:
            return Choice(_schema_without(job, others, extra))
        if not named or not others:
            raise
        schema = schema_of(job, named)
        choice = Choice(schema, _unreadable(job, others, schema))
    for why in _unreadable(job, named, choice.schema).values():
        raise PersonNeededError(
            f"A file cannot be learned: {why}.", remedy="Mend it, or move it out of the folder."
        )
    return choice


def _extra_columns(
    job: Job, files: tuple[DataFile, ...], production: Schema
) -> dict[str, list[str]]:
    """Columns that production does not have -> the files that have them: cycles ignored them
    there, so the archive may hold both kinds.
    """
    files_with: dict[str, list[str]] = {}
    for file, facts in zip(files, job.tables.validate_many(files, production), strict=True):
        if not isinstance(facts, UnreadableFileError):
            for column in facts.extra_columns:
                files_with.setdefault(column, []).append(file.name)
    return files_with


def _schema_without(
    job: Job, files: tuple[DataFile, ...], extra: Mapping[str, list[str]]
) -> Schema:
    schema = schema_of(job, files, without=extra)
    for column, names in extra.items():
        log.warning(
            "column %r is not learned: production ignored it, and %d of %d files have it, such as"
            " %r; docs/columns.md says how to take it up",
            column,
            len(names),
            len(files),
            names[0],
        )
    return schema


def _unreadable(job: Job, files: tuple[DataFile, ...], schema: Schema) -> dict[str, str]:
    reasons = {}
    for file, facts in zip(files, job.tables.validate_many(files, schema), strict=True):
        if isinstance(facts, UnreadableFileError):
            reasons[file.sha256] = f"{file.name}: {facts}"
        elif facts.unknown_labels:
            reasons[file.sha256] = (
                f"{file.name}: it has the class {next(iter(facts.unknown_labels))!r}, which the"
                " named files lack"
            )
    return reasons
