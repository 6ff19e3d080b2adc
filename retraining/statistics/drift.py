"""Whether features moved between a reference and the current rows, found from histograms by block.

Rows of a file are alike, so a test that takes rows as its unit reports drift where there is none.
Here blocks are the unit. A p value is how often a random labelling of blocks as reference or
current moves the two sides as far apart as they are (a permutation test: Pitman, Significance Tests
Which May Be Applied to Samples from Any Populations, 1937). It is corrected for the number of
features (Benjamini and Hochberg, 1995). Drift is `detected` where the corrected value is small, and
`material` where it is also large: PSI minus the PSI to expect without drift (Yurdakul, 2018) is at
the threshold or above it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.records import FeatureDrift
from retraining.statistics.permutation import (
    Side,
    distance,
    effective_rows,
    intraclass_correlation,
    permuted_distances,
    random_labellings,
    run_length,
    side_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Integers = NDArray[np.integer[Any]]

PERMUTATIONS = 1999
# At most 5 % false alarms are promised; at 0.05 some simulations had more of them.
# bench/simulations.py prints what this level gives.
ALPHA = 0.03
ROUNDING = 1e-9  # must not make an equal labelling look smaller than the one observed
BLOCKS_FOR_DRIFT = 8  # of both sides together; fewer have too few labellings for a small p value
# of each side; more are joined with their neighbours, which loses little and bounds the time
MOST_BLOCKS = 150


def drift(
    reference: Mapping[str, Integers],
    current: Mapping[str, Integers],
    *,
    threshold: float,
    nominal: Collection[str] = (),
    alpha: float = ALPHA,
    seed: int = 0,
) -> tuple[FeatureDrift, ...]:
    """Judge every feature of `current`, in its order.

    Args:
        reference: by feature, counts of rows (blocks, bins), blocks in the order of time.
        current: the same of later blocks, with the same bins.
        threshold: from which on a detected drift is material, in PSI minus the expected PSI.
        nominal: the features whose bins have no order.
        alpha: the share of windows without drift in which some feature may be detected.
        seed: of the permutations.

    Raises:
        ValueError: a feature's two histograms do not have the same bins.
    """
    moves = [
        _distance_and_p(reference[name], current[name], name, nominal=name in nominal, seed=seed)
        for name in current
    ]
    q_values = iter(benjamini_hochberg([p for _, p in moves if p is not None]))
    results = []
    for name, (moved, p) in zip(current, moves, strict=True):
        q = None if p is None else next(q_values)
        psi, expected = _psi(reference[name], current[name])
        detected = None if q is None else q <= alpha
        material = None if detected is None else detected and psi - expected >= threshold
        results.append(FeatureDrift(name, moved, p, q, psi, psi - expected, detected, material))
    return tuple(results)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """P values corrected for the false discovery rate, in the order given.

    Source: Benjamini and Hochberg, Controlling the False Discovery Rate, 1995.

    >>> benjamini_hochberg([0.01, 0.02, 0.5])
    (0.03, 0.03, 0.5)
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(-p, kind="stable")
    ranks = np.arange(p.size, 0, -1)
    largest_first = np.minimum.accumulate(p[order] * p.size / ranks)
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(largest_first, 1)
    return tuple(float(value) for value in adjusted)


def expected_psi(bins: int, reference_rows: float, current_rows: float) -> float:
    """The mean of PSI without drift: (bins - 1)(1/n + 1/m) for n and m independent rows.

    Source: Yurdakul, Statistical Properties of Population Stability Index, 2018.
    """
    return (bins - 1) * (1 / reference_rows + 1 / current_rows)


def _distance_and_p(
    reference: Integers, current: Integers, name: str, *, nominal: bool, seed: int
) -> tuple[float, float | None]:
    """How far the sides lie apart, and the p value of that; None with too few blocks."""
    if reference.ndim != 2 or current.ndim != 2 or reference.shape[1] != current.shape[1]:
        raise ValueError(
            f"{name}: histograms {reference.shape} and {current.shape} must be (blocks, bins) of"
            " the same bins"
        )
    before, after = _joined(reference), _joined(current)
    if not len(before) or not len(after):
        return 0.0, None
    sides = side_of(before, nominal=nominal), side_of(after, nominal=nominal)
    difference = sides[1].pooled - sides[0].pooled
    observed = float(distance(difference, nominal=nominal).round(12))
    blocks = len(before) + len(after)
    if blocks < BLOCKS_FOR_DRIFT:
        return observed, None
    correlation = intraclass_correlation(sides)
    labellings = _labellings(blocks, run_length(sides, correlation), seed)
    moved = permuted_distances(sides, correlation, labellings, nominal=nominal)
    return observed, p_value(moved, observed)


def p_value(by_chance: Floats, observed: float) -> float:
    """How often chance moves the sides as far apart as they were observed.

    `by_chance` (draws,) are distances. What was observed counts as one more draw (Phipson and
    Smyth, Permutation P-values Should Never Be Zero, 2010).
    """
    as_far = np.count_nonzero(by_chance >= observed - ROUNDING)
    return float(1 + as_far) / (1 + by_chance.size)


@lru_cache(maxsize=8)  # the features of a window have the same blocks: most share one set
def _labellings(blocks: int, run: int, seed: int) -> Integers:
    return random_labellings(blocks, run, PERMUTATIONS, seed=seed)


def _psi(reference: Integers, current: Integers) -> tuple[float, float]:
    """PSI, and the PSI to expect if nothing moved; both 0 without rows.

    Half a row is added to each bin, so that an empty one has a logarithm.
    """
    used = (reference.sum(axis=0) + current.sum(axis=0)) > 0
    if not reference.any() or not current.any():
        return 0.0, 0.0
    bins = int(used.sum())
    before, after = _shares(reference, used), _shares(current, used)
    sides: tuple[Side, Side] = (
        side_of(_joined(reference), nominal=True),
        side_of(_joined(current), nominal=True),
    )
    correlation = intraclass_correlation(sides)
    expected = expected_psi(
        bins, effective_rows(sides[0], correlation), effective_rows(sides[1], correlation)
    )
    psi = (after - before) * np.log(after / before)
    return float(psi.sum()), expected


def _shares(histograms: Integers, used: NDArray[np.bool_]) -> Floats:
    """(used bins,) each bin's share of all rows, half a row added to each."""
    rows = histograms.sum(axis=0)[used] + 0.5
    shares: Floats = rows / rows.sum()
    return shares


def _joined(histograms: Integers) -> Integers:
    """(blocks, bins) without the blocks that have no rows.

    Neighbours are joined where there are more than `MOST_BLOCKS`.
    """
    filled: Integers = histograms[histograms.sum(axis=1) > 0]
    if len(filled) <= MOST_BLOCKS:
        return filled
    starts = np.arange(MOST_BLOCKS) * len(filled) // MOST_BLOCKS
    joined: Integers = np.add.reduceat(filled, starts, axis=0)
    return joined
