"""Values that came as JSON are read by the rules of files: the same rows give the same frame."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from retraining.datasets.values import UnfitValuesError, number_column, text_column
from retraining.records import Column
from retraining.serving.forms import FORMS, sent_rows
from retraining.serving.json_bodies import json_object
from retraining.serving.rows import frame_of, typed_rows
from tests.datasets.corpus import CASES, Case
from tests.datasets.files import put, store

if TYPE_CHECKING:
    from pathlib import Path

NUMBER, BOOLEAN, TEXT = (
    Column("n", "number"),
    Column("b", "boolean"),
    Column("t", "string"),
)
READ = [case for case in CASES if case.rows is not None]


def problems(values: list[Any], column: Column) -> list[tuple[str, tuple[int, ...]]]:
    read = text_column if column.kind == "string" else number_column
    with pytest.raises(UnfitValuesError) as raised:
        read(values, column)
    return [(found.problem, found.rows) for found in raised.value.problems]


def in_form(form: str, names: tuple[str, ...], rows: list[list[Any]]) -> dict[str, Any]:
    records = [dict(zip(names, row, strict=True)) for row in rows]
    return {
        "features": {"features": rows},
        "dataframe_records": {"dataframe_records": records},
        "dataframe_split": {"dataframe_split": {"columns": list(names), "data": rows}},
        "instances": {"instances": records},
        "inputs": {"inputs": {name: [record[name] for record in records] for name in names}},
    }[form]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", READ, ids=lambda case: case.title)
def test_the_rows_of_a_file_sent_as_json_are_the_same_frame(
    case: Case, form: str, tmp_path: Path
) -> None:
    assert case.rows is not None
    file = put(tmp_path, case.content, case.name)
    offline, _ = store(tmp_path, **case.settings).features_and_labels(
        [(file, [(0, len(case.rows))])], case.schema
    )
    labelled = [list(row[:-1]) for row in case.rows if row[-1] is not None]
    body = json.dumps(in_form(form, case.schema.names, labelled)).encode()
    sent = sent_rows(json_object(body), case.schema.names, at_most=len(labelled))
    told = frame_of([typed_rows(sent, case.schema)], case.schema)
    pd.testing.assert_frame_equal(told, offline)


@pytest.mark.parametrize(
    ("column", "values", "read"),
    [
        (NUMBER, [1, 2.5, None, math.nan], [1.0, 2.5, None, None]),
        (NUMBER, [2**53, -(2**53)], [2.0**53, -(2.0**53)]),
        (BOOLEAN, [True, False, 0, 1, 1.0, None], [1.0, 0.0, 0.0, 1.0, 1.0, None]),
    ],
)
def test_numbers_and_booleans_become_floats(
    column: Column, values: list[Any], read: list[float | None]
) -> None:
    told = number_column(values, column).tolist()
    assert [None if math.isnan(value) else value for value in told] == read


def test_texts_stay_exactly_as_they_are_and_the_empty_one_is_missing() -> None:
    words = ["NA", "007", "nan", " north", "Ž\t\"'", "\U0001f600"]
    assert text_column(words, TEXT) == words
    assert text_column(["", None, math.nan, "a"], TEXT) == [None, None, None, "a"]


@pytest.mark.parametrize(
    ("column", "values", "found"),
    [
        (NUMBER, ["1", 2, True, [3], {}], [("type", (0, 2, 3, 4))]),
        (NUMBER, [math.inf, -math.inf, 2**53 + 1], [("range", (0, 1, 2))]),
        (NUMBER, [1, "x", math.inf], [("type", (1,)), ("range", (2,))]),
        (NUMBER, ["x"] * 9, [("type", (0, 1, 2, 3, 4))]),
        (BOOLEAN, [2, "true", 0.5, None], [("type", (0, 1, 2))]),
        (TEXT, [1, True, "a\0b", "\ud800", ["a"], "good"], [("type", (0, 1, 2, 3, 4))]),
    ],
)
def test_what_a_column_cannot_hold_is_named_by_kind_and_first_rows(
    column: Column, values: list[Any], found: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert problems(values, column) == found


@pytest.mark.parametrize(
    ("written", "problem"),
    [("18446744073709551616", "range"), ("1" + "0" * 5000, "range"), ("1e400", "range")],
)
def test_a_whole_number_too_long_for_64_bits_is_not_taken_for_a_float(
    written: str, problem: str
) -> None:
    values = json_object(f'{{"n": [{written}]}}'.encode())["n"]
    assert problems(values, NUMBER) == [(problem, (0,))]
