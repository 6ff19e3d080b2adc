"""The files that a registration is made from: they stand in the archive, or are brought there."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from retraining.datasets import read_schema_from
from retraining.errors import PersonNeededError, UnreadableFileError, UsageError
from retraining.folders.local_state import sha256_of
from retraining.inbox.listing import look
from retraining.inbox.passed_over import counted_by_reason
from retraining.records import DataFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from retraining.cycle.job import Job, Recovered
    from retraining.inbox.listing import Listing
    from retraining.records import Schema


@contextmanager
def named_files(job: Job, folder: Path) -> Iterator[tuple[DataFile, ...]]:
    """Copies of the files of the folder that a person named, to be looked at before anything is
    moved; none where it is the archive.

    Raises:
        UsageError: the folder is not there, or holds no file that can be read.
    """
    settings = job.settings
    if not folder.is_dir():
        raise UsageError(
            f"The folder {folder} is not there.",
            remedy="Name a folder of the project with --train-from.",
        )
    if _same(folder, settings.used_data_dir):
        yield ()
        return
    settings.used_data_dir.mkdir(parents=True, exist_ok=True)
    # no sender writes to another folder
    age = settings.min_file_age_seconds if _same(folder, settings.new_data_dir) else 0
    source = job.inbox.under(settings._replace(new_data_dir=folder, min_file_age_seconds=age))
    try:
        listing = source.listing()
        claimed = source.claim(listing.ready)
        if not claimed:
            raise _no_table_in(folder, listing, "Put training files there, or name another folder.")
        yield claimed
    finally:
        job.inbox.release()


def bring_into_the_archive(job: Job, folder: Path, named: Sequence[DataFile]) -> None:
    """Files to train on stand in the archive: from the inbox they move there, from any other folder
    they are copied.
    """
    there = job.inbox.archived()
    from_inbox = _same(folder, job.settings.new_data_dir)
    for file, archived in zip(named, job.inbox.with_archive_names(named), strict=True):
        if file.sha256 not in there:
            job.inbox.archive(archived, file.name if from_inbox else None)


def _no_table_in(folder: Path, listing: Listing, remedy: str) -> UsageError:
    """What to say of a folder with nothing to learn from: what lies there all the same is counted
    by the reason.
    """
    links = dict.fromkeys(listing.links, "a symbolic link")
    lies_there = counted_by_reason({**listing.skipped, **links})
    what = f"{folder} holds no CSV or Parquet file"
    return UsageError(f"{what}: {lies_there}." if lies_there else f"{what}.", remedy=remedy)


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def archive_by_arrival(job: Job, recovered: Recovered) -> tuple[DataFile, ...]:
    """Every file of the archive that was not withdrawn, each content once, oldest first."""
    folder = job.settings.used_data_dir
    folder.mkdir(parents=True, exist_ok=True)
    job.settings.new_data_dir.mkdir(parents=True, exist_ok=True)
    files = [
        DataFile(names[0], sha, folder / names[0])
        for sha, names in job.inbox.archived().items()
        if sha not in recovered.ledger.withdrawn
    ]
    return _by_arrival(files)


def with_named_files(
    job: Job, recovered: Recovered, named: Sequence[DataFile]
) -> tuple[DataFile, ...]:
    """The archive as it will be once the named files are in it, by arrival: each content once,
    under its name there.
    """
    known = {*job.inbox.archived(), *recovered.ledger.withdrawn}
    new = [file for file in job.inbox.with_archive_names(named) if file.sha256 not in known]
    return _by_arrival([*archive_by_arrival(job, recovered), *new])


def in_the_archive(job: Job, files: Sequence[DataFile]) -> tuple[DataFile, ...]:
    """The same files, where they stand now."""
    there, folder = job.inbox.archived(), job.settings.used_data_dir
    return tuple(replace(file, path=folder / there[file.sha256][0]) for file in files)


def _by_arrival(files: Sequence[DataFile]) -> tuple[DataFile, ...]:
    return tuple(sorted(files, key=lambda file: (file.path.stat().st_mtime_ns, file.name)))


def data_file(path: Path) -> DataFile:
    """A file that a person named."""
    if not path.is_file():
        raise UsageError(f"The file {path} is not there.", remedy="Name a CSV or Parquet file.")
    return DataFile(path.name, sha256_of(path), path)


def unseen_files(job: Job, seen: tuple[DataFile, ...], schema: Schema) -> tuple[DataFile, ...]:
    """Files of the inbox that can be read: a model from elsewhere has not seen them."""
    known = {file.sha256 for file in seen}
    claimed = [
        file for file in job.inbox.claim(job.inbox.listing().ready) if file.sha256 not in known
    ]
    facts = zip(claimed, job.tables.validate_many(claimed, schema), strict=True)
    return tuple(
        replace(file, rows=one.rows)
        for file, one in facts
        if not isinstance(one, UnreadableFileError) and not one.unknown_labels
    )


def schema_of(job: Job, files: tuple[DataFile, ...], *, without: Collection[str] = ()) -> Schema:
    """The columns, types and classes that the files together have, without some columns."""
    if not files:
        archive = job.settings.used_data_dir
        there = look(archive, "USED_DATA_DIR", 0, job.now().timestamp())
        raise _no_table_in(archive, there, "Put training files there.")
    try:
        ignored = tuple(dict.fromkeys((*job.settings.ignore_columns, *without)))
        return read_schema_from(files, job.settings._replace(ignore_columns=ignored))
    except UnreadableFileError as error:
        raise PersonNeededError(
            f"The columns cannot be taken from the training files: {error}.",
            remedy=(
                "Mend that file, or name in IGNORE_COLUMNS what cannot be learned from; if columns"
                " changed on purpose, put the files that have the new ones into a folder and name"
                " it with --train-from: docs/columns.md."
            ),
        ) from error
