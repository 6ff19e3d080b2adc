"""What is inferred once, at registration."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from retraining.datasets import read_schema_from
from retraining.errors import SettingsError, UnreadableFileError
from retraining.records import Column, Schema
from tests.datasets.files import put, settings

if TYPE_CHECKING:
    from pathlib import Path


def inferred(folder: Path, *contents: str | bytes, **changed: Any) -> Schema:
    files = []
    for number, content in enumerate(contents):
        data = content if isinstance(content, bytes) else content.encode()
        files.append(
            put(folder, data, f"{number}.parquet" if data.startswith(b"PAR1") else f"{number}.csv")
        )
    return read_schema_from(files, settings(folder, **changed))


def column(folder: Path, *cells: str) -> Column:
    return inferred(
        folder, "c,target\n" + "".join(f"{cell},{i % 2}\n" for i, cell in enumerate(cells))
    ).columns[0]


def labels(folder: Path, *cells: str, **changed: Any) -> Schema:
    return inferred(folder, "c,target\n" + "".join(f"1,{cell}\n" for cell in cells), **changed)


def parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (("1", "2.5", "-1e3"), "number"),
        (("1", "", "NA", "NaN"), "number"),
        (("", ""), "number"),
        (("0", "1"), "number"),
        (("0", "0.5", "-0.5", "0e1", ".5"), "number"),
        (("007", "12"), "string"),
        (("-007", "12"), "string"),
        (("00", "1"), "string"),
        (("1", "fast"), "string"),
        (("1", "inf"), "number"),  # to be refused when it is validated, not taken for text
        (("true", "False", "TRUE", ""), "boolean"),
        (("true", "NA"), "boolean"),
        (("true", "0", "1"), "boolean"),
        (("True", "0.0", "1.0"), "string"),
        (("true", "2"), "string"),
        (("true", "yes"), "string"),
        (('"1,234"', "5"), "string"),
        (("2026-11-20", "2026-11-21"), "string"),
    ],
)
def test_a_columns_kind_follows_from_all_its_cells(
    cells: tuple[str, ...], kind: str, tmp_path: Path
) -> None:
    assert column(tmp_path, *cells).kind == kind


def test_categories_are_those_seen_in_any_file_sorted_and_without_the_missing_one(
    tmp_path: Path,
) -> None:
    schema = inferred(tmp_path, "c,target\nRome,0\n,1\n", "c,target\nOslo,0\nNA,1\n")
    assert schema.columns == (Column("c", "string", ("NA", "Oslo", "Rome")),)


def test_over_a_thousand_categories_are_not_listed(tmp_path: Path) -> None:
    assert len(column(tmp_path, *(f"c{i}" for i in range(1000))).categories or ()) == 1000
    assert column(tmp_path, *(f"c{i}" for i in range(1001))).categories is None


def test_one_file_with_a_word_makes_a_column_of_numbers_text_in_all(tmp_path: Path) -> None:
    schema = inferred(tmp_path, "c,target\n1,0\n2,1\n", "c,target\nx,0\n3,1\n")
    assert schema.columns == (Column("c", "string", ("1", "2", "3", "x")),)


@pytest.mark.parametrize(
    ("cells", "kind", "classes"),
    [
        (("0", "1", "2", ""), "integer", (0, 1, 2)),
        (("1.0", "0", "-3"), "integer", (-3, 0, 1)),
        (("True", "false"), "boolean", (False, True)),
        (("yes", "no", "NA"), "string", ("NA", "no", "yes")),
        (("01", "02"), "string", ("01", "02")),
        (("0.5", "1"), "string", ("0.5", "1")),
        (("10", "9", "NA"), "integer", (9, 10)),
    ],
)
def test_a_labels_kind_and_its_sorted_classes(
    cells: tuple[str, ...], kind: str, classes: tuple[Any, ...], tmp_path: Path
) -> None:
    schema = labels(tmp_path, *cells)
    assert (schema.label_kind, schema.classes) == (kind, classes)
    assert [type(one) for one in schema.classes] == [type(one) for one in classes]


def test_the_positive_class_of_two_is_the_rarer_one_and_of_equally_many_the_larger(
    tmp_path: Path,
) -> None:
    assert labels(tmp_path, "0", "1", "1").positive_class == 0
    assert labels(tmp_path, "0", "0", "1").positive_class == 1
    assert labels(tmp_path, "0", "1").positive_class == 1
    assert labels(tmp_path, "yes", "no").positive_class == "yes"
    assert labels(tmp_path, "0", "1", "2").positive_class is None


def test_the_positive_class_of_the_settings_is_compared_as_text(tmp_path: Path) -> None:
    assert labels(tmp_path, "0", "1", "1", positive_class="1").positive_class == 1
    assert labels(tmp_path, "true", "False", positive_class="FALSE").positive_class is False
    assert labels(tmp_path, "0", "1", "2", positive_class="1").positive_class is None, (
        "three classes have no positive one"
    )
    with pytest.raises(
        SettingsError, match=r"POSITIVE_CLASS: 'maybe' is no class; the classes are 'no', 'yes'"
    ):
        labels(tmp_path, "yes", "no", positive_class="maybe")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("c,other\n1,0\n", "TARGET_COLUMN: the data has no column 'target'; it has 'c', 'other'"),
        ("c,target\n1,0\n2,0\n", "only the class '0'"),
        ("c,target\n1,\n2,NA\n", "no label at all"),
        ("c,target\n" + "".join(f"1,{i}\n" for i in range(1200)), "distinct labels"),
        (
            "c,target\n" + "".join(f"1,{i % 40 / 4}\n" for i in range(60)),
            "has 40 distinct labels in 60 rows: no classes (a quantity?",
        ),
    ],
)
def test_a_target_that_gives_no_classes_is_an_error_of_the_settings(
    content: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as error:
        inferred(tmp_path, content)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (
            ("a,b,target\n1,2,0\n", "a,c,target\n1,2,1\n"),
            ("'1.csv'", "'0.csv'", "lacks 'b'", "has also 'c'", "IGNORE_COLUMNS"),
        ),
        (("a,target\n1,0\n", "a\n1\n"), ("'1.csv'", "label column 'target'")),
        (("target\n1\n0\n",), ("no column beside the label",)),
        ((",a,target\n0,1,0\n",), ("has no name",)),
        (("a,target\n1,0\n1,2,3\n",), ("'0.csv'", "row 2 (line 3)")),
        (("a,target\n",), ("no rows",)),
        ((parquet(a=[[1], [2]], target=[0, 1]),), ("'a'", "list", "IGNORE_COLUMNS")),
    ],
)
def test_a_file_that_fits_no_schema_is_named_with_the_reason(
    contents: tuple[str | bytes, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(UnreadableFileError) as refusal:
        inferred(tmp_path, *contents)
    assert [word for word in words if word not in str(refusal.value)] == [], str(refusal.value)


def test_ignored_columns_never_enter_and_may_be_absent(tmp_path: Path) -> None:
    schema = inferred(
        tmp_path, "id,a,target\n1,1,0\n", "target,a\n1,2\n", ignore_columns=("id", "when")
    )
    assert (schema.names, schema.ignored) == (("a",), ("id", "when"))


def test_parquet_types_are_taken_at_their_word(tmp_path: Path) -> None:
    data = parquet(
        i=[1, 2],
        f=[0.5, None],
        b=[True, None],
        s=["007", None],
        n=pa.nulls(2),
        digits=["1", "2"],
        target=["x", "y"],
    )
    schema = inferred(tmp_path, data)
    assert [one.kind for one in schema.columns] == [
        "number",
        "number",
        "boolean",
        "string",
        "number",
        "string",
    ]
    assert schema.columns[3].categories == ("007",)
    assert schema.label_kind == "string"


def test_csv_and_parquet_of_the_same_rows_make_the_same_schema(tmp_path: Path) -> None:
    both = parquet(i=[1, 2], b=[True, False], s=["x", "y"], target=[0, 1])
    text = "i,b,s,target\n1,True,x,0\n2,False,y,1\n"
    assert inferred(tmp_path, both) == inferred(tmp_path, text) == inferred(tmp_path, text, both)
