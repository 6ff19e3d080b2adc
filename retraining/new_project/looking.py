"""All that the files of a new project propose for its settings."""

from __future__ import annotations

import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retraining.datasets import TableStore, read_schema_from, types_not_learnable
from retraining.datasets.cells import listed, shown
from retraining.datasets.data_files import opened
from retraining.errors import SettingsError, UnreadableFileError, UsageError
from retraining.folders.local_state import sha256_of
from retraining.new_project.columns import column_proposals, ignoring, likely_target
from retraining.new_project.csv_format import csv_proposals
from retraining.new_project.label_columns import could_be_labels
from retraining.new_project.proposal import Proposal
from retraining.phrases import likely_meant
from retraining.records import DataFile
from retraining.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from retraining.settings import Settings


@dataclass(frozen=True)
class Looked:
    """What the files say.

    Attributes:
        proposals: each with its reason.
        notes: a sentence for each file that could not be looked at, and for what was not found.
    """

    proposals: list[Proposal]
    notes: list[str]


def looked_at(files: Sequence[Path], target: str | None, settings: Settings) -> Looked:
    """What the files speak for. One that cannot be looked at is named; the others speak all the
    same.

    Args:
        files: CSV, CSV.gz or Parquet, of one kind.
        target: the label's column where a person named it.
        settings: the project's, as they are without a `.env`.

    Raises:
        UsageError: no file has the target column that a person named.
        SettingsError: the target column is no label.
        UnreadableFileError: the files can be read one by one, but not as one table.
    """
    proposals = _csv_format([file for file in files if not _is_parquet(file)])
    settings = _with(proposals, settings)
    data_files = [DataFile(file.name, sha256_of(file), file) for file in files]
    columns, notes = _columns_of(data_files, settings)
    named = [] if target is None else [Proposal("TARGET_COLUMN", target, "As asked.")]
    if not columns:
        return Looked(named, notes)
    if target is not None:
        _refuse_unknown(target, columns.values())
    if named:
        label: Proposal | None = named[0]
    else:
        first = next(iter(columns))
        label = likely_target(could_be_labels(first, settings))
    if label is None:
        notes.append("No column looks like a label: name the one to predict in TARGET_COLUMN.")
        return Looked(proposals, notes)
    settings = _with([label, *proposals], settings)
    good, left_out = _with_the_label(columns, label.value)
    unreadable = _of_no_use(good, label.value)
    settings = _with([label, *proposals, *ignoring(unreadable)], settings)
    notes += left_out
    try:
        from_rows = _of_rows(good, settings, unreadable)
    except UnreadableFileError:
        good, damaged = _readable(good, settings)
        notes += damaged
        if not good:
            return Looked(named, notes)
        from_rows = _of_rows(good, settings, unreadable)
    return Looked([label, *proposals, *from_rows], notes)


def _of_rows(
    files: Sequence[DataFile], settings: Settings, unreadable: Mapping[str, str]
) -> list[Proposal]:
    with tempfile.TemporaryDirectory() as folder:
        tables = TableStore(Path(folder), settings)
        return column_proposals(files, settings, tables, unreadable)


def _is_parquet(file: Path) -> bool:
    return file.name.lower().endswith(".parquet")


def _csv_format(files: Sequence[Path]) -> list[Proposal]:
    """How the first CSV file is written that holds anything and can be unpacked."""
    for file in files:
        if not file.stat().st_size:
            continue
        try:
            return csv_proposals(file)
        except (OSError, EOFError, zlib.error):
            continue  # `_columns_of` says what is wrong with it
    return []


def _columns_of(
    files: Sequence[DataFile], settings: Settings
) -> tuple[dict[DataFile, Sequence[str]], list[str]]:
    """The columns of each file that can be opened, and what is wrong with each of the others."""
    columns: dict[DataFile, Sequence[str]] = {}
    notes = []
    for file in files:
        try:
            with opened(file, settings) as content:
                columns[file] = content.names
        except UnreadableFileError as error:
            notes.append(_not_looked_at(file.name, error))
    return columns, notes


def _not_looked_at(name: str, why: object) -> str:
    return f"{name} could not be looked at: {why}."


def _refuse_unknown(target: str, columns: Iterable[Sequence[str]]) -> None:
    """A target column that no file has is a slip of the keyboard."""
    known = list(dict.fromkeys(name for names in columns for name in names))
    if target in known:
        return
    meant = likely_meant(target, known)
    did_you_mean = f"Did you mean {shown(meant)}? " if meant else ""
    raise UsageError(
        f"--target: the data has no column {shown(target)}; it has {listed(known)}",
        remedy=f"{did_you_mean}Name the column as the header writes it, and start the command"
        " again: nothing was copied, and no .env was written.",
    )


def _with_the_label(
    columns: Mapping[DataFile, Sequence[str]], label: str
) -> tuple[list[DataFile], list[str]]:
    """The files that have the label's column, and a note for each of the others."""
    good = [file for file, names in columns.items() if label in names]
    others = [file for file in columns if file not in good]
    why = f"it has no column {label!r}"
    return good, [_not_looked_at(file.name, why) for file in others]


def _readable(files: Sequence[DataFile], settings: Settings) -> tuple[list[DataFile], list[str]]:
    """The files whose rows can be read, with the columns of the first of them; and what is wrong
    with each of the others.
    """
    good: list[DataFile] = []
    notes = []
    for file in files:
        try:
            read_schema_from([*good[:1], file], settings)
        except UnreadableFileError as error:
            notes.append(f"A file could not be looked at: {error}.")
            continue
        except SettingsError:
            pass  # it can be read; whether its labels make classes, all files tell together
        good.append(file)
    return good, notes


def _of_no_use(files: Sequence[DataFile], target: str) -> dict[str, str]:
    """Column of a Parquet file -> why it cannot be learned from, such as a time stamp."""
    kinds: dict[str, str] = {}
    for file in files:
        if _is_parquet(file.path):
            kinds |= types_not_learnable(file.path, target)
    return {name: f"{name} is of type {kind}" for name, kind in kinds.items()}


def _with(proposals: Sequence[Proposal], settings: Settings) -> Settings:
    """The project's settings as they are once these lines stand in its `.env`."""
    return load(settings.project, {one.name: one.value for one in proposals})
