"""The files that a registration is made from: they stand in the archive, or are brought there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining.datasets import read_schema_from
from retraining.errors import PersonNeededError, UnreadableFileError, UsageError
from retraining.local_state import sha256_of
from retraining.records import DataFile

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.cycle.job import Job
    from retraining.cycle.recovery import Recovered
    from retraining.records import Schema


def bring_into_the_archive(job: Job, folder: Path) -> None:
    """Files to train on stand in the archive: from the inbox they move there, from any other folder they are copied."""
    settings, inbox = job.settings, job.inbox
    if not folder.is_dir():
        raise UsageError(f"The folder {folder} is not there.", remedy="Name a folder of the project with --train-from.")
    if folder.resolve() == settings.used_data_dir.resolve():
        return
    settings.used_data_dir.mkdir(parents=True, exist_ok=True)
    from_inbox = folder.resolve() == settings.new_data_dir.resolve()
    source = inbox if from_inbox else replace(inbox, settings=replace(settings, new_data_dir=folder))
    there = inbox.archived()
    claimed = source.claim(source.listing().ready)
    for file, named in zip(claimed, inbox.with_archive_names(claimed), strict=True):
        if file.sha256 not in there:
            inbox.archive(named, file.name if from_inbox else None)
    inbox.release()


def archive_by_arrival(job: Job, recovered: Recovered) -> tuple[DataFile, ...]:
    """Every file of the archive that was not withdrawn, each content once, oldest first."""
    folder = job.settings.used_data_dir
    folder.mkdir(parents=True, exist_ok=True)
    job.settings.new_data_dir.mkdir(parents=True, exist_ok=True)
    found = [
        DataFile(names[0], sha, folder / names[0]) for sha, names in job.inbox.archived().items() if sha not in recovered.ledger.withdrawn
    ]
    return tuple(sorted(found, key=lambda file: (file.path.stat().st_mtime_ns, file.name)))


def data_file(path: Path) -> DataFile:
    """A file that a person named."""
    if not path.is_file():
        raise UsageError(f"The file {path} is not there.", remedy="Name a CSV or Parquet file.")
    return DataFile(path.name, sha256_of(path), path)


def unseen_files(job: Job, seen: tuple[DataFile, ...], schema: Schema) -> tuple[DataFile, ...]:
    """Files of the inbox that can be read: a model from elsewhere has not seen them."""
    known = {file.sha256 for file in seen}
    claimed = [file for file in job.inbox.claim(job.inbox.listing().ready) if file.sha256 not in known]
    facts = zip(claimed, job.tables.validate_many(claimed, schema), strict=True)
    return tuple(replace(file, rows=one.rows) for file, one in facts if not isinstance(one, UnreadableFileError) and not one.unknown_labels)


def schema_of(job: Job, files: tuple[DataFile, ...]) -> Schema:
    """The columns, types and classes that the files together have."""
    if not files:
        raise UsageError(f"{job.settings.used_data_dir} holds no CSV or Parquet file.", remedy="Put training files there.")
    try:
        return read_schema_from(files, job.settings)
    except UnreadableFileError as error:
        raise PersonNeededError(
            f"The columns cannot be taken from the training files: {error}.", remedy="Mend that file or move it out of the folder."
        ) from error
