"""What must hold for any bytes: nothing but a reason is raised, and what is accepted is what
Python's strict CSV reader sees.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from retraining.datasets import csv_segments
from retraining.errors import UnreadableFileError
from retraining.records import Column, Schema
from tests.datasets.corpus import HEAD, ROWS, SCHEMA, parquet
from tests.datasets.files import put, rows_of, store

# more of them by hand, after a change of the reading
EXAMPLES = int(os.environ.get("DATASETS_EXAMPLES", "40"))
TEXTS = Schema((Column("a", "string"), Column("b", "string")), "t", "string", ("x", "y"))
quick = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
pieces = st.sampled_from(
    [
        ",",
        ";",
        "\t",
        "\n",
        "\r\n",
        "\r",
        '"',
        '""',
        "1",
        "2.5",
        "x",
        "y",
        "NaN",
        "true",
        " ",
        "é",
        "\ufeff",
        "a,b,t\n",
        "\0",
        "\\",
    ]
)
cells = st.text(st.sampled_from("ab1,;\t\"\n\r é\ufeff\\#'.-"), max_size=6)


def accepted(
    content: bytes, schema: Schema, name: str = "f.csv", **changed: Any
) -> list[tuple[Any, ...]] | None:
    """The rows of a file, or None where it is refused with a reason, or holds an unknown label."""
    with tempfile.TemporaryDirectory() as folder:
        file, tables = (
            put(Path(folder), content, name),
            store(Path(folder), max_unlabelled_share=1.0, **changed),
        )
        try:
            unknown = tables.validate(file, schema).unknown_labels
            return None if unknown else rows_of(tables.table(file, schema), schema)
        except UnreadableFileError as refusal:
            reason = str(refusal)
    assert reason.isprintable()
    assert reason
    return None


def strictly(
    content: bytes, encoding: str = "utf-8-sig", separator: str = ","
) -> list[tuple[str | None, ...]]:
    """The oracle: rows by Python's own reader, strict.

    Blank lines are no rows, an empty text is missing.
    """
    text = io.StringIO(content.decode(encoding), newline="")
    records = [record for record in csv.reader(text, delimiter=separator, strict=True) if record]
    assert all(len(record) == len(records[0]) for record in records)
    return [
        tuple(record[records[0].index(name)] or None for name in ("a", "b", "t"))
        for record in records[1:]
    ]


@quick
@given(st.binary(max_size=200), st.sampled_from(["f.csv", "f.parquet", "f.csv.gz", "f.txt"]))
def test_no_bytes_raise_anything_but_a_reason(content: bytes, name: str) -> None:
    accepted(content, SCHEMA, name)


@quick
@given(st.lists(pieces, max_size=30).map("".join))
@example('a,b,t\n"x\n",y,x\n')
@example("b,t,a\r1,x,2\r\r\n")
@example('a,b,t\n1,2"3,x\n')
def test_whatever_is_accepted_is_what_pythons_strict_reader_reads(body: str) -> None:
    content = f"a,b,t\n{body}".encode()
    rows = accepted(content, TEXTS)
    if rows is not None:
        assert rows == strictly(content)


@quick
@given(st.lists(pieces, max_size=25).map("".join), st.integers(8, 64))
def test_where_a_file_is_cut_into_segments_changes_nothing(body: str, segment_bytes: int) -> None:
    content = f"a,b,t\n{body}".encode()
    whole = accepted(content, TEXTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_segments, "SEGMENT_BYTES", segment_bytes)
        assert accepted(content, TEXTS) == whole


@quick
@given(
    st.lists(st.tuples(cells, cells, st.sampled_from(["x", "y", ""])), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t", "|", " "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["utf-8", "utf-16", "cp1252"]),
    st.permutations(["a", "b", "t"]),
)
def test_what_pythons_writer_writes_is_read_back_cell_by_cell(
    rows: list[tuple[str, str, str]],
    separator: str,
    line_end: str,
    quoting: Any,
    encoding: str,
    order: list[str],
) -> None:
    text = io.StringIO(newline="")
    if quoting == csv.QUOTE_MINIMAL:
        line_end = "\r\n"  # with another one, Python 3.11 leaves a CR or LF inside a cell unquoted
    writer = csv.writer(text, delimiter=separator, lineterminator=line_end, quoting=quoting)
    writer.writerow(order)
    writer.writerows([dict(zip("abt", row, strict=True))[name] for name in order] for row in rows)
    assume(encoding != "cp1252" or "\ufeff" not in text.getvalue())
    content = text.getvalue().encode(encoding)
    read = accepted(content, TEXTS, csv_separator=separator, csv_encoding=encoding)
    assert read == [tuple(cell or None for cell in row) for row in rows]


@quick
@given(st.integers(1, 6), st.integers(0, 5), st.sampled_from(["add", "delete"]), st.data())
def test_a_row_with_a_cell_more_or_less_is_refused_never_shifted(
    rows: int, cell: int, change: str, data: st.DataObject
) -> None:
    lines = [*HEAD.splitlines(), *(ROWS.splitlines()[0].split(",") for _ in range(rows))]
    broken = lines[data.draw(st.integers(1, rows))]
    assert isinstance(broken, list)
    if change == "add":
        broken.insert(cell, data.draw(st.sampled_from(["", "1", "true", "Rome", "0"])))
    else:
        broken.pop(min(cell, 4))
    content = "\n".join(line if isinstance(line, str) else ",".join(line) for line in lines)
    assert accepted(content.encode(), SCHEMA) is None


@quick
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_parquet_file_raises_nothing_but_a_reason(flips: list[tuple[int, int]]) -> None:
    content = bytearray(parquet())
    for position, value in flips:
        content[position % len(content)] = value
    accepted(bytes(content), SCHEMA, "f.parquet")


@quick
@given(
    st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
    st.sampled_from([".", ","]),
)
def test_a_number_is_read_as_python_reads_it(number: float, decimal: str) -> None:
    schema = replace(TEXTS, columns=(Column("a", "number"), Column("b", "string")))
    text = repr(number).replace(".", decimal)
    rows = accepted(f"a;b;t\n{text};;x\n".encode(), schema, csv_separator=";", csv_decimal=decimal)
    assert rows is not None
    assert repr(rows[0][0]) == repr(float(number))
