"""What a cycle accepted stands in the archive beside what its version learned: both are read again
when the next version is registered, however their types differ.
"""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from retraining.datasets import read_schema_from
from tests.datasets.files import put, settings, store

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.records import DataFile

BOOLEANS = [True, False, True, False]
WHOLE = [1, 0, 1, 0]
FRACTIONS = [1.5, 0.25, -3.0, 2.0]
WORDS = ["north", "south", "north", "south"]
NO_TEXT = pd.Series([None] * 4, dtype="string")  # of `str` pandas 2 keeps no type here
NO_BOOLEAN = pd.Series([None] * 4, dtype="boolean")
NO_DATE = pd.Series([pd.NaT] * 4)
NO_NUMBER = [float("nan")] * 4
PADDED = ["007", "012", "3", "4"]
NUMBERS_AS_TEXT = [" 1.50", "2e3", "00.5", ""]
LABELS = [0, 1, 0, 1]

ACCEPTED: dict[str, tuple[str, Any, str, Any]] = {
    "booleans, then 0 and 1": ("parquet", BOOLEANS, "parquet", WHOLE),
    "booleans in a CSV, then 0 and 1": ("csv", BOOLEANS, "parquet", WHOLE),
    "booleans, then 0 and 1 in a CSV": ("parquet", BOOLEANS, "csv", WHOLE),
    "booleans, then floats with gaps": ("parquet", BOOLEANS, "parquet", [1.0, None, 0.0, 1.0]),
    "booleans, then nullable numbers": (
        "parquet",
        BOOLEANS,
        "parquet",
        pd.array([1, None, 0, 1], dtype="Int64"),
    ),
    "booleans, then words for them": ("parquet", BOOLEANS, "parquet", ["TRUE", "False", "1", "0"]),
    "booleans, then nothing": ("parquet", BOOLEANS, "parquet", NO_NUMBER),
    "booleans, then no dates": ("parquet", BOOLEANS, "parquet", NO_DATE),
    "numbers, then no texts": ("parquet", FRACTIONS, "parquet", NO_TEXT),
    "numbers, then no booleans": ("parquet", FRACTIONS, "parquet", NO_BOOLEAN),
    "numbers, then no dates": ("csv", FRACTIONS, "parquet", NO_DATE),
    "whole numbers, then fractions": ("parquet", WHOLE, "parquet", FRACTIONS),
    "whole numbers in a CSV, then fractions": ("csv", WHOLE, "parquet", FRACTIONS),
    "numbers, then decimals": ("parquet", FRACTIONS, "parquet", [Decimal("1.5"), None] * 2),
    "numbers, then leading zeros": ("parquet", FRACTIONS, "csv", PADDED),
    "numbers in a CSV, then other spellings": ("csv", FRACTIONS, "csv", NUMBERS_AS_TEXT),
    "codes, then whole numbers": ("csv", PADDED, "parquet", WHOLE),
    "texts of digits, then whole numbers": ("parquet", ["1", "0", "1", "0"], "parquet", WHOLE),
    "words, then numbers in a CSV": ("csv", WORDS, "csv", FRACTIONS),
    "words, then no dates": ("parquet", WORDS, "parquet", NO_DATE),
    "words, then no booleans": ("csv", WORDS, "parquet", NO_BOOLEAN),
    "words, then categories": ("csv", WORDS, "parquet", pd.Categorical(WORDS)),
    "words, then categories of numbers": ("csv", WORDS, "parquet", pd.Categorical(WHOLE)),
    "nothing, then numbers": ("csv", NO_NUMBER, "parquet", FRACTIONS),
    "no texts, then words": ("parquet", NO_TEXT, "csv", WORDS),
}


def a_file(folder: Path, name: str, ending: str, cells: Any, labels: list[Any]) -> DataFile:
    rows = pd.DataFrame({"c": cells, "d": FRACTIONS, "target": labels})
    stream = io.BytesIO()
    if ending == "parquet":
        rows.to_parquet(stream, index=False)
    else:
        rows.to_csv(stream, index=False)
    return put(folder, stream.getvalue(), f"{name}.{ending}")


@pytest.mark.parametrize("kind", ACCEPTED)
def test_whatever_a_cycle_accepts_is_read_when_the_archive_is_registered_anew(
    tmp_path: Path, kind: str
) -> None:
    first_ending, first, then_ending, then = ACCEPTED[kind]
    learned = a_file(tmp_path, "learned", first_ending, first, LABELS)
    accepted = a_file(tmp_path, "accepted", then_ending, then, LABELS)
    by_production = read_schema_from([learned], settings(tmp_path))
    store(tmp_path).validate(accepted, by_production)
    anew = read_schema_from([learned, accepted], settings(tmp_path))
    assert [store(tmp_path).validate(file, anew).rows for file in (learned, accepted)] == [4, 4]


@pytest.mark.parametrize(
    ("first", "then"),
    [([True, False] * 2, WHOLE), (["true", "false"] * 2, WHOLE), (WHOLE, ["01", "00", "1", "0"])],
    ids=["booleans, then 0 and 1", "words for booleans, then 0 and 1", "numbers, then padded ones"],
)
def test_labels_that_a_cycle_takes_for_the_same_class_are_the_same_when_registered_anew(
    tmp_path: Path, first: list[Any], then: list[Any]
) -> None:
    learned = a_file(tmp_path, "learned", "csv", FRACTIONS, first)
    accepted = a_file(tmp_path, "accepted", "csv", FRACTIONS, then)
    by_production = read_schema_from([learned], settings(tmp_path))
    assert not store(tmp_path).validate(accepted, by_production).unknown_labels
    anew = read_schema_from([learned, accepted], settings(tmp_path))
    assert replace(anew, columns=()) == replace(by_production, columns=())
