"""Drift on 100,000 reference and 50,000 current rows of 15 features, against scipy's own tests on
the same arrays.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from retraining.statistics import (
    category_bins,
    category_codes,
    category_histograms,
    drift,
    number_bins,
    number_histograms,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

REFERENCE, CURRENT, NUMBERS, WORDS, CATEGORIES = 100_000, 50_000, 12, 3, 8
ROWS_A_FILE = 5_000
NAMES = tuple(f"kind-{code}" for code in range(CATEGORIES))


def arrays(rows: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Numbers (rows, 12) and codes of words (rows, 3)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, NUMBERS)), rng.integers(0, CATEGORIES, size=(rows, WORDS))


def ours(reference: tuple[Any, Any], current: tuple[Any, Any]) -> None:
    """Bins, histograms by file and the permutation test, as a cycle does it."""
    histograms = []
    bins: list[Any] = [number_bins(column) for column in reference[0].T] + [
        category_bins(NAMES, np.bincount(column, minlength=CATEGORIES).tolist())
        for column in reference[1].T
    ]
    for numbers, words in (reference, current):
        blocks = np.arange(len(numbers)) // ROWS_A_FILE
        count = int(blocks[-1]) + 1
        found = {
            f"number-{place}": number_histograms(column, bins[place], blocks, count)
            for place, column in enumerate(numbers.T)
        }
        for place, column in enumerate(words.T):
            by_code = category_codes(NAMES, bins[NUMBERS + place])
            found[f"word-{place}"] = category_histograms(
                by_code[column], bins[NUMBERS + place], blocks, count
            )
        histograms.append(found)
    drift(
        histograms[0],
        histograms[1],
        threshold=0.1,
        nominal={f"word-{place}" for place in range(WORDS)},
    )


def scipys(reference: tuple[Any, Any], current: tuple[Any, Any]) -> None:
    """Kolmogorov-Smirnov on the numbers, chi-squared on the words."""
    for before, after in zip(reference[0].T, current[0].T, strict=True):
        stats.ks_2samp(before, after)
    for before, after in zip(reference[1].T, current[1].T, strict=True):
        stats.chi2_contingency(
            [np.bincount(side, minlength=CATEGORIES) for side in (before, after)]
        )


def seconds(times: int) -> tuple[list[float], list[float]]:
    """CPU seconds of ours and of scipy's, in turn, each asked once before."""
    reference, current = arrays(REFERENCE, 0), arrays(CURRENT, 1)
    found: tuple[list[float], list[float]] = ([], [])
    for turn in range(times + 1):
        for kept, work in zip(found, (ours, scipys), strict=True):
            taken = _cpu(work, reference, current)
            if turn:
                kept.append(taken)
    return found


def _cpu(work: Callable[..., None], *arguments: Any) -> float:
    began = time.process_time()
    work(*arguments)
    return time.process_time() - began
