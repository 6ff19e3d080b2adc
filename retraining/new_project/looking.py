"""All that the files of a new project propose for its settings."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from retraining.datasets import TableStore, types_not_learnable
from retraining.local_state import sha256_of
from retraining.new_project.columns import column_proposals, ignoring, likely_target
from retraining.new_project.csv_format import csv_proposals, header_of
from retraining.new_project.proposal import Proposal
from retraining.records import DataFile
from retraining.settings import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.settings import Settings


def proposals_from(files: Sequence[Path], target: str | None, settings: Settings) -> list[Proposal]:
    """What the files speak for, each with its reason.

    Args:
        files: CSV, CSV.gz or Parquet, of one kind.
        target: the label's column where a person named it.
        settings: the project's, as they are without a `.env`.

    Raises:
        SettingsError: the target column is not there, or is no label.
        UnreadableFileError: a file cannot be read.
    """
    csv_files = [file for file in files if not file.name.lower().endswith(".parquet")]
    proposals = csv_proposals(csv_files[0]) if csv_files else []
    settings = _with(proposals, settings)
    asked = None if target is None else Proposal("TARGET_COLUMN", target, "As asked.")
    label = asked or likely_target(_names(files[0], settings))
    if label is None:
        return proposals
    settings = _with([label, *proposals], settings)
    unreadable = _of_no_use(files, label.value)
    settings = _with([label, *proposals, *ignoring(unreadable)], settings)
    data_files = [DataFile(file.name, sha256_of(file), file) for file in files]
    with tempfile.TemporaryDirectory() as folder:
        tables = TableStore(Path(folder), settings)
        found = column_proposals(data_files, settings, tables, unreadable)
        return [label, *proposals, *found]


def _of_no_use(files: Sequence[Path], target: str) -> dict[str, str]:
    """Column of a Parquet file -> why it cannot be learned from, such as a time stamp."""
    found: dict[str, str] = {}
    for file in files:
        if file.name.lower().endswith(".parquet"):
            found |= types_not_learnable(file, target)
    return {name: f"{name} is of type {kind}" for name, kind in found.items()}


def _with(proposals: Sequence[Proposal], settings: Settings) -> Settings:
    """The project's settings as they are once these lines stand in its `.env`."""
    return load(settings.project, {one.name: one.value for one in proposals})


def _names(file: Path, settings: Settings) -> list[str]:
    if file.name.lower().endswith(".parquet"):
        from pyarrow import parquet

        names: list[str] = parquet.read_schema(file).names
        return [name for name in names if not name.startswith("__index_level_")]
    return header_of(file, settings.csv_encoding, settings.csv_separator)
