"""Documents as rows, and whether the inbox's reader takes back what was written."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import bson
import numpy as np
import pytest
from bson import Decimal128
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from retraining.datasets import TableStore
from retraining.records import Column, DataFile, Schema
from retraining.settings import Settings
from retraining.sources.mongodb.bson_cells import MisfitError
from retraining.sources.mongodb.rows import (
    columns_found,
    field_at,
    layout_of,
    layout_without_schema,
    refused_line,
)

SCHEMA = Schema(
    columns=(Column("speed", "number"), Column("road, or \"way\"", "string"),
             Column("wet", "boolean"), Column("at.lat", "number")),
    target="braked",
    label_kind="string",
    classes=("no", "yes"),
)  # fmt: skip
GOOD: dict[str, Any] = {
    "_id": 1,
    "speed": 5,
    'road, or "way"': "Urban",
    "wet": True,
    "at": {"lat": 1.5},
    "braked": "yes",
}


def settings_with(**values: Any) -> Settings:
    return Settings(
        project=Path("/nowhere"), target_column="braked", max_unlabelled_share=1.0, **values
    )


def test_dotted_path_reaches_into_documents_and_prefers_a_field_of_that_name() -> None:
    assert field_at({"a": {"b": {"c": 1}}}, "a.b.c") == 1
    assert field_at({"a": {"b.c": 2}}, "a.b.c") == 2
    assert field_at({"a.b": 3, "a": {"b": 4}}, "a.b") == 3
    assert field_at({"a": [1]}, "a.b") is None


def test_missing_fields_are_empty_cells() -> None:
    assert layout_of(SCHEMA, settings_with()).row({"_id": 1, "speed": 5}) == ("5", "", "", "", "")


def test_document_with_none_of_the_columns_is_refused() -> None:
    with pytest.raises(MisfitError, match="none of the columns"):
        layout_of(SCHEMA, settings_with(ignore_columns=("note",))).row(
            {"_id": 1, "note": "hello", "other": 3}
        )


def test_text_that_the_encoding_lacks_is_refused() -> None:
    with pytest.raises(MisfitError, match=r"field 'road.*cannot be written as latin-1"):
        layout_of(SCHEMA, settings_with(csv_encoding="latin-1")).row(
            {**GOOD, 'road, or "way"': "Łódź"}
        )


def test_text_that_is_no_utf_8_is_refused_and_kept() -> None:
    codec = bson.CodecOptions(unicode_decode_error_handler="surrogateescape")
    broken = bson.decode(bson.encode({"_id": 1, "braked": "ab"}).replace(b"ab", b"\xff\xfe"), codec)
    with pytest.raises(MisfitError, match="cannot be written as utf-8"):
        layout_of(SCHEMA, settings_with()).row(broken)
    assert json.loads(refused_line(broken, "reason"))["reason"] == "reason"
    assert refused_line(broken, "reason").isascii()


def test_row_that_the_reader_would_refuse_the_file_for_is_refused() -> None:
    schema = Schema(
        tuple(Column(f"c{n}", "string") for n in range(20)), "braked", "string", ("no", "yes")
    )
    with pytest.raises(MisfitError, match="a row of more than"):
        layout_of(schema, settings_with()).row({f"c{n}": "x" * 90_000 for n in range(20)})


def test_decimal_comma_is_for_numbers_only() -> None:
    layout = layout_of(SCHEMA, settings_with(csv_decimal=",", csv_separator=";"))
    assert layout.row({**GOOD, "speed": 0.5, 'road, or "way"': "a.b"}) == (
        "0,5",
        "a.b",
        "true",
        "1,5",
        "yes",
    )


def test_columns_without_a_schema_are_the_scalar_fields_with_the_target_last() -> None:
    documents = [
        {**GOOD, "tags": ["a"], "blob": b"x"},
        {"_id": 2, "late": 1, "at": {"lon": Decimal128("2")}},
    ]
    assert columns_found(documents, settings_with()) == (
        "speed",
        'road, or "way"',
        "wet",
        "at.lat",
        "late",
        "at.lon",
        "braked",
    )
    assert columns_found(documents, settings_with(ignore_columns=("_id",)))[0] == "_id"


def test_cells_without_a_schema_follow_the_type_of_the_value() -> None:
    layout = layout_without_schema(
        ("a", "b", "c", "braked"), settings_with(csv_decimal=",", csv_separator=";")
    )
    assert layout.row({"a": 1.0, "b": 1.5, "c": "1.5", "braked": 1.0}) == ("1", "1,5", "1.5", "1")
    with pytest.raises(MisfitError, match="infinite"):
        layout.row({"a": math.inf})


def test_ids_make_a_last_column_of_their_own() -> None:
    layout = layout_of(SCHEMA, settings_with())
    rows = list(
        csv.reader(io.StringIO(layout.file([layout.row(GOOD)], [{"a": 1}]).decode(), newline=""))
    )
    assert [row[-1] for row in rows] == ["_id", '{"a": 1}']


DECIMALS = st.decimals(places=3, allow_nan=False, min_value=-1e9, max_value=1e9).map(Decimal128)
NUMBERS = st.one_of(st.none(), st.booleans(), st.floats(), st.integers(-(2**60), 2**60), DECIMALS)
TEXTS = st.one_of(
    st.none(), st.text(max_size=12), st.text(alphabet=" ,;\"\t\r\n'NA0.5\ufeff", max_size=6)
)
DOCUMENTS = st.fixed_dictionaries(
    {"_id": st.integers(0, 2**31), "braked": st.sampled_from([None, "", "yes", "no"])},
    optional={
        "speed": NUMBERS,
        'road, or "way"': TEXTS,
        "wet": st.one_of(st.none(), st.booleans()),
        "at": st.fixed_dictionaries({"lat": NUMBERS}),
    },
)
STYLES = (
    {},
    {"csv_separator": ";", "csv_decimal": ","},
    {"csv_separator": "\t", "csv_encoding": "latin-1"},
    {"csv_encoding": "utf-16"},
)


def number_of(value: Any) -> float:
    return (
        math.nan
        if value is None
        else float(value.to_decimal())
        if isinstance(value, Decimal128)
        else float(value)
    )


@hypothesis_settings(max_examples=80, deadline=None)
@given(st.lists(DOCUMENTS, min_size=1, max_size=6), st.sampled_from(STYLES))
def test_the_reader_of_the_inbox_takes_back_exactly_what_was_written(
    documents: list[dict[str, Any]], style: dict[str, Any]
) -> None:
    settings = settings_with(**style)
    layout = layout_of(SCHEMA, settings)
    fitting, rows = [], []
    for document in documents:
        try:
            rows.append(layout.row(document))
        except MisfitError:
            continue
        fitting.append(document)
    if not rows:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mongodb-1.csv"
        path.write_bytes(layout.file(rows))
        store, file = (
            TableStore(Path(folder) / "tables", settings),
            DataFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), path),
        )
        assert store.validate(file, SCHEMA).rows == len(rows)
        X, y = store.features_and_labels([(file, [(0, len(rows))])], SCHEMA)
        labelled = [document for document in fitting if document["braked"]]
        assert list(y) == [document["braked"] for document in labelled]
        np.testing.assert_array_equal(
            X["speed"], [number_of(document.get("speed")) for document in labelled]
        )
        np.testing.assert_array_equal(
            X["at.lat"], [number_of(document.get("at", {}).get("lat")) for document in labelled]
        )
        np.testing.assert_array_equal(
            X["wet"], [number_of(document.get("wet")) for document in labelled]
        )
        texts = [document.get('road, or "way"') or "" for document in labelled]
        assert list(X['road, or "way"'].fillna("")) == texts
