"""A version that answers.

Labels as Python's own, probabilities in the order of its classes, and errors without values.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

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
