"""Columns that tell rows apart, or tell when they came: a model learns them by heart, and no later
row has these values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from retraining.datasets.cells import shown
from retraining.datasets.date_texts import DATE_PATTERN
from retraining.datasets.survey.remarks import Remark

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retraining.datasets.survey.rows import Rows

FEWEST_ROWS = 20  # in fewer, much never repeats, or only rises, by chance
FEWEST_STEPS = 10  # distinct values of a column that only rises
MOSTLY = 0.9
HARDLY_REPEATS = 0.5  # distinct texts a row
EXPECTED_REPEATS = 10.0  # pairs of equal numbers that chance would bring: none is no accident
LONG_NUMBER = 10**8  # nine digits: a key, seldom a count
_NAMES_OF_IDS = re.compile(
    r"(^|[_\W])(id|ids|uuid|guid|key|pk)($|[_\W])|[a-z](Id|ID)$|^(nr|no)$", re.I
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAMES_OF_DATES = re.compile(r"(^|[_\W])(date|datum|day|fecha)($|[_\W])|_(at|on|dt)$", re.I)
_SPREADSHEET_DAYS = (32_874, 73_415)  # from 1990 to 2100, counted from 1900
_SECONDS = (6e8, 4.2e9)  # from 1989 to 2103, counted from 1970
IGNORE = "name it in IGNORE_COLUMNS unless it is known of rows to come"


def identifying_number(rows: Rows, column: str) -> Remark | None:
    """A number column that looks like an id or a point in time."""
    values = rows.numbers(column)
    if len(values) < FEWEST_ROWS or np.isnan(values).any():
        return None
    distinct = np.unique(values)
    if len(distinct) < FEWEST_STEPS:
        return None
    whole = bool((np.floor(distinct) == distinct).all())
    if whole and (moment := _moment(distinct, column)):
        example = f"{distinct[0]:.0f}"
        return Remark(
            "date", column, f"looks like {moment}, such as {example}", rows.place(0), IGNORE
        )
    if (np.diff(values) >= 0).all():
        return _id(rows, column, "only rises")
    if (np.diff(values) <= 0).all():
        return _id(rows, column, "only falls")
    if whole and _numbers_the_rows(rows, values):
        return _id(rows, column, f"counts the rows of each of {len(rows.names)} files")
    if whole and len(distinct) == len(values) and _no_accident(distinct, column):
        return _id(rows, column, f"never repeats in {len(values):,} rows")
    return None


def identifying_text(rows: Rows, column: str) -> Remark | None:
    """A text column that looks like a date or an id, or holds texts that hardly repeat."""
    texts = rows.texts(column)
    filled, distinct = int(texts.counts.sum()), len(texts.distinct)
    if filled < FEWEST_ROWS:
        return None
    first = int(np.flatnonzero(texts.codes >= 0)[0])
    dates = texts.matching(DATE_PATTERN)
    if distinct > 1 and texts.counts[dates].sum() >= MOSTLY * filled:
        first = int(texts.rows_with(dates)[0])
        example = shown(texts.distinct[int(texts.codes[first])].as_py())
        advice = "a later one is a value never seen; " + IGNORE
        return Remark(
            "date", column, f"looks like a date, such as {example}", rows.place(first), advice
        )
    example = shown(texts.distinct[int(texts.codes[first])].as_py())
    if distinct == filled:
        return _id(rows, column, f"never repeats in {filled:,} rows, such as {example}", first)
    if distinct >= HARDLY_REPEATS * filled:
        what = f"hardly repeats: {distinct:,} texts in {filled:,} rows, such as {example}"
        return Remark("text", column, what, rows.place(first), IGNORE)
    return None


def _id(rows: Rows, column: str, why: str, row: int = 0) -> Remark:
    return Remark("id", column, f"looks like an id: it {why}", rows.place(row), IGNORE)


def _numbers_the_rows(rows: Rows, values: NDArray[np.float64]) -> bool:
    """Whether the column numbers the rows of every file, in whichever order they stand."""
    per_file = np.split(values, rows.starts[1:-1])
    steps = [np.diff(np.sort(here)) for here in per_file]  # a frame may have been shuffled since
    are_enough = len(per_file) > 1 and min(map(len, steps)) >= FEWEST_STEPS
    return are_enough and all((step == 1).all() for step in steps)


def _no_accident(distinct: NDArray[np.float64], column: str) -> bool:
    """Whether whole numbers that never repeat are ids: chance would repeat some, or name or length
    say it.
    """
    count, width = len(distinct), distinct[-1] - distinct[0] + 1
    pairs = count * (count - 1) / 2
    return bool(
        pairs / width >= EXPECTED_REPEATS
        or abs(distinct).min() >= LONG_NUMBER
        or is_called_an_id(column)
    )


def is_called_an_id(name: str) -> bool:
    """Whether a column's name says that it tells rows apart.

    >>> [is_called_an_id(name) for name in ("customer_id", "PassengerId", "humidity", "order.key")]
    [True, True, False, True]
    """
    return _NAMES_OF_IDS.search(_CAMEL.sub("_", name)) is not None


def _moment(distinct: NDArray[np.float64], column: str) -> str | None:
    """What whole numbers look like if all are points in time; `distinct` is sorted."""
    low, high = float(distinct[0]), float(distinct[-1])
    if low >= 19_000_101 and high <= 21_001_231:
        month, day = distinct // 100 % 100, distinct % 100
        months_fit = ((month >= 1) & (month <= 12)).all()
        days_fit = ((day >= 1) & (day <= 31)).all()
        if months_fit and days_fit:
            return "a date written as a number"
    in_a_spreadsheet = low >= _SPREADSHEET_DAYS[0] and high <= _SPREADSHEET_DAYS[1]
    if in_a_spreadsheet and _NAMES_OF_DATES.search(_CAMEL.sub("_", column)):
        return "a date as spreadsheets count days"
    for unit, name in ((1, "seconds"), (1_000, "milliseconds"), (1_000_000_000, "nanoseconds")):
        if low >= _SECONDS[0] * unit and high <= _SECONDS[1] * unit:
            return f"a point in time in {name} since 1970"
    return None
