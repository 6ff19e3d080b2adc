"""Histograms of a feature, one for each block of rows: all that drift needs to keep of the data.

Numbers fall into bins between quantiles of the reference. A value that many rows share has a bin of
its own, so that a column with one value, or with very many zeros, still shows when it moves. Each
category has a bin, the rarer ones share one. The last bin is for missing values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Integers = NDArray[np.integer[Any]]

MISSING = -1
# rarer ones share the bin of other values: with a bin each, their noise would hide a drift
MOST_CATEGORIES = 30


@dataclass(frozen=True)
class NumberBins:
    """Bins between edges: bin i holds edges[i-1] <= value < edges[i].

    The first and the last of these are open. After them comes the bin of missing values.
    """

    edges: tuple[float, ...]

    @property
    def count(self) -> int:
        """How many bins there are, the one of the missing values included."""
        return len(self.edges) + 2


@dataclass(frozen=True)
class CategoryBins:
    """A bin for each category, then one for all other values and one for missing values."""

    categories: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many bins there are, those of other and missing values included."""
        return len(self.categories) + 2


def number_bins(values: Floats, count: int = 10) -> NumberBins:
    """Bins that hold about equal shares of `values` (n,), of which NaN is missing.

    There may be more or fewer than `count` bins if values repeat.
    """
    known = values[~np.isnan(values)]
    if known.size == 0:
        return NumberBins(())
    quantiles = np.quantile(known, np.arange(1, count) / count, method="inverted_cdf")
    distinct, times = np.unique(quantiles, return_counts=True)
    # A value that is two quantiles at once has many rows: an edge right above it ends its own bin.
    # Above the largest float that edge is infinity, which is an edge like any other.
    with np.errstate(over="ignore"):
        edges = np.union1d(distinct, np.nextafter(distinct[times > 1], np.inf))
    return NumberBins(tuple(float(edge) for edge in edges))


def category_bins(categories: Sequence[str], counts: Sequence[int]) -> CategoryBins:
    """Bins for the most frequent categories, in the order given."""
    kept = sorted(np.argsort(-np.asarray(counts), kind="stable")[:MOST_CATEGORIES])
    return CategoryBins(tuple(categories[place] for place in kept))


def number_histograms(
    values: Floats, bins: NumberBins, blocks: Integers, block_count: int
) -> NDArray[np.int64]:
    """(blocks, bins) how many rows of each block fall into each bin.

    `values` are (n,), `blocks` (n,) their blocks' numbers in 0..block_count-1.
    """
    places = np.searchsorted(np.asarray(bins.edges), values, side="right")
    places[np.isnan(values)] = bins.count - 1
    return _count(places, bins.count, blocks, block_count)


def category_histograms(
    codes: Integers, bins: CategoryBins, blocks: Integers, block_count: int
) -> NDArray[np.int64]:
    """(blocks, bins) how many rows of each block fall into each bin.

    `codes` (n,) are those of `category_codes`, `blocks` (n,) numbers in 0..block_count-1.
    """
    places = np.where(codes == MISSING, bins.count - 1, codes)
    return _count(places, bins.count, blocks, block_count)


def category_codes(values: Sequence[str | None], bins: CategoryBins) -> NDArray[np.int64]:
    """(n,) the bin of each value; MISSING for None.

    For a column with a dictionary, give it the dictionary's values and index the result by the
    rows' codes, which is quicker than a look at each row.
    """
    known = {category: place for place, category in enumerate(bins.categories)}
    other = len(bins.categories)
    return np.array(
        [MISSING if value is None else known.get(value, other) for value in values], dtype=np.int64
    )


def _count(places: Integers, bins: int, blocks: Integers, block_count: int) -> NDArray[np.int64]:
    cells = np.bincount(blocks * bins + places, minlength=block_count * bins)
    return cells.reshape(block_count, bins).astype(np.int64)
