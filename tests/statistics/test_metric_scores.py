"""Scores equal scikit-learn's own scorers, and are None where the rows cannot tell them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer, get_scorer_names

from retraining.metrics import METRICS
from retraining.statistics import Predictions, check_metric, metric, score, subset
from retraining.statistics.label_metrics import label_score
from retraining.statistics.metrics import ROW_VALUES

EVERY_METRIC = tuple(METRICS)
FROM_PROBABILITIES = [name for name, one in METRICS.items() if one.needs == "probabilities"]
LABEL_METRICS = [name for name, one in METRICS.items() if one.computed_from == "counts"]
FOR_MORE_CLASSES = [name for name, one in METRICS.items() if one.for_more_classes is not None]


class Parrot(ClassifierMixin, BaseEstimator):
    """A model written for this test alone: repeats what it is given, row by row."""

    def __init__(self, predicted, probabilities):
        self.predicted, self.probabilities = predicted, probabilities
        self.classes_ = np.arange(probabilities.shape[1])

    def predict(self, X):
        return self.predicted[X]

    def predict_proba(self, X):
        return self.probabilities[X]


def suits(name, class_count):
    try:
        check_metric(metric(name), class_count)
    except ValueError:
        return False
    return True


def some_predictions(class_count=2, rows=240, seed=3, dtype=float):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, class_count, rows)
    logits = rng.normal(size=(rows, class_count)) + 1.2 * (truth[:, None] == np.arange(class_count))
    probabilities = np.exp(logits).round(1) + 0.05  # rounded, so that scores tie
    probabilities = (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(dtype)
    return Predictions(
        truth, probabilities.argmax(axis=1), probabilities, np.arange(rows) // 20, class_count
    )


def by_scikit_learn(name, predictions):
    if name == "error_rate":
        return 1 - by_scikit_learn("accuracy", predictions)
    parrot = Parrot(predictions.predicted, predictions.probabilities)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return get_scorer(name)(parrot, np.arange(predictions.truth.size), predictions.truth)


@pytest.mark.parametrize(
    ("name", "class_count"), [(n, k) for n in EVERY_METRIC for k in (2, 3, 7) if suits(n, k)]
)
def test_every_score_is_that_of_the_scikit_learn_scorer(name, class_count):
    predictions = some_predictions(class_count)
    assert score(metric(name), predictions) == pytest.approx(
        by_scikit_learn(name, predictions), abs=1e-12
    )


@pytest.mark.parametrize("name", [name for name in FROM_PROBABILITIES if suits(name, 2)])
def test_probabilities_of_single_precision_score_as_in_scikit_learn(name):
    predictions = some_predictions(dtype=np.float32)
    assert score(metric(name), predictions) == pytest.approx(
        by_scikit_learn(name, predictions), abs=1e-5
    )


def test_certain_and_wrong_costs_as_much_log_loss_as_in_scikit_learn():
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    predictions = Predictions(
        np.array([1, 1, 0]), np.array([0, 1, 0]), probabilities, np.zeros(3, int), 2
    )
    assert score(metric("neg_log_loss"), predictions) == pytest.approx(
        by_scikit_learn("neg_log_loss", predictions)
    )


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_label_metrics_equal_scikit_learn_on_any_labels_unless_no_row_is_positive(data):
    class_count = data.draw(st.integers(2, 4))
    codes = st.lists(st.integers(0, class_count - 1), min_size=1, max_size=12)
    truth = np.array(data.draw(codes))
    predicted = np.array(
        data.draw(
            st.lists(st.integers(0, class_count - 1), min_size=truth.size, max_size=truth.size)
        )
    )
    name = data.draw(
        st.sampled_from([n for n in LABEL_METRICS if class_count == 2 or n not in FOR_MORE_CLASSES])
    )
    predictions = Predictions(truth, predicted, None, np.zeros(truth.size, int), class_count)
    found = score(metric(name), predictions)
    if found is None:
        assert name in FOR_MORE_CLASSES
        assert 1 not in truth
        return
    parrot = Parrot(predicted, np.zeros((truth.size, class_count)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found == pytest.approx(
            get_scorer(name)(parrot, np.arange(truth.size), truth), abs=1e-12
        )


@pytest.mark.parametrize("name", EVERY_METRIC)
@pytest.mark.parametrize("class_count", [2, 3])
def test_odd_rows_give_a_number_or_none_and_no_warning(name, class_count):
    whole = some_predictions(class_count)
    one_class = subset(whole, whole.truth == 0)
    odd = [
        subset(whole, slice(0, 0)),
        subset(whole, slice(0, 1)),
        one_class,
        subset(whole, whole.truth != 1),
    ]
    odd.append(
        Predictions(
            whole.truth,
            whole.predicted,
            np.full((240, class_count), np.nan),
            whole.blocks,
            class_count,
        )
    )
    odd.append(Predictions(whole.truth, np.zeros(240, int), None, whole.blocks, class_count))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = [score(metric(name), predictions) for predictions in odd]
    assert all(value is None or np.isfinite(value) for value in scores)
    assert scores[0] is None
    if name in FROM_PROBABILITIES:
        assert scores[4:] == [None, None]


@pytest.mark.parametrize("name", ["roc_auc", "roc_auc_ovr", "average_precision", "recall"])
def test_rows_without_a_positive_leave_the_score_undefined(name):
    whole = some_predictions(2)
    assert score(metric(name), subset(whole, whole.truth == 0)) is None


@pytest.mark.parametrize("name", ["neg_log_loss", "neg_brier_score"])
def test_a_loss_is_told_though_the_rows_lack_a_class(name):
    whole = some_predictions(3)
    some = subset(whole, whole.truth != 2)
    assert some.probabilities is not None
    picked = some.probabilities[np.arange(some.truth.size), some.truth]
    squares = ((some.probabilities - np.eye(3)[some.truth]) ** 2).sum(axis=1)
    expected = np.log(picked).mean() if name == "neg_log_loss" else -squares.mean()
    assert score(metric(name), some) == pytest.approx(expected)


def test_a_model_that_never_says_yes_scores_zero_and_not_unknown():
    whole = some_predictions(2)
    silent = Predictions(whole.truth, np.zeros(240, int), None, whole.blocks, 2)
    assert [score(metric(name), silent) for name in ("precision", "recall", "f1", "jaccard")] == [
        0,
        0,
        0,
        0,
    ]


@pytest.mark.parametrize(
    ("name", "advice"),
    [("f1", "f1_macro"), ("roc_auc", "roc_auc_ovr"), ("jaccard", "jaccard_macro")],
)
def test_a_metric_for_two_classes_is_refused_for_three_with_one_that_works(name, advice):
    with pytest.raises(
        ValueError, match=f"{name} is for two classes and the target has 3: {advice}"
    ):
        check_metric(metric(name), 3)


@pytest.mark.parametrize("name", EVERY_METRIC)
def test_a_metric_that_passes_the_check_can_be_told(name):
    for class_count in (2, 3, 4):
        assert (
            not suits(name, class_count)
            or score(metric(name), some_predictions(class_count)) is not None
        )


def test_the_best_two_of_two_classes_are_refused_as_always_right():
    with pytest.raises(ValueError, match="always 1"):
        check_metric(metric("top_k_accuracy"), 2)


@pytest.mark.parametrize("name", ["acuracy", "r2", "f1_samples", ""])
def test_a_name_that_is_no_classification_metric_is_refused(name):
    with pytest.raises(ValueError, match="is not one of scikit-learn's classification metrics"):
        metric(name)


def test_only_the_error_rate_is_better_when_smaller():
    assert [name for name in EVERY_METRIC if not metric(name).greater_is_better] == ["error_rate"]


def test_every_metric_but_the_error_rate_is_one_of_scikit_learn():
    assert set(EVERY_METRIC) - set(get_scorer_names()) == {"error_rate"}
    assert len(EVERY_METRIC) == 31


def test_the_metrics_that_are_told_by_rows_are_those_with_a_formula_by_rows():
    assert {name for name, one in METRICS.items() if one.computed_from == "rows"} == set(ROW_VALUES)


@pytest.mark.parametrize("name", EVERY_METRIC)
def test_a_score_lies_in_the_range_that_the_table_names(name):
    for class_count in (2, 3):
        if suits(name, class_count):
            value = score(metric(name), some_predictions(class_count))
            assert metric(name).low <= value <= metric(name).high


def test_the_metric_that_takes_the_place_of_one_for_two_classes_can_be_told():
    for name in FOR_MORE_CLASSES:
        check_metric(metric(metric(name).among(3)), 3)
    assert [metric("accuracy").among(3), metric("f1").among(2)] == ["accuracy", "f1"]


@pytest.mark.parametrize(
    ("truth", "predicted", "probabilities", "blocks"),
    [
        ([0, 1], [0], None, [0, 0]),
        ([0, 1], [0, 1], None, [0]),
        ([0, 2], [0, 1], None, [0, 0]),
        ([0, 1], [-1, 1], None, [0, 0]),
        ([0, 1], [0, 1], np.zeros((2, 3)), [0, 0]),
    ],
)
def test_answers_that_do_not_fit_the_truth_are_refused(truth, predicted, probabilities, blocks):
    with pytest.raises(ValueError, match=r"must be|outside"):
        Predictions(np.array(truth), np.array(predicted), probabilities, np.array(blocks), 2)


@pytest.mark.parametrize("name", ["cohen", "f1_median"])
def test_a_metric_without_a_formula_is_never_computed_by_another_ones(name):
    with pytest.raises(ValueError, match=name.rpartition("_")[2]):
        label_score(name, np.ones((2, 3)))
