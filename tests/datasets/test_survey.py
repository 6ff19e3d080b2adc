"""What is remarked on the columns of a registration, with the first file and row, and what is left
in peace.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from retraining.datasets import TableStore, read_schema_from
from retraining.datasets.survey import Remark, survey
from tests.datasets.files import put, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

ROWS = 200


def surveyed(folder: Path, *texts: str, **changed: Any) -> tuple[Remark, ...]:
    files = [put(folder, text.encode(), f"u{number}.csv") for number, text in enumerate(texts)]
    chosen = settings(folder, **changed)
    schema = read_schema_from(files, chosen)
    tables = TableStore(folder / "tables", chosen).tables_many(files, schema)
    named = [(file.name, table) for file, table in zip(files, tables, strict=True)]
    return survey(named, schema, chosen, {})


def of_cells(folder: Path, cells: Sequence[str], **changed: Any) -> tuple[Remark, ...]:
    """The remarks on a column `c` with these cells, half of them in a second file.

    The label is a coin's.
    """
    coin = random.Random(1)
    separator = changed.get("csv_separator", ",")
    lines = [f"{cell}{separator}{coin.randint(0, 1)}" for cell in cells]
    half = len(lines) // 2
    head = f"c{separator}target\n"
    texts = [head + "\n".join(part) + "\n" for part in (lines[:half], lines[half:])]
    return surveyed(folder, *texts, **changed)


def numbers(but: dict[int, str], count: int = ROWS) -> list[str]:
    """Measurements with two digits after the point, but for some rows."""
    rng = random.Random(2)
    return [but.get(row, f"{rng.choice([1.25, 2.5, 3.75, 4.5])}") for row in range(count)]


@pytest.mark.parametrize(
    "other", [" ", "?", "n/a", "N.A.", "-", "--", "#N/A", "#DIV/0!", "unknown"]
)
def test_one_cell_that_makes_numbers_words_is_named_with_its_file_and_row(
    other: str, tmp_path: Path
) -> None:
    (remark,) = of_cells(tmp_path, numbers({141: other}))
    assert str(remark) == (
        f"column 'c' is a number in 199 of 200 rows; the others hold {other!r} "
        "(first in u1.csv, row 42): taken as string"
        + ("; leave cells without a value empty" if other.strip() else "")
    )


def test_what_stands_for_a_missing_value_never_counts_against_a_number(tmp_path: Path) -> None:
    cells = numbers(dict.fromkeys(range(0, ROWS, 2), "?"))
    (remark,) = of_cells(tmp_path, cells)
    assert remark.what == "is a number in 100 of 200 rows; the others hold '?'"
    assert (remark.place.file, remark.place.row) == ("u0.csv", 1)


def test_of_several_others_the_most_frequent_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    others = {7: "low", 8: "?", 9: "?", 10: "-", 11: "-", 12: "high", 13: "mid"}
    (remark,) = of_cells(tmp_path, numbers(others))
    assert (
        remark.what == "is a number in 193 of 200 rows; the others hold '?', '-', 'low' and 2 more"
    )
    assert remark.place.row == 8


@pytest.mark.parametrize(
    ("cells", "what", "advice"),
    [
        (
            [f"{row % 7},5" for row in range(ROWS)],
            "holds decimal commas in 200 of 200 rows, such as '0,5'",
            "taken as string; CSV_DECIMAL=,?",
        ),
        (
            [f"{row % 7},5" if row % 2 else str(row % 7) for row in range(ROWS)],
            "holds decimal commas in 100 of 200 rows, such as '1,5'",
            "taken as string; CSV_DECIMAL=,?",
        ),
        (
            [f"1.{row % 7}00,50" for row in range(ROWS)],
            (
                "holds numbers with thousands separators or units in 200 of 200 rows, "
                "such as '1.000,50'"
            ),
            "taken as string; deliver plain numbers",
        ),
        (
            [f"{row % 9} %" for row in range(ROWS)],
            "holds numbers with thousands separators or units in 200 of 200 rows, such as '0 %'",
            "taken as string; deliver plain numbers",
        ),
        (
            [f"$1,{row % 9}00" for row in range(ROWS)],
            "holds numbers with thousands separators or units in 200 of 200 rows, such as '$1,000'",
            "taken as string; deliver plain numbers",
        ),
    ],
)
def test_numbers_that_are_written_otherwise_are_told_how(
    cells: list[str], what: str, advice: str, tmp_path: Path
) -> None:
    (remark,) = of_cells(tmp_path, cells, csv_separator=";")
    assert (remark.what, remark.advice) == (what, advice)


@pytest.mark.parametrize("padded", ["007", "01500.2"])
def test_a_zero_in_front_of_one_number_in_hundreds_makes_no_column_of_codes(
    padded: str, tmp_path: Path
) -> None:
    cells = [str(1 + row * row % 199) for row in range(ROWS)]
    cells[141] = padded
    (remark,) = of_cells(tmp_path, cells)
    assert remark.what == f"is a number in 199 of 200 rows; the others hold {padded!r}"
    assert (remark.place.file, remark.place.row) == ("u1.csv", 42)


def test_days_as_spreadsheets_count_them_are_dates_where_the_name_says_so(tmp_path: Path) -> None:
    rng = random.Random(3)
    lines = [f"{45_000 + rng.randrange(60)},{rng.randrange(2)}" for _ in range(ROWS)]
    for name, told in (("paid_on", 1), ("price", 0)):
        remarks = surveyed(tmp_path, f"{name},target\n" + "\n".join(lines) + "\n")
        assert [one.subject for one in remarks] == ["date"] * told


def test_points_under_a_decimal_comma_are_told_too(tmp_path: Path) -> None:
    cells = [f"{row % 7}.5" for row in range(ROWS)]
    (remark,) = of_cells(tmp_path, cells, csv_separator=";", csv_decimal=",")
    assert remark.what == "holds decimal points in 200 of 200 rows, such as '0.5'"
    assert remark.advice == "taken as string; CSV_DECIMAL=.?"


def test_true_and_false_with_a_few_others_are_told(tmp_path: Path) -> None:
    rng = random.Random(3)
    cells = [rng.choice(["true", "False"]) for _ in range(ROWS)]
    cells[3] = "n/a"
    (remark,) = of_cells(tmp_path, cells)
    assert remark.what == "is true or false in 199 of 200 rows; the others hold 'n/a'"


def words(_row: int, rng: random.Random) -> str:
    return rng.choice(["red", "green", "blue"])


def half_numbers(row: int, rng: random.Random) -> str:
    return str(rng.randint(1, 5)) if row % 2 else rng.choice(["low", "high"])


def zip_codes(row: int, rng: random.Random) -> str:
    return f"0{rng.randint(5000, 5009)}" if row % 20 == 0 else str(rng.randint(10000, 10009))


def measurements(_row: int, rng: random.Random) -> str:
    return f"{rng.gauss(0, 1):.6f}"


def incomes(_row: int, rng: random.Random) -> str:
    return str(rng.randint(20_000, 9_000_000))


def hours(row: int, _rng: random.Random) -> str:
    return str(row % 24)


def gaps(row: int, rng: random.Random) -> str:
    return "" if row % 3 else f"{rng.gauss(0, 1):.3f}"


@pytest.mark.parametrize(
    "make", [words, half_numbers, zip_codes, measurements, incomes, hours, gaps]
)
def test_columns_that_are_what_they_seem_get_no_remark(
    make: Callable[[int, random.Random], str], tmp_path: Path
) -> None:
    rng = random.Random(4)
    assert of_cells(tmp_path, [make(row, rng) for row in range(ROWS)]) == ()


def shuffled(values: Sequence[int]) -> list[str]:
    mixed = list(values)
    random.Random(5).shuffle(mixed)
    return [str(value) for value in mixed]


@pytest.mark.parametrize(
    ("cells", "subject", "what"),
    [
        ([str(row) for row in range(ROWS)], "id", "looks like an id: it only rises"),
        ([str(row // 10) for row in range(ROWS)], "id", "looks like an id: it only rises"),
        (
            [str(row % (ROWS // 2)) for row in range(ROWS)],
            "id",
            "looks like an id: it counts the rows of each of 2 files",
        ),
        ([str(ROWS - row) for row in range(ROWS)], "id", "looks like an id: it only falls"),
        ([f"{row / 3:.3f}" for row in range(ROWS)], "id", "looks like an id: it only rises"),
        (shuffled(range(ROWS)), "id", "looks like an id: it never repeats in 200 rows"),
        (
            [*shuffled(range(10**9, 2 * 10**11, 10**9)), "100000000001"],
            "id",
            "looks like an id: it never repeats in 200 rows",
        ),
        (
            [f"A-{row * 37}" for row in range(ROWS)],
            "id",
            "looks like an id: it never repeats in 200 rows, such as 'A-0'",
        ),
        (
            [f"name {row % 150}" for row in range(ROWS)],
            "text",
            "hardly repeats: 150 texts in 200 rows, such as 'name 0'",
        ),
        (
            [f"2026-03-{1 + row % 28:02d}" for row in range(ROWS)],
            "date",
            "looks like a date, such as '2026-03-01'",
        ),
        (
            [f"{1 + row % 28}.3.2026 08:15" for row in range(ROWS)],
            "date",
            "looks like a date, such as '1.3.2026 08:15'",
        ),
        (
            [f"{1 + row % 12}/{1 + row % 28}/2026" for row in range(ROWS)],
            "date",
            "looks like a date, such as '1/1/2026'",
        ),
        (
            [f"{1 + row % 28} March 2026" for row in range(ROWS)],
            "date",
            "looks like a date, such as '1 March 2026'",
        ),
        (
            [f"1887-05-{1 + row % 28:02d} 00:00:00" for row in range(ROWS)],
            "date",
            "looks like a date, such as '1887-05-01 00:00:00'",
        ),
        (
            [f"202603{1 + row % 28:02d}" for row in range(ROWS)],
            "date",
            "looks like a date written as a number, such as 20260301",
        ),
        (
            [str(1_700_000_000 + row * 7919 % 100_000) for row in range(ROWS)],
            "date",
            "looks like a point in time in seconds since 1970, such as 1700000000",
        ),
        (
            [f"{1 + row % 28:02}.{1 + row % 12:02}.2026" for row in range(ROWS)],
            "date",
            "looks like a date, such as '01.01.2026'",
        ),
        (
            [*shuffled(range(ROWS // 2)), *shuffled(range(ROWS // 2))],
            "id",
            "looks like an id: it counts the rows of each of 2 files",
        ),
        (
            [["north", "North ", "south"][row % 3] for row in range(ROWS)],
            "spelling",
            "holds 'north' in 67 rows, which is written like 'North '",
        ),
        ([""] * ROWS, "empty", "has no value in any row"),
        (["7"] * ROWS, "constant", "holds 7 in every row"),
        (["x"] * ROWS, "constant", "holds 'x' in every row"),
    ],
)
def test_ids_dates_and_columns_without_information_are_told(
    cells: list[str], subject: str, what: str, tmp_path: Path
) -> None:
    (remark,) = of_cells(tmp_path, cells)
    assert (remark.subject, remark.what) == (subject, what)
    assert (remark.place.file, remark.place.row) == ("u0.csv", 1)


def with_label(folder: Path, cell: Callable[[int, int], str], rows: int) -> tuple[Remark, ...]:
    """The remarks on a column whose cell follows from row and label."""
    coin = random.Random(6)
    labels = [coin.randint(0, 1) for _ in range(rows)]
    lines = ["c,target", *(f"{cell(row, label)},{label}" for row, label in enumerate(labels))]
    return surveyed(folder, "\n".join(lines) + "\n")


@pytest.mark.parametrize("rows", [20, 2_000])
@pytest.mark.parametrize(
    ("cell", "verb"),
    [
        (lambda _row, label: ["no", "yes"][label], "repeats the label 'target'"),
        (lambda row, label: f"group {label * 2 + row % 2}", "repeats the label 'target'"),
        (lambda _row, label: str(5 - label), "repeats the label 'target'"),
        (lambda row, label: f"case {row * 7 + 2}: {label}", "contains the label 'target'"),
        (
            lambda row, label: f"{label + (row * 37 % 1000) / 1001:.4f}",
            "tells the label 'target' by a threshold",
        ),
        (
            lambda row, label: f"{(row * 37 % 1000) / 1001:.4f}" if label else "",
            "tells the label 'target' by being empty or not",
        ),
    ],
)
def test_a_column_that_tells_the_label_comes_first_whatever_the_number_of_rows(
    cell: Callable[[int, int], str], verb: str, rows: int, tmp_path: Path
) -> None:
    remark = with_label(tmp_path, cell, rows)[0]
    assert (remark.subject, remark.what) == ("label told", f"{verb} in all {rows:,} rows")


def test_a_column_that_tells_the_label_but_for_a_few_rows_is_told_with_their_number(
    tmp_path: Path,
) -> None:
    turned = (10, 500, 900)
    cell = lambda row, label: ["no", "yes"][label ^ (row in turned)]
    remark = with_label(tmp_path, cell, 2_000)[0]
    assert remark.what == "repeats the label 'target' in all but 3 of 2,000 rows"


def test_a_column_that_only_helps_to_tell_the_label_is_left_in_peace(tmp_path: Path) -> None:
    cell = lambda row, label: ["no", "yes"][label ^ (row % 20 == 0)]
    assert with_label(tmp_path, cell, 2_000) == ()


@pytest.mark.parametrize(
    ("classes", "odd", "told"),
    [
        (("<=50K", ">50K"), "<=50K.", "written like '<=50K'"),
        (("yes", "no"), " yes", "written like 'yes'"),
        (("yes", "no"), "Yes", "written like 'yes'"),
        (("1", "b"), "1.0", "written like '1'"),
        (("yes", "no"), "?", "has the class '?' in 1 row"),
        (("f", "t"), "1", "has the class '1' in 1 row, which may mean the same as 't'"),
        (("yes", "no"), "True", "which may mean the same as 'yes'"),
        (("0", "1"), "Total", "is a number in 199 of 200 rows; the others hold 'Total'"),
        (("0.5", "1.5"), "target", "the others hold 'target'"),
        (("0", "1"), "\\N", "has the class '\\\\N' in 1 row"),
    ],
)
def test_a_label_in_two_spellings_is_told_with_the_first_row_of_the_rarer(
    classes: tuple[str, str], odd: str, told: str, tmp_path: Path
) -> None:
    labels = [classes[row % 2] for row in range(ROWS)]
    labels[17] = odd
    cells = [f"{random.Random(row).gauss(0, 1):.4f},{label}" for row, label in enumerate(labels)]
    (remark,) = surveyed(tmp_path, "c,target\n" + "\n".join(cells) + "\n")
    assert told in remark.what
    assert (remark.subject, remark.column, remark.place.row) == ("label spelling", "target", 18)


def test_rows_without_a_label_are_counted(tmp_path: Path) -> None:
    cells = [f"{random.Random(row).gauss(0, 1):.4f}," + "01"[row % 2] for row in range(ROWS)]
    cells[5] = cells[9] = "0.5,"
    (remark,) = surveyed(tmp_path, "c,target\n" + "\n".join(cells) + "\n", max_unlabelled_share=1)
    assert (
        str(remark)
        == "column 'target' is empty in 2 of 200 rows (first in u0.csv, row 6): these rows are"
        " left out"
    )


@pytest.mark.parametrize(
    ("positives", "metric", "told"),
    [
        (1, "accuracy", "has an accuracy of 0.9950"),
        (10, "error_rate", "has an accuracy of 0.9500"),
        (11, "accuracy", None),
        (1, "average_precision", None),
    ],
)
def test_a_rare_class_is_told_where_the_metric_hides_it(
    positives: int, metric: str, told: str | None, tmp_path: Path
) -> None:
    cells = [f"{random.Random(row).gauss(0, 1):.4f},{int(row < positives)}" for row in range(ROWS)]
    text = "c,target\n" + "\n".join(reversed(cells)) + "\n"
    remarks = [r for r in surveyed(tmp_path, text, metric=metric) if r.subject == "label rare"]
    assert len(remarks) == (told is not None)
    if told is not None:
        assert told in remarks[0].what
        assert remarks[0].place.row == ROWS - positives + 1
        assert remarks[0].advice == "METRIC=average_precision shows how models differ"
