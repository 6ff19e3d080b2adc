"""Predictions with a known truth, for the tests of this room."""

from __future__ import annotations

import numpy as np

from retraining.statistics import Predictions


def alike(blocks, rows_per_block, correlation, rng):
    """Standard normal values (n,) and their blocks; rows of a block correlate by `correlation`."""
    block = np.repeat(np.arange(blocks), rows_per_block)
    shared, own = rng.normal(size=blocks)[block], rng.normal(size=block.size)
    return np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own, block


def two_models(blocks=20, rows_per_block=50, *, gain=0.0, correlation=0.0, seed=0):
    """A champion right on some 83 % of rows, and a challenger that is better for a `gain` > 0 and
    equal for 0.
    """
    rng = np.random.default_rng(seed)
    common, block = alike(blocks, rows_per_block, 0.0, rng)
    truth = rng.integers(0, 2, block.size)
    models = []
    for shift in (0.0, gain):
        own, _ = alike(blocks, rows_per_block, correlation, rng)
        margin = 0.95 + shift + 0.8 * common + 0.6 * own
        positive = 1 / (1 + np.exp(-margin * np.where(truth == 1, 1, -1)))
        probabilities = np.column_stack([1 - positive, positive])
        models.append(Predictions(truth, (positive > 0.5).astype(int), probabilities, block, 2))
    return models


def answers(right, blocks):
    """A model of two classes that is right where told; every row is of class 1."""
    right = np.asarray(right, dtype=int)
    return Predictions(np.ones(right.size, int), right, None, np.asarray(blocks), 2)
