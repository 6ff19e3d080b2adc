"""A second opinion on drift where the blocks of the two sides are not of one kind.

A permutation takes the blocks of reference and current rows for draws of one noise. Traffic breaks
that: a short window may have one burst of like rows in each block, while a file of the reference
averages over hundreds of them. So each side is also judged by how much its own blocks differ from
each other: how far would the pooled profiles lie apart, had each block's departure come with a
random sign (the wild cluster bootstrap; Cameron, Gelbach and Miller, 2008)?
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from retraining.statistics.drift import PERMUTATIONS, ROUNDING
from retraining.statistics.permutation import Side, distance, side_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Integers = NDArray[np.integer[Any]]

FAR_OUT = 0.997  # one side; 3 % over five features that are corrected for each other


def p_by_own_blocks(
    reference: Integers, current: Integers, *, nominal: bool, seed: int = 0
) -> float | None:
    """How often random signs of the blocks' departures move the sides as far apart as they are.

    None under two blocks a side.

    Args:
        reference: (blocks, bins) counts.
        current: the same bins.
        nominal: whether the bins have no order.
        seed: of the signs.
    """
    before, after = (
        side_of(side[side.sum(axis=1) > 0], nominal=nominal) for side in (reference, current)
    )
    if min(before.sizes.size, after.sizes.size) < 2:
        return None
    rng = np.random.default_rng(seed)
    observed = distance(after.pooled - before.pooled, nominal=nominal)
    moved = _by_random_signs(after, rng) - _by_random_signs(before, rng)
    by_chance = distance(moved, nominal=nominal)
    return float(1 + np.count_nonzero(by_chance >= observed - ROUNDING)) / (1 + PERMUTATIONS)


def _by_random_signs(side: Side, rng: np.random.Generator) -> Floats:
    """(draws, values) sums of the blocks' weighted departures.

    Few blocks tell their spread badly, and unequal ones are worth fewer (Kish, 1965): it is widened
    as Student's t widens the normal distribution, as far out as one feature of several is asked to
    be.
    """
    worth = max(2.0, 1 / float((side.weights**2).sum()))
    wider = float(special.stdtrit(worth - 1, FAR_OUT) / special.ndtri(FAR_OUT))
    wider *= math.sqrt(worth / (worth - 1))
    signs = rng.choice([-1.0, 1.0], size=(PERMUTATIONS, side.sizes.size))
    sums: Floats = signs @ (side.weights[:, None] * side.departures)
    return sums * wider
