"""A permutation test for blocks of different sizes, with like rows and perhaps like neighbours.

To swap the labels of blocks of 5,000 and of 50 rows would compare groups that no delivery ever
made. So what is swapped is each block's departure from the common profile, in units of its own
noise. With blocks of one size that is the plain swap of labels.

Distances are between *profiles* (values,). Where bins have an order, a block's profile is its
cumulative shares, else its shares. So each value is a mean of zeros and ones over rows, which is
all that the formulas below need.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Integers = NDArray[np.integer[Any]]

MIN_RUNS = 8  # fewer could not be ordered in enough ways
ROUNDING = 1e-20  # a sum of squares that is smaller is 0 but for rounding


@dataclass(frozen=True)
class Side:
    """The blocks of the reference or of the current rows.

    Attributes:
        sizes: (blocks,) rows of each block, all above 0.
        profiles: (blocks, values).
    """

    sizes: Floats
    profiles: Floats

    @property
    def weights(self) -> Floats:
        """(blocks,) each block's share of the rows."""
        weights: Floats = self.sizes / self.sizes.sum()
        return weights

    @property
    def pooled(self) -> Floats:
        """(values,) the profile of all rows."""
        return self.weights @ self.profiles

    @property
    def departures(self) -> Floats:
        """(blocks, values) each block's profile minus the pooled one."""
        return self.profiles - self.pooled


def side_of(histograms: Integers, *, nominal: bool) -> Side:
    """The side of histograms (blocks, bins), in which every block has rows."""
    sizes = histograms.sum(axis=1).astype(float)
    shares = histograms / sizes[:, None]
    return Side(sizes, shares if nominal else np.cumsum(shares, axis=1)[:, :-1])


def distance(difference: Floats, *, nominal: bool) -> Floats:
    """Distances (...), 0..1, from differences of two profiles (..., values).

    That is the Kolmogorov-Smirnov distance if bins have an order, else the total variation.
    """
    if nominal:
        halves: Floats = np.abs(difference).sum(axis=-1) / 2
        return halves
    largest: Floats = np.abs(difference).max(axis=-1, initial=0.0)
    return largest


def intraclass_correlation(sides: tuple[Side, Side]) -> float:
    """How much the rows of a block are alike, 0..1: their correlation within each side.

    Source: the analysis of variance estimator in Donner, A Review of Inference Procedures for the
    Intraclass Correlation Coefficient, 1986.
    """
    rows = sum(float(side.sizes.sum()) for side in sides)
    blocks = sum(side.sizes.size for side in sides)
    freedom = blocks - 2
    if freedom <= 0 or rows <= blocks:
        return 0.0
    squares_between = squares_within = size_of_blocks = 0.0
    for side in sides:
        variances = side.profiles * (1 - side.profiles)
        squares_between += float(side.sizes @ (side.departures**2).sum(axis=1))
        squares_within += float(side.sizes @ variances.sum(axis=1))
        size_of_blocks += float(side.sizes.sum() * (1 - side.weights @ side.weights))
    between = squares_between / freedom
    within = squares_within / (rows - blocks)
    spread = between + (size_of_blocks / freedom - 1) * within
    return min(1.0, max(0.0, (between - within) / spread)) if spread > 0 else 0.0


def effective_rows(side: Side, correlation: float) -> float:
    """How many independent rows the blocks are worth: n^2 / sum n_i (1 + (n_i - 1) correlation).

    Source: the design effect of Kish, Survey Sampling, 1965.
    """
    design_effects = 1 + (side.sizes - 1) * correlation
    return float(side.sizes.sum() ** 2 / (side.sizes * design_effects).sum())


def run_length(sides: tuple[Side, Side], correlation: float) -> int:
    """How many neighbouring blocks must stay together, because they are alike.

    That is one more than four times the lag up to which the autocorrelation within the sides is
    above its standard error, 1 / sqrt(blocks). Twice that lag was too little in simulations: too
    many windows without drift were alarmed. At least `MIN_RUNS` runs are left, if there are so many
    blocks.
    """
    scaled = [side.departures / _noise(side.sizes, correlation)[:, None] for side in sides]
    blocks = sum(side.sizes.size for side in sides)
    total = sum(float((side**2).sum()) for side in scaled)
    longest = max(1, blocks // MIN_RUNS)
    lag = 0
    while 4 * lag + 1 < longest:
        together = sum(_sum_of_products(side, lag + 1) for side in scaled)
        if together <= total / math.sqrt(blocks):
            return 4 * lag + 1
        lag += 1
    return longest


def _sum_of_products(values: Floats, lag: int) -> float:
    """Over all values, each with the one of the same column `lag` rows later."""
    return float((values[lag:] * values[:-lag]).sum())


def permuted_distances(
    sides: tuple[Side, Side], correlation: float, labellings: Integers, *, nominal: bool
) -> Floats:
    """(permutations,) distances between the sides under random labels.

    Args:
        sides: reference and current rows.
        correlation: of the rows of a block, 0..1.
        labellings: (permutations, blocks) which block's departure comes to each place.
        nominal: whether the bins have no order.
    """
    sizes = np.concatenate([side.sizes for side in sides])
    both = Side(sizes, np.concatenate([side.profiles for side in sides]))
    noise = _noise(both.sizes, correlation)
    # A block, and a large one more, pulls the pooled profile to itself. That hides a part of its
    # departure, which is given back here.
    pull = both.weights
    variance_seen = 1 - 2 * pull + (pull**2 @ noise**2) / noise**2
    variance_seen = np.maximum(variance_seen, 1e-9) / (1 - 1 / noise.size)
    departures = both.departures / (noise * np.sqrt(variance_seen))[:, None]
    weights = np.concatenate([-sides[0].weights, sides[1].weights]) * noise
    # With blocks of one size, weights and departures both add up to zero. With other blocks they do
    # not, and sums of them would vary too little.
    spread = _spread_kept(weights) * _spread_kept(departures)
    moved = weights[labellings] @ (departures - departures.mean(axis=0))
    return distance(moved, nominal=nominal) / math.sqrt(spread)


def random_labellings(blocks: int, run: int, count: int, *, seed: int) -> Integers:
    """(count, blocks) random orders of blocks in which runs of neighbours stay together."""
    run_of_block = np.arange(blocks) // run
    keys = np.random.default_rng(seed).random((count, run_of_block[-1] + 1))
    return np.argsort(keys[:, run_of_block], axis=1, kind="stable")


def _spread_kept(values: Floats) -> float:
    """The share of the squares (n, ...) that is left when each column's mean is subtracted."""
    squares = float((values**2).sum())
    if squares <= ROUNDING:
        return 1.0
    left = (values - values.mean(axis=0)) ** 2
    return float(left.sum()) / squares


def _noise(sizes: Floats, correlation: float) -> Floats:
    """(blocks,) the standard deviation of each block's profile, up to a factor common to all."""
    noise: Floats = np.sqrt(correlation + (1 - correlation) / sizes)
    return noise
