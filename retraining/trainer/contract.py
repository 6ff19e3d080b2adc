"""The contract of a training recipe, as a check that any recipe must pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import pandas as pd

from retraining.trainer.calling import (
    Answers,
    BrokenContractError,
    ask,
    call,
    fit,
    fit_in_parts,
    known_classes,
    some_rows,
)
from retraining.trainer.loading import IN_PARTS, Recipe, project_hidden
from retraining.trainer.requirements import imported_modules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NEVER_SEEN = "a value that was never seen"
PARTS_TRIED = 3


def check_recipe(
    recipe: Recipe, X: pd.DataFrame, y: pd.Series, *, needs_probabilities: bool = False
) -> tuple[str, ...]:
    """Try a recipe on some rows, and say what would go wrong in a cycle.

    Each of its functions is called twice: give it few rows, some hundred of your own data. In a
    test of yours:

        recipe = load_recipe(Path("train_classification_model.py"))
        assert check_recipe(recipe, X, y) == ()

    Args:
        recipe: as loaded.
        X: raw feature columns, at least one row; never changed.
        y: one label per row, none missing.
        needs_probabilities: whether the metric takes `predict_proba`.

    Returns:
        A sentence for each problem; empty if no problem was found.
    """
    return tuple(
        f"The training recipe {recipe.path} {problem}."
        for problem in _problems(recipe, X, y, needs_probabilities)
    )


def _problems(
    recipe: Recipe, X: pd.DataFrame, y: pd.Series, needs_probabilities: bool
) -> Iterator[str]:
    if _imports_the_job(recipe):
        yield "imports retraining; a version is served where that cannot be imported"
    known, rows = known_classes(y), some_rows(X)

    def answers(estimator: Any, table: pd.DataFrame) -> Answers:
        return ask(estimator, table, known, recipe.path, needs_probabilities=needs_probabilities)

    given_one_table = _OneTable(recipe, X, y)
    yield from _of_a_function(recipe, given_one_table, answers, rows)
    if given_one_table.was_changed:
        yield (
            "changes the table that it is given; rows to predict come raw, so each step belongs"
            " inside the estimator"
        )
    if recipe.train_model_in_parts is not None:
        given_parts = partial(_fitted_in_parts, recipe, X, y)
        for problem in _of_a_function(recipe, given_parts, answers, rows):
            yield f"{problem} ({IN_PARTS})"


def _of_a_function(
    recipe: Recipe,
    fits: Callable[[], Any],
    answers: Callable[[Any, pd.DataFrame], Answers],
    rows: pd.DataFrame,
) -> Iterator[str]:
    """What is wrong with one of the recipe's functions.

    Args:
        recipe: that the function belongs to.
        fits: calls it, each time with the same rows.
        answers: of an estimator to a table; raises BrokenContractError if it cannot be used.
        rows: that estimators are asked about.
    """
    try:
        estimator = fits()
        expected = answers(estimator, rows)
    except BrokenContractError as error:
        yield str(error)
        return
    yield from _with_odd_rows(lambda table: answers(estimator, table), rows)
    yield from _fitted_again(fits, lambda again: answers(again, rows), expected)
    yield from _far_away(recipe, estimator, lambda travelled: answers(travelled, rows), expected)


class _OneTable:
    """Fits from one table, and remembers whether the recipe changed it."""

    def __init__(self, recipe: Recipe, X: pd.DataFrame, y: pd.Series) -> None:
        self._recipe, self._rows = recipe, (X, y)
        self.was_changed = False

    def __call__(self) -> Any:
        X, y = self._rows
        handed = X.copy(deep=False), y.copy(deep=False)
        estimator = fit(self._recipe, *handed)
        self.was_changed |= not (handed[0].equals(X) and handed[1].equals(y))
        return estimator


def _fitted_in_parts(recipe: Recipe, X: pd.DataFrame, y: pd.Series) -> Any:
    """Fit from more than one part, so that a recipe that reads only the first one may show it."""
    edges = np.linspace(0, len(X), min(PARTS_TRIED, len(X)) + 1).astype(int)
    ranges = [slice(start, stop) for start, stop in pairwise(edges)]
    parts = [_HeldPart(X[rows], y[rows]) for rows in ranges]
    return fit_in_parts(recipe, parts, len(X))


@dataclass(frozen=True)
class _HeldPart:
    """A part that keeps its rows in memory, because they are few."""

    X: pd.DataFrame
    y: pd.Series

    def __call__(self) -> tuple[pd.DataFrame, pd.Series]:
        return self.X.reset_index(drop=True), self.y.reset_index(drop=True)


def _imports_the_job(recipe: Recipe) -> bool:
    return "retraining" in imported_modules(recipe.text)


def _with_odd_rows(answers: Callable[[pd.DataFrame], Answers], rows: pd.DataFrame) -> Iterator[str]:
    """What goes wrong with missing values and with values that were never seen.

    All columns have one at once at first: one question is enough where nothing goes wrong.
    """
    words = [name for name in rows.columns if not pd.api.types.is_numeric_dtype(rows[name])]
    for what, value, columns in (
        ("a missing value", None, list(rows.columns)),
        (f"the category {NEVER_SEEN!r}", NEVER_SEEN, words),
    ):
        try:
            answers(_each_once(rows, columns, value))
        except BrokenContractError:
            yield from _first_that_fails(answers, rows, columns, value, what)


def _first_that_fails(
    answers: Callable[[pd.DataFrame], Answers],
    rows: pd.DataFrame,
    columns: list[Any],
    value: str | None,
    what: str,
) -> Iterator[str]:
    """The problem with the first of the columns that has one by itself."""
    for name in columns:
        try:
            answers(_each_once(rows, [name], value))
        except BrokenContractError as error:
            yield f"{error}, given {what} in the column {name!r}"
            return


def _each_once(rows: pd.DataFrame, columns: list[Any], value: str | None) -> pd.DataFrame:
    """The rows with `value` once in each of the columns, each time in another row.

    Rows are repeated if there are fewer rows than columns.
    """
    places = np.arange(max(len(rows), len(columns))) % len(rows)
    table = rows.iloc[places].reset_index(drop=True)
    for place, name in enumerate(columns):
        cells = table[name].copy()
        if pd.api.types.is_numeric_dtype(cells):
            cells = cells.astype(float)
        cells[place] = value
        table[name] = cells
    return table


def _fitted_again(
    fits: Callable[[], Any], answers: Callable[[Any], Answers], expected: Answers
) -> Iterator[str]:
    """What goes wrong when the recipe's function is called a second time."""
    try:
        again = answers(fits())
    except BrokenContractError as error:
        yield f"{error}, when called a second time with the same rows"
        return
    if not _agree(again, expected):
        yield (
            "gives another model when called again with the same rows; set each random_state to a"
            " number"
        )


def _far_away(
    recipe: Recipe, estimator: Any, answers: Callable[[Any], Answers], expected: Answers
) -> Iterator[str]:
    """What goes wrong when the estimator is pickled and loaded where a version is served.

    The project's folder is not importable there.
    """
    failed = "returned an estimator that cannot be pickled and loaded away from the project:"
    try:
        with project_hidden(recipe.path.parent):
            travelled = call(
                lambda: cloudpickle.loads(cloudpickle.dumps(estimator)),
                path=recipe.path,
                failed=failed,
            )
            elsewhere = answers(travelled)
    except BrokenContractError as error:
        says_when = str(error).startswith(failed)
        yield f"{error}" if says_when else f"{error}, once pickled and loaded away from the project"
        return
    if not _agree(elsewhere, expected):
        yield "returned an estimator that predicts otherwise once pickled and loaded"


def _agree(one: Answers, other: Answers) -> bool:
    """Whether labels are equal, and probabilities but for rounding."""
    if not np.array_equal(one.labels, other.labels):
        return False
    if one.probabilities is None or other.probabilities is None:
        return one.probabilities is other.probabilities
    return np.allclose(one.probabilities, other.probabilities, rtol=1e-6, atol=1e-9)
