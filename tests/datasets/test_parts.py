"""Parts: rows that are read when asked for."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from retraining.datasets import UNLABELLED, cut_into_parts, features_and_labels, label_codes
from tests.datasets.corpus import HEAD, SCHEMA
from tests.datasets.files import put, store

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.datasets import Part

FIRST = "1,10,true,Rome,0\n,20,,Oslo,\n3,30,0,,1\n4,40,1,NA,1\n"
SECOND = "5,50,true,Oslo,0\n6,60,true,Bonn,1\n7,70,false,Rome,0\n"


def cut(folder: Path, most: int) -> tuple[tuple[Part, ...], pd.DataFrame, pd.Series]:
    """The parts of two files' labelled rows, and the same rows in one table."""
    files = [
        put(folder, (HEAD + text).encode(), f"{number}.csv")
        for number, text in enumerate((FIRST, SECOND))
    ]
    tables = store(folder)
    read = list(tables.tables_many(files, SCHEMA))
    copies = [
        (tables.copy_of(file, SCHEMA), label_codes(table) != UNLABELLED)
        for file, table in zip(files, read, strict=True)
    ]
    X, y = features_and_labels(read, [[(0, len(table))] for table in read], SCHEMA)
    return cut_into_parts(copies, SCHEMA, most), X, y


@pytest.mark.parametrize("most", [1, 2, 4, 5, 100])
def test_parts_together_are_the_rows_in_order_and_none_is_larger_than_asked(
    tmp_path: Path, most: int
) -> None:
    parts, X, y = cut(tmp_path, most)
    read = [part() for part in parts]
    pd.testing.assert_frame_equal(pd.concat([one for one, _ in read], ignore_index=True), X)
    pd.testing.assert_series_equal(pd.concat([one for _, one in read], ignore_index=True), y)
    assert [len(one) for one, _ in read] == [part.rows for part in parts]
    assert [part.rows for part in parts[:-1]] == [most] * (len(parts) - 1)
    assert 0 < parts[-1].rows <= most


def test_a_part_gives_its_rows_as_often_as_asked_in_any_order(tmp_path: Path) -> None:
    parts, _, _ = cut(tmp_path, 2)
    before = [part() for part in parts]
    for part, (X, y) in reversed(list(zip(parts, before, strict=True))):
        again, labels = part()
        pd.testing.assert_frame_equal(again, X)
        pd.testing.assert_series_equal(labels, y)


def test_a_part_can_be_sent_and_holds_no_rows(tmp_path: Path) -> None:
    rows = 50_000
    lines = "".join(f"{number},1,true,Rome,{number % 2}\n" for number in range(rows))
    file = put(tmp_path, (HEAD + lines).encode(), "many.csv")
    tables = store(tmp_path)
    tables.table(file, SCHEMA)
    mask = np.arange(rows) % 7 > 0  # no run of rows, so a mask must travel
    [part] = cut_into_parts([(tables.copy_of(file, SCHEMA), mask)], SCHEMA)
    sent = pickle.dumps(part)
    assert len(sent) < rows / 4
    X, _ = pickle.loads(sent)()
    assert X["speed"].tolist() == np.flatnonzero(mask).tolist()


def test_no_rows_are_no_parts(tmp_path: Path) -> None:
    assert cut_into_parts([(tmp_path, np.zeros(5, dtype=bool))], SCHEMA) == ()
