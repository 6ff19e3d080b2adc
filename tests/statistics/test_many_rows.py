"""Scores and comparisons of many rows: what they hold beside the answers does not grow beyond some
bytes a row.
"""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from retraining.statistics import Predictions, compare, estimate, label_metrics, metric, resampling
from retraining.statistics.resampling import mean_error, numbered

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = 2_000_000
BYTES_OF_A_TESTED_ROW = 40  # contract-scale.md: with the answers, of two models too


def answers(rows: int, seed: int, blocks: int = 40) -> Predictions:
    """As scoring hands them over: small integers, no probabilities."""
    rng = np.random.default_rng(seed)
    truth = (np.arange(rows) % 2).astype(np.int16)
    predicted = truth ^ (rng.random(rows) < 0.1)
    places = (np.arange(rows) * blocks // rows).astype(np.int32)
    return Predictions(truth, predicted.astype(np.int16), None, places, 2)


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "error_rate"])
def test_a_score_with_its_error_takes_few_bytes_a_row(name: str) -> None:
    one = answers(MANY, seed=1)
    held = one.truth.nbytes + one.predicted.nbytes + one.blocks.nbytes
    peak = held + peak_of(lambda: estimate(metric(name), one))
    assert peak / MANY <= BYTES_OF_A_TESTED_ROW


@pytest.mark.parametrize("name", ["accuracy", "f1_macro"])
def test_a_comparison_takes_few_bytes_a_row(name: str) -> None:
    pair = answers(MANY, seed=1), answers(MANY, seed=2)
    held = sum(one.truth.nbytes + one.predicted.nbytes + one.blocks.nbytes for one in pair)
    peak = held + peak_of(lambda: compare(metric(name), *pair, confidence=0.95, min_rows=50))
    assert peak / MANY <= BYTES_OF_A_TESTED_ROW


@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "matthews_corrcoef"])
def test_rows_looked_at_in_parts_give_the_same_comparison(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = answers(5_000, seed=1), answers(5_000, seed=2)
    whole = compare(metric(name), *pair, confidence=0.95, min_rows=50)
    monkeypatch.setattr(resampling, "ROWS_PER_PART", 700)
    monkeypatch.setattr(label_metrics, "ROWS_PER_PART", 700)
    parted = compare(metric(name), *pair, confidence=0.95, min_rows=50)
    assert parted.improvement == whole.improvement
    assert parted.standard_error == pytest.approx(whole.standard_error, rel=1e-12)


def test_the_error_in_parts_is_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    values, blocks = rng.normal(size=1_000), rng.integers(0, 9, 1_000)
    whole = mean_error(values, blocks)
    monkeypatch.setattr(resampling, "ROWS_PER_PART", 64)
    assert mean_error(values, blocks) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("blocks", [[], [5, 5, 2, 9, 2], [-3, 10**12, 0], [0, 1, 2]])
def test_blocks_are_numbered_in_their_order(blocks: list[int]) -> None:
    given = np.array(blocks, dtype=np.int64)
    places, count = numbered(given)
    distinct, expected = np.unique(given, return_inverse=True)
    assert places.tolist() == expected.tolist()
    assert count == distinct.size
