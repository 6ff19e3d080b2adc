"""A training recipe that shows preparation, resampling and a choice of models, all inside one
estimator.

Edit CLASSIFIER and RESAMPLING and run the job: a recipe whose bytes changed is tried on the files
that wait, also on those judged before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

if TYPE_CHECKING:
    from collections.abc import Callable

    Resample = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

CLASSIFIER = "logistic_regression"  # or random_forest, boosting
RESAMPLING = "undersample"  # or smote (needs `pip install -r requirements-extras.txt`), none
NEWEST_ROWS = (
    3_000  # a software update changes the rule; older readings would teach what no longer holds
)
SEED = 0


def train_model(X_train: pd.DataFrame, y_train: pd.Series) -> PreparedClassifier:
    """Fit the chosen classifier on the newest rows: unique, complete, scaled and balanced."""
    # oldest rows come first
    X_train, y_train = X_train.tail(NEWEST_ROWS), y_train.tail(NEWEST_ROWS)
    classifiers = {
        "logistic_regression": LogisticRegression(max_iter=1_000),
        "random_forest": RandomForestClassifier(200, min_samples_leaf=5, random_state=SEED),
        "boosting": HistGradientBoostingClassifier(early_stopping=False, random_state=SEED),
    }
    resamplings: dict[str, Resample] = {
        "undersample": undersample,
        "smote": smote,
        "none": lambda X, y: (X, y),
    }
    return PreparedClassifier(
        columns(X_train), resamplings[RESAMPLING], classifiers[CLASSIFIER]
    ).fit(X_train, y_train)


def columns(X: pd.DataFrame) -> ColumnTransformer:
    """Median and scaling for numbers, the most frequent value and one-hot for words.

    A word never seen is all zeros.
    """
    numbers = [name for name in X.columns if pd.api.types.is_numeric_dtype(X[name])]
    words = [name for name in X.columns if name not in numbers]
    return ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(
                    SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
                ),
                numbers,
            ),
            (
                "words",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
                ),
                words,
            ),
        ],
        sparse_threshold=0,
    )


class PreparedClassifier(ClassifierMixin, BaseEstimator):
    """Drop duplicates, prepare the columns, resample, fit.

    Only the preparation happens again when it predicts.
    """

    def __init__(self, preparation: ColumnTransformer, resample: Resample, classifier: Any) -> None:
        self.preparation = preparation
        self.resample = resample
        self.classifier = classifier

    def fit(self, X: pd.DataFrame, y: pd.Series) -> PreparedClassifier:
        """Learn from raw columns; a reading that was sent twice counts once."""
        unique = ~X.assign(label=y).duplicated()
        self.preparation_ = clone(self.preparation).fit(X[unique])
        numbers, labels = self.resample(
            self.preparation_.transform(X[unique]), y[unique].to_numpy()
        )
        self.classifier_ = clone(self.classifier).fit(numbers, labels)
        self.classes_ = self.classifier_.classes_
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return a label for each raw row."""
        return np.asarray(self.classifier_.predict(self.preparation_.transform(X)))

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return the probabilities of `classes_` for each raw row, were the classes as frequent as
        in the resampled rows.
        """
        return np.asarray(self.classifier_.predict_proba(self.preparation_.transform(X)))


def undersample(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep as many rows of each class, chosen at random, as the rarest has."""
    rng = np.random.default_rng(SEED)
    classes, counts = np.unique(y, return_counts=True)
    kept = np.sort(
        np.concatenate(
            [
                rng.choice(np.flatnonzero(y == label), counts.min(), replace=False)
                for label in classes
            ]
        )
    )
    return X[kept], y[kept]


def smote(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill the rarer classes up with points between neighbours (Chawla et al., SMOTE, 2002)."""
    try:
        from imblearn.over_sampling import SMOTE
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "RESAMPLING is 'smote', which needs imbalanced-learn: pip install -r"
            " requirements-extras.txt"
        ) from error
    neighbours = min(5, int(np.unique(y, return_counts=True)[1].min()) - 1)
    resampled: tuple[np.ndarray, np.ndarray] = SMOTE(
        k_neighbors=neighbours, random_state=SEED
    ).fit_resample(X, y)
    return resampled
