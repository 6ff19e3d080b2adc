"""Raw rows -> typed columns by the schema: float64 for numbers and booleans, dictionaries for
texts, codes for labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retraining.datasets.cells import boolean_from, label_from, shown
from retraining.errors import UnreadableFileError
from retraining.phrases import first_few

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from retraining.datasets.raw_rows import RawRows
    from retraining.records import Column, Label, Schema

UNLABELLED = -1
ROWS_NAMED = 5
CLASSES_NAMED = 8


@dataclass(frozen=True)
class UnknownLabel:
    """A label that is no class of the schema: how often a file has it, and where it stands
    first.
    """

    count: int
    where: tuple[str, ...]


@dataclass(frozen=True)
class Labels:
    """`codes` (n,) int32 index the schema's classes, -1 where there is no label.

    Unknown labels by their text.
    """

    codes: NDArray[np.int32]
    unknown: dict[str, UnknownLabel]


def feature_column(rows: RawRows, column: Column) -> pa.Array:
    """A feature column: float64 without nulls (NaN = missing, booleans 0 and 1), or
    `dictionary<int32, string>` (null = missing).

    Raises:
        UnreadableFileError: a cell of a boolean column that is neither true, false, 0, 1 nor
            missing.
    """
    raw = rows.columns[column.name]
    if column.kind == "number":
        return pc.fill_null(raw, float("nan"))
    if column.kind == "boolean":
        return pa.array(_by_distinct(rows, column.name, _boolean_number))
    return _without_empty_texts(raw)


def label_column(rows: RawRows, schema: Schema) -> Labels:
    """The labels of some rows.

    Raises:
        UnreadableFileError: a cell that cannot be read as a label of the schema's kind.
    """
    codes = {label: code for code, label in enumerate(schema.classes)}
    unknown: dict[str, int] = {}

    def code_of(text: str | None) -> int:
        label = None if text is None else _label_or_refusal(text, schema)
        if label is None:
            return UNLABELLED
        if label in codes:
            return codes[label]
        return UNLABELLED - 1 - unknown.setdefault(label_text(label), len(unknown))

    coded = _by_distinct(rows, schema.target, code_of).astype(np.int32)
    named = {
        text: _unknown_label(rows, coded == UNLABELLED - 1 - code) for text, code in unknown.items()
    }
    return Labels(coded, named)


def _label_or_refusal(text: str, schema: Schema) -> Label | None:
    try:
        return label_from(text, schema.label_kind)
    except ValueError as error:
        classes = first_few(map(label_text, schema.classes), CLASSES_NAMED)
        raise ValueError(f"{error} (the classes are {classes})") from None


def label_text(label: Label) -> str:
    """A label as a person writes it."""
    return str(label)


def _unknown_label(rows: RawRows, here: NDArray[np.bool_]) -> UnknownLabel:
    first = np.flatnonzero(here)[:ROWS_NAMED]
    return UnknownLabel(int(here.sum()), tuple(rows.where(int(index)) for index in first))


def _boolean_number(text: str | None) -> float:
    value = None if text is None else boolean_from(text)
    return float("nan") if value is None else float(value)


def _by_distinct(
    rows: RawRows, name: str, read: Callable[[str | None], float]
) -> NDArray[np.float64]:
    """Read each distinct text of a column once, then spread the values over the rows.

    Code -1, a null, takes the last value.
    """
    raw = rows.columns[name]
    codes = pc.fill_null(raw.indices, -1).to_numpy()
    values = np.empty(len(raw.dictionary) + 1)
    values[-1] = read(None)
    for code, text in enumerate(raw.dictionary.to_pylist()):
        try:
            values[code] = read(text)
        except ValueError as error:
            misread = np.flatnonzero(codes == code)
            if not misread.size:
                continue
            where = rows.where(int(misread[0]))
            raise UnreadableFileError(
                f"{where}: {shown(text)} in column {shown(name)} is not {error}"
            ) from None
    spread: NDArray[np.float64] = values[codes]
    return spread


def _without_empty_texts(raw: pa.Array) -> pa.Array:
    empty = raw.dictionary.index("").as_py()
    if empty < 0:
        return raw
    codes = pc.if_else(pc.equal(raw.indices, empty), pa.scalar(None, pa.int32()), raw.indices)
    return pa.DictionaryArray.from_arrays(codes, raw.dictionary)
