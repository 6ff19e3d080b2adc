"""A permutation test for blocks of different sizes, whose rows are alike, and whose neighbours may
be.

Swapping the labels of blocks of 5,000 and of 50 rows would compare groups that no delivery ever
made. So what is swapped is each block's departure from the common profile, in units of its own
noise: with blocks of one size that is the plain swap of labels.

A *profile* (blocks, values) is what a distance is taken of: a block's cumulative shares where bins
have an order, else its shares. Every value is thus a mean over rows of zeros and ones, which is all
that the formulas below need.
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

MIN_RUNS = 8
ROUNDING = 1e-20  # what is left of squares that are zero but for rounding


@dataclass(frozen=True)
class Side:
    """The blocks of the reference or of the current rows: rows (blocks,) and profiles (blocks,
    values).
    """

    sizes: Floats
    profiles: Floats

    @property
    def weights(self) -> Floats:
        """(blocks,) each block's part of the rows."""
        weights: Floats = self.sizes / self.sizes.sum()
        return weights

    @property
    def pooled(self) -> Floats:
        """(values,) the profile of all rows."""
        return self.weights @ self.profiles

    @property
    def departures(self) -> Floats:
        """(blocks, values) of each block from the pooled profile."""
        return self.profiles - self.pooled


def side_of(histograms: Integers, *, nominal: bool) -> Side:
    """The side that histograms (blocks, bins) make; every block has rows."""
    sizes = histograms.sum(axis=1).astype(float)
    shares = histograms / sizes[:, None]
    return Side(sizes, shares if nominal else np.cumsum(shares, axis=1)[:, :-1])


def distance(difference: Floats, *, nominal: bool) -> Floats:
    """Distances (...) of differences of profiles (..., values): Kolmogorov-Smirnov, or total
    variation without an order.
    """
    if nominal:
        halves: Floats = np.abs(difference).sum(axis=-1) / 2
        return halves
    largest: Floats = np.abs(difference).max(axis=-1, initial=0.0)
    return largest


def intraclass_correlation(sides: tuple[Side, Side]) -> float:
    """The intra-block correlation of rows, 0..1, within each side: the analysis of variance
    estimator (Donner, 1986).
    """
    rows, blocks = (
        sum(float(side.sizes.sum()) for side in sides),
        sum(side.sizes.size for side in sides),
    )
    freedom = blocks - 2
    if freedom <= 0 or rows <= blocks:
        return 0.0
    between = sum(float(side.sizes @ (side.departures**2).sum(axis=1)) for side in sides) / freedom
    within = sum(
        float(side.sizes @ (side.profiles * (1 - side.profiles)).sum(axis=1)) for side in sides
    ) / (rows - blocks)
    block_rows = (
        sum(float(side.sizes.sum() * (1 - side.weights @ side.weights)) for side in sides) / freedom
    )
    spread = between + (block_rows - 1) * within
    return min(1.0, max(0.0, (between - within) / spread)) if spread > 0 else 0.0


def effective_rows(side: Side, correlation: float) -> float:
    """How many independent rows the blocks are worth (Kish, 1965).

    That is n^2 / sum n_i (1 + (n_i - 1) correlation).
    """
    return float(side.sizes.sum() ** 2 / (side.sizes * (1 + (side.sizes - 1) * correlation)).sum())


def run_length(sides: tuple[Side, Side], correlation: float) -> int:
    """How many neighbouring blocks must stay together, because blocks that follow each other are
    alike.

    Four times the lag up to which the autocorrelation within the sides is above its standard error,
    and one more (simulated: twice leaves a sixth of the windows alarmed at a correlation of 0.5);
    never so long that fewer than eight runs would be left.
    """
    scaled = [side.departures / _noise(side.sizes, correlation)[:, None] for side in sides]
    blocks = sum(side.sizes.size for side in sides)
    total = sum(float((side**2).sum()) for side in scaled)
    longest = max(1, blocks // MIN_RUNS)
    lag = 0
    while 4 * lag + 1 < longest:
        together = sum(float((side[lag + 1 :] * side[: -lag - 1]).sum()) for side in scaled)
        if together <= total / math.sqrt(blocks):
            return 4 * lag + 1
        lag += 1
    return longest


def permuted_distances(
    sides: tuple[Side, Side], correlation: float, labellings: Integers, *, nominal: bool
) -> Floats:
    """(permutations,) distances under random labels.

    `labellings` (permutations, blocks) say who takes whose place.
    """
    both = Side(
        np.concatenate([s.sizes for s in sides]), np.concatenate([s.profiles for s in sides])
    )
    noise = _noise(both.sizes, correlation)
    # a block pulls the pooled profile to itself, a large one more, which hides part of its
    # departure
    pull = both.weights
    seen = 1 - 2 * pull + (pull**2 @ noise**2) / noise**2
    departures = (
        both.departures / (noise * np.sqrt(np.maximum(seen, 1e-9) / (1 - 1 / noise.size)))[:, None]
    )
    weights = np.concatenate([-sides[0].weights, sides[1].weights]) * noise
    # weights of blocks of one size add up to zero, and so do their departures; a sum of others
    # would vary too little
    spread = _spread_kept(weights) * _spread_kept(departures)
    moved = weights[labellings] @ (departures - departures.mean(axis=0))
    return distance(moved, nominal=nominal) / math.sqrt(spread)


def random_labellings(blocks: int, run: int, count: int, *, seed: int) -> Integers:
    """(count, blocks) random orders of blocks in which runs of neighbours stay together."""
    run_of_block = np.arange(blocks) // run
    keys = np.random.default_rng(seed).random((count, run_of_block[-1] + 1))
    return np.argsort(keys[:, run_of_block], axis=1, kind="stable")


def _spread_kept(values: Floats) -> float:
    """The part of the squares that is left when the mean is taken off."""
    squares = float((values**2).sum())
    return (
        float(((values - values.mean(axis=0)) ** 2).sum()) / squares if squares > ROUNDING else 1.0
    )


def _noise(sizes: Floats, correlation: float) -> Floats:
    """(blocks,) the standard deviation of a block's profile, up to a factor that all blocks have in
    common.
    """
    noise: Floats = np.sqrt(correlation + (1 - correlation) / sizes)
    return noise
