"""Values that came as JSON -> typed columns by the schema.

The rules of `cells`, for values that have a type already.

A number column takes numbers, a string column texts exactly as they stand, a boolean column true,
false, 0 and 1. `None`, NaN and, in a string column, the empty text are missing. Nothing is inferred
from the values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from retraining.datasets.cells import LARGEST_EXACT_INTEGER, expected_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from retraining.records import Column, Kind

    Problem = Literal["missing", "type", "range"]

ROWS_NAMED = 5
_IN_RANGE = f"a finite number, whole ones of at most {LARGEST_EXACT_INTEGER} (2^53)"


@dataclass(frozen=True)
class ColumnProblem:
    """What is wrong with a column of values, and in which rows first (indices from 0).

    It holds none of the values.
    """

    name: str
    problem: Problem
    expected: str
    rows: tuple[int, ...] = ()


class UnfitValuesError(Exception):
    """Values that a column of the schema cannot hold."""

    def __init__(self, problems: tuple[ColumnProblem, ...]) -> None:
        super().__init__("values do not fit their columns")
        self.problems = problems


def missing_column(column: Column) -> ColumnProblem:
    """The problem of a column that no row has."""
    return ColumnProblem(column.name, "missing", expected_in(column.kind))


def number_column(values: Sequence[Any], column: Column) -> NDArray[np.float64]:
    """The values of a number or boolean column as float64 (n,).

    NaN where missing, booleans as 0 and 1.

    Raises:
        UnfitValuesError: a value of another type, infinity, or a whole number beyond 2^53.
    """
    kinds = set(map(type, values))
    if column.kind == "number" and kinds <= {float, type(None)}:
        numbers = np.array(values, np.float64)  # None becomes NaN
        if not np.isinf(numbers).any():
            return numbers
    _refuse_unfit(values, column)
    return np.array(values, np.float64)


def text_column(values: Sequence[Any], column: Column) -> list[str | None]:
    """The values of a string column (n,), None where missing.

    Raises:
        UnfitValuesError: a value that is no text, or a text that UTF-8 or PostgreSQL cannot hold.
    """
    if set(map(type, values)) == {str} and _can_be_kept("".join(values)):
        return [value or None for value in values]
    _refuse_unfit(values, column)
    return [value if type(value) is str and value else None for value in values]


def _refuse_unfit(values: Sequence[Any], column: Column) -> None:
    problems = tuple(_problems_of(values, column))
    if problems:
        raise UnfitValuesError(problems)


def _problems_of(values: Sequence[Any], column: Column) -> Iterator[ColumnProblem]:
    """A problem for each way in which some values do not fit."""
    problems = [_problem_of(value, column.kind) for value in values]
    if not any(problems):
        return
    expected: dict[Problem, str] = {"type": expected_in(column.kind), "range": _IN_RANGE}
    for problem, words in expected.items():
        rows = [index for index, one in enumerate(problems) if one == problem]
        if rows:
            yield ColumnProblem(column.name, problem, words, tuple(rows[:ROWS_NAMED]))


def _problem_of(value: Any, kind: Kind) -> Problem | None:
    if value is None or (type(value) is float and math.isnan(value)):
        return None
    if kind == "string":
        return None if type(value) is str and _can_be_kept(value) else "type"
    if kind == "boolean":
        return None if type(value) in (bool, int, float) and value in (0, 1) else "type"
    if type(value) is int:
        return None if abs(value) <= LARGEST_EXACT_INTEGER else "range"
    if type(value) is float:
        return "range" if math.isinf(value) else None
    return "type"


def _can_be_kept(text: str) -> bool:
    """Whether a text has neither a NUL nor half of a surrogate pair."""
    if "\0" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
