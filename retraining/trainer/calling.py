"""Calls a recipe and looks at what it returned before anybody relies on it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.exceptions import NotFittedError

from retraining.errors import RecipeError
from retraining.machine import threads_for
from retraining.phrases import first_few
from retraining.trainer.loading import IN_PARTS, REMEDY, WHOLE, Recipe, describe, project_importable
from retraining.trainer.output import stdout_to_log
from retraining.trainer.sudden_end import no_sudden_end

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd

    from retraining.records import Label

    Part = Callable[[], tuple[pd.DataFrame, pd.Series]]

ROWS_TRIED = 200


@dataclass(frozen=True)
class Trained:
    """What the recipe returned, and how long it took."""

    estimator: Any
    seconds: float


@dataclass(frozen=True)
class Answers:
    """What an estimator says about some rows.

    `probabilities` has shape (rows, classes), None where it has no predict_proba.
    """

    labels: np.ndarray
    probabilities: np.ndarray | None


class BrokenContractError(Exception):
    """What a recipe or its estimator did wrong, as the end of a sentence that begins with its
    name.
    """


def train(
    recipe: Recipe, X: pd.DataFrame, y: pd.Series, *, needs_probabilities: bool = False
) -> Trained:
    """Have the recipe fit a model, and try that model on some of the training rows.

    The recipe is handed copies that share memory until they are written to (pandas copies on
    write): it cannot harm `X` and `y`. A KeyboardInterrupt passes, so that is what a signal handler
    should raise; SystemExit is taken for the recipe's own.

    Args:
        recipe: as loaded.
        X: raw feature columns, one row per observation, oldest first.
        y: one label per row, none missing.
        needs_probabilities: whether the metric takes `predict_proba`.

    Raises:
        RecipeError: the recipe raised, or what it returned cannot be used.
    """
    fits = partial(fit, recipe, X.copy(deep=False), y.copy(deep=False))
    return _trained(
        recipe, fits, some_rows(X), known_classes(y), needs_probabilities=needs_probabilities
    )


def train_in_parts(
    recipe: Recipe,
    parts: Sequence[Part],
    known: frozenset[Label],
    *,
    rows: int,
    needs_probabilities: bool = False,
) -> Trained:
    """The same from parts of the rows: the recipe calls each when it wants it, as often as it
    likes.

    Args:
        recipe: one that learns in parts.
        parts: callables that return X and y of some rows, oldest rows first.
        known: the labels that occur in them.
        rows: how many rows all parts have together.
        needs_probabilities: whether the metric takes `predict_proba`.

    Raises:
        RecipeError: the recipe raised, or what it returned cannot be used.
    """
    tried = some_rows(parts[-1]()[0])
    fits = partial(fit_in_parts, recipe, parts, rows)
    return _trained(recipe, fits, tried, known, needs_probabilities=needs_probabilities)


def _trained(
    recipe: Recipe,
    fits: Callable[[], Any],
    tried: pd.DataFrame,
    known: frozenset[Label],
    *,
    needs_probabilities: bool,
) -> Trained:
    try:
        started = time.perf_counter()
        estimator = fits()
        seconds = time.perf_counter() - started
        ask(estimator, tried, known, recipe.path, needs_probabilities=needs_probabilities)
    except BrokenContractError as error:
        raise RecipeError(f"The training recipe {recipe.path} {error}", remedy=REMEDY) from error
    return Trained(estimator, seconds)


def fit(recipe: Recipe, X: pd.DataFrame, y: pd.Series) -> Any:
    """Call the recipe, its helpers importable, and return what it returned if that looks like an
    estimator.

    Raises:
        BrokenContractError: the recipe raised, or returned something that has no `predict`.
    """
    with project_importable(recipe.path.parent, recipe.helpers), threads_for(len(X)):
        estimator = call(recipe.train_model, X, y, path=recipe.path, failed="failed with")
    return _if_it_predicts(estimator, WHOLE)


def fit_in_parts(recipe: Recipe, parts: Sequence[Part], rows: int) -> Any:
    """The same for a recipe that learns in parts, which have so many rows together.

    Raises:
        BrokenContractError: the recipe raised, or returned something that has no `predict`.
    """
    function = recipe.train_model_in_parts
    assert function is not None, "callers look whether the recipe learns in parts"
    with project_importable(recipe.path.parent, recipe.helpers), threads_for(rows):
        estimator = call(function, tuple(parts), path=recipe.path, failed="failed with")
    return _if_it_predicts(estimator, IN_PARTS)


def _if_it_predicts(estimator: Any, function: str) -> Any:
    """What a recipe's function returned, if it looks like an estimator."""
    if estimator is None:
        raise BrokenContractError(f"returned None; {function} must return a fitted estimator")
    if isinstance(estimator, type) or not callable(getattr(estimator, "predict", None)):
        what = f"a {type(estimator).__name__} without predict"
        if isinstance(estimator, type):
            what = f"the class {estimator.__name__}"
        raise BrokenContractError(f"returned {what}; {function} must return a fitted estimator")
    return estimator


