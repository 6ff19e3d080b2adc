"""Parquet files -> raw rows.

Columns are taken by name; every value that float64 or a text cannot hold is refused.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from retraining.datasets.cells import LARGEST_EXACT_INTEGER, listed, shown
from retraining.datasets.pandas_index import index_columns
from retraining.datasets.raw_rows import RawRows
from retraining.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from retraining.datasets.raw_rows import Wanted

ROWS_PER_BATCH = 2**16


@dataclass(frozen=True)
class ParquetFile:
    """An open Parquet file: its column names, and its rows that are read once, in order."""

    names: tuple[str, ...]
    file: pq.ParquetFile
    index_names: frozenset[str] = frozenset()  # columns that pandas wrote its index into

    def type_of(self, name: str) -> pa.DataType:
        """The Arrow type of a column; of its values, where it is a dictionary."""
        kind = self.file.schema_arrow.field(name).type
        return kind.value_type if pa.types.is_dictionary(kind) else kind

    def rows(self, wanted: Mapping[str, Wanted]) -> Iterator[RawRows]:
        """The rows of the wanted columns (all are in `names`), batch by batch.

        Raises:
            UnreadableFileError: damaged pages, or a column or value that cannot be read as what is
                wanted.
        """
        first_row = 0
        for batch in self._batches(list(wanted)):
            columns = {
                name: _converted(batch.column(name), name, kind, first_row)
                for name, kind in wanted.items()
            }
            yield RawRows(columns, batch.num_rows, first_row, partial(_row, first_row))
            first_row += batch.num_rows

    def filled(self, name: str) -> Iterator[pa.Array]:
        """The values of one column that are not missing, batch by batch; NaN is missing."""
        for batch in self._batches([name]):
            column = batch.column(0)
            if pa.types.is_dictionary(column.type):
                column = column.dictionary_decode()
            values = column.drop_null()
            if pa.types.is_floating(values.type):
                values = values.filter(pc.invert(pc.is_nan(values)))
            if len(values):
                yield values

    def _batches(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        with _damage_refused():
            for batch in self.file.iter_batches(ROWS_PER_BATCH, columns=names, use_threads=False):
                if sorted(batch.schema.names) != sorted(names):
                    raise UnreadableFileError(
                        f"nested columns are in the way of {listed(names)}; flatten them"
                    )
                batch.validate(full=True)  # offsets and UTF-8, which reading takes on trust
                if batch.num_rows:
                    yield batch


def open_parquet(stream: BinaryIO) -> ParquetFile:
    """Read a Parquet file's schema; the stream can seek and stays open as long as the file is read.

    Raises:
        UnreadableFileError: this is no Parquet file, it is damaged, or it names a column twice.
    """
    head = stream.read(4)
    if not head:
        raise UnreadableFileError("the file is empty (zero bytes)")
    if head != b"PAR1":
        raise UnreadableFileError(
            "the file is named .parquet but is no Parquet file (the name of a CSV file must end in"
            " .csv)"
        )
    with _damage_refused():
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        names = tuple(file.schema_arrow.names)
        indexes = index_columns(file.schema_arrow.pandas_metadata or {}, names)
    twice = tuple(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise UnreadableFileError(f"the file has more than one column {listed(twice)}")
    return ParquetFile(names, file, indexes)


def types_not_learnable(path: Path, apart_from: str) -> dict[str, str]:
    """Column -> its type, where that is neither number, text nor boolean.

    An index of pandas is none of them.

    Raises:
        UnreadableFileError: the file cannot be read.
    """
    with path.open("rb") as stream:
        file = open_parquet(stream)
        kinds = {name: file.type_of(name) for name in file.names}
    features = [name for name in kinds if name != apart_from and name not in file.index_names]
    return {name: str(kinds[name]) for name in features if not _is_learnable(kinds[name])}


def _is_learnable(kind: pa.DataType) -> bool:
    of_its_own = pa.types.is_boolean(kind) or pa.types.is_null(kind)
    return bool(of_its_own or is_text(kind) or is_number(kind))


@contextmanager
def _damage_refused() -> Iterator[None]:
    """Errors that the bytes cause become a reason.

    Those of the disk, which carry an `errno`, stay what they are.
    """
    try:
        yield
    except (pa.ArrowException, OSError, MemoryError, ValueError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UnreadableFileError(
            f"the Parquet file is damaged or cut short: {shown(str(error), 120)}"
        ) from None


def _row(first_row: int, index: int) -> str:
    return f"row {first_row + index + 1:,}"


def _converted(column: pa.Array, name: str, kind: Wanted, first_row: int) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type) or column.null_count == len(column):
        return pa.nulls(
            len(column),
            pa.float64() if kind == "number" else pa.dictionary(pa.int32(), pa.string()),
        )
    if kind == "number":
        return _numbers(column, name, first_row)
    return _texts(column, name, kind).dictionary_encode()


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this Arrow type holds texts."""
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this Arrow type holds numbers."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _numbers(column: pa.Array, name: str, first_row: int) -> pa.Array:
    if not is_number(column.type):
        raise _wrong_type(column.type, name, "numbers are")
    numbers = pc.cast(column, pa.float64(), safe=False)
    values = pc.fill_null(numbers, float("nan")).to_numpy()
    infinite = np.flatnonzero(np.isinf(values))
    if infinite.size:
        raise _refused(column, int(infinite[0]), name, first_row, "is not a finite number")
    if pa.types.is_integer(column.type) or (
        pa.types.is_decimal(column.type) and column.type.scale <= 0
    ):
        for index in np.flatnonzero(np.abs(values) >= LARGEST_EXACT_INTEGER).tolist():
            if abs(int(column[index].as_py())) > LARGEST_EXACT_INTEGER:
                what = (
                    "is an integer beyond 2^53 and would lose digits (a key? name it in"
                    " IGNORE_COLUMNS)"
                )
                raise _refused(column, index, name, first_row, what)
    return pa.array(values, from_pandas=True)  # NaN is missing


def _refused(
    column: pa.Array, index: int, name: str, first_row: int, what: str
) -> UnreadableFileError:
    value = shown(str(column[index].as_py()))
    return UnreadableFileError(f"{_row(first_row, index)}: {value} in column {shown(name)} {what}")


def _texts(column: pa.Array, name: str, kind: Wanted) -> pa.Array:
    readable = {
        "string": is_text(column.type) or pa.types.is_integer(column.type),
        "boolean": (
            is_text(column.type) or is_number(column.type) or pa.types.is_boolean(column.type)
        ),
        "label": is_text(column.type) or is_number(column.type) or pa.types.is_boolean(column.type),
    }[kind]
    if not readable:
        raise _wrong_type(
            column.type,
            name,
            {"string": "texts are", "boolean": "booleans are", "label": "a label is"}[kind],
        )
    if pa.types.is_floating(column.type):
        column = _without_nan(column)
    return pc.cast(column, pa.string())


def _without_nan(column: pa.Array) -> pa.Array:
    """Floats with NaN as missing.

    Whole ones become integers, since a column of labels turns into floats where one is missing.
    """
    column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    whole = pc.equal(pc.floor(column), column)
    small = pc.less_equal(pc.abs(column), float(LARGEST_EXACT_INTEGER))
    if pc.all(pc.and_(whole, small), min_count=0).as_py():
        return pc.cast(column, pa.int64())
    return column


def _wrong_type(kind: pa.DataType, name: str, wanted: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"column {shown(name)} is of type {shown(str(kind))}, where {wanted} expected"
    )
