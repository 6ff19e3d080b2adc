"""A second opinion on drift, for sides whose blocks are not of one kind.

A permutation treats the blocks of reference and current rows as draws of one noise. In traffic they
are not: a short window may have one burst of like rows in each block, while a file of the reference
averages over hundreds of bursts. So each side is also judged by how much its own blocks differ from
each other. How far apart would the pooled profiles lie if each block's departure had come with a
random sign (the wild cluster bootstrap: Cameron, Gelbach and Miller, Bootstrap-Based Improvements
for Inference with Clustered Errors, 2008)?
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from retraining.statistics.drift import PERMUTATIONS, p_value
from retraining.statistics.permutation import Side, distance, side_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Integers = NDArray[np.integer[Any]]

# on one side: 3 % on both, shared by five features that are corrected for each other
FAR_OUT = 0.997


def p_by_own_blocks(
    reference: Integers, current: Integers, *, nominal: bool, seed: int = 0
) -> float | None:
    """How often random signs of the blocks' departures move the sides as far apart as they are.

    None if a side has fewer than two blocks with rows.

    Args:
        reference: counts of rows (blocks, bins).
        current: the same with the same bins; it may have another number of blocks.
        nominal: whether the bins have no order.
        seed: of the signs.
    """
    filled = (side[side.sum(axis=1) > 0] for side in (reference, current))
    before, after = (side_of(side, nominal=nominal) for side in filled)
    if min(before.sizes.size, after.sizes.size) < 2:
        return None
    rng = np.random.default_rng(seed)
    observed = distance(after.pooled - before.pooled, nominal=nominal)
    moved = _by_random_signs(after, rng) - _by_random_signs(before, rng)
    return p_value(distance(moved, nominal=nominal), float(observed))


def _by_random_signs(side: Side, rng: np.random.Generator) -> Floats:
    """(draws, values) sums of the blocks' weighted departures, each with a random sign.

    Few blocks show their spread badly, and blocks of unequal sizes are worth fewer (Kish, Survey
    Sampling, 1965: 1 / sum of squared weights). So the sums are widened by the factor between
    Student's t and the normal distribution, taken as far out as one of several features is judged.
    """
    worth = max(2.0, 1 / float((side.weights**2).sum()))
    t, normal = special.stdtrit(worth - 1, FAR_OUT), special.ndtri(FAR_OUT)
    wider = float(t / normal) * math.sqrt(worth / (worth - 1))
    signs = rng.choice([-1.0, 1.0], size=(PERMUTATIONS, side.sizes.size))
    sums: Floats = signs @ (side.weights[:, None] * side.departures)
    return sums * wider
