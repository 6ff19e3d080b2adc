"""Files -> the schema that their columns, labels and classes make.

Used at registration only: later files are read by the schema.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from retraining.datasets.cells import BOOLEANS, MISSING, label_from, listed, shown
from retraining.datasets.csv_dialect import OtherDialectError
from retraining.datasets.csv_reading import CsvFile
from retraining.datasets.data_files import opened
from retraining.datasets.parquet_reading import is_number, is_text
from retraining.datasets.seen_column import SeenColumn
from retraining.errors import SettingsError, UnreadableFileError
from retraining.records import PREDICTION_ID, Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from retraining.datasets.parquet_reading import ParquetFile
    from retraining.datasets.raw_rows import RawRows
    from retraining.records import DataFile, Label, LabelKind
    from retraining.settings import Settings

MAX_CLASSES = 1_000
FEW_CLASSES = 20  # which may each have a row or two in a small table


def read_schema_from(files: Sequence[DataFile], settings: Settings) -> Schema:
    """The schema that all these files together make.

    A column is boolean where every cell that is not missing is true or false in any case (0 and 1
    may stand among them), a number where every cell is a number and none is written with a leading
    zero, else a string with the categories seen (None above 1,000). Where a Parquet file says that
    a column is of numbers or booleans, cells of other files that such a column takes (`007`, a text
    `true`, numbers 0 and 1) make it no other, and one without any value says nothing.

    A label is an integer where all are whole numbers, boolean where all are true or false (0 and 1
    may stand among them), else a string. The positive class of two is the one that the settings
    name, by default the rarer one (of equally many the larger).

    Raises:
        UnreadableFileError: a file cannot be read, or has other columns than the first; the message
            names it.
        SettingsError: a file has another separator; the target column is not there, or holds
            no label, one class, too many or labels that hardly repeat; POSITIVE_CLASS is no class.
    """
    seen = _Inference(settings)
    for data_file in files:
        try:
            with opened(data_file, settings) as file:
                seen.add(file, data_file.name)
        except OtherDialectError as error:
            raise SettingsError(
                (f"CSV_SEPARATOR: {shown(data_file.name, 100)}: {error}",),
                where=str(settings.project / ".env"),
            ) from None
        except UnreadableFileError as error:
            raise UnreadableFileError(f"{shown(data_file.name, 100)}: {error}") from None
    return seen.schema()


class _Inference:
    """The columns and labels seen so far."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._columns: dict[str, SeenColumn] = {}
        self._labels: Counter[str] = Counter()
        self._first_name = ""
        self._indexes: set[str] = set()  # of pandas, by the word of any file

    def add(self, file: CsvFile | ParquetFile, name: str) -> None:
        self._leave_out_indexes(file.index_names)
        features = self._features_of(file.names)
        if not self._columns:
            self._columns = {feature: SeenColumn(feature) for feature in features}
            self._first_name = name
        self._refuse_other_columns(features)
        rows = self._add_csv(file) if isinstance(file, CsvFile) else self._add_parquet(file)
        if not rows:
            raise UnreadableFileError("the file has a header but no rows")

    def _leave_out_indexes(self, names: Iterable[str]) -> None:
        """A row's number in somebody's table is no feature, in whichever files it stands."""
        self._indexes.update(names)
        self._indexes.discard(self._settings.target_column)
        for name in self._indexes & self._columns.keys():
            del self._columns[name]

    def _features_of(self, names: Sequence[str]) -> list[str]:
        target = self._settings.target_column
        if target not in names:
            if not self._columns:
                raise self._wrong(
                    "TARGET_COLUMN",
                    f"the data has no column {shown(target)}; it has {listed(list(names))}",
                )
            raise UnreadableFileError(f"the label column {shown(target)} is missing")
        no_features = {target, PREDICTION_ID, *self._settings.ignore_columns, *self._indexes}
        features = [name for name in names if name not in no_features]
        if "" in features:
            raise UnreadableFileError(
                "a column has no name (an index that was written along? write the data without it)"
            )
        if not features:
            raise UnreadableFileError(
                f"there is no column beside the label {shown(target)} that could be learned from"
            )
        return features

    def _refuse_other_columns(self, features: Sequence[str]) -> None:
        lacking = [name for name in self._columns if name not in features]
        extra = [name for name in features if name not in self._columns]
        if lacking or extra:
            parts = [f"lacks {listed(lacking)}"] * bool(lacking) + [
                f"has also {listed(extra)}"
            ] * bool(extra)
            raise UnreadableFileError(
                f"its columns are not those of {shown(self._first_name, 100)}: it"
                f" {' and '.join(parts)}; name columns that are not to be learned from in"
                " IGNORE_COLUMNS"
            )

    def _add_csv(self, file: CsvFile) -> int:
        count = 0
        target = self._settings.target_column
        for rows in file.rows({**dict.fromkeys(self._columns, "string"), target: "label"}):
            for name, column in self._columns.items():
                column.add_untyped(rows.columns[name].dictionary, self._settings.csv_decimal)
            self._add_labels(rows)
            count += rows.count
        return count

    def _add_parquet(self, file: ParquetFile) -> int:
        texts = [name for name in self._columns if is_text(file.type_of(name))]
        for name in self._columns.keys() - set(texts):
            self._add_typed_column(file, self._columns[name])
        count = 0
        for rows in file.rows(
            {**dict.fromkeys(texts, "string"), self._settings.target_column: "label"}
        ):
            for name in texts:
                self._columns[name].add_typed_texts(rows.columns[name].dictionary)
            self._add_labels(rows)
            count += rows.count
        return count

    def _add_typed_column(self, file: ParquetFile, column: SeenColumn) -> None:
        kind = file.type_of(column.name)
        is_boolean = pa.types.is_boolean(kind)
        if is_boolean and column.declared == "number":
            column.declared = "boolean"
        for values in file.filled(column.name):
            if not (is_boolean or is_number(kind)):
                raise UnreadableFileError(
                    f"column {shown(column.name)} is of type {shown(str(kind))}; write it as"
                    " numbers, texts or booleans, or name it in IGNORE_COLUMNS"
                )
            if not column.may_learn_from(kind):
                break
            column.add_typed_values(values)

    def _add_labels(self, rows: RawRows) -> None:
        column = rows.columns[self._settings.target_column]
        counts = np.bincount(
            column.indices.drop_null().to_numpy(), minlength=len(column.dictionary)
        )
        self._labels.update(dict(zip(column.dictionary.to_pylist(), counts.tolist(), strict=True)))
        if len(self._labels) > MAX_CLASSES:
            raise self._wrong(
                "TARGET_COLUMN",
                f"column {shown(self._settings.target_column)} has over {MAX_CLASSES:,} distinct"
                " labels: no classes",
            )

    def schema(self) -> Schema:
        kind = _label_kind(self._labels)
        counts: Counter[Label] = Counter()
        for text, count in self._labels.items():
            label = label_from(text, kind)
            if label is not None:
                counts[label] += count
        classes = tuple(sorted(counts))
        self._refuse_quantities(counts)
        if len(classes) < 2:
            only = f"only the class {shown(str(classes[0]))}" if classes else "no label at all"
            raise self._wrong(
                "TARGET_COLUMN", f"column {shown(self._settings.target_column)} holds {only}"
            )
        return Schema(
            columns=tuple(column.column() for column in self._columns.values()),
            target=self._settings.target_column,
            label_kind=kind,
            classes=classes,
            positive_class=self._positive_class(counts),
            ignored=self._settings.ignore_columns,
        )

    def _refuse_quantities(self, counts: Counter[Label]) -> None:
        if len(counts) > FEW_CLASSES and len(counts) > counts.total() / 2:
            raise self._wrong(
                "TARGET_COLUMN",
                f"column {shown(self._settings.target_column)} has {len(counts):,} distinct labels"
                f" in {counts.total():,} rows: no classes (a quantity? only classes are learned)",
            )

    def _positive_class(self, counts: Counter[Label]) -> Label | None:
        named = self._settings.positive_class
        if named is not None:
            positive = next((label for label in counts if str(label) == named), None)
            if positive is None and isinstance(next(iter(counts)), bool):
                positive = {"true": True, "false": False}.get(named.lower())
            if positive is None:
                raise self._wrong(
                    "POSITIVE_CLASS",
                    f"{shown(named)} is no class; the classes are"
                    f" {listed(sorted(map(str, counts)))}",
                )
            return positive if len(counts) == 2 else None
        if len(counts) != 2:
            return None
        return min(sorted(counts, reverse=True), key=counts.__getitem__)

    def _wrong(self, setting: str, problem: str) -> SettingsError:
        return SettingsError((f"{setting}: {problem}",), where=str(self._settings.project / ".env"))


def _label_kind(texts: Iterable[str]) -> LabelKind:
    filled = [text for text in texts if text not in MISSING]
    words = {text.lower() for text in filled}
    if words <= BOOLEANS.keys() and words & {"true", "false"}:
        return "boolean"
    numbers = {text: _integer_or_none(text) for text in filled}
    codes = {number for text, number in numbers.items() if _has_leading_zero(text)}
    plain = {number for text, number in numbers.items() if not _has_leading_zero(text)}
    # `01` beside `1` is the same class, as a cycle that knows 1 takes it; `01` and `02` are codes
    return "string" if None in numbers.values() or codes - plain else "integer"


def _integer_or_none(text: str) -> Label | None:
    try:
        return label_from(text, "integer")
    except ValueError:
        return None


def _has_leading_zero(text: str) -> bool:
    digits = text.strip(" \t").lstrip("+-").partition(".")[0]
    return len(digits) > 1 and digits.startswith("0")
