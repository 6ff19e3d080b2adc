"""A training recipe that searches several families of models and their settings by
cross-validation.

What `train_model` returns is the search itself, refitted with the best candidate: it predicts like
any estimator, and its `cv_results_` are the table of the search that the version's run shows.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

if TYPE_CHECKING:
    import pandas as pd

ZERO_IS_MISSING = ("Glucose", "BloodPressure", "SkinThickness", "Insulin", "BMI")
FOLDS = 3
SEED = 0


def train_model(X_train: pd.DataFrame, y_train: pd.Series) -> GridSearchCV:
    """Cross-validate each candidate by ROC AUC and fit the best one on all rows.

    The folds are drawn at random, which is right for patients, who do not come in an order; for
    rows alike in time it would flatter.
    """
    steps = make_pipeline(FunctionTransformer(zeros_as_missing), SimpleImputer(strategy="median"))
    estimator = Pipeline([("columns", steps), ("model", RandomForestClassifier())])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    return GridSearchCV(estimator, candidates(), scoring="roc_auc", cv=folds).fit(X_train, y_train)


def candidates() -> list[dict[str, list[Any]]]:
    """Return the families, each with the settings to try; add your own here."""
    families: list[dict[str, list[Any]]] = [
        {
            "model": [GradientBoostingClassifier(n_estimators=60, random_state=SEED)],
            "model__max_depth": [1, 2],
            "model__learning_rate": [0.05, 0.15],
        },
        {
            "model": [RandomForestClassifier(60, random_state=SEED)],
            "model__min_samples_leaf": [3, 10],
        },
        {
            "model": [
                HistGradientBoostingClassifier(max_iter=50, early_stopping=False, random_state=SEED)
            ],
            "model__max_leaf_nodes": [4, 15],
        },
    ]
    if find_spec("xgboost") is None:
        print("xgboost is not installed (requirements-extras.txt): the search does without it")
    else:
        from xgboost import XGBClassifier

        families.append(
            {
                "model": [XGBClassifier(n_estimators=60, random_state=SEED, n_jobs=1)],
                "model__max_depth": [2, 4],
            }
        )
    return families


def zeros_as_missing(X: pd.DataFrame) -> pd.DataFrame:
    """Return the columns with NaN where a measurement of 0 says that none was taken."""
    return X.assign(**{name: X[name].replace(0, np.nan) for name in ZERO_IS_MISSING})
