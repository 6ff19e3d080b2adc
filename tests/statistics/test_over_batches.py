"""Hindsight over batches, and a version against its own record."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from retraining.statistics import (
    Estimate,
    Predictions,
    combine,
    compare_with_record,
    estimate_improvement,
    metric,
    t_interval,
)
from tests.statistics.samples import two_models

ACCURACY = metric("accuracy")


def batch(value, error=0.01, rows=1000, blocks=15):
    return Estimate(value, error, rows, blocks)


def test_one_batch_keeps_its_own_interval():
    alone = batch(0.02)
    assert t_interval(combine([alone]), 0.95) == pytest.approx(t_interval(alone, 0.95))


def test_gains_are_weighted_by_rows():
    both = combine([batch(0.03, 0.01, 1000), batch(0.00, 0.02, 3000)])
    assert both.value == pytest.approx(0.0075)
    # the error of (1000 x + 3000 y) / 4000
    assert both.standard_error == pytest.approx(np.hypot(0.25 * 0.01, 0.75 * 0.02))
    assert (both.rows, both.blocks) == (4000, 30)


def test_combining_batches_equals_one_comparison_over_all_their_rows():
    pairs = [
        two_models(blocks=20, rows_per_block=50, gain=0.2, correlation=0.05, seed=seed)
        for seed in range(3)
    ]
    apart = combine([estimate_improvement(ACCURACY, *pair) for pair in pairs])
    joined = []
    for models in zip(*pairs, strict=True):
        fields = {
            name: np.concatenate([getattr(m, name) for m in models])
            for name in ("truth", "predicted", "probabilities")
        }
        blocks = np.concatenate([m.blocks + 20 * i for i, m in enumerate(models)])
        joined.append(Predictions(blocks=blocks, class_count=2, **fields))
    together = estimate_improvement(ACCURACY, *joined)
    assert apart.value == pytest.approx(together.value)
    assert apart.standard_error == pytest.approx(together.standard_error, rel=0.15)


def test_batches_without_a_value_are_left_out_and_no_batches_are_no_value():
    assert combine([batch(0.01), batch(None)]) == combine([batch(0.01)])
    assert combine([]) == combine([batch(None)]) == Estimate(None, None, 0, 0)


def test_an_error_that_one_batch_lacks_is_lacking_altogether():
    mixed = combine([batch(0.01), batch(0.03, None)])
    assert mixed.value == pytest.approx(0.02)
    assert mixed.standard_error is None
    assert t_interval(mixed, 0.95) is None


@pytest.mark.parametrize(
    ("name", "scores", "now", "verdict"),
    [
        ("accuracy", [0.90], 0.80, "worse"),
        ("accuracy", [0.90], 0.98, "better"),
        ("accuracy", [0.90], 0.88, "not_enough_evidence"),
        ("error_rate", [0.10, 0.11], 0.20, "worse"),
        ("error_rate", [0.10, 0.11], 0.02, "better"),
        # it has always moved by five points from batch to batch: four under its mean is nothing new
        ("accuracy", [0.90, 0.85, 0.91, 0.84, 0.90], 0.84, "not_enough_evidence"),
        # the same fall after a steady record is news
        ("accuracy", [0.88, 0.88, 0.88, 0.88, 0.88], 0.84, "worse"),
        # a slow decline does not hide behind itself
        ("accuracy", [0.92, 0.905, 0.89, 0.875, 0.86], 0.82, "worse"),
    ],
)
def test_a_drop_is_worse_than_the_versions_own_record(name, scores, now, verdict):
    assert (
        compare_with_record(metric(name), [batch(value) for value in scores], batch(now)).verdict
        == verdict
    )


@pytest.mark.parametrize(
    ("record", "current"),
    [
        ([], batch(0.5)),
        ([batch(0.9, None)], batch(0.5)),
        ([batch(0.9)], batch(0.5, None)),
        ([batch(0.9)], batch(None)),
    ],
)
def test_without_a_record_or_an_error_there_is_no_drop(record, current):
    result = compare_with_record(ACCURACY, record, current)
    assert (result.improvement, result.interval, result.verdict) == (
        None,
        None,
        "not_enough_evidence",
    )


def test_a_batch_of_four_files_is_too_little_for_a_drop():
    result = compare_with_record(ACCURACY, [batch(0.9)], dataclasses.replace(batch(0.5), blocks=4))
    assert result.verdict == "not_enough_evidence"
    assert result.interval[1] >= 0


def test_a_stable_model_seldom_drops():
    rng = np.random.default_rng(0)
    fired = 0
    for _ in range(200):
        scores = [batch(value) for value in 0.9 + 0.01 * rng.normal(size=7)]
        fired += compare_with_record(ACCURACY, scores[:-1], scores[-1]).verdict == "worse"
    assert fired <= 12  # 2.5 % expected; more than 12 of 200 happens once in a thousand
