"""The bench's second recipe: gradient boosting with hardly a setting of its own, texts as numbers in order of the alphabet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

if TYPE_CHECKING:
    import pandas as pd


def train_model(X_train: pd.DataFrame, y_train: pd.Series) -> Pipeline:
    """Fit `HistGradientBoostingClassifier(max_iter=50, learning_rate=.15)` on raw columns."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    texts_as_numbers = make_column_transformer((encoder, make_column_selector(dtype_exclude="number")), remainder="passthrough")
    boosting = HistGradientBoostingClassifier(max_iter=50, learning_rate=0.15, early_stopping=False, random_state=0)
    return make_pipeline(texts_as_numbers, boosting).fit(X_train, y_train)
