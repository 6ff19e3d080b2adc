"""The bench's second recipe: gradient boosting with hardly a setting of its own, texts as numbers
in order of the alphabet.
"""

from __future__ import annotations

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def train_model(X_train: pd.DataFrame, y_train: pd.Series) -> Pipeline:
    """Fit `HistGradientBoostingClassifier(max_iter=50, learning_rate=.15)` on raw columns."""
    texts = [name for name in X_train.columns if not pd.api.types.is_numeric_dtype(X_train[name])]
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )
    texts_as_numbers = make_column_transformer((encoder, texts), remainder="passthrough")
    boosting = HistGradientBoostingClassifier(
        max_iter=50, learning_rate=0.15, early_stopping=False, random_state=0
    )
    return make_pipeline(texts_as_numbers, boosting).fit(X_train, y_train)
