"""CSV files -> raw rows, typed by what is wanted. pyarrow parses.

Whatever it might read otherwise than it stands is refused.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from retraining.datasets.cells import (
    LARGEST_EXACT_INTEGER,
    MISSING,
    MISSING_LIKE,
    number_pattern,
    shown,
)
from retraining.datasets.csv_dialect import BYTES_LOOKED_AT, refuse_another_dialect
from retraining.datasets.csv_header import (
    refuse_other_formats,
    refuse_the_header_again,
    split_header,
)
from retraining.datasets.csv_segments import (
    NEWLINE,
    RETURN,
    Segment,
    inside_quotes,
    read_segments,
    record_ends,
)
from retraining.datasets.pandas_index import index_columns
from retraining.datasets.raw_rows import RawRows
from retraining.errors import UnreadableFileError
from retraining.phrases import how_many

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from retraining.datasets.raw_rows import Wanted
    from retraining.settings import Settings

TEXTS = pa.dictionary(pa.int32(), pa.string())
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class CsvFile:
    """An open CSV file: its header, and its rows that are read once, in order."""

    names: tuple[str, ...]
    header: bytes  # the line that holds the names
    head: Segment  # the first rows
    more: Iterator[Segment]
    settings: Settings

    @property
    def index_names(self) -> frozenset[str]:
        """Columns that pandas wrote its index into."""
        return index_columns({}, self.names)

    def rows(self, kinds: Mapping[str, Wanted]) -> Iterator[RawRows]:
        """The rows of the wanted columns (all are in `names`), segment by segment.

        Raises:
            UnreadableFileError: a row with too few or too many cells, a cell that is no number
                where one is wanted, bad bytes.
        """
        first_row = 0
        for segment in itertools.chain([self.head], self.more):
            if segment.data.strip(b"\r\n"):
                refuse_the_header_again(segment, self.header)
                part = _CsvPart(segment, self.names, first_row, self.settings)
                rows = part.rows(kinds)
                yield rows
                first_row += rows.count


def open_csv(stream: BinaryIO, settings: Settings) -> CsvFile:
    """Read a CSV file's header; the stream is at its start and can seek.

    Raises:
        OtherDialectError: it has another separator than the settings say.
        UnreadableFileError: this is no CSV file, or its header cannot be read.
    """
    head = stream.read(BYTES_LOOKED_AT)
    refuse_other_formats(head[:64].removeprefix(_UTF8_MARK), settings.csv_encoding)
    refuse_another_dialect(head, settings)
    stream.seek(0)
    segments = read_segments(stream, settings.csv_encoding, settings.csv_separator)
    first = next(segments, None)
    if first is None:
        raise UnreadableFileError("the file holds no header and no rows")
    names, header, rest = split_header(first, settings.csv_separator)
    return CsvFile(names, header, rest, segments, settings)


@dataclass(frozen=True)
class _CsvPart:
    """One segment being read, with all that a reason for refusing it needs."""

    segment: Segment
    names: tuple[str, ...]
    first_row: int
    settings: Settings

    def rows(self, kinds: Mapping[str, Wanted]) -> RawRows:
        types = {name: pa.float64() if kind == "number" else TEXTS for name, kind in kinds.items()}
        try:
            table = self.parse(types)
        except pa.ArrowInvalid as error:
            self.refuse_ragged_rows()
            self.refuse_words([name for name, kind in kinds.items() if kind == "number"])
            raise UnreadableFileError(
                f"the file cannot be read as CSV: {shown(str(error), 200)}"
            ) from None
        columns = {name: _one_chunk(table.column(name)) for name in types}
        for name, kind in kinds.items():
            if kind == "number":
                self.refuse_numbers_out_of_range(name, columns[name])
        return RawRows(columns, table.num_rows, self.first_row, self.where)

    def parse(self, types: Mapping[str, pa.DataType]) -> pa.Table:
        quoted = self.segment.quoted
        # pyarrow drops a byte order mark wherever it begins to read; the blank line keeps one that
        # belongs to a cell
        data = self.segment.data
        if data.startswith(_UTF8_MARK):
            data = b"\n" + data
        return csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(
                column_names=list(self.names), block_size=len(data) + 1, use_threads=False
            ),
            csv.ParseOptions(
                delimiter=self.settings.csv_separator,
                quote_char='"' if quoted else False,
                newlines_in_values=quoted,
            ),
            csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=list(MISSING),
                strings_can_be_null=False,
                decimal_point=self.settings.csv_decimal,
                check_utf8=False,  # the segment was checked whole
            ),
        )

    def texts(self, name: str) -> pa.Array:
        return _one_chunk(self.parse({name: pa.string()}).column(name))

    def where(self, index: int) -> str:
        starts, _ = _records(self.segment.data)
        return (
            f"row {self.first_row + index + 1:,} (line"
            f" {self.segment.line_at(int(starts[index])):,})"
        )

    def refuse_ragged_rows(self) -> None:
        data = self.segment.data
        separators = np.flatnonzero(
            np.frombuffer(data, np.uint8) == ord(self.settings.csv_separator)
        )
        separators = separators[~inside_quotes(data, separators)]
        starts, stops = _records(data)
        cells = np.searchsorted(separators, stops) - np.searchsorted(separators, starts) + 1
        ragged = np.flatnonzero(cells != len(self.names))
        if ragged.size:
            first = int(ragged[0])
            what = f"{how_many(int(cells[first]), 'cell')} where the header has {len(self.names):,}"
            others = f" ({ragged.size:,} rows are like this)" if ragged.size > 1 else ""
            raise UnreadableFileError(f"{self.where(first)} has {what}{others}")

    def refuse_words(self, names: list[str]) -> None:
        pattern = number_pattern(self.settings.csv_decimal)
        for name in names:
            texts = self.texts(name)
            readable = pc.or_(
                pc.match_substring_regex(texts, pattern), pc.is_in(texts, pa.array(MISSING))
            )
            self.refuse_where(
                ~readable.to_numpy(zero_copy_only=False), name, texts, "is not a number"
            )

    def refuse_numbers_out_of_range(self, name: str, numbers: pa.Array) -> None:
        largest = np.abs(pc.fill_null(numbers, 0.0).to_numpy()).max()
        # False for NaN too, which pyarrow takes from words such as -nan
        if largest < LARGEST_EXACT_INTEGER:
            return
        texts = self.texts(name)
        finite = pc.fill_null(pc.is_finite(numbers), fill_value=True).to_numpy(zero_copy_only=False)
        self.refuse_where(~finite, name, texts, "is not a finite number")
        integers = pc.match_substring_regex(texts, r"^[ \t]*[+-]?[0-9]+[ \t]*\z")
        exact = pc.match_substring_regex(texts, rf"^[ \t]*[+-]?0*{LARGEST_EXACT_INTEGER}[ \t]*\z")
        beyond = pc.and_(
            pc.and_not(integers, exact),
            pc.greater_equal(pc.abs(numbers), float(LARGEST_EXACT_INTEGER)),
        )
        beyond = pc.fill_null(beyond, fill_value=False).to_numpy(zero_copy_only=False)
        self.refuse_where(
            beyond,
            name,
            texts,
            "is an integer beyond 2^53 and would lose digits (a key? name it in IGNORE_COLUMNS)",
        )

    def refuse_where(self, bad: NDArray[np.bool_], name: str, texts: pa.Array, what: str) -> None:
        if bad.any():
            index = int(np.argmax(bad))
            text = texts[index].as_py()
            raise UnreadableFileError(
                f"{self.where(index)}: {shown(text)} in column {shown(name)} {what}"
                f"{self.hint_of_a_decimal_mark(text)}{_hint_of_a_missing_value(text)}"
            )

    def hint_of_a_decimal_mark(self, text: str) -> str:
        other = "," if self.settings.csv_decimal == "." else "."
        if re.fullmatch(rf"[ \t]*[+-]?[0-9]+{re.escape(other)}[0-9]+[ \t]*", text) is None:
            return ""
        return f" (CSV_DECIMAL={other} if every file is written so)"


def _hint_of_a_missing_value(text: str) -> str:
    stands_for_none = pc.match_substring_regex(pa.scalar(text), MISSING_LIKE).as_py()
    return " (leave cells without a value empty)" if stands_for_none else ""


def _records(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the records that are not blank lines start and stop."""
    ends = record_ends(data)
    if not data or data[-1] not in (NEWLINE, RETURN):
        ends = np.append(ends, len(data))
    starts = np.concatenate(([0], ends[:-1] + 1))
    filled = ends > starts
    return starts[filled], ends[filled]


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
