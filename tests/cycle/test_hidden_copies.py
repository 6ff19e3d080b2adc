"""Rows that came before but for an id or a load time are told of, and only those."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from retraining.cycle.hidden_copies import HiddenCopies, hidden_copies

if TYPE_CHECKING:
    from tests.cycle.desk import Desk


def archived(desk: Desk) -> list[dict[str, str]]:
    """Every row of the archive, oldest first."""
    paths = sorted(desk.project.folder.glob("used_data/*.csv"))
    return [row for path in paths for row in csv.DictReader(path.open())]


def found_in(desk: Desk, rows: list[dict[str, str]]) -> HiddenCopies | None:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    desk.project.put("newest.csv", stream.getvalue())
    with desk.opened(MIN_NEW_FILES="1") as cycle:
        return hidden_copies(cycle)


@pytest.mark.parametrize("columns", [("speed",), ("load",), ("speed", "city")])
def test_rows_that_came_before_but_for_a_few_columns_are_found(
    desk: Desk, columns: tuple[str, ...]
) -> None:
    dump = archived(desk)
    for number, row in enumerate(dump):
        row.update({column: str(7_000 + number) for column in columns})
    found = found_in(desk, dump)
    assert found is not None
    assert (found.columns, found.share, found.file_name) == (columns, 1.0, "newest.csv")


def test_a_dump_that_is_mostly_new_rows_is_not_told_of(desk: Desk) -> None:
    dump = archived(desk)
    for number, row in enumerate(dump):
        row["speed"] = str(7_000 + number)
        row["load"] = row["load"] if number % 3 == 0 else str(9_000 + number)
    assert found_in(desk, dump) is None


def test_plain_copies_are_no_hidden_ones(desk: Desk) -> None:
    assert found_in(desk, archived(desk)) is None


def test_rows_that_are_equal_by_chance_without_a_column_are_none(desk: Desk) -> None:
    """Without its new column `load`, what is left of a row are one of ten speeds and a city."""
    dump = archived(desk)
    for number, row in enumerate(dump):
        row["speed"] = dump[number % 10]["speed"]
        row["load"] = str(9_000 + number)
    assert found_in(desk, dump) is None


def test_new_rows_are_none(desk: Desk) -> None:
    desk.deliver(3)
    with desk.opened() as cycle:
        assert hidden_copies(cycle) is None
