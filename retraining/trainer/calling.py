"""Calls a recipe, and checks what it returned before anything relies on it."""

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

ROWS_TRIED = 200  # of the training rows, which the estimator must predict


@dataclass(frozen=True)
class Trained:
    """What the recipe returned, and the seconds that it took."""

    estimator: Any
    seconds: float


@dataclass(frozen=True)
class Answers:
    """An estimator's answers to some rows.

    Attributes:
        labels: (rows,).
        probabilities: (rows, classes), the columns as in `classes_`; None without a `predict_proba`
            that can be used.
    """

    labels: np.ndarray
    probabilities: np.ndarray | None


class BrokenContractError(Exception):
    """A recipe or its estimator broke the contract.

    The text says how. It follows "The training recipe PATH", without a full stop.
    """


def train(
    recipe: Recipe, X: pd.DataFrame, y: pd.Series, *, needs_probabilities: bool = False
) -> Trained:
    """Have the recipe fit a model, and try that model on some of the training rows.

    The recipe gets copies that share memory until they are written to (pandas' copy on write), so
    it cannot change `X` and `y`. A KeyboardInterrupt passes, so that is what a signal handler
    should raise. SystemExit counts as an error of the recipe.

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
    """The same from parts of the rows; the recipe may call each part at any time and repeatedly.

    The model is tried on rows of the last part.

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
    """Call `fits`, and ask the estimator that it returns about the `tried` rows."""
    try:
        started = time.perf_counter()
        estimator = fits()
        seconds = time.perf_counter() - started
        ask(estimator, tried, known, recipe.path, needs_probabilities=needs_probabilities)
    except BrokenContractError as error:
        raise RecipeError(f"The training recipe {recipe.path} {error}", remedy=REMEDY) from error
    return Trained(estimator, seconds)


def fit(recipe: Recipe, X: pd.DataFrame, y: pd.Series) -> Any:
    """Call the recipe with its helpers importable, and return its estimator.

    Raises:
        BrokenContractError: the recipe raised, or returned something that has no `predict`.
    """
    with project_importable(recipe.path.parent, recipe.helpers), threads_for(len(X)):
        estimator = call(recipe.train_model, X, y, path=recipe.path, failed="failed with")
    return _if_it_predicts(estimator, WHOLE)


def fit_in_parts(recipe: Recipe, parts: Sequence[Part], rows: int) -> Any:
    """The same for a recipe that learns in parts; `rows` is how many all parts have together.

    Raises:
        BrokenContractError: the recipe raised, or returned something that has no `predict`.
    """
    function = recipe.train_model_in_parts
    assert function is not None, "callers look whether the recipe learns in parts"
    with project_importable(recipe.path.parent, recipe.helpers), threads_for(rows):
        estimator = call(function, tuple(parts), path=recipe.path, failed="failed with")
    return _if_it_predicts(estimator, IN_PARTS)


def _if_it_predicts(estimator: Any, function: str) -> Any:
    """What a recipe's function returned, which must be an instance with a `predict`."""
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
    """The estimator's answers to `rows`, after checking that they can be used.

    Args:
        estimator: that a recipe returned.
        rows: raw feature columns.
        known: the classes that it may answer.
        path: of the recipe.
        needs_probabilities: whether it must have a `predict_proba` that can be used.

    Raises:
        BrokenContractError: it raises, it does not answer each row with one known class, or
            probabilities that are needed cannot be used.
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
    """(rows, classes) what `predict_proba` returns, after checking it."""
    if not callable(getattr(estimator, "predict_proba", None)):
        raise BrokenContractError("returned an estimator without predict_proba, which METRIC takes")
    probabilities = _array(estimator, "predict_proba", rows, path)
    classes = np.asarray(getattr(estimator, "classes_", ()), dtype=object).ravel().tolist()
    if not classes or not set(classes) <= known:
        raise BrokenContractError(
            f"returned an estimator whose classes_ are {classes[:10]}; they name the columns of"
            " predict_proba"
        )
    expected = (len(rows), len(classes))
    if probabilities.shape != expected:
        raise BrokenContractError(
            f"returned an estimator whose predict_proba has the shape {probabilities.shape}, not"
            f" {expected}"
        )
    if not _are_distributions(probabilities):
        raise BrokenContractError(
            "returned an estimator whose predict_proba has rows that are not probabilities with the"
            " sum 1"
        )
    return probabilities


def _are_distributions(probabilities: np.ndarray) -> bool:
    """Whether each row is a probability for each class, with the sum 1 but for rounding."""
    if not np.issubdtype(probabilities.dtype, np.number) or not (probabilities >= 0).all():
        return False
    return np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)


def _array(estimator: Any, method: str, rows: pd.DataFrame, path: Path) -> np.ndarray:
    """What a method of the estimator answers, which gets a copy of the rows."""

    def answer() -> np.ndarray:
        return np.asarray(getattr(estimator, method)(rows.copy(deep=False)))

    failed = f"returned an estimator whose {method} raises"
    return cast("np.ndarray", call(answer, path=path, failed=failed))


def known_classes(y: pd.Series) -> frozenset[Label]:
    """The labels in `y` as plain Python values."""
    return frozenset(y.unique().tolist())


def some_rows(X: pd.DataFrame) -> pd.DataFrame:
    """Up to `ROWS_TRIED` rows, spread evenly over the table."""
    places = np.linspace(0, len(X) - 1, min(len(X), ROWS_TRIED)).astype(int)
    return X.iloc[np.unique(places)]


def call(function: Callable[..., Any], *arguments: Any, path: Path, failed: str) -> Any:
    """Call code that is not ours. What it prints goes to the log.

    Raises:
        BrokenContractError: it raised; the text is `failed` and what was raised. sys.exit and
            os._exit are errors like any other.
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
