"""Data files as typed tables: each is parsed once, by the schema, and kept as a columnar copy that
may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from retraining.datasets.cells import listed, shown
from retraining.datasets.data_files import format_of
from retraining.datasets.facts import FileFacts
from retraining.datasets.frames import features_and_labels
from retraining.datasets.oddities import oddities
from retraining.datasets.table_files import DamagedTableError, read_table_file, writing
from retraining.datasets.typed_reading import read_typed
from retraining.datasets.unseen_values import unseen_values
from retraining.errors import UnreadableFileError
from retraining.records import PREDICTION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from retraining.records import DataFile, RowRange, Schema
    from retraining.settings import Settings

_Result = TypeVar("_Result")
_LAYOUT = (
    1  # part of every copy's name: a change of layout or of hashing leaves older copies unused
)


class TableStore:
    """The columnar copies of one project, in a folder of their own.

    A copy is named by the file's SHA-256 and by a digest of all that decides how its bytes are
    read. Copies that are missing or damaged are made again from `DataFile.path`.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._sound: dict[
            str, tuple[int, int]
        ] = {}  # size and time of copies that this store has checked

    def validate(self, data_file: DataFile, schema: Schema) -> FileFacts:
        """Read a file by the schema, keep its columnar copy, and say what it holds.

        Unknown labels are reported in the facts, not refused: the caller decides.

        Raises:
            UnreadableFileError: the file must be refused; the message is a reason that a person can
                act on.
            OSError: the disk, not the content.
        """
        facts = self._facts(data_file, schema)
        if facts.unlabelled_rows > self._settings.max_unlabelled_share * facts.rows:
            raise UnreadableFileError(
                f"{facts.unlabelled_rows:,} of {facts.rows:,} rows have no label in column"
                f" {shown(schema.target)}: more than"
                f" MAX_UNLABELLED_SHARE={self._settings.max_unlabelled_share:g}"
            )
        return facts

    def validate_many(
        self, files: Sequence[DataFile], schema: Schema
    ) -> list[FileFacts | UnreadableFileError]:
        """`validate` for each file, in parallel and in the order given.

        A refusal is a value here, never raised.
        """

        def outcome(data_file: DataFile) -> FileFacts | UnreadableFileError:
            try:
                return self.validate(data_file, schema)
            except UnreadableFileError as refusal:
                return refusal

        return list(_in_parallel(outcome, files))

    def table(self, data_file: DataFile, schema: Schema) -> pa.Table:
        """A file's rows: feature columns, label codes, row hashes (see `typed_reading`), memory
        mapped.

        Raises:
            UnreadableFileError: the file cannot be read by this schema, or holds labels that are no
                class of it.
            OSError: the disk, not the content.
        """
        table, facts = self._read(data_file, schema)
        if table is None:
            unknown = listed(list(facts.unknown_labels))
            raise UnreadableFileError(
                f"labels in column {shown(schema.target)} are no class of the schema: {unknown}"
            )
        return table

    def copy_of(self, data_file: DataFile, schema: Schema) -> Path:
        """Where the columnar copy of a file stands, once `table` was asked for it."""
        return self._path(data_file, schema)

    def tables_many(self, files: Sequence[DataFile], schema: Schema) -> Iterator[pa.Table]:
        """The tables in order, one at a time.

        Copies that are missing are made first, in parallel.
        """
        missing = [data_file for data_file in files if not self._path(data_file, schema).exists()]
        for _ in _in_parallel(lambda data_file: self._read(data_file, schema)[1], missing):
            pass
        return (self.table(data_file, schema) for data_file in files)

    def features_and_labels(
        self, files_and_ranges: Sequence[tuple[DataFile, Sequence[RowRange]]], schema: Schema
    ) -> tuple[pd.DataFrame, pd.Series[Any]]:
        """What the recipe is handed: the labelled rows of these ranges, see
        `frames.features_and_labels`.
        """
        tables = self.tables_many([data_file for data_file, _ in files_and_ranges], schema)
        return features_and_labels(tables, [ranges for _, ranges in files_and_ranges], schema)

    def prune(self, keep: AbstractSet[str], schema: Schema) -> None:
        """Delete every copy but those of the files with these hashes, read by this schema.

        Leftovers of dead writers too.
        """
        endings = {
            ending: self._digest(schema, ending) for ending in (".csv", ".csv.gz", ".parquet")
        }
        kept = {f"{sha256}-{digest}.arrow" for sha256 in keep for digest in endings.values()}
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in kept:
                    path.unlink(missing_ok=True)

    def _facts(self, data_file: DataFile, schema: Schema) -> FileFacts:
        table, facts = self._read(data_file, schema)
        ignored = {PREDICTION_ID, *schema.ignored, *self._settings.ignore_columns}
        return replace(
            facts,
            unseen_values={} if table is None else unseen_values(table, schema),
            oddities={} if table is None else oddities(table, schema),
            extra_columns=tuple(name for name in facts.extra_columns if name not in ignored),
            index_columns=tuple(name for name in facts.index_columns if name not in ignored),
        )

    def _read(self, data_file: DataFile, schema: Schema) -> tuple[pa.Table | None, FileFacts]:
        """The columnar copy, made if need be; no table where labels are unknown."""
        path = self._path(data_file, schema)
        # another user's copy cannot be read; in a folder of this user's it is replaced
        with suppress(FileNotFoundError, PermissionError, DamagedTableError):
            stat = path.stat()
            stamp = (stat.st_size, stat.st_mtime_ns)
            table, note = read_table_file(path, sound=self._sound.get(path.name) == stamp)
            if note["key"] == path.stem:
                self._sound[path.name] = stamp
                return table, _facts_from(note, schema)
        facts = self._ingest(path, data_file, schema)
        return (None if facts.unknown_labels else read_table_file(path)[0]), facts

    def _ingest(self, path: Path, data_file: DataFile, schema: Schema) -> FileFacts:
        with writing(path) as writer:
            facts = read_typed(data_file, schema, self._settings, writer.append)
            if not facts.unknown_labels:
                writer.note = {"key": path.stem, **_note_of(facts)}
        return facts

    def _path(self, data_file: DataFile, schema: Schema) -> Path:
        return (
            self._folder
            / f"{data_file.sha256}-{self._digest(schema, format_of(data_file.name))}.arrow"
        )

    def _digest(self, schema: Schema, ending: str) -> str:
        settings = self._settings
        csv: tuple[str, ...] = ()
        if ending != ".parquet":
            csv = (settings.csv_separator, settings.csv_decimal, settings.csv_encoding)
        columns = [(column.name, column.kind) for column in schema.columns]
        parts = [_LAYOUT, ending, csv, columns, schema.target, schema.label_kind, schema.classes]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _note_of(facts: FileFacts) -> dict[str, Any]:
    return {
        "rows": facts.rows,
        "counts": list(facts.class_counts.values()),
        "extra_columns": list(facts.extra_columns),
        "index_columns": list(facts.index_columns),
    }


def _facts_from(note: Mapping[str, Any], schema: Schema) -> FileFacts:
    counts = dict(zip(schema.classes, note["counts"], strict=True))
    return FileFacts(
        note["rows"],
        sum(note["counts"]),
        counts,
        extra_columns=tuple(note["extra_columns"]),
        index_columns=tuple(note.get("index_columns", ())),  # copies made before have no such key
    )


def _in_parallel(
    work: Callable[[DataFile], _Result], items: Iterable[DataFile]
) -> Iterator[_Result]:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield from pool.map(work, items)
