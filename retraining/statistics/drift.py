"""Whether features moved between a reference and the current rows, told from histograms by block.

Rows of a file are alike, so a test that takes rows as its unit alarms without drift (84 % of
windows at design effect 4). Here blocks are the unit: a p value is how often a random labelling of
blocks as reference or current moves them as far apart (Pitman, 1937; for drift Rabanser et al.,
Failing Loudly, 2019), corrected for the number of features (Benjamini and Hochberg, 1995).
`detected` is that, `material` says that it is also large: PSI less what PSI is expected to be
without drift (Yurdakul, 2018).
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
# simulated alarms at 0.05 came out at 4 to 7 %, and 5 % is promised (bench/simulations.py)
ALPHA = 0.03
ROUNDING = 1e-9  # must not make an equal labelling look smaller than the one observed
BLOCKS_FOR_DRIFT = 8  # both sides; fewer labellings cannot tell 5 % of 15 features
# on each side; more are joined with their neighbours, which costs little and keeps time flat
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
        reference: by feature, (blocks, bins) counts, blocks in order of time.
        current: the same bins, later blocks.
        threshold: from which a detected drift is material, in corrected PSI.
        nominal: the features whose bins have no order.
        alpha: the share of windows without drift that may be detected, over all features together.
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
    """P values corrected for the false discovery rate (Benjamini and Hochberg, 1995).

    >>> benjamini_hochberg([0.01, 0.02, 0.5])
    (0.03, 0.03, 0.5)
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(-p, kind="stable")
    ranks = np.arange(p.size, 0, -1)
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(np.minimum.accumulate(p[order] * p.size / ranks), 1)
    return tuple(float(value) for value in adjusted)


def expected_psi(bins: int, reference_rows: float, current_rows: float) -> float:
    """PSI's mean without drift, (bins - 1)(1/n + 1/m) (Yurdakul, Statistical Properties of PSI,
    2018), rows independent.
    """
    return (bins - 1) * (1 / reference_rows + 1 / current_rows)


def _distance_and_p(
    reference: Integers, current: Integers, name: str, *, nominal: bool, seed: int
) -> tuple[float, float | None]:
    if reference.ndim != 2 or current.ndim != 2 or reference.shape[1] != current.shape[1]:
        raise ValueError(
            f"{name}: histograms {reference.shape} and {current.shape} must be (blocks, bins) of"
            " the same bins"
        )
    before, after = _joined(reference), _joined(current)
    if not len(before) or not len(after):
        return 0.0, None
    sides = side_of(before, nominal=nominal), side_of(after, nominal=nominal)
    observed = float(distance(sides[1].pooled - sides[0].pooled, nominal=nominal).round(12))
    blocks = len(before) + len(after)
    if blocks < BLOCKS_FOR_DRIFT:
        return observed, None
    correlation = intraclass_correlation(sides)
    labellings = _labellings(blocks, run_length(sides, correlation), seed)
    moved = permuted_distances(sides, correlation, labellings, nominal=nominal)
    return observed, float(1 + np.count_nonzero(moved >= observed - ROUNDING)) / (1 + PERMUTATIONS)


@lru_cache(maxsize=8)
def _labellings(blocks: int, run: int, seed: int) -> Integers:
    """The features of a window have the same blocks, so most share one set of labellings."""
    return random_labellings(blocks, run, PERMUTATIONS, seed=seed)


def _psi(reference: Integers, current: Integers) -> tuple[float, float]:
    """PSI, and what it is expected to be if nothing moved; zero without rows."""
    used = (reference.sum(axis=0) + current.sum(axis=0)) > 0
    if not reference.any() or not current.any():
        return 0.0, 0.0
    bins = int(used.sum())
    before, after = (
        (side.sum(axis=0)[used] + 0.5) / (side.sum() + bins / 2) for side in (reference, current)
    )
    sides: tuple[Side, Side] = (
        side_of(_joined(reference), nominal=True),
        side_of(_joined(current), nominal=True),
    )
    correlation = intraclass_correlation(sides)
    expected = expected_psi(
        bins, effective_rows(sides[0], correlation), effective_rows(sides[1], correlation)
    )
    return float(((after - before) * np.log(after / before)).sum()), expected


def _joined(histograms: Integers) -> Integers:
    """Blocks without rows left out, and neighbours joined where there are more than MOST_BLOCKS."""
    filled: Integers = histograms[histograms.sum(axis=1) > 0]
    if len(filled) <= MOST_BLOCKS:
        return filled
    starts = np.arange(MOST_BLOCKS) * len(filled) // MOST_BLOCKS
    joined: Integers = np.add.reduceat(filled, starts, axis=0)
    return joined
