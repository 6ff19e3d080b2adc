"""A version that answers.

Labels as Python's own, probabilities in the order of its classes, and errors without values.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from retraining.records import Column, Schema
from retraining.serving.model import ModelFailedError, ServedModel, TellingFacts
from retraining.serving.rows import TypedRows

WORDS = Schema((Column("row", "number"),), "target", "string", ("no", "yes"))
NUMBERS = Schema((Column("row", "number"),), "target", "integer", (0, 1))


class Always:
    """Answers one thing, whatever the rows."""

    def __init__(self, labels: Any, probabilities: Any = None, classes: Any = None) -> None:
        self._labels = labels
        if classes is not None:
            self.classes_ = np.array(classes)
        if probabilities is not None:
            self.predict_proba = lambda X: np.asarray(probabilities)

    def predict(self, X: Any) -> Any:
        if isinstance(self._labels, Exception):
            raise self._labels
        return np.asarray(self._labels)


def served(estimator: Any, schema: Schema = NUMBERS) -> ServedModel:
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    return ServedModel("m", 7, "production", schema, estimator, moment, TellingFacts())


ROWS = TypedRows({"row": np.array([1.0, 2.0])}, 2, {}, ())


@pytest.mark.parametrize(
    ("estimator", "schema", "labels"),
    [
        (Always(np.array([0, 1], np.int64)), NUMBERS, [0, 1]),
        (Always([0.0, 1.0]), NUMBERS, [0, 1]),
        (Always([[1], [0]]), NUMBERS, [1, 0]),
        (Always(np.array(["no", "yes"], object)), WORDS, ["no", "yes"]),
    ],
)
def test_labels_are_of_the_schemas_kind(estimator: Any, schema: Schema, labels: list[Any]) -> None:
    told = served(estimator, schema).answers([ROWS])
    assert (told.labels, told.probabilities) == (labels, None)
    assert {type(label) for label in told.labels} == {type(schema.classes[0])}


def test_classes_are_in_the_order_of_the_probabilities() -> None:
    model = served(Always([0, 1], [[0.1, 0.9]] * 2, classes=[1, 0]))
    assert model.classes == (1, 0)
    probabilities = model.answers([ROWS]).probabilities
    assert probabilities is not None
    assert probabilities.tolist() == [[0.1, 0.9]] * 2


class Counted(TransformerMixin, BaseEstimator):
    """Doubles the numbers, and counts how often it is asked."""

    def fit(self, X: Any, y: Any = None) -> Counted:
        self.asked_, self.fitted_ = 0, True
        return self

    def transform(self, X: Any) -> Any:
        self.asked_ += 1
        return 2 * np.asarray(X)


class ByProbability(ClassifierMixin, BaseEstimator):
    """Class 1 where the number is above 3; `labels_of` may lie."""

    def __init__(self, lies: bool = False) -> None:
        self.lies = lies

    def fit(self, X: Any, y: Any) -> ByProbability:
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: Any) -> Any:
        likely = np.where(X[:, 0] > 3, 0.9, 0.2)
        return np.column_stack([1 - likely, likely])

    def predict(self, X: Any) -> Any:
        return self.predict_proba(X).argmax(axis=1)

    def labels_of(self, probabilities: Any) -> Any:
        return np.ones(len(probabilities), int) if self.lies else probabilities.argmax(axis=1)


@pytest.mark.parametrize("last", [ByProbability(), LogisticRegression(C=1e6)])
def test_a_pipeline_transforms_the_rows_once_and_answers_as_by_itself(last: Any) -> None:
    X = pd.DataFrame({"row": [0.0, 1.0, 2.0, 3.0]})
    whole = make_pipeline(Counted(), last).fit(X, [0, 0, 1, 1])
    expected = whole.predict(X), whole.predict_proba(X)
    whole[0].asked_ = 0
    rows = TypedRows({"row": np.array([0.0, 1.0, 2.0, 3.0])}, 4, {}, ())
    told = served(whole).answers([rows])
    assert whole[0].asked_ == 1
    assert told.labels == expected[0].tolist()
    assert told.probabilities is not None
    assert told.probabilities.tolist() == expected[1].tolist()


def test_a_version_whose_two_ways_to_a_label_differ_is_not_served() -> None:
    model = served(make_pipeline(Counted(), ByProbability(lies=True)).fit(np.ones((2, 1)), [0, 1]))
    with pytest.raises(ModelFailedError, match="answers differently than labels_of"):
        model.try_out()


class FromColumns(Counted):
    """Doubles numbers and counts a missing one as `missing`; from columns without a table."""

    def __init__(self, missing: float = 0.0) -> None:
        self.missing = missing

    def transform(self, X: Any) -> Any:
        return np.nan_to_num(super().transform(X))

    def transform_columns(self, columns: Any) -> Any:
        return np.nan_to_num(2 * columns["row"], nan=self.missing).reshape(-1, 1)


def test_a_transformer_that_takes_columns_is_handed_no_table() -> None:
    whole = make_pipeline(FromColumns(), ByProbability()).fit(np.ones((2, 1)), [0, 1])
    model = served(whole)
    model.try_out()
    whole[0].asked_ = 0
    told = model.answers([ROWS, TypedRows({"row": np.array([np.nan])}, 1, {}, ())])
    assert (told.labels, whole[0].asked_) == ([0, 1, 0], 0)


def test_a_version_that_answers_a_missing_value_otherwise_by_its_short_cut_is_not_served() -> None:
    whole = make_pipeline(FromColumns(missing=4.0), ByProbability()).fit(np.ones((2, 1)), [0, 1])
    with pytest.raises(ModelFailedError, match="differently than labels_of or transform_columns"):
        served(whole).try_out()


@pytest.mark.parametrize(
    "estimator",
    [
        Always(ValueError("the caller's secret")),
        Always([1]),
        Always([1, 0, 1]),
        Always([0, 1], [[0.5, 0.5]], classes=[0, 1]),
        Always([0, 1], [[0.5, 0.3, 0.2]] * 2, classes=[0, 1]),
    ],
)
def test_what_is_no_answer_is_an_error_of_the_model_without_its_words(estimator: Any) -> None:
    with pytest.raises(ModelFailedError) as raised:
        served(estimator).answers([ROWS])
    assert str(raised.value) == "version 7: ValueError"