def ask(
    estimator: Any,
    rows: pd.DataFrame,
    known: frozenset[Label],
    path: Path,
    *,
    needs_probabilities: bool,
) -> Answers:
    """Return the estimator's answers about `rows`, after checking that they can be used.

    Raises:
        BrokenContractError: it raises, answers by other than one known class per row, or lacks
            probabilities that are needed.
    """
    labels = _array(estimator, "predict", rows, path)
    if labels.shape != (len(rows),):
        raise BrokenContractError(
            f"returned an estimator whose predict answers {len(rows)} rows by an array of shape"
            f" {labels.shape}"
        )
    strange = sorted({repr(label) for label in labels.tolist() if label not in known})
    if strange:
        classes = first_few(sorted(map(repr, known)), 10)
        raise BrokenContractError(
            f"returned an estimator that predicts {first_few(strange, 5)}; the classes are"
            f" {classes}"
        )
    try:
        return Answers(labels, _probabilities(estimator, rows, known, path))
    except BrokenContractError:
        if needs_probabilities:
            raise
        return Answers(labels, None)


def _probabilities(
    estimator: Any, rows: pd.DataFrame, known: frozenset[Label], path: Path
) -> np.ndarray:
    if not callable(getattr(estimator, "predict_proba", None)):
        raise BrokenContractError("returned an estimator without predict_proba, which METRIC takes")
    probabilities = _array(estimator, "predict_proba", rows, path)
    classes = np.asarray(getattr(estimator, "classes_", ()), dtype=object).ravel().tolist()
    if not classes or not set(classes) <= known:
        raise BrokenContractError(
            f"returned an estimator whose classes_ are {classes[:10]}; they name the columns of"
            " predict_proba"
        )
    if probabilities.shape != (len(rows), len(classes)):
        expected = (len(rows), len(classes))
        raise BrokenContractError(
            f"returned an estimator whose predict_proba has the shape {probabilities.shape}, not"
            f" {expected}"
        )
    sound = np.issubdtype(probabilities.dtype, np.number) and bool(
        (probabilities >= 0).all() and np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)
    )
    if not sound:
        raise BrokenContractError(
            "returned an estimator whose predict_proba has rows that are not probabilities with the"
            " sum 1"
        )
    return probabilities


def _array(estimator: Any, method: str, rows: pd.DataFrame, path: Path) -> np.ndarray:
    def answer() -> np.ndarray:
        return np.asarray(getattr(estimator, method)(rows.copy(deep=False)))

    return cast(
        "np.ndarray", call(answer, path=path, failed=f"returned an estimator whose {method} raises")
    )


def known_classes(y: pd.Series) -> frozenset[Label]:
    """Return the labels in `y` as plain Python values."""
    return frozenset(y.unique().tolist())


def some_rows(X: pd.DataFrame) -> pd.DataFrame:
    """Return rows spread evenly over the table."""
    return X.iloc[np.unique(np.linspace(0, len(X) - 1, min(len(X), ROWS_TRIED)).astype(int))]


def call(function: Callable[..., Any], *arguments: Any, path: Path, failed: str) -> Any:
    """Call code that is not ours, its stdout kept apart.

    Raises:
        BrokenContractError: `failed`, and what was raised; sys.exit and os._exit in a recipe are
            errors like any other.
    """
    try:
        with stdout_to_log(), no_sudden_end():
            return function(*arguments)
    except KeyboardInterrupt:
        raise
    except NotFittedError as error:
        raise BrokenContractError("returned an estimator that is not fitted") from error
    except BaseException as error:
        raise BrokenContractError(f"{failed} {describe(error, path)}") from error
