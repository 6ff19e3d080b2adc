"""A frame's index, written along with it, is no feature."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from retraining.datasets import TableStore, read_schema_from
from tests.datasets.files import put, settings

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.records import DataFile

PLAIN = pd.DataFrame({"a": [1.5, 2.5, 3.5, 4.5], "b": [1, 2, 3, 4], "target": [0, 1, 0, 1]})
SHUFFLED = PLAIN.sample(frac=1, random_state=1)


def parquet(folder: Path, frame: pd.DataFrame, name: str) -> DataFile:
    sink = io.BytesIO()
    frame.to_parquet(sink)
    return put(folder, sink.getvalue(), name)


@pytest.mark.parametrize(
    ("frame", "indexes"),
    [
        (PLAIN, ()),  # a range, which is not stored as a column
        (SHUFFLED, ("__index_level_0__",)),
        (SHUFFLED.rename_axis("row"), ("row",)),
        (
            PLAIN.set_index(["b", pd.Index(list("wxyz"), name=None)]),
            ("b", "__index_level_1__"),
        ),
        (SHUFFLED.set_index(pd.Index([7, 9, 8, 6], name="b2")), ("b2",)),
        (PLAIN.rename(columns={"b": "Unnamed: 0"}), ("Unnamed: 0",)),
        (PLAIN.rename(columns={"b": "Unnamed: 0.1"}), ("Unnamed: 0.1",)),
    ],
)
def test_it_is_left_out_whether_it_has_a_name_or_not(
    frame: pd.DataFrame, indexes: tuple[str, ...], tmp_path: Path
) -> None:
    file = parquet(tmp_path, frame, "0.parquet")
    chosen = settings(tmp_path)
    schema = read_schema_from([file], chosen)
    assert schema.names == tuple(name for name in frame.columns if name not in {"target", *indexes})
    facts = TableStore(tmp_path / "tables", chosen).validate(file, schema)
    assert (facts.index_columns, facts.extra_columns) == (indexes, ())


def test_files_with_and_without_it_are_learned_together_in_any_order(tmp_path: Path) -> None:
    indexed = parquet(tmp_path, SHUFFLED.rename_axis("row"), "0.parquet")
    plain = parquet(tmp_path, PLAIN, "1.parquet")
    reset = parquet(tmp_path, SHUFFLED.rename_axis("row").reset_index(), "2.parquet")
    for files in ([indexed, plain, reset], [reset, indexed, plain]):
        assert read_schema_from(files, settings(tmp_path)).names == ("a", "b")


def test_the_name_that_read_csv_gives_it_is_known_in_a_csv_too(tmp_path: Path) -> None:
    written = io.StringIO()
    pd.read_csv(io.StringIO(SHUFFLED.to_csv())).to_csv(written, index=False)
    file = put(tmp_path, written.getvalue().encode(), "0.csv")
    assert read_schema_from([file], settings(tmp_path)).names == ("a", "b")


def test_a_label_that_stands_in_the_index_is_read(tmp_path: Path) -> None:
    file = parquet(tmp_path, PLAIN.set_index("target"), "0.parquet")
    assert read_schema_from([file], settings(tmp_path)).classes == (0, 1)


def test_a_version_that_learned_it_still_reads_it(tmp_path: Path) -> None:
    """Registered before this was noticed: its columns are its columns, and a file that lacks one is
    refused.
    """
    file = parquet(tmp_path, SHUFFLED.rename_axis("row"), "0.parquet")
    chosen = settings(tmp_path)
    plain = put(tmp_path, b"row,a,b,target\n1,2,3,0\n2,3,4,1\n", "1.csv")
    schema = read_schema_from([plain], chosen)
    table = TableStore(tmp_path / "tables", chosen).table(file, schema)
    assert table.column("row").to_pylist() == SHUFFLED.index.tolist()
