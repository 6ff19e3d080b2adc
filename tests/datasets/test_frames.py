"""What the recipe is handed, and the frames that are scored."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from retraining.datasets import features_and_labels, label_codes, label_values, row_hashes
from retraining.datasets.row_hashes import hash_rows
from tests.datasets.corpus import BOOLEAN_LABELS, HEAD, SCHEMA, STRING_LABELS, parquet
from tests.datasets.files import put, store

if TYPE_CHECKING:
    from pathlib import Path

STR = "string" if pd.__version__.startswith("2.2.") else "str"  # the same type under two names
FIRST = "1,10,true,Rome,0\n,20,,Oslo,\n3,30,0,,1\n4,40,1,NA,1\n"
SECOND = "5,50,true,Oslo,0\n6,60,true,Bonn,1\n"


@pytest.fixture
def tables(tmp_path: Path) -> list[pa.Table]:
    files = [
        put(tmp_path, (HEAD + FIRST).encode(), "1.csv"),
        put(tmp_path, (HEAD + SECOND).encode(), "2.csv"),
    ]
    return list(store(tmp_path).tables_many(files, SCHEMA))


def test_the_labelled_rows_of_the_runs_come_in_order_with_the_promised_types(
    tables: list[pa.Table],
) -> None:
    X, y = features_and_labels(iter(tables), [[(0, 4)], [(0, 2)]], SCHEMA)
    assert list(X.columns) == ["speed", "load", "ok", "city"]
    assert [str(kind) for kind in X.dtypes] == ["float64", "float64", "float64", STR]
    assert X["speed"].tolist() == [1, 3, 4, 5, 6]
    assert X["ok"].tolist() == [1, 0, 1, 1, 1]
    assert X["city"].tolist()[0::2] == ["Rome", "NA", "Bonn"]
    assert math.isnan(X["city"][1])
    assert (y.tolist(), str(y.dtype), y.name) == ([0, 1, 1, 0, 1], "int64", "target")
    assert X.index.equals(pd.RangeIndex(5))
    assert y.index.equals(X.index)


def test_only_the_rows_of_the_runs_are_taken(tables: list[pa.Table]) -> None:
    X, y = features_and_labels(tables, [[(0, 1), (3, 4)], [(1, 2)]], SCHEMA)
    assert (X["speed"].tolist(), y.tolist()) == ([1, 4, 6], [0, 1, 1])


def test_no_rows_give_empty_columns_of_the_same_types(tables: list[pa.Table]) -> None:
    for given in ([], [[], []], [[(1, 2)], []]):
        X, y = features_and_labels(tables[: len(given)], given, SCHEMA)
        assert (len(X), len(y)) == (0, 0)
        assert [str(kind) for kind in X.dtypes] == ["float64", "float64", "float64", STR]


def test_tables_and_runs_must_be_as_many(tables: list[pa.Table]) -> None:
    with pytest.raises(ValueError, match="zip"):
        features_and_labels(tables, [[(0, 1)]], SCHEMA)


def test_labels_come_by_their_kind() -> None:
    codes = np.array([1, 0, 1], np.int32)
    assert label_values(codes, BOOLEAN_LABELS).tolist() == [True, False, True]
    assert label_values(codes, STRING_LABELS).tolist() == ["no", "NA", "no"]
    assert str(pd.Series(label_values(codes, STRING_LABELS)).dtype) == STR
    assert label_values(codes, SCHEMA).dtype == np.int64


def test_a_frame_can_be_written_to_without_touching_the_copy(tables: list[pa.Table]) -> None:
    assert label_codes(tables[0]).tolist() == [0, -1, 1, 1]
    frame, _ = features_and_labels(tables, [[(0, 1)], [(0, 2)]], SCHEMA)
    frame.loc[0, ["speed", "city"]] = [99.0, "Bonn"]
    again, _ = features_and_labels(tables, [[(0, 1)], [(0, 2)]], SCHEMA)
    assert (again["speed"][0], again["city"][0]) == (1.0, "Rome")


def test_numbers_are_one_array_that_costs_no_copy(tables: list[pa.Table]) -> None:
    for schema in (SCHEMA, replace(SCHEMA, columns=SCHEMA.columns[::-1])):  # texts last, and first
        X, _ = features_and_labels(tables, [[(0, 4)], [(0, 2)]], schema)
        array = X[["speed", "load"]].to_numpy()
        assert np.shares_memory(array, X["speed"].to_numpy())


@pytest.mark.parametrize("kind", ["number", "string"])
def test_columns_may_all_be_of_one_kind(kind: str, tables: list[pa.Table]) -> None:
    only = replace(
        SCHEMA, columns=tuple(column for column in SCHEMA.columns if column.kind == kind)
    )
    X, y = features_and_labels(tables, [[(0, 4)], [(0, 2)]], only)
    assert list(X.columns) == list(only.names)
    assert X.index.equals(y.index)


def test_equal_rows_hash_equal_whatever_the_file_its_format_and_its_neighbours(
    tmp_path: Path,
) -> None:
    one_store = store(tmp_path, max_unlabelled_share=1.0)
    csv = one_store.table(
        put(
            tmp_path,
            (HEAD + "7,7,1,Bonn,1\n1.0,10,true,Rome,1\n-0,,,,1\n2.5,2e1,FALSE,Oslo,\n").encode(),
        ),
        SCHEMA,
    )
    turned = one_store.table(
        put(tmp_path, b"city,target,ok,load,speed\n,0,,NaN,0\n", "t.csv"), SCHEMA
    )
    typed = one_store.table(put(tmp_path, parquet(), "p.parquet"), SCHEMA)
    assert row_hashes(csv)[[1, 3]].tolist() == row_hashes(typed).tolist()
    assert row_hashes(csv)[2] == row_hashes(turned)[0]
    assert len(set(row_hashes(csv).tolist())) == 4


def test_row_hashes_are_the_same_in_every_process_and_version() -> None:
    texts = pa.array(["Rome", None, "", "7"]).dictionary_encode()
    numbers = pa.array([1.0, float("nan"), 0.0, 7.0])
    golden = 0x9E3779B97F4A7C15

    def mixed(word: int) -> int:
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
        return word ^ (word >> 31)

    rome = int.from_bytes(hashlib.blake2b(b"Rome", digest_size=8).digest(), "little")
    one = int(np.float64(1.0).view(np.uint64))
    assert int(hash_rows([texts, numbers])[0]) == mixed(
        ((mixed((rome + golden) % 2**64) ^ one) + golden) % 2**64
    )


def test_rows_that_differ_anywhere_hash_differently() -> None:
    rng = np.random.default_rng(7)
    numbers = [pa.array(rng.integers(0, 50, 200_000).astype(float)) for _ in range(4)]
    hashes = hash_rows(numbers)
    distinct = len(np.unique(np.column_stack([column.to_numpy() for column in numbers]), axis=0))
    assert len(np.unique(hashes)) == distinct
    assert (hash_rows(numbers[::-1]) != hashes).mean() > 0.9, "the place of a column counts"


def test_a_category_beside_a_number_is_not_confused_with_its_neighbour() -> None:
    a = hash_rows(
        [pa.array(["x"]).dictionary_encode(), pa.array([None], pa.string()).dictionary_encode()]
    )
    b = hash_rows(
        [pa.array([None], pa.string()).dictionary_encode(), pa.array(["x"]).dictionary_encode()]
    )
    assert a[0] != b[0]


def test_the_schemas_order_decides_not_the_files(tmp_path: Path) -> None:
    turned = replace(SCHEMA, columns=SCHEMA.columns[::-1])
    table = store(tmp_path).table(put(tmp_path, (HEAD + SECOND).encode()), turned)
    X, _ = features_and_labels([table], [[(0, 2)]], turned)
    assert list(X.columns) == ["city", "ok", "load", "speed"]
    assert X["load"].tolist() == [50, 60]
