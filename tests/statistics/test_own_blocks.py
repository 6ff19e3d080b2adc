"""The second opinion on drift: what the blocks of each side say of their own spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from retraining.statistics.own_blocks import p_by_own_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

REPEATS = 150


def histograms(rng: Any, blocks: int, rows: int, *, burst: int, moved: float = 0.0) -> NDArray[Any]:
    """(blocks, 10) counts of rows of which each burst shares a level."""
    levels = rng.normal(size=(blocks, rows // burst)).repeat(burst, axis=1)
    values = np.sqrt(0.5) * (levels + rng.normal(size=levels.shape)) + moved
    edges = np.linspace(-2, 2, 9)
    places = np.searchsorted(edges, values)
    return np.stack([np.bincount(row, minlength=10) for row in places])


def alarms(burst: int, moved: float = 0.0) -> float:
    """The share of windows with p under 3 %: 16 blocks of one burst each, against files of many
    bursts.
    """
    found = []
    for seed in range(REPEATS):
        rng = np.random.default_rng(seed)
        reference = histograms(rng, 30, 400, burst=burst)
        window = histograms(rng, 16, burst, burst=burst, moved=moved)
        found.append(p_by_own_blocks(reference, window, nominal=False))
    return float(np.mean([p is not None and p <= 0.03 for p in found]))


def test_bursts_of_like_rows_are_no_drift() -> None:
    assert alarms(burst=20) <= 0.06


def test_what_moved_by_a_whole_deviation_is_seen() -> None:
    assert alarms(burst=20, moved=1.0) >= 0.8


@pytest.mark.parametrize("nominal", [False, True])
def test_the_same_counts_are_never_drift(nominal: bool) -> None:
    same = np.tile([[5, 3, 2]], (10, 1))
    assert p_by_own_blocks(same, same, nominal=nominal) == 1.0


def test_one_block_says_nothing_of_its_spread() -> None:
    several, one = np.ones((10, 3), dtype=int), np.ones((1, 3), dtype=int)
    assert p_by_own_blocks(several, one, nominal=False) is None
    assert p_by_own_blocks(one, several, nominal=False) is None
