"""The training recipe: the one file of the job that you replace with your own.

The job calls `train_model` with rows as they come from the data files and puts what it returns into
the MLflow registry, code included. So every step between a raw row and a label lives inside the
estimator, and this file imports nothing of the job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A histogram has 255 bins for values; the last one takes all other categories together.
MOST_CATEGORIES = 254
FEW_ROWS = 1_000


def train_model(X_train: pd.DataFrame, y_train: pd.Series) -> Pipeline:
    """Fit histogram gradient boosting on raw columns.

    It splits on missing values and on categories as they are, so nothing is imputed, scaled or
    one-hot encoded. There is no early stopping: it would hold out random rows, which fails on a
    class with one row and flatters where neighbouring rows are alike. Large leaves, a strong
    penalty and half the columns a split keep tonight's model from differing from last night's by
    chance: fewer promotions turn out to be wrong.

    Args:
        X_train: one row per observation, oldest first; numbers and booleans as numeric columns, all
            others as strings; NaN where missing.
        y_train: one label per row: integers, booleans or strings, two classes or more.

    Returns:
        A fitted estimator; `predict` answers with labels as in `y_train`, `predict_proba` with a
        column for each of `classes_`.
    """
    # Boosting bins its columns by a sample of the rows: a column with hardly a value could be empty
    # there, which it cannot bin.
    told = [name for name in X_train.columns if X_train[name].count() > len(X_train) / 1000]
    numbers = [name for name in told if pd.api.types.is_numeric_dtype(X_train[name])]
    words = [name for name in told if name not in numbers]
    smallest_leaf = int(np.clip(len(X_train) // (10 * y_train.nunique()), 2, 100))
    boosting = BoostingForRareClasses(
        learning_rate=0.15,
        max_iter=100,
        max_leaf_nodes=15,
        max_features=0.5,
        min_samples_leaf=smallest_leaf,
        l2_regularization=smallest_leaf
        / 4,  # halves the step of a smallest leaf that is undecided: its curvature is 1/4 a row
        categorical_features=np.arange(len(words)),
        early_stopping=False,
        random_state=0,
    )
    return make_pipeline(ColumnsToNumbers(numbers, words), boosting).fit(X_train, y_train)


class BoostingForRareClasses(HistGradientBoostingClassifier):
    """Boosting that predicts a very rare class before it is the likeliest one.

    Probabilities are left as they are.

    Full balancing finds more rows of a rare class but costs much accuracy; without any, a class of
    one row in a hundred is hardly ever predicted. This lies between: a class with less than a fifth
    of its even share (of two classes: under 10 %) counts as if it had that fifth, at most five
    times its own share. On five real tables thinned out to 5, 2 and 1 % positives, the mean F1
    rises from 31, 10 and 2 to 41, 26 and 15 points, and accuracy falls by 0.3, 0.9 and 0.3 points
    (`python -m bench.recipe`). Weights on the rows do no better, spoil the probabilities, and make
    a fit several times as long.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> BoostingForRareClasses:
        """Learn as boosting does, and besides, by how much each class is favoured."""
        _, rows = np.unique(np.asarray(y), return_counts=True)
        self.favour_ = np.clip(len(y) / len(rows) / 5 / rows, 1, 5)
        super().fit(X, y, sample_weight)
        self._leave_the_encoder_out(X[:FEW_ROWS])
        return self

    def _leave_the_encoder_out(self, sample: pd.DataFrame) -> None:
        """Let boosting take codes as they are, where that answers the same.

        It encodes categories again, which takes several times as long as all its trees do for a
        row. Here they are codes already, and stand before the numbers, where it would put them.
        """
        expected = self.predict_proba(sample)
        encoder: Any = self._preprocessor
        self._preprocessor: Any = None
        if not np.array_equal(self.predict_proba(sample), expected):
            self._preprocessor = encoder
            return
        del self.feature_names_in_  # they were checked; from now on rows come as an array

    def predict(self, X: Any) -> np.ndarray:
        """Return the class with the highest probability, the rare ones favoured."""
        return self.labels_of(self.predict_proba(X))

    def labels_of(self, probabilities: np.ndarray) -> np.ndarray:
        """Return what `predict` answers where it finds these probabilities: who wants both asks
        once.
        """
        return np.asarray(self.classes_[np.argmax(probabilities * self.favour_, axis=1)])


