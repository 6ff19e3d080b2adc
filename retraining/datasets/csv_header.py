"""A CSV file's header: where it ends, what it names, and what is wrong with it in words that a
person can act on.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from retraining.datasets.cells import listed, shown
from retraining.datasets.csv_segments import Segment, count_lines, inside_quotes, record_ends
from retraining.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

LINE_EDGES = (b"", b"\n", b"\r")  # what stands beside a whole line; nothing at either end
LETTER = re.compile(rb"[A-Za-z\x80-\xff]")  # rows may well equal a header of numbers alone
BINARY_FORMATS = (
    (b"PAR1", "a Parquet file; name it .parquet"),
    (b"\x1f\x8b", "compressed with gzip; deliver it unpacked"),
    (b"PK\x03\x04", "a ZIP or Excel file; export it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file; export it as CSV"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; deliver it unpacked"),
    (b"BZh", "compressed with bzip2; deliver it unpacked"),
    (b"\xfd7zXZ", "compressed with xz; deliver it unpacked"),
    (b"ARROW1", "an Arrow file; write it as Parquet or CSV"),
    (b"SQLite format 3", "an SQLite database; export a table as CSV"),
    (b"%PDF-", "a PDF document; export the table as CSV"),
)
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
LINES_SEARCHED = 50


def refuse_other_formats(head: bytes, encoding: str) -> None:
    """Refuse a file whose first bytes (64 are enough) show that it is no CSV at all.

    Raises:
        UnreadableFileError: it is of another format, or UTF-16 where another encoding is set.
    """
    if not head:
        raise UnreadableFileError("the file is empty (zero bytes)")
    for magic, what in BINARY_FORMATS:
        if head.startswith(magic):
            raise UnreadableFileError(f"the file is named .csv but is {what}")
    if re.match(rb"\s*(\{\s*[\"}]|\[\s*[\[{\"])", head):
        raise UnreadableFileError("the file is named .csv but holds JSON; deliver CSV or Parquet")
    if re.match(rb"\s*<(!doctype|\?xml|html|head|body)", head, re.IGNORECASE):
        raise UnreadableFileError(
            "the file is named .csv but holds HTML or XML (an error page instead of data?)"
        )
    if head.startswith(UTF16_MARKS) and encoding in {"utf-8", "utf-8-sig"}:
        raise UnreadableFileError(
            "the file is UTF-16 text; save it as UTF-8, or set CSV_ENCODING=utf-16 if every file is"
            " like this"
        )


def split_header(segment: Segment, separator: str) -> tuple[tuple[str, ...], bytes, Segment]:
    """The names in the first record that is not blank, this record, and the records after it.

    Raises:
        UnreadableFileError: there is none, or it cannot be read, or a name stands there twice.
    """
    start = len(segment.data) - len(segment.data.lstrip(b"\r\n"))
    stop = _record_end(segment.data, start)
    header = segment.data[start:stop]
    text = header.decode()
    if not text.strip():
        raise UnreadableFileError("the file holds no header and no rows")
    try:
        names = tuple(
            next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
        )
    except csv.Error as error:
        raise UnreadableFileError(
            f"the header on line {segment.line_at(start)} cannot be read: {error}"
        ) from None
    _refuse_duplicates(names)
    stop += 2 if segment.data[stop : stop + 2] == b"\r\n" else 1
    rest = Segment(segment.data[stop:], segment.first_line + count_lines(segment.data[:stop]))
    return names, header, rest


def refuse_the_header_again(segment: Segment, header: bytes) -> None:
    """Refuse rows among which the header stands once more.

    Raises:
        UnreadableFileError: it does; the message names the line.
    """
    data = segment.data
    start = data.find(header) if LETTER.search(header) else -1
    while start >= 0:
        stop = start + len(header)
        is_a_line = data[start - 1 : start] in LINE_EDGES and data[stop : stop + 1] in LINE_EDGES
        if is_a_line and not inside_quotes(data, np.array([start]))[0]:
            raise UnreadableFileError(
                f"line {segment.line_at(start):,} is the header once more (several files joined"
                " into one?): deliver the file with one header"
            )
        start = data.find(header, stop)


def _record_end(data: bytes, start: int) -> int:
    """Where the record that begins at `start` ends.

    Looks at little first: the rows after a header may be millions of bytes.
    """
    size = 2**12
    while True:
        ends = record_ends(data[start : start + size])
        if ends.size:
            return start + int(ends[0])
        if start + size >= len(data):
            return len(data)
        size *= 16


def _refuse_duplicates(names: Sequence[str]) -> None:
    twice = tuple(name for name, count in Counter(names).items() if count > 1)
    if "" in twice:
        raise UnreadableFileError(
            "the header has more than one column without a name (empty columns at the end, as"
            " spreadsheets write them? deliver the file without them)"
        )
    if twice:
        raise UnreadableFileError(f"the header names more than one column {listed(twice)}")


def refuse_missing_columns(
    names: Sequence[str], features: Sequence[str], target: str, rest: Segment | None = None
) -> None:
    """Refuse a header that lacks a column; names must match exactly, their order is free.

    Args:
        names: what the header names.
        features: the feature columns that are needed.
        target: the label column.
        rest: the rows after a CSV header, in which the true header is looked for.

    Raises:
        UnreadableFileError: a column is missing; the message names it, and what stands there in its
            place.
    """
    missing = [name for name in (*features, target) if name not in names]
    if not missing:
        return
    header = f"the header has {listed(tuple(names))}"
    by_likeness = {_alike(other): other for other in names}
    similar = {name: by_likeness[_alike(name)] for name in missing if _alike(name) in by_likeness}
    if similar:
        pairs = "; ".join(
            f"{shown(other)} should be {shown(name)}" for name, other in similar.items()
        )
        raise UnreadableFileError(
            f"column names must match exactly, also in upper and lower case: {pairs}"
        )
    if len(missing) == len(features) + 1:
        raise UnreadableFileError(
            _lines_before_the_header(missing, rest)
            or f"no header with the expected columns: {header}"
        )
    if missing == [target]:
        raise UnreadableFileError(f"the label column {shown(target)} is missing; {header}")
    word = "column is" if len(missing) == 1 else f"{len(missing)} columns are"
    raise UnreadableFileError(f"{word} missing: {listed(missing)}; {header}")


def _alike(name: str) -> str:
    return re.sub(r"[\s_\ufeff-]+", "", name).casefold()


def _lines_before_the_header(names: Sequence[str], rest: Segment | None) -> str | None:
    lines = (
        rest.data[: 2**16].decode(errors="replace").splitlines()[:LINES_SEARCHED] if rest else []
    )
    for line in lines:
        if all(name in line for name in names):
            count = lines.index(line) + 1
            return (
                f"the header must be the first line; here {count} other"
                f" line{'s come' if count > 1 else ' comes'} before it"
            )
    return None
