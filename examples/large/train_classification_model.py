"""A training recipe for more rows than memory holds: XGBoost, fed part by part.

XGBoost keeps of each value the number of its bin, so that a part of the rows is forgotten once it
was read. `train_model` goes the same way, part by part: both functions make the same model.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xgboost
from sklearn.base import BaseEstimator, ClassifierMixin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Part = Callable[[], tuple[pd.DataFrame, pd.Series]]

ROWS_OF_A_PART = 262_144
MOST_WORDS = 254  # of a column; rarer ones share a code with the missing and the unseen
ROUNDS = 100
BOOSTING = {
    "tree_method": "hist",
    "grow_policy": "lossguide",  # the leaf that gains most is split next
    "max_leaves": 31,
    "max_depth": 0,
    "max_bin": 255,
    "learning_rate": 0.2,
    "min_child_weight": 20,
    "reg_lambda": 5,
    "max_cat_to_onehot": 8,
    "seed": 0,
}


def train_model(X_train: pd.DataFrame, y_train: pd.Series) -> Boosted:
    """Fit boosted trees from one table.

    Args:
        X_train: one row per observation; numbers and booleans as numeric columns, all others as
            strings; NaN where missing.
        y_train: one label per row: integers, booleans or strings, two classes or more.
    """
    starts = range(0, len(X_train), ROWS_OF_A_PART)
    return train_model_in_parts([_Slice(X_train, y_train, start) for start in starts])


def train_model_in_parts(parts: Sequence[Part]) -> Boosted:
    """Fit boosted trees from parts of the rows, which XGBoost reads some five times.

    Args:
        parts: callables that return X and y of some rows, as `train_model` takes them.
    """
    columns, classes = ColumnsToNumbers(), set()
    for part in parts:
        X, y = part()
        columns.look_at(X)
        classes.update(y.unique().tolist())
    columns.decide()
    known = np.array(sorted(classes))
    rows = xgboost.QuantileDMatrix(_Rows(parts, columns, known), max_bin=BOOSTING["max_bin"])
    asked: dict[str, Any] = {**BOOSTING, "objective": "binary:logistic"}
    if len(known) > 2:
        asked |= {"objective": "multi:softprob", "num_class": len(known)}
    booster = xgboost.train(asked, rows, ROUNDS)
    return Boosted(columns, known, booster)


class Boosted(ClassifierMixin, BaseEstimator):
    """Trees that answer about raw columns."""

    def __init__(
        self, columns: ColumnsToNumbers, classes: np.ndarray, booster: xgboost.Booster
    ) -> None:
        self.columns = columns
        self.classes = classes
        self.booster = booster
        self.classes_ = classes

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return (rows, classes) probabilities."""
        rows = self.columns.matrix(X)
        types = self.columns.types
        answers = self.booster.predict(xgboost.DMatrix(rows, feature_types=types))
        if answers.ndim == 1:
            answers = np.column_stack([1 - answers, answers])
        return np.asarray(answers, dtype=np.float64)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return the likeliest class of each row."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(X), axis=1)])


class ColumnsToNumbers:
    """Turns raw columns into float32 without a gap: gaps would make XGBoost's matrix a sparse one.

    A missing number becomes one below all others of its column. Words become 0, 1, ..., the most
    frequent first; a missing, rare or unseen one the code after these.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.missing: dict[str, float] = {}  # by column of numbers, what stands for a gap
        self.words: dict[str, dict[str, int]] = {}  # by column of words, their codes
        self._lowest: dict[str, float] = {}
        self._counts: dict[str, Counter[str]] = {}

    def look_at(self, X: pd.DataFrame) -> None:
        """Take a part of the rows into account."""
        self.names = list(X.columns)
        for name in self.names:
            if pd.api.types.is_numeric_dtype(X[name]):
                lowest = float(X[name].min())  # NaN where nothing stands
                self._lowest[name] = float(np.fmin(self._lowest.get(name, np.nan), lowest))
            else:
                counts = X[name].value_counts()
                so_far = self._counts.setdefault(name, Counter())
                so_far.update(dict(zip(counts.index.tolist(), counts.tolist(), strict=True)))

    def decide(self) -> None:
        """Give out the codes: all rows were looked at."""
        for name, lowest in self._lowest.items():
            self.missing[name] = 0.0 if np.isnan(lowest) else lowest - abs(lowest) - 1
        for name, counts in self._counts.items():
            # by name where equally frequent: else the order of the parts would tell
            ordered = sorted((-count, word) for word, count in counts.items())
            self.words[name] = {word: code for code, (_, word) in enumerate(ordered[:MOST_WORDS])}
        self._lowest, self._counts = {}, {}

    @property
    def types(self) -> list[str]:
        """XGBoost's types of the columns: quantities and categories."""
        return ["c" if name in self.words else "q" for name in self.names]

    def matrix(self, X: pd.DataFrame) -> np.ndarray:
        """Return (rows, columns) float32, whatever the order of the columns in `X`."""
        numbers = np.empty((len(X), len(self.names)), dtype=np.float32)
        for place, name in enumerate(self.names):
            if name in self.words:
                codes = X[name].map(self.words[name])
                numbers[:, place] = codes.fillna(len(self.words[name])).to_numpy(np.float32)
            else:
                values = X[name].to_numpy(dtype=np.float64, na_value=np.nan)
                numbers[:, place] = np.where(np.isnan(values), self.missing[name], values)
        return numbers


class _Rows(xgboost.DataIter):
    """The parts as XGBoost asks for them."""

    def __init__(
        self, parts: Sequence[Part], columns: ColumnsToNumbers, classes: np.ndarray
    ) -> None:
        self._parts, self._columns, self._classes = parts, columns, classes
        self._next = 0
        super().__init__()

    def next(self, input_data: Callable[..., Any]) -> bool:
        """Hand over the next part; False where there is none."""
        if self._next == len(self._parts):
            return False
        X, y = self._parts[self._next]()
        codes = np.searchsorted(self._classes, np.asarray(y, dtype=self._classes.dtype))
        rows = self._columns.matrix(X)
        input_data(data=rows, label=codes, feature_types=self._columns.types)
        self._next += 1
        return True

    def reset(self) -> None:
        """Begin again."""
        self._next = 0


class _Slice:
    """Rows of one table, as a part."""

    def __init__(self, X: pd.DataFrame, y: pd.Series, start: int) -> None:
        self._rows = slice(start, start + ROWS_OF_A_PART)
        self._X, self._y = X, y

    def __call__(self) -> tuple[pd.DataFrame, pd.Series]:
        """Return the rows, which share the table's memory."""
        return self._X.iloc[self._rows], self._y.iloc[self._rows]