class ColumnsToNumbers(TransformerMixin, BaseEstimator):
    """Turn a table of raw columns into one of floats, NaN where a value is missing: the words as
    codes, then the numbers.

    Args:
        numbers: names of the columns that hold numbers or booleans, kept as they are.
        words: names of the columns that hold words. Their most frequent values become 0, 1, ...;
            rarer and unseen ones share a code. Where no value is rare, an unseen one counts as
            missing.
    """

    def __init__(self, numbers: list[str], words: list[str]) -> None:
        self.numbers = numbers
        self.words = words

    def fit(self, X: pd.DataFrame, _y: pd.Series | None = None) -> ColumnsToNumbers:
        """Learn the most frequent values of each column of words."""
        self.codes_ = {name: Codes(X[name]) for name in self.words}
        return self

    def fit_transform(self, X: pd.DataFrame, y: pd.Series | None = None) -> pd.DataFrame:
        """Learn, and return what was learned from.

        Columns that are floats already are not copied.
        """
        self.fit(X, y)
        words = {name: codes.of(X[name]) for name, codes in self.codes_.items()}
        numbers = X[self.numbers]
        for name in self.numbers:
            if numbers[name].dtype != float:
                numbers[name] = floats(numbers[name])
        return pd.concat([pd.DataFrame(words, index=X.index), numbers], axis="columns")

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the words, then the numbers, whatever the order of the columns in `X`."""
        words = [codes.of(X[name]) for name, codes in self.codes_.items()]
        numbers = [floats(X[name]) for name in self.numbers]
        return np.column_stack(words + numbers)

    def transform_columns(self, columns: Mapping[str, Any]) -> np.ndarray:
        """Return what `transform` does, for columns that are in no table yet.

        The prediction service asks this: to make a table of a few rows, and to take its columns out
        again, takes longer than all the trees.

        Args:
            columns: by name, numbers and booleans as arrays of floats (NaN where missing), words as
                lists of texts (None where missing).
        """
        words = [codes.of_list(columns[name]) for name, codes in self.codes_.items()]
        numbers = [columns[name] for name in self.numbers]
        return np.column_stack(words + numbers)


def floats(column: pd.Series) -> np.ndarray:
    """Return numbers or booleans as floats, NaN where one is missing."""
    if column.dtype == float:
        return column.to_numpy()
    return column.to_numpy(dtype=float, na_value=np.nan)


class Codes:
    """A number for each of the most frequent values of a column of words: 0, 1, ... by frequency.

    All others share the next number; where there were none, they count as missing.
    """

    def __init__(self, column: pd.Series) -> None:
        values = column.value_counts().index.tolist()
        common = values[:MOST_CATEGORIES]
        self._known: dict[str | None, float] = {value: float(k) for k, value in enumerate(common)}
        self._known[None] = np.nan  # a missing value
        self._others = np.nan if len(values) <= MOST_CATEGORIES else float(MOST_CATEGORIES)

    def of(self, column: pd.Series) -> np.ndarray:
        """Return the number of each value, NaN for a missing one."""
        if len(column) <= FEW_ROWS:  # quicker than a table of the distinct values
            return self.of_list(column.astype(object).where(column.notna(), None).tolist())
        places, distinct = pd.factorize(column)  # a missing value's place is -1
        return self.of_list([*distinct, None])[places]

    def of_list(self, values: Sequence[str | None]) -> np.ndarray:
        """Return the number of each text, NaN for None."""
        return np.array([self._known.get(value, self._others) for value in values], np.float32)
